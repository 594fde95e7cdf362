"""The HTTP functions in the real worker: what a caller gets, and what goes onto the queue."""

import pytest

from shared import manual
from shared.engine.options import RunOptions
from tests.app.conftest import needs_worker
from tests.app.harness.worker import Worker

pytestmark = needs_worker

TENANT = "11111111-1111-1111-1111-111111111111"
SECRET = "not-to-be-seen"


@pytest.fixture
def configured(environment: pytest.MonkeyPatch) -> None:
    """One tenant in the single-tenant variables."""
    values = {
        "TENANT_ID": TENANT,
        "CLIENT_ID": "22222222-2222-2222-2222-222222222222",
        "CLIENT_SECRET": SECRET,
        "GLOBAL_ADDRESS_BOOK_USER_ID": "hub@contoso.example",
    }
    for name, value in values.items():
        environment.setenv(f"AUTOMATION_SYNCCONTACTS_{name}", value)


@pytest.mark.usefixtures("configured")
async def test_a_run_is_accepted_at_once(app: Worker) -> None:
    """202 with the run's id, and one message on the queue that carries the same id and limits."""
    answer = await app.request("request_sync", "POST", b'{"dryRun": true, "tenant": "%s"}' % TENANT.encode())
    assert (answer.status, answer.body["dry_run"]) == (202, True)
    (message,) = answer.queued
    assert manual.read_message(message.encode()) == RunOptions(answer.body["run_id"], True, (TENANT,))


@pytest.mark.usefixtures("configured")
async def test_each_run_has_an_id_of_its_own(app: Worker) -> None:
    """Two callers can tell their runs apart."""
    first, second = [await app.request("request_sync", "POST") for _ in range(2)]
    assert first.body["run_id"] != second.body["run_id"]


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("body", "status"), [(b"[]", 400), (b'{"dryrun": true}', 400), (b'{"tenant": "nobody.example"}', 404)]
)
async def test_what_cannot_be_run_is_not_queued(app: Worker, body: bytes, status: int) -> None:
    """A refused request says why and leaves nothing behind."""
    answer = await app.request("request_sync", "POST", body)
    assert (answer.status, answer.queued) == (status, [])
    assert list(answer.body) == ["error"]


async def test_without_settings_nothing_is_queued(app: Worker) -> None:
    """Broken settings are the operator's to mend: 503, with every problem in it."""
    answer = await app.request("request_sync", "POST")
    assert (answer.status, answer.queued) == (503, [])
    assert answer.body["problems"]


@pytest.mark.usefixtures("configured")
async def test_health_is_ok_when_a_run_could_begin(app: Worker) -> None:
    """Settings that can be used are enough; no secret is shown and nobody is contacted."""
    answer = await app.request("health", "GET")
    assert (answer.status, answer.body["status"], answer.body["tenants"]) == (200, "ok", 1)
    assert SECRET not in str(answer.body)


async def test_health_names_what_is_missing(app: Worker) -> None:
    """A fresh deployment says what to configure."""
    answer = await app.request("health", "GET")
    assert (answer.status, answer.body["status"]) == (503, "misconfigured")
    assert any("AUTOMATION_SYNCCONTACTS_" in problem for problem in answer.body["problems"])
