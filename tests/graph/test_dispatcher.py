"""Requests packed, sent, retried and given back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from shared.errors import SignInError, Who
from shared.graph.answers import Answer, Doubtful, Lost
from shared.graph.budget import Budgets
from shared.graph.commons import Commons
from shared.graph.dispatcher import Dispatcher, Limits
from shared.ports import Traffic
from tests.graph.wires import Entry, ScriptedWire, StillClock, mailbox_of, reply, settled, sub


@asynccontextmanager
async def running(
    wire: ScriptedWire, clock: StillClock | None = None, limits: Limits | None = None
) -> AsyncIterator[Dispatcher]:
    async with Dispatcher(wire, clock or StillClock(), Traffic(), limits, jitter=lambda: 0.0) as dispatcher:
        yield dispatcher


async def test_what_is_asked_side_by_side_goes_in_one_batch() -> None:
    """Twenty requests of several mailboxes are one HTTP request, and each gets its own answer."""
    wire = ScriptedWire()
    async with running(wire) as dispatcher:
        requests = [sub(f"m{number % 7}", str(number)) for number in range(20)]
        answers = await asyncio.gather(*(dispatcher.request(request) for request in requests))
    assert len(wire.batches) == 1
    for request, answer in zip(requests, answers, strict=True):
        assert isinstance(answer, Answer)
        assert request.path.encode() in answer.body


async def test_batches_are_never_larger_than_graph_takes() -> None:
    """At most twenty requests a batch, at most four of one mailbox in flight over all batches."""
    wire = ScriptedWire()
    async with running(wire, limits=Limits(batches=2)) as dispatcher:
        await asyncio.gather(*(dispatcher.request(sub(f"m{n % 30}", str(n))) for n in range(300)))
    assert max(map(len, wire.batches)) == 20
    assert all(max(Counter(map(mailbox_of, batch)).values()) <= 4 for batch in wire.batches)
    assert sum(map(len, wire.batches)) == 300


async def test_batches_in_flight_are_bounded() -> None:
    """However much there is to ask, only so many batches are out, and only so many bytes are expected."""
    wire = ScriptedWire()
    async with running(wire, limits=Limits(batches=3)) as dispatcher:
        await asyncio.gather(*(dispatcher.request(sub(f"m{n}")) for n in range(400)))
    assert wire.most_out == 3


async def test_a_busy_mailbox_sends_on_before_its_answers_are_looked_at() -> None:
    """Nobody has heard of the first four when the next four are out: Graph does not wait while we compute."""
    wire = ScriptedWire()
    async with running(wire) as dispatcher:

        async def ask(number: int) -> int:
            await dispatcher.request(sub("busy", str(number)))
            return len(wire.batches)

        assert await asyncio.gather(*map(ask, range(8))) == [2] * 8


async def test_a_busy_mailbox_that_is_refused_does_not_send_on() -> None:
    """Where Graph tells its four to wait, the next four wait with them."""
    clock = StillClock()
    limits = iter([(429, {"Retry-After": "30"})])
    wire = ScriptedWire(lambda entries: reply(entries, busy=next(limits, (200, {}))))
    async with running(wire, clock) as dispatcher:
        asked = asyncio.gather(*(dispatcher.request(sub("busy", str(number))) for number in range(8)))
        await clock.advance(29.0)
        assert len(wire.batches) == 1
        await clock.advance(2.0)
        await asked


async def test_a_few_requests_wait_a_moment_for_company_while_others_are_out() -> None:
    """Batches of one or two would come back sooner than full ones, and go out again as few, all through an hour."""
    wire, clock = ScriptedWire(gate=asyncio.Event()), StillClock()
    async with running(wire, clock) as dispatcher:
        tasks = [asyncio.create_task(dispatcher.request(sub("early")))]
        await settled()
        tasks += [asyncio.create_task(dispatcher.request(sub("late")))]
        await settled()
        assert wire.urls == [["/early/"]]
        await clock.advance(0.2)
        assert wire.urls == [["/early/"], ["/late/"]]
        await wire.answer_all()
        await asyncio.gather(*tasks)


async def test_nobody_waits_for_company_while_a_mailbox_is_busy() -> None:
    """Its batches are out all the time, and others would wait each time that they ask for something."""
    wire = ScriptedWire(gate=asyncio.Event())
    async with running(wire) as dispatcher:
        tasks = [asyncio.create_task(dispatcher.request(sub("busy", str(number)))) for number in range(4)]
        await settled()
        tasks += [asyncio.create_task(dispatcher.request(sub("light")))]
        await settled()
        assert wire.urls[1:] == [["/light/"]]
        await wire.answer_all()
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttled_mailbox_pauses_alone(status: int) -> None:
    """A 429 or 503 with a wait holds that mailbox back for so long; the others go on meanwhile."""
    clock = StillClock()
    limits = iter([(status, {"Retry-After": "30"})])
    wire = ScriptedWire(lambda entries: reply(entries, slow=next(limits, (200, {}))))
    async with running(wire, clock) as dispatcher:
        first = asyncio.create_task(dispatcher.request(sub("slow", "1")))
        await settled()
        second = asyncio.create_task(dispatcher.request(sub("slow", "2")))
        assert isinstance(await dispatcher.request(sub("quick")), Answer)
        await clock.advance(29)
        assert not first.done()
        assert not second.done()
        await clock.advance(2)
        assert isinstance(first.result(), Answer)
        assert isinstance(second.result(), Answer)
    assert wire.urls[-2:] == [["/slow/1"], ["/slow/2"]]


async def test_it_starts_careful_and_uses_more_when_all_goes_well() -> None:
    """Few batches are out at first; round by round, as long as Graph answers, there are twice as many."""
    wire = ScriptedWire(gate=asyncio.Event())
    async with running(wire) as dispatcher:
        tasks = [asyncio.create_task(dispatcher.request(sub(f"m{n}", str(n)))) for n in range(4000)]
        await settled()
        out = [wire.out]
        for _ in range(4):
            await wire.answer_all()
            out.append(wire.out)
        for task in tasks:
            task.cancel()
    assert out == [20, 40, 64, 64, 12]


async def test_tenants_share_what_a_process_has() -> None:
    """A tenant with endless work leaves another one its share of the connections."""
    clock, commons = StillClock(), Commons(places=10)
    wires = ScriptedWire(gate=asyncio.Event()), ScriptedWire(gate=asyncio.Event())
    limits = Limits(first_batches=64, commons=commons)
    async with (
        Dispatcher(wires[0], clock, Traffic(), limits) as one,
        Dispatcher(wires[1], clock, Traffic(), limits) as other,
    ):
        first = [asyncio.create_task(one.request(sub(f"m{n}"))) for n in range(2000)]
        await settled()
        second = [asyncio.create_task(other.request(sub(f"m{n}"))) for n in range(400)]
        await settled()
        out = [tuple(wire.out for wire in wires)]
        for _ in range(2):
            for wire in wires:
                await wire.answer_all()
            out.append(tuple(wire.out for wire in wires))
        for task in (*first, *second):
            task.cancel()
    assert out == [(10, 0), (5, 5), (5, 5)]


async def test_a_mailbox_that_has_had_its_requests_waits_by_itself() -> None:
    """The budget of ten minutes is kept without a refusal, retries count, and nobody else is held up."""
    clock, wire = StillClock(), ScriptedWire()
    async with running(wire, clock, Limits(budgets=Budgets(6))) as dispatcher:
        hub = [asyncio.create_task(dispatcher.request(sub("hub", str(n)))) for n in range(9)]
        await clock.advance(60)
        assert sum(task.done() for task in hub) == 6
        assert isinstance(await dispatcher.request(sub("anna")), Answer)
        await clock.advance(540)
        assert sum(task.done() for task in hub) == 6
        await clock.advance(20)
        assert all(task.done() for task in hub)


async def test_the_next_run_knows_what_a_mailbox_has_had() -> None:
    """Two runs within ten minutes keep to one budget, and the second one waits by itself."""
    clock, wire, limits = StillClock(), ScriptedWire(), Limits(budgets=Budgets(6))
    async with running(wire, clock, limits) as dispatcher:
        await asyncio.gather(*(dispatcher.request(sub("hub", str(number))) for number in range(4)))
    async with running(wire, clock, limits) as dispatcher:
        hub = [asyncio.create_task(dispatcher.request(sub("hub", str(number)))) for number in range(4)]
        await clock.advance(500)
        assert sum(task.done() for task in hub) == 2
        assert isinstance(await dispatcher.request(sub("anna")), Answer)
        await clock.advance(120)
        assert all(task.done() for task in hub)


async def test_a_wait_on_the_batch_counts_for_its_parts() -> None:
    """A throttled request that does not say for how long waits for what the batch's own header says."""
    clock = StillClock()
    codes = iter([429])

    def throttled(entries: list[Entry]) -> Answer:
        inner = reply(entries, slow=(next(codes, 200), {}))
        return Answer(424, {"retry-after": "40"}, inner.body)

    wire = ScriptedWire(throttled)
    async with running(wire, clock) as dispatcher:
        task = asyncio.create_task(dispatcher.request(sub("slow")))
        await clock.advance(39)
        assert len(wire.batches) == 1
        await clock.advance(2)
        assert isinstance(task.result(), Answer)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_throttled_batch_holds_everybody_back(status: int) -> None:
    """When Graph refuses batches as such, none is sent until the wait is over."""
    clock = StillClock()
    answers = iter([Answer(status, {"retry-after": "10"}, b"")])
    wire = ScriptedWire(lambda entries: next(answers, None) or reply(entries))
    async with running(wire, clock) as dispatcher:
        first = asyncio.create_task(dispatcher.request(sub("a")))
        await settled()
        second = asyncio.create_task(dispatcher.request(sub("b")))
        await clock.advance(9)
        assert len(wire.batches) == 1
        await clock.advance(2)
        assert first.done()
        assert second.done()


@pytest.mark.parametrize("status", [400, 413])
async def test_one_request_that_spoils_a_batch_is_found(status: int) -> None:
    """A refused batch is sent again one by one: only the spoiler fails."""

    def spoilt(entries: list[Entry]) -> Answer:
        bad = any(mailbox_of(entry) == "bad" for entry in entries)
        return Answer(status, {}, b"") if bad else reply(entries)

    wire = ScriptedWire(spoilt)
    async with running(wire) as dispatcher:
        answers = await asyncio.gather(*(dispatcher.request(sub(name)) for name in ("a", "bad", "b", "c")))
    assert [answer.status for answer in answers if isinstance(answer, Answer)] == [200, status, 200, 200]


@pytest.mark.parametrize(
    "broken",
    [
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b"{}"),
        Answer(200, {}, b'{"responses":[]}'),
        Answer(503, {}, b""),
        Answer(504, {}, b""),
        Answer(424, {}, b""),
        Lost("ReadTimeout"),
    ],
    ids=repr,
)
async def test_a_broken_batch_is_read_again_and_a_create_looked_up(broken: Answer | Lost) -> None:
    """Whatever happens to a batch as a whole: reads are repeated, creates come back doubtful, nobody waits for ever."""
    clock = StillClock()
    answers = iter([broken])
    wire = ScriptedWire(lambda entries: next(answers, None) or reply(entries))
    async with running(wire, clock) as dispatcher:
        read = asyncio.create_task(dispatcher.request(sub("a")))
        create = asyncio.create_task(dispatcher.request(sub("b", method="POST")))
        for _ in range(5):
            await clock.advance(300)
        assert isinstance(read.result(), Answer)
        assert isinstance(create.result(), Doubtful)
    assert wire.urls == [["/a/", "/b/"], ["/a/"]]


async def test_a_create_that_never_left_is_just_sent() -> None:
    """A refused connection is no doubt."""
    clock = StillClock()
    answers = iter([Lost("ConnectError", sent=False)])
    wire = ScriptedWire(lambda entries: next(answers, None) or reply(entries))
    async with running(wire, clock) as dispatcher:
        create = asyncio.create_task(dispatcher.request(sub("b", method="POST")))
        await clock.advance(300)
        assert isinstance(create.result(), Answer)


async def test_throttled_answers_in_a_failed_batch_are_told_apart() -> None:
    """A 424 for the batch may hold its answers all the same; what went well is not repeated."""

    def throttled(entries: list[Entry]) -> Answer:
        inner = reply(entries, slow=(404, {}))
        return Answer(424, inner.headers, inner.body)

    wire = ScriptedWire(throttled)
    async with running(wire) as dispatcher:
        answers = await asyncio.gather(*(dispatcher.request(sub(name)) for name in ("slow", "quick")))
    assert [answer.status for answer in answers if isinstance(answer, Answer)] == [404, 200]
    assert len(wire.batches) == 1


async def test_a_refused_token_is_renewed_once() -> None:
    """One 401 costs a fresh token; the second is final."""
    wire = ScriptedWire(lambda entries: Answer(401, {}, b""))
    async with running(wire) as dispatcher:
        answer = await dispatcher.request(sub("a"))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.whole_batch, wire.renewed, len(wire.batches)) == (401, True, 1, 2)


async def test_no_token_is_told_to_all_who_wait() -> None:
    """What the credential raises reaches every caller of the batch, each with an error of its own."""

    def refused(entries: list[Entry]) -> Answer:
        raise SignInError("No token.", hint="Look.", code="SignIn", who=Who.DEPLOYER)

    wire = ScriptedWire(refused)
    async with running(wire) as dispatcher:
        errors = await asyncio.gather(*(dispatcher.request(sub(n)) for n in "abc"), return_exceptions=True)
    assert [type(error) for error in errors] == [SignInError] * 3
    assert len({id(error) for error in errors}) == 3
    assert {(str(error), error.hint, error.code, error.who) for error in errors if isinstance(error, SignInError)} == {
        ("No token.", "Look.", "SignIn", Who.DEPLOYER)
    }


async def test_a_defect_does_not_leave_anybody_waiting() -> None:
    """An unexpected error comes out where the request was made."""

    def broken(entries: list[Entry]) -> Answer:
        raise ZeroDivisionError

    async with running(ScriptedWire(broken)) as dispatcher:
        with pytest.raises(ZeroDivisionError):
            await dispatcher.request(sub("a"))
        with pytest.raises(ZeroDivisionError):
            await dispatcher.request(sub("a"))


async def test_attempts_end() -> None:
    """A Graph that is down is given up with its last answer."""
    clock = StillClock()
    wire = ScriptedWire(lambda entries: Answer(503, {}, b""))
    async with running(wire, clock) as dispatcher:
        task = asyncio.create_task(dispatcher.request(sub("a")))
        for _ in range(20):
            await clock.advance(300)
        answer = task.result()
    assert isinstance(answer, Answer)
    assert answer.status == 503
    assert len(wire.batches) <= 8


async def test_a_cancelled_request_is_not_sent() -> None:
    """Who has gone away is not served, and holds up nobody."""
    wire = ScriptedWire(gate=asyncio.Event())
    async with running(wire, limits=Limits(batches=1)) as dispatcher:
        first = asyncio.create_task(dispatcher.request(sub("a", "1")))
        await settled()
        gone = asyncio.create_task(dispatcher.request(sub("a", "2")))
        last = asyncio.create_task(dispatcher.request(sub("a", "3")))
        await settled()
        gone.cancel()
        assert wire.gate is not None
        wire.gate.set()
        assert isinstance(await first, Answer)
        assert isinstance(await last, Answer)
    assert wire.urls == [["/a/1"], ["/a/3"]]


async def test_closing_ends_all_that_is_under_way() -> None:
    """Neither a request in flight nor one that waits outlives the dispatcher."""
    wire = ScriptedWire(gate=asyncio.Event())
    async with running(wire, limits=Limits(batches=1)) as dispatcher:
        out = asyncio.create_task(dispatcher.request(sub("a")))
        await settled()
        queued = asyncio.create_task(dispatcher.request(sub("b")))
        await settled()
    results = await asyncio.gather(out, queued, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2


async def test_traffic_is_counted() -> None:
    """Requests, batches, throttled answers, repeated sends and bytes end up in the report."""
    clock, traffic = StillClock(), Traffic()
    limits: Iterator[tuple[int, dict[str, str]]] = iter([(429, {})])
    wire = ScriptedWire(lambda entries: reply(entries, slow=next(limits, (200, {}))))
    async with Dispatcher(wire, clock, traffic, jitter=lambda: 0.0) as dispatcher:
        task = asyncio.create_task(dispatcher.request(sub("slow")))
        await clock.advance(300)
        await task
    assert (traffic.requests, traffic.batches, traffic.throttled, traffic.retried) == (2, 2, 1, 1)
    assert traffic.bytes > 100
