"""Whole runs: the real worker on one side, a local Microsoft 365 on the other."""

import pytest

from shared.engine.options import RunOptions
from shared.manual.message import write_message
from tests.app.conftest import HUB_FOLDER, names, needs_worker, only_tenant
from tests.app.harness.worker import InvocationFailedError, Worker
from tests.emulator import EmulatorThread

pytestmark = needs_worker


async def test_the_timer_mirrors_everything(microsoft365: EmulatorThread, app: Worker) -> None:
    """What one user typed is in the hub and with the other user, and the log says so in counts."""
    await app.fire_timer("scheduled_sync")
    tenant = only_tenant(microsoft365)
    assert names(tenant, "bob") == {"Grace Hopper"}
    assert names(tenant, "hub", HUB_FOLDER) == {"Grace Hopper"}
    (summary,) = app.events("run_summary")
    assert (summary["outcome"], summary["tenants"], summary["dry_run"]) == ("ok", 1, False)
    text = "\n".join(line.text for line in app.log)
    assert "Grace" not in text
    assert "@" not in text


async def test_a_requested_run_goes_through_the_queue(microsoft365: EmulatorThread, app: Worker) -> None:
    """What POST puts on the queue is what the queue's function carries out, under the id that the caller was given."""
    answer = await app.request("POST", "/api/sync", b"{}")
    (message,) = answer.queued
    assert microsoft365.http_requests == 0
    await app.deliver("requested_sync", message)
    assert names(only_tenant(microsoft365), "bob") == {"Grace Hopper"}
    (summary,) = app.events("run_summary")
    assert summary["run_id"] == answer.body["run_id"]


async def test_a_requested_dry_run_writes_nothing(microsoft365: EmulatorThread, app: Worker) -> None:
    """`dryRun` holds from the request to the last mailbox, the hub's folder included."""
    answer = await app.request("POST", "/api/sync", b'{"dryRun": true}')
    await app.deliver("requested_sync", answer.queued[0])
    tenant = only_tenant(microsoft365)
    assert names(tenant, "bob") == set()
    assert HUB_FOLDER not in {folder.name for folder in tenant.mailbox("hub@contoso.example").folders}
    assert app.events("run_summary")[0]["dry_run"] is True


async def test_a_requested_run_keeps_to_its_users(microsoft365: EmulatorThread, app: Worker) -> None:
    """A user who was not asked for is neither read nor written."""
    answer = await app.request("POST", "/api/sync", b'{"users": ["ada@contoso.example"]}')
    await app.deliver("requested_sync", answer.queued[0])
    tenant = only_tenant(microsoft365)
    assert names(tenant, "hub", HUB_FOLDER) == {"Grace Hopper"}
    assert names(tenant, "bob") == set()


async def test_a_failed_run_is_red_in_the_portal(microsoft365: EmulatorThread, app: Worker) -> None:
    """The invocation fails with counts for a message, after everything that could be done was done."""
    only_tenant(microsoft365).client_secret = "renewed and not told"
    with pytest.raises(
        InvocationFailedError, match=r"RunFailedError: Run \S+ ended failed: failures in 1 of 1"
    ) as failed:
        await app.fire_timer("scheduled_sync")
    assert "contoso" not in failed.value.stack_trace
    (finished,) = app.events("tenant_finished")
    assert (finished["outcome"], finished["error"]) == ("failed", "SignIn")


async def test_a_failed_requested_run_is_red_as_well(microsoft365: EmulatorThread, app: Worker) -> None:
    """The queue's function raises too; host.json sees to it that the host does not repeat it."""
    only_tenant(microsoft365).client_secret = "renewed and not told"
    with pytest.raises(InvocationFailedError, match="RunFailedError"):
        await app.deliver("requested_sync", write_message(RunOptions(run_id="run-1")))


async def test_broken_settings_are_named_by_the_timer(environment: pytest.MonkeyPatch, app: Worker) -> None:
    """Without a configuration the invocation fails with what to configure, and the log has a line to alert on."""
    with pytest.raises(InvocationFailedError, match=r"ConfigurationError: .*AUTOMATION_SYNCCONTACTS_"):
        await app.fire_timer("scheduled_sync")
    (fired,), (refused,) = app.events("timer_fired"), app.events("run_refused")
    assert (refused["run_id"], refused["code"]) == (fired["run_id"], "Configuration")


@pytest.mark.parametrize("text", ["", "{}", "run please", '{"run_id": 1}'])
async def test_a_message_of_somebody_else_is_dropped(microsoft365: EmulatorThread, app: Worker, text: str) -> None:
    """It is logged by its id and starts nothing; the host takes it for done and never sees it again."""
    await app.deliver("requested_sync", text)
    assert [event["message_id"] for event in app.events("message_dropped")] == ["message-1"]
    assert microsoft365.http_requests == 0
