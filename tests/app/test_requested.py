"""A run from the request to its report, with the state in the tables of the app's own storage account."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from shared.ports import StateStore
from shared.sync.records import Holder
from tests.app.conftest import add_contact, names, needs_worker, only_tenant
from tests.app.harness.worker import InvocationFailedError, Worker
from tests.emulator import EmulatorThread
from tests.state.conftest import open_tables

pytestmark = needs_worker


@pytest.fixture
async def tables(
    environment: pytest.MonkeyPatch, storage: str, microsoft365: EmulatorThread
) -> AsyncIterator[StateStore]:
    """The app's own tables, as on Azure; each test has a tenant of its own in them."""
    environment.delenv("AUTOMATION_SYNCCONTACTS_STATE_URL")
    environment.setenv("WEBSITE_SITE_NAME", "contoso-mirror")
    environment.setenv("AzureWebJobsStorage", storage)
    store = open_tables(storage)
    yield store
    await store.close()


async def _ask(app: Worker, body: bytes = b"{}") -> tuple[str, str]:
    """Ask for a run; its id and its message."""
    answer = await app.request("POST", "/api/sync", body)
    assert answer.status == 202
    (message,) = answer.queued
    return answer.body["run_id"], message


async def _told(app: Worker, run_id: str) -> dict[str, object]:
    answer = await app.request("GET", f"/api/runs/{run_id}")
    assert answer.status == 200
    assert isinstance(answer.body, dict)
    return answer.body


async def test_a_run_can_be_followed_to_its_report(
    microsoft365: EmulatorThread, tables: StateStore, app: Worker
) -> None:
    """Queued, then over with what it wrote; listed once."""
    run_id, message = await _ask(app)
    assert (await _told(app, run_id))["outcome"] == "queued"
    await app.deliver("requested_sync", message)
    told = await _told(app, run_id)
    assert (told["outcome"], told["dry_run"]) == ("ok", False)
    assert told["finished_at"]
    listed = (await app.request("GET", "/api/runs")).body["tenants"][0]
    assert [(one["run_id"], one["outcome"]) for one in listed["runs"]] == [(run_id, "ok")]
    assert names(only_tenant(microsoft365), "bob") == {"Grace Hopper"}


async def test_a_dry_run_can_be_read_afterwards(microsoft365: EmulatorThread, tables: StateStore, app: Worker) -> None:
    """Its plan is its report, step 2 included; nothing was written to any mailbox."""
    run_id, message = await _ask(app, b'{"dryRun": true}')
    await app.deliver("requested_sync", message)
    told = await _told(app, run_id)
    assert (told["outcome"], told["dry_run"]) == ("ok", True)
    page = await app.request("GET", f"/api/runs/{run_id}", accept="text/html")
    assert "Would be written" in page.text
    assert "Grace Hopper" in page.text
    assert names(only_tenant(microsoft365), "bob") == set()


async def test_a_message_delivered_twice_is_one_run(
    microsoft365: EmulatorThread, tables: StateStore, app: Worker
) -> None:
    """Queues deliver at least once: what has begun under this id does not begin again, and its report stays."""
    run_id, message = await _ask(app)
    await app.deliver("requested_sync", message)
    told = await _told(app, run_id)
    add_contact(only_tenant(microsoft365), "ada", "Alan Turing")
    requests = microsoft365.http_requests
    await app.deliver("requested_sync", message, dequeue_count=2)
    assert [event["run_id"] for event in app.events("run_repeated")] == [run_id]
    assert len(app.events("run_summary")) == 1
    assert microsoft365.http_requests == requests
    assert await _told(app, run_id) == told


async def test_a_tenant_that_is_held_when_its_turn_comes_is_told_so(
    microsoft365: EmulatorThread, tables: StateStore, app: Worker
) -> None:
    """The run is over, skipped, with who held the tenant; nothing waits for ever."""
    run_id, message = await _ask(app)
    now = datetime.now(UTC)
    tenant = only_tenant(microsoft365).id
    assert await tables.acquire_lease(tenant, Holder("night-run", "elsewhere", 1, now), now, 60) is None
    await app.deliver("requested_sync", message)
    told = await _told(app, run_id)
    assert told["outcome"] == "skipped"
    assert "night-run" in str(told["tenants"])
    assert names(only_tenant(microsoft365), "bob") == set()


async def test_a_failed_run_can_be_read_as_well(microsoft365: EmulatorThread, tables: StateStore, app: Worker) -> None:
    """The invocation is red, and the report says why and what to do."""
    run_id, message = await _ask(app)
    only_tenant(microsoft365).client_secret = "renewed and not told"
    with pytest.raises(InvocationFailedError, match="RunFailedError"):
        await app.deliver("requested_sync", message)
    told = await _told(app, run_id)
    assert told["outcome"] == "failed"
    assert "SignIn" in str(told["tenants"])


async def test_the_timers_runs_are_listed_too(microsoft365: EmulatorThread, tables: StateStore, app: Worker) -> None:
    """Whoever asks what went on at night finds it, by the id in the log."""
    await app.fire_timer("scheduled_sync")
    (fired,) = app.events("timer_fired")
    assert (await _told(app, fired["run_id"]))["outcome"] == "ok"


async def test_storage_that_is_gone_when_the_run_begins_is_told(
    environment: pytest.MonkeyPatch, microsoft365: EmulatorThread, tables: StateStore, app: Worker
) -> None:
    """The invocation fails with what to do, nothing is contacted, and the record still says that it waits."""
    run_id, message = await _ask(app)
    account = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a"
    environment.setenv("AzureWebJobsStorage", account)
    with pytest.raises(InvocationFailedError, match="storage account"):
        await app.deliver("requested_sync", message)
    (event,) = app.events("run_refused")
    assert (event["run_id"], event["code"]) == (run_id, "State")
    assert microsoft365.http_requests == 0
