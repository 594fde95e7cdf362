"""Who may be sent next, and in whose company: one lane a mailbox, each with few requests in flight. No I/O.

Outlook takes four requests at a time, and so many in ten minutes, of one app for one mailbox; mailboxes do not limit
each other (microsoft-graph-docs, throttling-limits; microsoft-graph-docs#20833).

How batches are made up. Graph runs four requests of a batch at a time, whatever their mailboxes, and answers when the
last is done: a batch of k lasts about ceil(k / 4) latencies. With four in flight for each of M mailboxes, 4 M requests
come back in that time, so batches of twenty reach a fifth of what the mailboxes take, and batches of four all of it.
Hence a *busy* mailbox, one with work for all its places, travels alone: nobody's slow request holds it up, and its own
hold up nobody. So does one whose last batch was slow, for whoever was to blame. When there are more busy mailboxes
than batches may go, the batches are the limit and not the latency: then they share, at no loss. Mailboxes with little
to do share batches of twenty, which saves round trips; while somebody is busy there are many anyway, and they go four
to a batch, which is back after one latency. The last batch that may go takes whatever may be sent.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from shared.graph.answers import Answer, Doubtful, Lost
from shared.graph.batch import LARGEST_BATCH, Room, SubRequest
from shared.graph.budget import Budgets
from shared.graph.policy import CHANGES, LONGEST_TRY_SECONDS

MAILBOX_CONCURRENCY: Final = 4
LONGEST_UNSEEN_SECONDS: Final = 15.0
"""So long a change may wait on the card that it was decided on; a paused mailbox waits for minutes.

People save cards meanwhile, and whether If-Match is honoured on contacts is not documented.
"""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request on its way: who waits for it, and what happened to it so far."""

    request: SubRequest
    future: "asyncio.Future[Answer | Lost | Doubtful]"
    asked_at: float = 0.0
    number: int = 1
    first_sent: float | None = None
    renewed: bool = False
    alone: bool = False

    def is_void(self, now: float) -> bool:
        """Whether it must not be sent: nobody waits for it, or the card that it changes was looked at too long ago."""
        is_old = self.request.method in CHANGES and now - self.asked_at > LONGEST_UNSEEN_SECONDS
        return is_old or self.future.done()

    def give_back(self, now: float) -> None:
        """Have the card looked at anew, for the last time if that goes on for as long as anything is tried."""
        if not self.future.done():
            since = self.asked_at if self.first_sent is None else self.first_sent
            is_last = now - since > LONGEST_TRY_SECONDS
            self.future.set_result(Doubtful(Lost("Waited", sent=False), since, self.number - 1, is_last))

    def refuse(self) -> None:
        """Tell who waits that there is no time for it."""
        if not self.future.done():
            self.future.set_result(Lost("OutOfTime", sent=False))


@dataclass(slots=True, eq=False)
class _Lane:
    mailbox: str
    width: int
    waiting: deque[Waiting] = field(default_factory=deque)
    in_flight: int = 0
    pauses: int = 0
    closed: bool = False
    turn: int | None = None
    busy: bool = False

    @property
    def ready(self) -> bool:
        return bool(self.waiting) and self.in_flight < self.width and not self.pauses and not self.closed

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.in_flight or self.pauses or self.closed or self.turn is not None)


_Turns = deque[tuple[int, _Lane]]


class Lanes:
    """The queue of all requests that wait, fair between mailboxes, in order within each. Times are seconds."""

    def __init__(self, per_mailbox: int = MAILBOX_CONCURRENCY, budgets: Budgets | None = None) -> None:
        """`per_mailbox` requests at most are out for one mailbox at a time; `budgets` say how many in ten minutes."""
        self._per_mailbox = per_mailbox
        self._budgets = Budgets() if budgets is None else budgets
        self._lanes: dict[str, _Lane] = {}
        self._busy: _Turns = deque()
        self._light: _Turns = deque()
        self._many_busy = self._many_light = 0
        self._was_busy = False
        self._next_turn = 0
        self._closed: list[tuple[float, str]] = []
        self._slow: set[str] = set()

    @property
    def opens_at(self) -> float | None:
        """When a mailbox whose budget is spent may go on, None if there is none."""
        return self._closed[0][0] if self._closed else None

    @property
    def some_wait(self) -> bool:
        """Whether something may be left that could be sent."""
        return bool(self._busy or self._light)

    @property
    def some_wait_for_company(self) -> bool:
        """Whether mailboxes with little to do have something to send."""
        return self._many_light > 0

    @property
    def is_hurried(self) -> bool:
        """Whether a mailbox has work for all its places, so that time counts for more than the number of batches.

        It lasts until all is done: what is left of much work must not take five times as long.
        """
        return bool(self._was_busy or self._many_busy)

    def add(self, waiting: Waiting, *, first: bool = False) -> None:
        """Queue a request, `first` in its lane if it was out before."""
        lane = self._lane(waiting.request.mailbox)
        if first:
            lane.waiting.appendleft(waiting)
        else:
            lane.waiting.append(waiting)
        self._offer(lane)

    def take(self, room: Room, now: float, batches: int = 1, *, patient: bool = False) -> list[Waiting]:
        """The next batch that fits `room`, maybe empty, when so many `batches` may go.

        Who is `patient` lets mailboxes with little to do wait until they fill a batch. What is taken is in flight until
        `done`.
        """
        self.open(now)
        batch: list[Waiting] = []
        turns = [self._busy, self._light]
        if patient and batches > 1 and self._many_light < room.requests:
            turns = [self._busy]
        elif _longer_waiting(self._light, self._busy):
            turns.reverse()
        for queue in turns:
            self._fill(batch, queue, room, now, self._company(queue, batches))
            if batch and (batches > 1 or batch[0].alone):
                break
        return batch

    def done(self, mailbox: str, *, well: bool = True, slow: bool = False) -> None:
        """One request of the mailbox is back; one that went `well` lets a lane that was paused widen again.

        If its batch was `slow`, any mailbox in it may be the reason: each travels alone until it has been quick.
        """
        (self._slow.add if slow else self._slow.discard)(mailbox)
        lane = self._lanes[mailbox]
        lane.in_flight -= 1
        lane.width = min(lane.width + well, self._per_mailbox)
        self._offer(lane)

    def open(self, now: float) -> None:
        """Let those go on whose budget has room again."""
        while self._closed and self._closed[0][0] <= now:
            lane = self._lanes[heappop(self._closed)[1]]
            lane.closed = False
            self._offer(lane)

    def refuse(self, after: float) -> None:
        """Give up what waits for a budget that has room only `after` this moment."""
        for opens_at, mailbox in self._closed:
            waiting = self._lanes[mailbox].waiting
            while waiting and opens_at > after:
                waiting.popleft().refuse()

    def pause(self, mailbox: str) -> None:
        """Send nothing for this mailbox until it was resumed as often as paused; it goes on with one at a time."""
        lane = self._lane(mailbox)
        lane.pauses += 1
        lane.width = 1

    def resume(self, mailbox: str) -> None:
        """One pause is over."""
        lane = self._lanes[mailbox]
        lane.pauses -= 1
        self._offer(lane)

    def _lane(self, mailbox: str) -> _Lane:
        lane = self._lanes.get(mailbox)
        if lane is None:
            lane = self._lanes[mailbox] = _Lane(mailbox, self._per_mailbox)
        return lane

    def _offer(self, lane: _Lane) -> None:
        """Give the mailbox its turn if it has something to send and may; forget it when nothing is left of it."""
        if lane.idle:
            self._lanes.pop(lane.mailbox, None)
            self._was_busy = self._was_busy and bool(self._lanes)
        elif lane.ready and not (lane.turn is not None and lane.busy):
            busy = lane.mailbox in self._slow or lane.in_flight + len(lane.waiting) >= self._per_mailbox
            if lane.turn is None:
                self._next_turn += 1
                lane.turn = self._next_turn
            elif busy:
                self._many_light -= 1
            else:
                return
            lane.busy = busy
            self._many_busy += busy
            self._many_light += not busy
            (self._busy if busy else self._light).append((lane.turn, lane))

    def _company(self, queue: _Turns, batches: int) -> int:
        """How many mailboxes share the next batch, of those in this queue."""
        if queue is self._busy:
            return -(-self._many_busy // batches)
        if batches == 1 or not self.is_hurried:
            return LARGEST_BATCH
        return max(self._per_mailbox, -(-self._many_light // batches))

    def _fill(self, batch: list[Waiting], turns: _Turns, room: Room, now: float, mailboxes: int) -> None:
        """Put what so many mailboxes may send into the batch."""
        busy = turns is self._busy
        passed: list[tuple[int, _Lane]] = []
        while turns and room.requests and mailboxes:
            turn, lane = turns.popleft()
            if lane.turn != turn or lane.busy is not busy:
                continue
            waiting = self._next_of(lane, now)
            if waiting and batch and (waiting.alone or not room.fits(waiting.request)):
                passed.append((turn, lane))
                continue
            self._many_busy -= lane.busy
            self._many_light -= not lane.busy
            lane.turn, lane.busy = None, False
            if waiting:
                self._serve(batch, lane, room, now, self._per_mailbox if busy else 1)
                mailboxes -= 1
            self._offer(lane)
            if waiting and waiting.alone:
                break
        turns.extendleft(reversed(passed))

    def _serve(self, batch: list[Waiting], lane: _Lane, room: Room, now: float, most: int) -> None:
        """Put up to so many requests of the mailbox into the batch; its first one fits."""
        for _ in range(most):
            waiting = self._next_of(lane, now)
            if waiting is None or (batch and (waiting.alone or not room.fits(waiting.request))):
                break
            batch.append(lane.waiting.popleft())
            lane.in_flight += 1
            self._was_busy = self._was_busy or lane.in_flight == self._per_mailbox
            self._budgets.spend(lane.mailbox, now)
            room.take(waiting.request)
            if waiting.alone:
                break

    def _next_of(self, lane: _Lane, now: float) -> Waiting | None:
        """What the mailbox would send; None if it may not, or nobody waits for it any more."""
        while lane.waiting and lane.waiting[0].is_void(now):
            lane.waiting.popleft().give_back(now)
        if not lane.ready:
            return None
        opens_at = self._budgets.opens_at(lane.mailbox, now)
        if opens_at > now:
            lane.closed = True
            heappush(self._closed, (opens_at, lane.mailbox))
            return None
        return lane.waiting[0]


def _longer_waiting(one: _Turns, other: _Turns) -> bool:
    return bool(one) and (not other or one[0][0] < other[0][0])
