"""What all parts of one emulator share, and the lock that keeps a test's thread and the server's apart."""

import functools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tests.emulator.clock import EmulatorClock
from tests.emulator.switches import Switches

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class World:
    """Clock, switches, lock and dice of one emulator; `address` is its root URL once it serves."""

    clock: EmulatorClock = field(default_factory=EmulatorClock)
    switches: Switches = field(default_factory=Switches)
    lock: threading.RLock = field(default_factory=threading.RLock)  # type: ignore[valid-type]
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    address: str = ""

    def reset(self) -> None:
        """As at the beginning."""
        self.clock.reset()
        self.switches.reset()
        self.dice.seed(1)


class _HasWorld(Protocol):
    world: World


S = TypeVar("S", bound=_HasWorld)


def locked(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let nothing be answered while a test changes something, and the other way round."""

    @functools.wraps(method)
    def guarded(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.world.lock:
            return method(self, *args, **kwargs)

    return guarded
