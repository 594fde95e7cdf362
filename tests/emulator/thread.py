"""The emulator in a thread of its own, for tests that block: the command line, subprocesses, Hypothesis."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from tests.emulator.clock import EmulatorClock
from tests.emulator.server import Emulator
from tests.emulator.switches import Switches


class EmulatorThread(Emulator):
    """An emulator that serves from a background thread with a loop of its own; a plain context manager."""

    def __init__(self, *, switches: Switches | None = None, port: int = 0, clock: EmulatorClock | None = None) -> None:
        super().__init__(switches=switches, port=port, clock=clock)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="emulator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
