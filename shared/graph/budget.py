"""How many requests one mailbox has had lately, so that the mirror waits by itself and Graph need not refuse. Pure.

Outlook takes 10,000 requests in ten minutes of one app for one mailbox, and counts those that it refuses
(microsoft-graph-docs, throttling-limits). A refused hub would stand still for minutes and lose every look-up on the
way; one that waits in time loses nothing. The margin is for requests that arrive later than they were sent.
"""

from typing import Final

MOST_REQUESTS: Final = 9_600
WINDOW_SECONDS: Final = 600.0
_SLOT_SECONDS: Final = 10.0


class Budget:
    """A sliding window: no stretch of `window_seconds` ever holds more than `most` requests. Times are seconds.

    They are counted in slots of ten seconds, so that it takes a hundred bytes where one time for each request would
    take a hundred thousand; a slot counts until its last moment has left the window.
    """

    __slots__ = ("_most", "_slots", "_used", "_window")

    def __init__(self, most: int = MOST_REQUESTS, window_seconds: float = WINDOW_SECONDS) -> None:
        """`most` requests may be sent in `window_seconds`."""
        self._most = most
        self._window = window_seconds
        self._slots: list[list[int]] = []
        self._used = 0

    def opens_at(self, now: float) -> float:
        """When the next request may be sent: `now`, or the moment at which the oldest ones have left the window."""
        self._move_on(now)
        return now if self._used < self._most else self._leaves_at(self._slots[0][0])

    def is_untouched(self, now: float) -> bool:
        """Whether nothing was sent for so long that the window is empty."""
        self._move_on(now)
        return not self._slots

    def spend(self, now: float) -> None:
        """Count a request that is sent now, whatever becomes of it."""
        slot = int(now // _SLOT_SECONDS)
        if not self._slots or self._slots[-1][0] < slot:
            self._slots.append([slot, 0])
        self._slots[-1][1] += 1
        self._used += 1

    def _move_on(self, now: float) -> None:
        while self._slots and self._leaves_at(self._slots[0][0]) <= now:
            self._used -= self._slots.pop(0)[1]

    def _leaves_at(self, slot: int) -> float:
        return (slot + 1) * _SLOT_SECONDS + self._window


class Budgets:
    """The budgets of all mailboxes of one app in one tenant, for as many runs as the process sees. Times are seconds.

    Graph does not know where our runs end. Who was sent nothing for a whole window is forgotten.
    """

    def __init__(self, most: int = MOST_REQUESTS) -> None:
        """`most` requests may be sent to each mailbox in ten minutes."""
        self._most = most
        self._budgets: dict[str, Budget] = {}
        self._looks_at = float("-inf")

    def __len__(self) -> int:
        """How many mailboxes are remembered."""
        return len(self._budgets)

    def opens_at(self, mailbox: str, now: float) -> float:
        """When the mailbox's next request may be sent, `now` at the earliest."""
        budget = self._budgets.get(mailbox)
        return budget.opens_at(now) if budget else now

    def spend(self, mailbox: str, now: float) -> None:
        """Count a request to the mailbox that is sent now."""
        budget = self._budgets.get(mailbox)
        if budget is None:
            self._forget(now)
            budget = self._budgets[mailbox] = Budget(self._most)
        budget.spend(now)

    def _forget(self, now: float) -> None:
        """Drop who has its whole budget again; a look at all of them is due once in a window."""
        if now >= self._looks_at:
            self._looks_at = now + WINDOW_SECONDS
            self._budgets = {name: one for name, one in self._budgets.items() if not one.is_untouched(now)}
