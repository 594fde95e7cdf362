"""A Graph that is only a model: it takes so long, four requests of a batch at a time, and time is a number."""

from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Any

from shared.graph.batch import Room, SubRequest
from shared.graph.lanes import Lanes, Waiting

AT_ONCE = 4


class Pending:
    """Somebody who waits, and may go away; no event loop is needed for that."""

    def __init__(self) -> None:
        self.gone = False

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self.gone

    def cancel(self) -> None:
        """Go away."""
        self.gone = True


def waiting(mailbox: str, path: str = "/", *, alone: bool = False, answer_bytes: int = 4_000) -> Waiting:
    """A request in its lane."""
    pending: Any = Pending()
    return Waiting(SubRequest(mailbox, "GET", path, answer_bytes=answer_bytes), pending, alone=alone)


def lasts(latencies: list[float]) -> float:
    """How long a batch takes: four at a time, each as soon as one before it is through."""
    ends = [0.0] * AT_ONCE
    heapify(ends)
    for latency in latencies:
        heapreplace(ends, ends[0] + latency)
    return max(ends)


class Traffic:
    """Mailboxes with endless work, each with so many requests queued, answered as `latency` says."""

    def __init__(self, lanes: Lanes, latency: Callable[[str], float], batches: int) -> None:
        self.lanes, self.latency, self.batches = lanes, latency, batches
        self.now = 0.0
        self.answered: Counter[str] = Counter()
        self.sizes: list[int] = []
        self.most_out: Counter[str] = Counter()
        self._out: list[tuple[float, int, list[Waiting]]] = []
        self._in_flight: Counter[str] = Counter()
        self._number = count()

    def add(self, mailbox: str, requests: int = AT_ONCE) -> None:
        """Queue work that renews itself."""
        for _ in range(requests):
            self.lanes.add(waiting(mailbox))

    def run(self, seconds: float) -> None:
        """Let so many seconds pass."""
        while self.now < seconds:
            self._send()
            moments = (self.lanes.opens_at, self._out[0][0] if self._out else None)
            self.now = min(moment for moment in moments if moment is not None)
            while self._out and self._out[0][0] <= self.now:
                self._answer(heappop(self._out)[2])

    def _send(self) -> None:
        while free := self.batches - len(self._out):
            batch = self.lanes.take(Room(), self.now, free)
            if not batch:
                return
            self.sizes.append(len(batch))
            for item in batch:
                mailbox = item.request.mailbox
                self._in_flight[mailbox] += 1
                self.most_out[mailbox] = max(self.most_out[mailbox], self._in_flight[mailbox])
            back = self.now + lasts([self.latency(item.request.mailbox) for item in batch])
            heappush(self._out, (back, next(self._number), batch))

    def _answer(self, batch: list[Waiting]) -> None:
        for item in batch:
            mailbox = item.request.mailbox
            self._in_flight[mailbox] -= 1
            self.answered[mailbox] += 1
            self.lanes.done(mailbox)
            self.lanes.add(waiting(mailbox))
