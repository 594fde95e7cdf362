"""How many mailboxes are read at once: many while they have little to tell, few when each tells a lot."""

import asyncio
from typing import Final

FEWEST: Final = 10
"""With a thousand contacts to tell each, they take about forty megabytes."""

_LEAST: Final = 2
"""However much each has to tell, one is read while what the other told is looked at."""

_MUCH: Final = 1_000
"""So many contacts each are reckoned with where nobody knows."""

MOST: Final = 80
"""Graph limits each mailbox by itself, so this bounds memory, not load."""

_CALM: Final = 10


def at_once(usual: int, told: int) -> int:
    """How many mailboxes may tell so much each (`told`, 0: nobody knows) where the `usual` number tells a thousand."""
    return max(_LEAST, min(MOST, usual * _MUCH // told)) if told else usual


class Door:
    """Lets mailboxes in to be read.

    Nobody knows beforehand what a mailbox has to tell: in a quiet hour nothing, and in the hour after a first run each
    of its cards. So it begins with few. Once some in a row had little to tell it opens wide, all at once, so that those
    who come in share their batches; each that had much closes one place again.
    """

    def __init__(self, fewest: int = FEWEST, most: int = MOST, calm: int = _CALM) -> None:
        """Let `fewest` in at once to begin with, and `most` after so many (`calm`) with little to tell."""
        self._fewest, self._most, self._enough = fewest, most, calm
        self._places = fewest
        self._in_a_row = 0
        self._free = asyncio.Semaphore(fewest)

    async def enter(self) -> None:
        """Wait for a place."""
        await self._free.acquire()

    def leave(self, *, much: bool) -> None:
        """Give the place back, having had `much` to tell or little."""
        before = self._places
        self._in_a_row = 0 if much else self._in_a_row + 1
        if much:
            self._places = max(before - 1, self._fewest)
        elif self._in_a_row >= self._enough:
            self._places = self._most
        for _ in range(1 + self._places - before):
            self._free.release()
