"""How many batches of a tenant may be out at a time, found out by trying. Pure: time is an argument, in seconds.

Nobody tells what Graph takes of an app and tenant today, so the number is felt for, as TCP does: from a few it doubles
with each round until something is refused. From then on it grows slowly where it failed, the more slowly the longer a
refusal made everybody wait, and quicker the longer all goes well. What one mailbox refuses is that mailbox's matter;
many at once are the tenant's.
"""

from typing import Final

FIRST_BATCHES: Final = 20
MOST_BATCHES: Final = 64
_KEPT: Final = 0.75
_GROWTH: Final = 0.1
_LONGEST_CALM_STEP: Final = 1.0
_SPELL_SECONDS: Final = 5.0
_MANY: Final = 3


class Pace:
    """The number of batches that may be out at a time; never less than one."""

    def __init__(self, first: int = FIRST_BATCHES, most: int = MOST_BATCHES) -> None:
        """Begin with `first` batches, and never go beyond `most`."""
        self._most = float(most)
        self._limit = min(float(first), self._most)
        self._threshold = self._most
        self._calm = 0.0
        self._patience = 1.0
        self._turned_at = self._spell_began = float("-inf")
        self._last: float | None = 0.0
        self._stretched = False
        self._since_loss = 0
        self._well: set[str] = set()
        self._ill: set[str] = set()

    @property
    def limit(self) -> int:
        """How many batches may be out now."""
        return int(self._limit)

    def sent(self, out: int) -> None:
        """So many batches are out now that all that may be sent was sent: more is tried only if all were used."""
        self._stretched = out >= self.limit

    def went_well(self, sent_at: float, now: float) -> None:
        """A batch that was sent at `sent_at` came back answered."""
        if sent_at < self._turned_at:
            return
        if self._last is None:
            self._patience = max(1.0, now - self._turned_at)
        step = 0.0 if self._last is None else min(now - self._last, _LONGEST_CALM_STEP)
        self._last = now
        self._since_loss += 1
        if not self._stretched:
            return
        if self._limit < self._threshold:
            self._limit = min(self._limit + 1, self._threshold)
        else:
            self._calm += step
            self._limit = min(max(self._limit, self._threshold + _GROWTH * self._calm**2 / self._patience), self._most)

    def was_refused(self, sent_at: float, now: float) -> None:
        """A batch that was sent at `sent_at` was refused as a whole.

        It begins with one batch again and doubles, so that those who waited do not all come at once.
        """
        if self._turn(sent_at, now):
            self._limit = 1.0

    def was_lost(self, sent_at: float, now: float) -> None:
        """A batch got lost, or came back from a gateway: a stray one is no sign, two close to each other are."""
        stray, self._since_loss = self._since_loss >= self._limit, 0
        if not stray:
            self._turn(sent_at, now)

    def heard(self, mailbox: str, sent_at: float, now: float, *, well: bool) -> None:
        """What a mailbox answered for itself: that it has to wait or is away (not `well`), or anything else."""
        if now - self._spell_began > _SPELL_SECONDS:
            self._spell_began = now
            self._well.clear()
            self._ill.clear()
        mine, other = (self._well, self._ill) if well else (self._ill, self._well)
        mine.add(mailbox)
        other.discard(mailbox)
        if not well and len(self._ill) >= max(_MANY, len(self._well)):
            self._turn(sent_at, now)

    def _turn(self, sent_at: float, now: float) -> bool:
        """Slow down; what was sent before the last such turn tells nothing new."""
        if sent_at < self._turned_at:
            return False
        self._threshold = self._limit = max(self._limit * _KEPT, 1.0)
        self._calm, self._last, self._turned_at = 0.0, None, now
        self._well.clear()
        self._ill.clear()
        return True
