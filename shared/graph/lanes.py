"""Who may be sent next: one lane a mailbox, taken in turns, each with few requests in flight. No I/O.

Outlook takes four requests at a time for one app and mailbox; mailboxes do not limit each other
(microsoft-graph-docs, throttling-limits; microsoft-graph-docs#20833).
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from shared.graph.answers import Answer, Doubtful, Lost
from shared.graph.batch import Room, SubRequest

MAILBOX_CONCURRENCY = 4


@dataclass(slots=True, eq=False)
class Waiting:
    """A request on its way: who waits for it, and what happened to it so far."""

    request: SubRequest
    future: "asyncio.Future[Answer | Lost | Doubtful]"
    number: int = 1
    first_sent: float | None = None
    renewed: bool = False
    alone: bool = False


@dataclass(slots=True)
class _Lane:
    waiting: deque[Waiting] = field(default_factory=deque)
    in_flight: int = 0
    pauses: int = 0
    in_turn: bool = False

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.in_flight or self.pauses)


class Lanes:
    """The queue of all requests that wait, fair between mailboxes, in order within each."""

    def __init__(self, per_mailbox: int = MAILBOX_CONCURRENCY) -> None:
        """`per_mailbox` requests at most are out for one mailbox at a time."""
        self._per_mailbox = per_mailbox
        self._lanes: dict[str, _Lane] = {}
        self._turns: deque[str] = deque()

    def add(self, waiting: Waiting, *, first: bool = False) -> None:
        """Queue a request, `first` in its lane if it was out before."""
        lane = self._lanes.setdefault(waiting.request.mailbox, _Lane())
        if first:
            lane.waiting.appendleft(waiting)
        else:
            lane.waiting.append(waiting)
        self._offer(waiting.request.mailbox)

    def take(self, room: Room) -> list[Waiting]:
        """The next batch that fits `room`, maybe empty; what is taken is in flight until `done`."""
        batch: list[Waiting] = []
        passed: list[str] = []
        while self._turns and room.requests:
            mailbox = self._turns.popleft()
            waiting = self._next_of(mailbox)
            if waiting is None:
                continue
            if batch and (waiting.alone or not room.fits(waiting.request)):
                passed.append(mailbox)
                continue
            batch.append(self._out(mailbox))
            room = room.less(waiting.request)
            if waiting.alone:
                break
        self._turns.extendleft(reversed(passed))
        return batch

    def done(self, mailbox: str) -> None:
        """One request of the mailbox is back."""
        self._lanes[mailbox].in_flight -= 1
        self._offer(mailbox)

    def pause(self, mailbox: str) -> None:
        """Send nothing for this mailbox until it was resumed as often as paused."""
        self._lanes.setdefault(mailbox, _Lane()).pauses += 1

    def resume(self, mailbox: str) -> None:
        """One pause is over."""
        self._lanes[mailbox].pauses -= 1
        self._offer(mailbox)

    def _ready(self, lane: _Lane) -> bool:
        return bool(lane.waiting) and lane.in_flight < self._per_mailbox and not lane.pauses

    def _offer(self, mailbox: str) -> None:
        """Give the mailbox its turn if it has something to send and may; forget it when nothing is left of it."""
        lane = self._lanes[mailbox]
        if lane.idle and not lane.in_turn:
            del self._lanes[mailbox]
        elif self._ready(lane) and not lane.in_turn:
            lane.in_turn = True
            self._turns.append(mailbox)

    def _next_of(self, mailbox: str) -> Waiting | None:
        """What the mailbox would send; None, and its turn is over, if it may not or nobody waits for it any more."""
        lane = self._lanes[mailbox]
        while lane.waiting and lane.waiting[0].future.done():
            lane.waiting.popleft()
        if self._ready(lane):
            return lane.waiting[0]
        lane.in_turn = False
        self._offer(mailbox)
        return None

    def _out(self, mailbox: str) -> Waiting:
        lane = self._lanes[mailbox]
        waiting = lane.waiting.popleft()
        lane.in_flight += 1
        lane.in_turn = False
        self._offer(mailbox)
        return waiting
