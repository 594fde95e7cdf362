"""How slow this machine is while something runs on it, so that CPU can be compared between machines and minutes.

The same work takes twice the seconds on another machine, and a minute later on one that others use as well. The
yardstick is what Python's own `json.loads` takes for a page of contacts as Graph sends it.
"""

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.bench.people import listed

REFERENCE_SECONDS_A_BYTE: Final = 8e-9
"""What a byte takes where a second is a reference second, in a page that is loaded after a pause.

Caches are cold then, as they are for a program that waits between two answers; one page after the other takes 6 ns a
byte there, ten microseconds for a contact of 1,650 bytes.
"""
_CONTACTS: Final = 100
_EVERY_SECONDS: Final = 0.2


class Slowness:
    """How many seconds a reference second lasts here; 1 until something is measured."""

    def __init__(self) -> None:
        self._samples: list[float] = []

    def look(self) -> None:
        """Measure once."""
        self._samples.append(_seconds_a_byte() / REFERENCE_SECONDS_A_BYTE)

    @property
    def factor(self) -> float:
        """The mean of what was measured."""
        return statistics.fmean(self._samples or [1.0])


@contextmanager
def watched() -> Iterator[Slowness]:
    """Measures time and again until the block ends; takes a hundredth of one core."""
    slowness, is_over = Slowness(), threading.Event()

    def watch() -> None:
        while not is_over.wait(_EVERY_SECONDS):
            slowness.look()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield slowness
    finally:
        is_over.set()
        watching.join()


def _seconds_a_byte() -> float:
    began = time.thread_time()
    json.loads(_PAGE)
    return (time.thread_time() - began) / len(_PAGE)


_PAGE: Final = json.dumps({"value": [listed(number) for number in range(_CONTACTS)]}, separators=(",", ":")).encode()
