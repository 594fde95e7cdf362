"""What all parts of one emulator share, and the lock that keeps a test's thread and the server's apart."""

import functools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from tests.emulator.clock import EmulatorClock
from tests.emulator.switches import Switches

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class World:
    """Clock, switches, lock and dice of one emulator; `address` is its root URL once it serves."""

    clock: EmulatorClock = field(default_factory=EmulatorClock)
    switches: Switches = field(default_factory=Switches)
    lock: threading.RLock = field(default_factory=threading.RLock)
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    address: str = ""

    def __post_init__(self) -> None:
        self._initial = replace(self.switches)

    def reset(self) -> None:
        """As at the beginning."""
        self.clock.reset()
        self.switches.take(self._initial)
        self.dice.seed(1)


def locked(method: F) -> F:
    """Let nothing be answered while a test changes something, and the other way round; for what has a `world`."""

    @functools.wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.world.lock:
            return method(self, *args, **kwargs)

    return cast("F", guarded)
