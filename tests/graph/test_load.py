"""Much work at once on the emulator: its limits kept without a refusal, its faults survived without a loss."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from shared.graph.budget import Budgets
from shared.graph.dispatcher import Limits
from shared.ports import TenantServices
from shared.sync.replica import Draft, Replica
from shared.sync.stamp import SyncId
from tests.emulator import Drop, Emulator, ExpireToken, Fault, SpuriousUnauthorized, Switches
from tests.graph.scene import ANNA, BEN, opened, spoke, staffed

WORKERS = 4


def draft(number: int) -> Draft:
    """A small card."""
    return Draft({"displayName": f"C{number:05}"}, marker=SyncId(f"{number:08}-0000-4000-8000-000000000000"))


async def fill(services: TenantServices, replica: Replica, count: int) -> None:
    """Create so many cards as a run does, a few at a time."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await services.contacts.create(replica, draft(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


async def test_a_hub_with_more_contacts_than_its_budget_is_never_refused() -> None:
    """It waits by itself for the next ten minutes, and nobody else does; a tenth of the real numbers."""
    async with Emulator(switches=Switches(mailbox_requests=1000)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant, Limits(budgets=Budgets(960))) as services:
            crowded, other = await spoke(services), await spoke(services, BEN)
            began = emulator.clock.monotonic()

            async def quick() -> float:
                await fill(services, other, 100)
                return emulator.clock.monotonic() - began

            _, seconds = await asyncio.gather(fill(services, crowded, 1200), quick())
            assert seconds < 600
            assert services.traffic.throttled == 0
    assert 600 <= emulator.clock.monotonic() - began <= 1300
    assert len(tenant.mailbox(ANNA).contacts()) == 1200
    assert not [record for record in emulator.log if record.status == 429]


@pytest.mark.parametrize(("action", "count"), [(ExpireToken(), 1), (SpuriousUnauthorized(), 8)], ids=repr)
async def test_many_refused_tokens_are_one_sign_in(action: Any, count: int) -> None:
    """All that is under way is refused at once: one of them signs in anew, and the others wait for it."""
    async with Emulator(switches=Switches(service_seconds=0.01)) as emulator:
        tenant = emulator.add_tenant(None, domain="contoso.com")
        people = [f"p{number}@contoso.com" for number in range(30)]
        for name in people:
            tenant.add_user(name)
        async with opened(emulator, tenant) as services:
            replicas = [await spoke(services, name) for name in people]
            before = sign_ins(emulator)
            emulator.faults.add(Fault(action=action, path=r"\$batch", count=count))
            await asyncio.gather(*(fill(services, replica, 8) for replica in replicas))
            assert sign_ins(emulator) - before == 1
    assert all(len(tenant.mailbox(name).contacts()) == 8 for name in people)


def sign_ins(emulator: Emulator) -> int:
    """How many tokens were asked for."""
    return sum("oauth2" in record.path for record in emulator.log)


async def test_connections_that_end_lose_no_card_and_double_none() -> None:
    """Every ninth connection breaks under load, before or after Graph has done what it was asked for."""
    async with Emulator() as emulator:
        tenant = emulator.add_tenant(None, domain="contoso.com")
        people = [f"p{number}@contoso.com" for number in range(10)]
        for name in people:
            tenant.add_user(name)
        async with opened(emulator, tenant) as services:
            replicas = [await spoke(services, name) for name in people]
            emulator.faults.add(Fault(action=Drop(), path=r"\$batch", every=9, count=20))
            await asyncio.gather(*(fill(services, replica, 40) for replica in replicas))
    for name in people:
        names = Counter(card["displayName"] for card in tenant.mailbox(name).contacts())
        assert names == Counter(f"C{number:05}" for number in range(40))
