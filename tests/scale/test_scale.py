"""The model of runs in shards: it counts right, and docs/scale.md says what it says."""

import json
from collections.abc import AsyncIterator

import pytest

from shared.shards.message import read_call, write
from shared.shards.workflow import Done, StepName
from tests.app.conftest import ROOT, needs_worker
from tests.app.conftest import environment as environment  # noqa: PLC0414 - a fixture of theirs
from tests.app.harness.durable import DurableHost, Event, client_binding
from tests.app.harness.worker import Worker, worker
from tests.scale import document
from tests.scale.assumptions import SIZES
from tests.scale.company import Company, Scenario, fitted, story
from tests.scale.durable import SLICE, Traffic, errand_of, traffic
from tests.scale.model import estimate
from tests.scale.table import Count

MANY_SHARDS = 10_050


def test_the_document_has_the_models_numbers() -> None:
    """`make scale` writes them; what it is made of is the code, the assumptions and docs/performance.md."""
    assert document.shown(document.MODEL) == document.tables(), "run: make scale"


@pytest.mark.parametrize("scenario", Scenario)
def test_small_runs_lie_on_one_line(scenario: Scenario) -> None:
    """What three small companies cost says to the request what a fourth one does, twice as large in everything."""
    sizes = ((20, 2), (40, 2), (40, 4))
    few, more = (fitted([story(*size, contacts)[scenario] for size in sizes]).at(80, 8) for contacts in (1, 3))
    told, seen = few + (more - few) * 0.5, story(80, 8, 2)[scenario]
    assert (told.requests, told.rows_read, told.rows_written) == (seen.requests, seen.rows_read, seen.rows_written)
    assert told.parcel_bytes == pytest.approx(seen.parcel_bytes, rel=0.01)


async def test_a_quiet_hour_asks_by_shard_and_not_by_mailbox() -> None:
    """Five times the mailboxes in as many shards: more rows in a query, and not one request more."""
    counts: list[Count] = []
    for people in (4, 20):
        company = Company(people, people // 2)
        company.type_in(2)
        await company.run()
        await company.run(full=True)
        counts.append(await company.run())
    assert counts[0].requests == counts[1].requests


@pytest.fixture
async def app(environment: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """The app of an installation that has outgrown one process."""
    environment.setenv("AUTOMATION_SYNCCONTACTS_SCALE_OUT", "durable")
    with worker(ROOT) as running:
        await running.start()
        yield running


@needs_worker
@pytest.mark.parametrize("mailboxes", [90, 300, MANY_SHARDS])
async def test_the_real_orchestrator_makes_the_same_traffic(app: Worker, mailboxes: int) -> None:
    """As many orchestrations, steps and tasks as the model says, and no more turns than it says at worst."""
    shards = -(-mailboxes // 100)

    async def deliver(text: str, call: object) -> str:
        step = read_call(text).step
        written = range(shards) if step is StepName.MERGE else ()
        return json.dumps(write(Done(shards if step is StepName.BEGIN else 0, tuple(written))))

    host = DurableHost(app, deliver)
    async with client_binding(host) as client:
        await app.deliver("start_shards", write([errand_of(mailboxes)]), client=client)
        await host.run()
    histories = [one.history for one in host.instances.values()]
    kinds = [event["EventType"] for history in histories for event in history]
    told = traffic(mailboxes, writes=True)
    assert len(host.instances) == told.orchestrations
    assert len(host.activities) == told.activities
    assert 2 * sum(kind in (Event.TASK_SCHEDULED, Event.SUB_CREATED) for kind in kinds) + 1 == told.messages
    assert kinds.count(Event.ORCHESTRATOR_STARTED) <= told.turns
    assert len(kinds) + len(histories) <= told.events


def test_no_orchestrator_has_more_than_a_slice() -> None:
    """At a hundred thousand mailboxes replays cost seconds; without slices, they would cost minutes."""
    told = traffic(100_000, writes=True)
    assert told.slices == 2 * 100_000 // 100 // SLICE
    assert told.replay_seconds < 30
    assert traffic(100_000, writes=True, sliced=False).replay_seconds > 300


def test_a_run_without_shards_has_its_three_steps_and_the_end() -> None:
    """Begin, gather, merge, conclude: one of each."""
    assert traffic(1, writes=False) == Traffic(1, 4, 2 + 2 * 5 + 2 * 4, 5, 20, 9)


@pytest.mark.parametrize("mailboxes", SIZES)
def test_work_costs_more_than_quiet(mailboxes: int) -> None:
    """In requests, in minutes and in money, in the order of what is written."""
    estimates = [estimate(scenario, mailboxes) for scenario in Scenario]
    for price in ("http_requests", "work_seconds", "euros"):
        costs = [getattr(one, price) for one in estimates]
        assert costs == sorted(costs)
