"""What the portal's log gets of whole runs: lines of ours, each with its invocation, run and tenant; nobody's name."""

import json
import logging

import pytest

from tests.app.conftest import add_contact, names, needs_worker, only_tenant
from tests.app.harness.worker import InvocationFailedError, LogLine, Worker
from tests.emulator import EmulatorThread, MailboxState

pytestmark = needs_worker

NASTY = [
    '{"event": "run_summary", "outcome": "ok"}',
    "Anna\nMaria",
    "Zoë O'Neil",
    "<script>x</script>",
    "%s %d {0}",
    "\u202eEve",
]
OF_A_TENANT = {"tenant_finished", "problem", "mailbox_failed", "state_damaged", "run_not_recorded", "tenant_crashed"}
LIBRARIES = ["azure", "azure.identity", "azure.core", "msal", "httpx", "httpcore", "msgraph", "aiohttp", "urllib3"]
LEVELS = {
    "timer_fired": {"INFO"},
    "run_started": {"INFO"},
    "tenant_finished": {"INFO", "ERROR"},
    "problem": {"WARNING"},
    "mailbox_failed": {"WARNING"},
    "run_summary": {"INFO", "ERROR"},
}


@pytest.fixture
def busy(microsoft365: EmulatorThread) -> EmulatorThread:
    """Contacts with names that would hurt, a mailbox that fails and one that cannot take part."""
    tenant = only_tenant(microsoft365)
    for name in NASTY:
        add_contact(tenant, "ada", name)
    tenant.add_user("carl@contoso.example")
    tenant.add_user("dora@contoso.example", state=MailboxState.NONE)
    tenant.user("carl@contoso.example").state = MailboxState.OVER_QUOTA
    return microsoft365


def _ours(app: Worker) -> list[LogLine]:
    return [line for line in app.log if line.event]


async def test_every_line_is_an_event_of_ours(busy: EmulatorThread, app: Worker) -> None:
    """No library speaks in a run, though the worker sets the root logger to INFO; each level is the right one."""
    with pytest.raises(InvocationFailedError):
        await app.fire_timer("scheduled_sync")
    strange = [line for line in app.log if not line.event and not line.logger.startswith("azure_functions_runtime")]
    assert strange == []
    assert {line.event["event"] for line in app.log if line.event} == set(LEVELS)
    assert [line for line in _ours(app) if line.level not in LEVELS[line.event["event"]]] == []
    (finished,) = [line for line in _ours(app) if line.event["event"] == "tenant_finished"]
    assert (finished.level, finished.event["mailboxes_failed"], finished.event["mailboxes_skipped"]) == ("ERROR", 1, 1)


async def test_every_line_belongs_to_its_invocation_and_run(busy: EmulatorThread, app: Worker) -> None:
    """Lines of a thread would be dropped by the host; lines without ids could not be put together."""
    for _ in range(2):
        with pytest.raises(InvocationFailedError):
            await app.fire_timer("scheduled_sync")
    runs = {(line.invocation_id, line.event.get("run_id")) for line in _ours(app)}
    assert len(runs) == 2
    assert all(invocation and run for invocation, run in runs)
    tenants = {line.event.get("tenant_id") for line in _ours(app) if line.event["event"] in OF_A_TENANT}
    assert tenants == {only_tenant(busy).id}


async def test_nobody_is_named(busy: EmulatorThread, app: Worker) -> None:
    """A failed mailbox is its object id; what people are called is in no line, in whatever spelling."""
    with pytest.raises(InvocationFailedError) as failed:
        await app.fire_timer("scheduled_sync")
    assert set(NASTY) <= names(only_tenant(busy), "bob")
    (mailbox,) = app.events("mailbox_failed")
    assert mailbox["mailbox_id"] == only_tenant(busy).user("carl@contoso.example").id
    text = "\n".join(line.text for line in app.log) + failed.value.stack_trace
    for name in [*NASTY, "Grace", "carl", "dora", "@"]:
        assert name not in text
        assert json.dumps(name)[1:-1] not in text


async def test_libraries_keep_quiet_but_for_what_went_wrong(app: Worker) -> None:
    """INFO of theirs has addresses with user ids in it; a warning still comes through."""
    for name in LIBRARIES:
        logging.getLogger(name).info("GET /users/ada@contoso.example")
        logging.getLogger(name).warning("something of %s", name)
    said = [line.text for line in app.log if line.text.startswith(("GET", "something"))]
    assert len(said) == len(LIBRARIES)
    assert not any("ada@" in text for text in said)
