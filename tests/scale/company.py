"""Small companies whose runs go through the real steps, and what those ask of the state; from them, larger ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final
from uuid import UUID

from shared.config.model import Cloud, FederatedIdentity, Settings, Tenant
from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.engine.run import Quiet, World
from shared.shards.errand import SHARD_SIZE, Errand
from shared.state.tables import TableStateStore
from shared.sync.replica import Replica
from tests.fakes.conductor import Conductor, Delivery, PlaceClock, once
from tests.fakes.mailroom import Mailroom, StillClock, changed, contact_of
from tests.scale.table import Count, CountedTable

_HOUR: Final = 3600
_CLOUD: Final = Cloud("AzureCloud", "https://graph", "https://login", "scope")
_TENANT: Final = Tenant("contoso.onmicrosoft.com", "client", "hub@contoso.com", FederatedIdentity(), _CLOUD)
_ID_BYTES, _LINK_BYTES = 152, 600
"""About what Graph's immutable ids and delta links have."""
_FEW, _MORE = 1, 3
"""Contacts that a small run is about: what a larger one costs lies on the line through both."""
_SMALL: Final = ((20, 2), (40, 2), (40, 4))
"""Mailboxes and shards: three companies, since a run costs so much, so much a mailbox and so much a shard."""


class Scenario(StrEnum):
    """What a run finds."""

    QUIET = "quiet hour"
    EDIT = "one edit"
    PERCENT = "1 % edited"
    FIRST = "first distribution"

    def contacts_written(self, contacts: int) -> int:
        """How many contacts every mailbox gets, of so many."""
        return {Scenario.QUIET: 0, Scenario.EDIT: 1, Scenario.PERCENT: max(contacts // 100, 1)}.get(self, contacts)


class LongNames(Mailroom):
    """A mailroom whose ids and delta links are as long as Graph's."""

    def _number(self, kind: str) -> str:
        return super()._number(kind).ljust(_ID_BYTES, "A")

    def _place(self, replica: Replica) -> str:
        return super()._place(replica).ljust(_LINK_BYTES, "A")


class CountedState(TableStateStore):
    """The state in a table that counts, parcels by their size, too."""

    def __init__(self, table: CountedTable) -> None:
        super().__init__(table)
        self.table = table

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        self.table.note_parcel(data)
        return await super().put_parcel(tenant_id, run_id, name, data)


class Company:
    """People who share contacts; their runs go on in shards of this size."""

    def __init__(self, people: int, shard_size: int) -> None:
        self.clock = StillClock()
        self.room = LongNames(*(str(UUID(int=number + 1)) for number in range(people)), clock=self.clock)
        self.state = CountedState(CountedTable())
        self._shard_size = shard_size
        self._runs = 0

    async def run(self, deliver: Delivery = once, *, full: bool = False) -> Count:
        """An hour later, a run, and what it asked of the state; everybody must be mirrored."""
        self.clock.seconds += _HOUR
        self._runs += 1
        before = self.state.table.count
        clock = PlaceClock(self.clock)
        place = Place(clock, "here", 1, is_alive=lambda _: True)
        world = World(self.room.open_tenant, self.state, self.clock, Quiet(), place)
        options = RunOptions(run_id=str(UUID(int=self._runs)), full=full)
        errand = Errand(_TENANT.tenant_id, options, self.clock.now(), shard_size=self._shard_size)
        report = await Conductor(Settings((_TENANT,)), world, deliver).run(errand)
        assert report
        assert report.outcome == "ok"
        return self.state.table.count - before

    def type_in(self, contacts: int, *, everybody: bool = False) -> None:
        """The first of them types contacts in, or everybody does."""
        for number in range(contacts):
            fields = {"mobilePhone": f"+49 30 {number:06d}", "companyName": "Contoso", "jobTitle": "Engineer"}
            for name in self.room.people if everybody else self.room.people[:1]:
                self.room.add(name, contact_of(f"Person {number}", f"{number}@x.org", **fields))

    def edit(self, contacts: int) -> None:
        """The second of them corrects as many."""
        cards = list(self.room.boxes[self.room.people[1]].items.values())
        for item in cards[:contacts]:
            self.room.edit(item, changed(item.contact, {"mobilePhone": f"+49 40 {item.item_id[:6]}"}))


@cache
def story(people: int, shards: int, contacts: int) -> dict[Scenario, Count]:
    """What each scenario asks of the state in a small company that is about so many contacts."""
    return asyncio.run(_story(Company(people, people // shards), contacts))


async def _story(company: Company, contacts: int) -> dict[Scenario, Count]:
    company.type_in(contacts)
    first = await company.run()
    await company.run(full=True)  # from here on nothing of that is told again
    quiet = await company.run()
    company.edit(contacts)
    edit = await company.run()
    return {Scenario.QUIET: quiet, Scenario.EDIT: edit, Scenario.PERCENT: edit, Scenario.FIRST: first}


@dataclass(frozen=True, slots=True)
class Line:
    """A run's cost: so much, so much a mailbox, so much a shard."""

    fixed: Count
    mailbox: Count
    shard: Count

    def at(self, mailboxes: int, shards: int) -> Count:
        """The cost of a run with so many."""
        return self.fixed + self.mailbox * mailboxes + self.shard * shards


def fitted(counts: Sequence[Count], sizes: Sequence[tuple[int, int]] = _SMALL) -> Line:
    """The line through three companies, the second with more mailboxes than the first, the third with more shards."""
    (few, _), (many, shards), (_, more_shards) = sizes
    mailbox = (counts[1] - counts[0]) * (1 / (many - few))
    shard = (counts[2] - counts[1]) * (1 / (more_shards - shards))
    return Line(counts[1] - mailbox * many - shard * shards, mailbox, shard)


def state_count(scenario: Scenario, mailboxes: int, contacts: int) -> Count:
    """What a run asks of the state in a large company."""
    shards = -(-mailboxes // SHARD_SIZE)
    few, more = (
        fitted([story(people, some, written)[scenario] for people, some in _SMALL]).at(mailboxes, shards)
        for written in (_FEW, _MORE)
    )
    return few + (more - few) * ((scenario.contacts_written(contacts) - _FEW) / (_MORE - _FEW))
