"""What outlives a run in its process."""

from copy import deepcopy

from shared.bootstrap import process_budgets, sync
from shared.clock import SystemClock
from shared.engine.options import RunOptions
from shared.graph.budget import Budgets
from tests.engine.office import Office


def left(budgets: Budgets, mailbox: str) -> int:
    """How many requests the mailbox may be sent now."""
    budgets, now, count = deepcopy(budgets), SystemClock().monotonic(), 0
    while budgets.opens_at(mailbox, now) <= now:
        budgets.spend(mailbox, now)
        count += 1
    return count


async def test_what_a_run_sends_counts_for_the_next_one(office: Office) -> None:
    """Runs in real time share the budgets of the app in that tenant, mailbox by mailbox."""
    budgets = process_budgets[office.tenant.client_id, office.tenant.id]
    ann, room = office.tenant.user("ann@contoso.com").id, []
    for _ in range(3):
        room.append(left(budgets, ann))
        await sync(office.emulator.environment(), RunOptions(), trust=office.emulator.ca_file, state=office.state)
    assert room[0] > room[1] > room[2]


async def test_another_clock_has_budgets_of_its_own(office: Office) -> None:
    """What is counted by one clock says nothing by another."""
    await office.run()
    assert not process_budgets[office.tenant.client_id, office.tenant.id]
