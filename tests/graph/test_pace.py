"""How many batches may be out, tried on a model of Graph that takes so many at a time."""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph.pace import FIRST_BATCHES, MOST_BATCHES, Pace

ROUND = 0.05


@dataclass
class Client:
    """Somebody with endless work, who sends as much as the pace allows and waits when told to."""

    pace: Pace = field(default_factory=Pace)
    out: int = 0
    rests_until: float = 0.0
    answered: deque[float] = field(default_factory=deque)
    limits: list[int] = field(default_factory=list)

    def between(self, begin: float, end: float) -> int:
        """How many batches were answered then."""
        return sum(begin <= moment < end for moment in self.answered)


class Server:
    """Takes `capacity` batches at a time, each for one round, and refuses what is more."""

    def __init__(self, capacity: int, *clients: Client, retry_after: float = 1.0) -> None:
        self.capacity, self.clients, self.retry_after = capacity, clients, retry_after
        self.now = 0.0
        self.running = 0
        self.refused: list[float] = []
        self.lost_every = 0
        self.sent = 0
        self._events: list[tuple[float, int, Client, float, str]] = []

    def run(self, until: float) -> None:
        """Let time pass."""
        while self.now < until:
            for client in self.clients:
                self._send(client)
            wake = [client.rests_until for client in self.clients if client.rests_until > self.now]
            self.now = min([*wake, *(event[0] for event in self._events[:1])])
            while self._events and self._events[0][0] <= self.now:
                self._answer(*heappop(self._events)[2:])

    def _send(self, client: Client) -> None:
        while self.now >= client.rests_until and client.out < client.pace.limit:
            client.out += 1
            self.sent += 1
            fate = "lost" if self.lost_every and self.sent % self.lost_every == 0 else "well"
            if self.running >= self.capacity:
                fate = "refused"
                self.refused.append(self.now)
            else:
                self.running += 1
            takes = ROUND / 10 if fate == "refused" else ROUND * (1 + self.sent % 7 / 70)
            heappush(self._events, (self.now + takes, self.sent, client, self.now, fate))
        client.pace.sent(client.out)
        client.limits.append(client.pace.limit)

    def _answer(self, client: Client, sent_at: float, fate: str) -> None:
        client.out -= 1
        self.running -= fate != "refused"
        if fate == "well":
            client.pace.went_well(sent_at, self.now)
            client.answered.append(self.now)
            return
        if fate == "lost":
            client.pace.was_lost(sent_at, self.now)
        else:
            client.pace.was_refused(sent_at, self.now)
            client.rests_until = max(client.rests_until, self.now + self.retry_after)


def test_it_begins_with_few_and_finds_the_ceiling_at_once() -> None:
    """Graph that takes everything is used to the full after a few rounds, not a few seconds."""
    client = Client()
    assert client.pace.limit == FIRST_BATCHES
    Server(1000, client).run(0.3)
    assert client.pace.limit == MOST_BATCHES


@pytest.mark.parametrize("capacity", [3, 10, 20, 40])
def test_it_stays_near_the_ceiling(capacity: int) -> None:
    """Refused now and then, it still uses most of what Graph takes, and few batches are refused."""
    client = Client()
    server = Server(capacity, client)
    server.run(300.0)
    assert client.between(60, 300) / 240 >= 0.6 * capacity / ROUND / 1.05
    assert len([moment for moment in server.refused if moment > 60]) <= 0.01 * client.between(60, 300)


def test_after_a_refusal_it_comes_back_one_by_one() -> None:
    """Those who waited do not all come at once: one batch first, then twice as many each round."""
    pace = Pace()
    pace.sent(8)
    pace.was_refused(0.0, 1.0)
    limits = []
    for number in range(3):
        out = pace.limit
        pace.sent(out)
        limits.append(out)
        for _ in range(out):
            pace.went_well(1.5 + number, 2.0 + number)
    assert limits == [1, 2, 4]


def test_what_was_sent_before_a_loss_counts_once() -> None:
    """All connections lost at once are one loss: the pace does not fall to nothing for it."""
    pace = Pace(first=32)
    for _ in range(10):
        pace.was_lost(0.0, 1.0)
    assert pace.limit == 24


def test_a_stray_loss_slows_nothing_down() -> None:
    """A server that ends a connection now and then costs no pace."""
    client = Client()
    server = Server(1000, client)
    server.lost_every = 400
    server.run(60.0)
    assert client.between(0, 60) / 60 >= 0.9 * MOST_BATCHES / ROUND / 1.05
    assert min(client.limits) >= FIRST_BATCHES


def test_it_recovers_in_seconds() -> None:
    """When Graph takes more again, it is used again within half a minute."""
    client = Client()
    server = Server(4, client)
    server.run(60.0)
    server.capacity = 40
    server.run(90.0)
    assert client.between(80, 90) / 10 >= 0.6 * 40 / ROUND / 1.05


def test_it_falls_back_at_once() -> None:
    """When Graph takes less, the excess ends after a few rounds."""
    client = Client()
    server = Server(40, client)
    server.run(60.0)
    server.capacity = 4
    server.run(120.0)
    assert client.between(70, 120) / 50 >= 0.5 * 4 / ROUND / 1.05


def test_two_who_share_a_ceiling_get_alike() -> None:
    """One that was there first makes room for the one that comes later."""
    first, second = Client(), Client()
    server = Server(20, first)
    server.run(30.0)
    server.clients = (first, second)
    server.run(330.0)
    one, other = first.between(90, 330), second.between(90, 330)
    assert 1 / 2 <= one / other <= 2


@given(st.lists(st.tuples(st.sampled_from(["well", "lost", "stop", "sent"]), st.floats(0, 5)), max_size=80))
def test_it_never_stands_still_and_never_runs_away(events: list[tuple[str, float]]) -> None:
    """Whatever happens, at least one batch may go, and at most as many as there are places."""
    pace, now = Pace(), 0.0
    for what, seconds in events:
        before, now = now, now + seconds
        match what:
            case "well":
                pace.went_well(before, now)
            case "sent":
                pace.sent(pace.limit)
            case "lost":
                pace.was_lost(before, now)
            case _:
                pace.was_refused(before, now)
        assert 1 <= pace.limit <= MOST_BATCHES


def test_one_troubled_mailbox_slows_nobody_down() -> None:
    """A mailbox that is throttled or away again and again is its own matter."""
    pace = Pace()
    for second in range(100):
        pace.heard("slow", second, second + 0.5, well=False)
        pace.heard("other", second, second + 0.5, well=True)
    assert pace.limit == FIRST_BATCHES


def test_many_troubled_mailboxes_are_the_tenants_trouble() -> None:
    """When most of the mailboxes are refused, one by one, it is the application that asks for too much."""
    pace = Pace()
    for number in range(10):
        pace.heard(f"m{number}", 1.0, 1.5, well=number < 4)
    assert pace.limit < FIRST_BATCHES
