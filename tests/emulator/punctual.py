"""Sleep that ends on time, on average, in a loop that has other things to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_MOST_SECONDS: Final = 0.005
"""So much earlier than it is due a sleep ends at most."""

_MEMORY: Final = 32
"""Over about so many sleeps the mean is taken."""


class Punctual:
    """Wakes as much earlier as it woke too late before: timers are rounded up, and a loop finishes what it is at."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`monotonic` tells the time in seconds, `sleep` lets so many pass."""
        self._monotonic, self._sleep = monotonic, sleep
        self._ahead_seconds = 0.0

    async def until(self, due: float) -> None:
        """Sleep until this moment of the monotonic time."""
        await self._sleep(due - self._ahead_seconds - self._monotonic())
        late = self._monotonic() - due
        self._ahead_seconds = min(max(self._ahead_seconds + late / _MEMORY, 0.0), _MOST_SECONDS)
