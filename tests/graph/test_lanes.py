"""Whose request is sent next."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.graph.answers import Answer, Doubtful, Lost
from shared.graph.batch import Room, SubRequest
from shared.graph.lanes import Lanes, Waiting

Outcome = Answer | Lost | Doubtful


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def waiting(loop: asyncio.AbstractEventLoop, mailbox: str, path: str = "/", *, alone: bool = False) -> Waiting:
    future: asyncio.Future[Outcome] = loop.create_future()
    return Waiting(SubRequest(mailbox, "GET", path), future, alone=alone)


def test_mailboxes_take_turns(loop: asyncio.AbstractEventLoop) -> None:
    """A mailbox with much to do does not hold up the others."""
    lanes = Lanes()
    for mailbox in ["busy"] * 30 + ["anna", "ben"]:
        lanes.add(waiting(loop, mailbox))
    assert [item.request.mailbox for item in lanes.take(Room())] == ["busy", "anna", "ben", "busy", "busy", "busy"]


def test_four_at_a_time(loop: asyncio.AbstractEventLoop) -> None:
    """The fifth request of a mailbox waits for the first to come back, in whatever batch."""
    lanes = Lanes()
    for number in range(6):
        lanes.add(waiting(loop, "hub", f"/{number}"))
    assert [item.request.path for item in lanes.take(Room())] == ["/0", "/1", "/2", "/3"]
    assert lanes.take(Room()) == []
    lanes.done("hub")
    assert [item.request.path for item in lanes.take(Room())] == ["/4"]


def test_a_paused_mailbox_rests_alone(loop: asyncio.AbstractEventLoop) -> None:
    """Throttling of one mailbox leaves the others running, and ends with the longest wait."""
    lanes = Lanes()
    lanes.add(waiting(loop, "slow"))
    lanes.add(waiting(loop, "quick"))
    lanes.pause("slow")
    lanes.pause("slow")
    assert [item.request.mailbox for item in lanes.take(Room())] == ["quick"]
    lanes.resume("slow")
    assert lanes.take(Room()) == []
    lanes.resume("slow")
    assert [item.request.mailbox for item in lanes.take(Room())] == ["slow"]


def test_what_nobody_waits_for_is_not_sent(loop: asyncio.AbstractEventLoop) -> None:
    """A cancelled request leaves its place to the next."""
    lanes = Lanes()
    gone = waiting(loop, "anna", "/gone")
    lanes.add(gone)
    lanes.add(waiting(loop, "anna", "/next"))
    gone.future.cancel()
    assert [item.request.path for item in lanes.take(Room())] == ["/next"]


def test_a_suspect_travels_alone(loop: asyncio.AbstractEventLoop) -> None:
    """A request that may have spoilt a batch gets one to itself, and stays next in turn."""
    lanes = Lanes()
    lanes.add(waiting(loop, "anna"))
    lanes.add(waiting(loop, "suspect", alone=True))
    lanes.add(waiting(loop, "ben"))
    assert [item.request.mailbox for item in lanes.take(Room())] == ["anna", "ben"]
    assert [item.request.mailbox for item in lanes.take(Room())] == ["suspect"]


@given(st.lists(st.sampled_from("abcdef"), max_size=120))
def test_everything_is_sent_once_and_in_order(mailboxes: list[str]) -> None:
    """Whatever the mix, each request comes out once, in its mailbox's order, at most 20 and 4 a mailbox at a time."""
    loop = asyncio.new_event_loop()
    lanes = Lanes()
    for number, mailbox in enumerate(mailboxes):
        lanes.add(waiting(loop, mailbox, f"/{number:04}"))
    sent: list[Waiting] = []
    while batch := lanes.take(Room()):
        assert len(batch) <= 20
        assert max(Counter(item.request.mailbox for item in batch).values()) <= 4
        sent += batch
        for item in batch:
            lanes.done(item.request.mailbox)
    loop.close()
    assert len(sent) == len(mailboxes)
    for mailbox in set(mailboxes):
        paths = [item.request.path for item in sent if item.request.mailbox == mailbox]
        assert paths == sorted(paths)


class LanesMachine(RuleBasedStateMachine):
    """Any order of adding, taking, answering, pausing and resuming keeps the limits and forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.lanes = Lanes()
        self.queued: Counter[str] = Counter()
        self.out: Counter[str] = Counter()
        self.paused: Counter[str] = Counter()

    @rule(mailbox=st.sampled_from("abc"), first=st.booleans())
    def add(self, mailbox: str, *, first: bool) -> None:
        self.lanes.add(waiting(self.loop, mailbox), first=first)
        self.queued[mailbox] += 1

    @rule()
    def take(self) -> None:
        batch = self.lanes.take(Room())
        free = {m for m in self.queued if self.queued[m] and self.out[m] < 4 and not self.paused[m]}
        assert bool(batch) == bool(free)
        for item in batch:
            assert not self.paused[item.request.mailbox]
            self.queued[item.request.mailbox] -= 1
            self.out[item.request.mailbox] += 1

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        mailbox = data.draw(st.sampled_from(sorted(m for m in self.out if self.out[m])))
        self.lanes.done(mailbox)
        self.out[mailbox] -= 1

    @rule(mailbox=st.sampled_from("abc"))
    def pause(self, mailbox: str) -> None:
        self.lanes.pause(mailbox)
        self.paused[mailbox] += 1

    @precondition(lambda self: any(self.paused.values()))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        mailbox = data.draw(st.sampled_from(sorted(m for m in self.paused if self.paused[m])))
        self.lanes.resume(mailbox)
        self.paused[mailbox] -= 1

    @invariant()
    def four_at_most(self) -> None:
        assert all(count <= 4 for count in self.out.values())

    def teardown(self) -> None:
        self.loop.close()


TestLanesMachine = LanesMachine.TestCase
