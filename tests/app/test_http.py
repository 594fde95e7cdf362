"""The HTTP functions in the real worker: what a caller gets, and what goes onto the queue."""

from datetime import UTC, datetime

import pytest

from shared.engine.options import RunOptions
from shared.manual.message import read_message
from shared.state.sqlite import SqliteStateStore
from shared.sync.records import Holder, RunRecord
from shared.sync.report import Problem, TenantReport
from tests.app.conftest import needs_worker
from tests.app.harness.worker import KEY, HttpAnswer, Worker

pytestmark = needs_worker

TENANT = "11111111-1111-1111-1111-111111111111"
SECRET = "not-to-be-seen"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


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


def _record(outcome: str = "ok", name: str = "Ada") -> RunRecord:
    report = TenantReport(TENANT, problems=(Problem(f"{name}@contoso.example", "NoMailbox", "None.", ""),))
    began = datetime(2026, 1, 31, 7, tzinfo=UTC)
    return RunRecord("run-1", began, began, outcome, report=report.to_json())


def _assert_private(answer: HttpAnswer) -> None:
    """No secret, no key, and nothing that others may keep."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not any(word in f"{answer.text}{answer.headers}" for word in (SECRET, KEY))


@pytest.mark.usefixtures("configured")
async def test_a_run_is_accepted_at_once(app: Worker) -> None:
    """202 with the run's id and address, and one message on the queue that carries the same id and limits."""
    answer = await app.request("POST", "/api/sync", b'{"dryRun": true, "tenant": "%s"}' % TENANT.encode())
    run_id = answer.body["run_id"]
    assert (answer.status, answer.body["dry_run"]) == (202, True)
    assert answer.headers["location"] == answer.body["status_url"] == f"https://app.invalid/api/runs/{run_id}"
    assert answer.headers["retry-after"].isdecimal()
    (message,) = answer.queued
    assert read_message(message.encode()) == RunOptions(run_id, True, (TENANT,))
    assert [event["run_id"] for event in app.events("run_requested")] == [run_id]
    _assert_private(answer)


@pytest.mark.usefixtures("configured")
async def test_an_accepted_run_is_known_before_it_begins(app: Worker) -> None:
    """Its address says that it waits, from the moment on that the caller has it."""
    run_id = (await app.request("POST", "/api/sync")).body["run_id"]
    answer = await app.request("GET", f"/api/runs/{run_id}")
    assert (answer.status, answer.body["outcome"], answer.body["finished_at"]) == (200, "queued", None)
    assert answer.headers["retry-after"].isdecimal()
    listed = await app.request("GET", "/api/runs")
    assert [(one["run_id"], one["outcome"]) for one in listed.body["tenants"][0]["runs"]] == [(run_id, "queued")]


@pytest.mark.usefixtures("configured")
async def test_each_run_has_an_id_of_its_own(app: Worker) -> None:
    """Two callers can tell their runs apart."""
    first, second = [await app.request("POST", "/api/sync") for _ in range(2)]
    assert first.body["run_id"] != second.body["run_id"]


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"dryrun": true}', 400),
        (b'{"users": ["Ada Lovelace"]}', 400),
        (b'{"tenant": "nobody.example"}', 404),
    ],
)
async def test_what_cannot_be_run_is_not_queued(app: Worker, body: bytes, status: int) -> None:
    """A refused request says why in a sentence and leaves nothing behind."""
    answer = await app.request("POST", "/api/sync", body)
    assert (answer.status, answer.queued) == (status, [])
    assert list(answer.body) == ["error"]
    assert (await app.request("GET", "/api/runs")).body["tenants"][0]["runs"] == []


@pytest.mark.usefixtures("configured")
async def test_a_second_run_of_a_held_tenant_is_refused(app: Worker, state: SqliteStateStore) -> None:
    """409 names the run that goes on, and asking takes nothing from it; a dry run may go beside it."""
    now = datetime.now(UTC)
    holder = Holder("night-run", "elsewhere", 1, now)
    await state.acquire_lease(TENANT, holder, now, 60)
    answer = await app.request("POST", "/api/sync")
    assert (answer.status, answer.queued) == (409, [])
    assert [one["run_id"] for one in answer.body["running"]] == ["night-run"]
    assert await state.renew_lease(TENANT, holder, now, 60)
    assert (await app.request("POST", "/api/sync", b'{"dryRun": true}')).status == 202
    running = await app.request("GET", "/api/runs/night-run")
    assert (running.status, running.body["outcome"]) == (200, "running")


@pytest.mark.parametrize("address", ["/api/sync", "/api/runs", "/api/runs/run-1", "/api/health"])
async def test_without_settings_every_answer_names_what_is_missing(app: Worker, address: str) -> None:
    """Broken settings are the operator's to mend: 503, with every problem in it, and nothing queued."""
    answer = await app.request("POST" if address.endswith("sync") else "GET", address)
    assert (answer.status, answer.queued) == (503, [])
    assert any("AUTOMATION_SYNCCONTACTS_" in problem for problem in answer.body["problems"])
    assert answer.headers["retry-after"].isdecimal()
    _assert_private(answer)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("address", ["/api/sync", "/api/runs", "/api/runs/run-1", "/api/health"])
async def test_a_state_that_cannot_be_reached_is_told(
    environment: pytest.MonkeyPatch, app: Worker, address: str
) -> None:
    """503 with what to do; a run that could not be put on record is not queued either."""
    account = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a"
    environment.setenv("AUTOMATION_SYNCCONTACTS_STATE_URL", "AzureWebJobsStorage")
    environment.setenv("AzureWebJobsStorage", account)
    answer = await app.request("POST" if address.endswith("sync") else "GET", address)
    assert (answer.status, answer.queued) == (503, [])
    assert "storage account" in answer.body["problems"][0]
    _assert_private(answer)


@pytest.mark.usefixtures("configured")
async def test_a_vault_that_cannot_be_reached_is_told(environment: pytest.MonkeyPatch, app: Worker) -> None:
    """Where the configuration itself is in the vault, no run is accepted without it."""
    environment.delenv("AUTOMATION_SYNCCONTACTS_TENANT_ID")
    for name in ("CLIENT_ID", "CLIENT_SECRET", "GLOBAL_ADDRESS_BOOK_USER_ID"):
        environment.delenv(f"AUTOMATION_SYNCCONTACTS_{name}")
    environment.setenv("AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL", "https://127.0.0.1:9")
    environment.setenv("AUTOMATION_SYNCCONTACTS_CONFIG_SECRET_NAME", "mirror")
    environment.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
    environment.setenv("IDENTITY_HEADER", "x")
    answer = await app.request("POST", "/api/sync")
    assert (answer.status, answer.queued) == (503, [])
    assert "vault" in answer.body["problems"][0]


@pytest.mark.usefixtures("configured")
async def test_a_run_is_told_as_json_or_as_a_page(app: Worker, state: SqliteStateStore) -> None:
    """A program gets the report, a browser a page, and what a mailbox is called adds no tag to it."""
    await state.save_run(TENANT, _record(name="<script>alert(1)</script>"))
    document = await app.request("GET", "/api/runs/run-1")
    assert (document.status, document.body["outcome"]) == (200, "ok")
    assert document.headers["content-type"] == "application/json"
    page = await app.request("GET", "/api/runs/run-1", accept=BROWSER)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!doctype html>")
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    listed = await app.request("GET", f"/api/runs?tenant={TENANT}&limit=1", accept=BROWSER)
    assert "run-1" in listed.text
    assert "<script" not in listed.text
    for answer in (document, page, listed):
        assert answer.headers["vary"] == "Accept"
        _assert_private(answer)


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("/api/runs/nobody-knows", 404, "No run 'nobody-knows' is remembered."),
        ("/api/runs/%3Cscript%3E", 404, "No run '<script>'"),
        ("/api/runs?tenant=nobody.example", 404, "No tenant 'nobody.example'"),
        ("/api/runs?limit=0", 400, "limit must be a number"),
    ],
)
async def test_what_is_not_there_is_said(app: Worker, address: str, status: int, sentence: str) -> None:
    """One sentence, as JSON whoever asks: nothing of the address can become part of a page."""
    answer = await app.request("GET", address, accept=BROWSER)
    assert answer.status == status
    assert answer.body["error"].startswith(sentence)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.usefixtures("configured")
async def test_health_is_ok_when_a_run_could_begin(app: Worker) -> None:
    """Settings that can be used and a state that answers are enough; no secret is shown and no tenant contacted."""
    answer = await app.request("GET", "/api/health")
    assert (answer.status, answer.body["status"], answer.body["tenants"]) == (200, "ok", 1)
    _assert_private(answer)


async def test_health_names_what_is_missing(app: Worker) -> None:
    """A fresh deployment says what to configure."""
    answer = await app.request("GET", "/api/health")
    assert (answer.status, answer.body["status"]) == (503, "misconfigured")
