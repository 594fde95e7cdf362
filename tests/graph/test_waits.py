"""What a wait does to those who wait: a change is looked at anew, a deadline is kept, and nobody slips through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.errors import ItemChangedError
from shared.graph.answers import Answer, Doubtful, Lost
from shared.graph.budget import Budgets
from shared.graph.commons import Commons
from shared.graph.dispatcher import Dispatcher, Limits
from shared.ports import Traffic
from shared.sync.replica import Draft, Item
from tests.emulator import Emulator, Fault, Switches
from tests.emulator.clock import EmulatorClock
from tests.emulator.faults import Throttled
from tests.graph.scene import ANNA, opened, spoke, staffed
from tests.graph.test_load import draft
from tests.graph.wires import Entry, ScriptedWire, StillClock, reply, settled, sub


@asynccontextmanager
async def running(wire: ScriptedWire, clock: StillClock, limits: Limits | None = None) -> AsyncIterator[Dispatcher]:
    async with Dispatcher(wire, clock, Traffic(), limits, jitter=lambda: 0.0) as dispatcher:
        yield dispatcher


def throttling_once(seconds: int) -> ScriptedWire:
    """A wire that tells the first request of "busy" to wait."""
    limits = iter([(429, {"Retry-After": str(seconds)})])
    return ScriptedWire(lambda entries: reply(entries, busy=next(limits, (200, {}))))


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_that_waited_is_not_sent_unseen(method: str) -> None:
    """What was decided before the mailbox's pause is given back, so that the card is looked at; a create goes out."""
    clock, wire = StillClock(), throttling_once(120)
    async with running(wire, clock) as dispatcher:
        read = asyncio.create_task(dispatcher.request(sub("busy", "read")))
        await settled()
        change = asyncio.create_task(dispatcher.request(sub("busy", "change", method)))
        create = asyncio.create_task(dispatcher.request(sub("busy", "create", "POST")))
        await clock.advance(121)
        outcome = await change
        assert isinstance(outcome, Doubtful)
        assert not outcome.final
        assert all(isinstance(one, Answer) for one in await asyncio.gather(read, create))
    assert not any("/change" in url for batch in wire.urls for url in batch)


async def test_a_change_waits_in_vain_only_so_long() -> None:
    """Where the card was looked at time and again for twenty minutes, it is left to the next run."""
    clock, wire = StillClock(), ScriptedWire(gate=asyncio.Event())
    async with running(wire, clock, Limits(first_batches=1, batches=1)) as dispatcher:
        busy = [asyncio.create_task(dispatcher.request(sub("other", str(n)))) for n in range(100)]
        await settled()
        outcomes: list[Doubtful] = []
        while len(outcomes) < 9 and not (outcomes and outcomes[-1].final):
            before = outcomes[-1] if outcomes else None
            change = asyncio.create_task(dispatcher.request(sub("busy", "change", "PATCH"), before))
            await clock.advance(400)
            await wire.answer_all()
            outcome = change.result()
            assert isinstance(outcome, Doubtful)
            outcomes.append(outcome)
        assert len(outcomes) == 4
        for task in busy:
            task.cancel()


class Meanwhile(EmulatorClock):
    """A clock with a long wait in which something happens."""

    happens: Callable[[], Awaitable[None]] | None = None

    async def sleep(self, seconds: float) -> None:
        if seconds > 60 and self.happens:
            await self.happens()
        await super().sleep(seconds)


@pytest.mark.parametrize("honoured", [True, False])
async def test_an_edit_during_a_pause_is_not_overwritten(*, honoured: bool) -> None:
    """Somebody saves the card while its mailbox has to wait, and Graph may not even honour If-Match."""
    clock = Meanwhile()
    switches = Switches(honour_if_match=honoured, silent_change_key_bump_seconds=None)
    async with Emulator(switches=switches, clock=clock) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            other, made = [await services.contacts.create(replica, draft(number)) for number in (1, 2)]
            writes: list[asyncio.Task[Item]] = []

            async def happens() -> None:
                clock.happens = None
                writes.append(asyncio.create_task(services.contacts.update(replica, made, Draft({"title": "Dr"}))))
                await settled()
                tenant.mailbox(ANNA).edit_contact(made.item_id, {"title": "Lady"})

            clock.happens = happens
            emulator.faults.add(Fault(action=Throttled(120), method="PATCH", path=other.item_id))
            await services.contacts.update(replica, other, Draft({"title": "Sir"}))
            with pytest.raises(ItemChangedError):
                await writes[0]
        assert sorted(str(one.get("title")) for one in tenant.mailbox(ANNA).contacts()) == ["Lady", "Sir"]


async def test_no_wait_goes_beyond_the_deadline() -> None:
    """A read is given up with its answer, a create as one that may be there; what ends before is waited for."""
    clock, wire = StillClock(), ScriptedWire(lambda entries: reply(entries, busy=(429, {"Retry-After": "200"})))
    async with running(wire, clock, Limits(deadline=250.0)) as dispatcher:
        read = asyncio.create_task(dispatcher.request(sub("busy", "read")))
        create = asyncio.create_task(dispatcher.request(sub("busy", "create", "POST")))
        await clock.advance(199)
        assert not read.done()
        await clock.advance(2)
        answer, doubt = read.result(), create.result()
    assert isinstance(answer, Answer)
    assert answer.status == 429
    assert isinstance(doubt, Doubtful)


async def test_a_budget_that_opens_too_late_is_not_waited_for() -> None:
    """Who would have to wait for the mailbox's ten minutes hears at once that there is no time."""
    clock, wire = StillClock(), ScriptedWire()
    async with running(wire, clock, Limits(budgets=Budgets(2), deadline=300.0)) as dispatcher:
        asked = [asyncio.create_task(dispatcher.request(sub("hub", str(n)))) for n in range(3)]
        await settled()
        asked.append(asyncio.create_task(dispatcher.request(sub("hub", "later"))))
        await settled()
        outcomes = [one.result() for one in asked]
    assert [type(one) for one in outcomes] == [Answer, Answer, Lost, Lost]


async def test_of_answers_in_one_moment_a_refusal_counts_first() -> None:
    """A mailbox told to wait sends nothing more, though another batch comes back in the same turn and sends on."""
    clock = StillClock()
    wire = ScriptedWire(lambda entries: reply(entries, busy=(429, {"Retry-After": "60"})), gate=asyncio.Event())
    async with running(wire, clock, Limits(first_batches=2, batches=2)) as dispatcher:
        tasks = [asyncio.create_task(dispatcher.request(sub("busy", str(n)))) for n in range(8)]
        tasks += [asyncio.create_task(dispatcher.request(sub("other", str(n)))) for n in range(8)]
        await settled()
        await wire.answer_all()
        assert [url for batch in wire.urls[2:] for url in batch if "busy" in url] == []
        for task in tasks:
            task.cancel()


async def test_a_slow_mailbox_holds_up_its_company_once() -> None:
    """Whoever shared a slow batch travels alone next time; who is quick then shares batches again."""
    clock, wire = StillClock(), ScriptedWire(gate=asyncio.Event())
    names = ["slow", "a", "b", "c"]
    async with running(wire, clock) as dispatcher:

        async def ask(wait: float) -> None:
            tasks = [asyncio.create_task(dispatcher.request(sub(name))) for name in names]
            await clock.advance(wait)
            await wire.answer_all()
            await asyncio.gather(*tasks)

        for wait in (11, 1, 1):
            await ask(wait)
    assert [len(batch) for batch in wire.batches] == [4, 1, 1, 1, 1, 4]


async def test_a_spent_mailbox_keeps_nobody_busy_while_all_wait() -> None:
    """Its time comes while Graph takes nothing at all: it is looked at again when that is over, and no sooner."""
    clock = StillClock()
    answers = iter([None, Answer(429, {"retry-after": "300"}, b"")])

    def wire_says(entries: list[Entry]) -> Answer:
        return next(answers, None) or reply(entries)

    wire = ScriptedWire(wire_says)
    async with running(wire, clock, Limits(budgets=Budgets(1))) as dispatcher:
        spent = [asyncio.create_task(dispatcher.request(sub("hub", str(n)))) for n in range(2)]
        await clock.advance(500)
        held = asyncio.create_task(dispatcher.request(sub("anna")))
        await settled()
        before = clock.naps
        await clock.advance(200)
        assert clock.naps - before <= 2
        await clock.advance(200)
        await clock.advance(1)
        assert all(task.done() for task in spent)
        held.cancel()


async def test_what_never_came_back_is_for_the_others() -> None:
    """A tenant whose run is broken off gives back its places and bytes."""
    commons, clock = Commons(places=4, answer_bytes=1_000_000), StillClock()
    async with running(ScriptedWire(gate=asyncio.Event()), clock, Limits(commons=commons)) as dispatcher:
        task = asyncio.create_task(dispatcher.request(sub("a")))
        for _ in range(50):
            if commons.places < 4:
                break
            await asyncio.sleep(0)
        assert commons.places == 3
        task.cancel()
    assert (commons.places, commons.bytes) == (4, 1_000_000)
