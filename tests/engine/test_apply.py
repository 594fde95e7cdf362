"""Carrying out one mailbox's operations: what is confirmed is remembered, beside the work."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import pytest

from shared.engine.apply import CREATORS, KEPT_AT_ONCE, MOST_PUT_OFF, Applied, Beside, apply
from shared.errors import ItemBusyError, TenantError
from shared.sync.contact import Contact
from shared.sync.mergebase import Version
from shared.sync.operations import CreateContact
from shared.sync.records import StoredLink
from shared.sync.replica import Draft, Item, Replica
from shared.sync.rules import Rules
from shared.sync.stamp import Stamp, SyncId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Replica("ann", "ann@x.org")
MANY = 3 * KEPT_AT_ONCE + 7


class Mailbox:
    """Makes every card that it is asked for, each after a moment."""

    def __init__(self) -> None:
        self.made: list[SyncId] = []
        self.is_full = asyncio.Event()

    async def create(self, replica: Replica, draft: Draft) -> Item:
        await asyncio.sleep(0)
        assert draft.marker
        self.made.append(draft.marker)
        if len(self.made) == MANY:
            self.is_full.set()
        return Item(replica.mailbox, draft.marker, "1", Contact({}), NOW, NOW, draft.marker)


class Memory:
    """Remembers what it is told, once it is let; or refuses."""

    def __init__(self, *, is_open: bool = True, error: TenantError | None = None) -> None:
        self.links: list[SyncId] = []
        self.gate = asyncio.Event()
        self.error = error
        self.at_once = self.most_at_once = 0
        if is_open:
            self.gate.set()

    async def keep(self, links: Sequence[StoredLink], _: Sequence[SyncId]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        if self.error:
            raise self.error
        self.links += [link.sync_id for link in links]
        self.at_once -= 1


def create(number: int) -> CreateContact:
    sync_id = SyncId(f"{number}")
    return CreateContact(ANN, Version(number, sync_id, Contact({}), NOW, "ann"), Stamp(sync_id))


async def carry_out(mailbox: Mailbox, memory: Memory) -> Applied:
    beside = Beside(lambda: True, lambda: None, memory.keep)
    return await apply(mailbox, Rules("t"), [create(number) for number in range(MANY)], beside)  # type: ignore[arg-type]


async def test_every_confirmed_write_is_remembered_once() -> None:
    """Many at a time, and the last ones at the end."""
    mailbox, memory = Mailbox(), Memory()
    applied = await carry_out(mailbox, memory)
    assert applied.created == MANY
    assert sorted(memory.links) == sorted(mailbox.made)


async def test_the_work_goes_on_while_it_is_remembered() -> None:
    """A slow state holds no request up, is asked for one thing at a time, and has all of it before the end."""
    mailbox, memory = Mailbox(), Memory(is_open=False)
    applying = asyncio.ensure_future(carry_out(mailbox, memory))
    await mailbox.is_full.wait()
    assert not memory.links
    assert not applying.done()
    memory.gate.set()
    await applying
    assert sorted(memory.links) == sorted(mailbox.made)
    assert memory.most_at_once == 1


async def test_a_state_that_fails_ends_the_work() -> None:
    """What cannot be remembered is not gone on with."""
    mailbox = Mailbox()
    applied = await carry_out(mailbox, Memory(error=TenantError("no state")))
    assert applied.tenant_error
    assert len(mailbox.made) < MANY
    assert applied.undone


class Moody(Mailbox):
    """Puts the cards in `poison` off, and makes the others."""

    def __init__(self, poison: Collection[int]) -> None:
        super().__init__()
        self.poison = {str(number) for number in poison}
        self.asked = 0

    async def create(self, replica: Replica, draft: Draft) -> Item:
        self.asked += 1
        if draft.marker in self.poison:
            await asyncio.sleep(0)
            raise ItemBusyError("No time.", hint="Wait.", code="Throttled")
        return await super().create(replica, draft)


@pytest.mark.parametrize("poison", [[0], [500], [0, 1, 2, 3], range(7), range(0, 600, 9)], ids=repr)
async def test_what_is_put_off_while_others_are_written_is_refused(poison: Sequence[int]) -> None:
    """Each such card is quarantined, not counted as written, and all the others are made."""
    mailbox = Moody(poison)
    applied = await carry_out(mailbox, Memory())
    names = {str(number) for number in poison}
    assert {one.sync_id for one in applied.refused} == applied.undone == names
    assert {problem.code for problem in applied.problems} == {"ItemRefused"}
    assert (applied.failure, applied.created) == (None, MANY - len(names))
    assert not names & applied.settled


async def test_a_mailbox_that_puts_everything_off_has_failed_soon() -> None:
    """Nothing is quarantined, no more is begun than was under way, and all of it is left to the next run."""
    mailbox = Moody(range(MANY))
    applied = await carry_out(mailbox, Memory())
    assert applied.failure
    assert (applied.failure.code, applied.refused, applied.problems) == ("Throttled", [], [])
    assert mailbox.asked < MOST_PUT_OFF + CREATORS
    assert len(applied.undone) == MANY


async def test_a_mailbox_that_stops_taking_writes_has_failed() -> None:
    """What was under way when it began is no card's matter either: others were written before, none later."""
    mailbox = Moody(range(100, MANY))
    applied = await carry_out(mailbox, Memory())
    assert (applied.failure is not None, applied.refused, applied.created) == (True, [], 100)
    assert len(applied.undone) == MANY - 100
