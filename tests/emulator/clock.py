"""The emulator's time: the real one, plus what a test advanced."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class EmulatorClock:
    """All time stamps, token lives and throttle windows go by this clock. It also serves as a client's clock."""

    def __init__(self, start: datetime | None = None) -> None:
        """Run with the real time; with `start` (UTC) stand still there until somebody advances."""
        self._start = start
        self._advanced = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since 1970, UTC."""
        base = time.time() if self._start is None else self._start.timestamp()
        return base + self._advanced

    def now(self) -> datetime:
        """The time now, UTC."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        base = time.monotonic() if self._start is None else 0.0
        return base + self._advanced

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self._advanced += max(0.0, seconds)

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once, as a client's way to wait; who waits at the same time waits together."""
        due = self.monotonic() + seconds
        await asyncio.sleep(0)
        self.advance(due - self.monotonic())

    def reset(self) -> None:
        """Forget what was advanced."""
        self._advanced = 0.0


def stamp(moment: datetime) -> str:
    """A time as Graph writes it: whole seconds, UTC, with a Z."""
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


def http_date(moment: datetime) -> str:
    """A time as an HTTP header has it."""
    return format_datetime(moment, usegmt=True)


def in_seconds(moment: datetime, seconds: float) -> datetime:
    """The time so many seconds later."""
    return moment + timedelta(seconds=seconds)
