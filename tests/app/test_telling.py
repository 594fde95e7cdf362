"""What is told of runs, of the app's health and of a failed run, without a worker around it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.model import Settings
from shared.errors import ConfigurationError, SecretError, StateError
from shared.manual.asking import Wish, accept, read_wish
from shared.manual.call import Answer, Call, unavailable
from shared.manual.telling import health, read_limit, run_document, runs_document
from shared.page import report_page
from shared.sync.records import QUEUED, UNFINISHED, Holder, RunPart, RunRecord
from shared.sync.report import Outcome, Problem, RunReport, TenantReport
from tests.app.conftest import ROOT
from tests.app.test_asking import TENANTS

AT = datetime(2026, 1, 31, 7, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)
CALL = Call("https://app.invalid/api/runs?code=a-key")
HOLDER = Holder("run-1", "host", 1, AT)
WAITING = RunRecord("run-1", AT, None, QUEUED)
BROKEN = RunRecord("run-1", AT, None, UNFINISHED)


def _ended(report: TenantReport, at: datetime = LATER) -> RunRecord:
    return RunRecord("run-1", AT, at, report.outcome.value, report=report.to_json())


FINE = _ended(TenantReport("t1"))
FAILED = _ended(TenantReport("t2", Outcome.FAILED, Problem("", "SignIn", "No token.", "Renew it.")))


def test_a_run_that_has_ended_is_its_report() -> None:
    """Whoever can read what `--json` prints can read this."""
    tenants = (TenantReport("t1"), TenantReport("t2", Outcome.FAILED, Problem("", "SignIn", "No token.", "Renew it.")))
    report = RunReport("run-1", AT, LATER, dry_run=False, tenants=tenants)
    assert run_document("run-1", [RunPart("t1", FINE), RunPart("t2", FAILED)]) == report.to_json()


@pytest.mark.parametrize(
    ("part", "outcome", "sentence"),
    [
        (RunPart("t2", WAITING), "queued", "has not begun"),
        (RunPart("t2", WAITING, HOLDER), "running", "going on"),
        (RunPart("t2", BROKEN, HOLDER), "running", "going on"),
        (RunPart("t2", None, HOLDER), "running", "going on"),
        (RunPart("t2", BROKEN), "unfinished", "broke off"),
    ],
)
def test_a_run_that_has_not_ended_says_where_it_is(part: RunPart, outcome: str, sentence: str) -> None:
    """Waiting, going on and broken off are told apart, and no end is claimed; the page says the same."""
    document = run_document("run-1", [RunPart("t1", FINE), part])
    assert (document["outcome"], document["finished_at"], document["tenants"][1]["outcome"]) == (outcome, None, outcome)
    assert sentence in document["tenants"][1]["message"]
    page = report_page(document)
    assert sentence in page
    assert "not over" in page


def test_a_dry_run_is_told_by_its_operations() -> None:
    """Until a tenant has ended nobody knows."""
    dry = _ended(TenantReport("t1", operations=()))
    assert run_document("run-1", [RunPart("t1", dry), RunPart("t2", WAITING)])["dry_run"] is True
    assert run_document("run-1", [RunPart("t1", dry), RunPart("t2", FAILED)])["dry_run"] is False
    assert run_document("run-1", [RunPart("t2", WAITING)])["dry_run"] is None


def test_the_list_has_each_run_once_with_its_address() -> None:
    """A record found at two places counts once, the running one is named, and no key is in an address."""
    other = replace(FINE, run_id="run-0")
    told = runs_document(CALL, {"t1": [BROKEN, other, WAITING], "t2": []}, {"t1": HOLDER})
    first, second = told["tenants"]
    assert [(one["run_id"], one["outcome"]) for one in first["runs"]] == [("run-1", "running"), ("run-0", "ok")]
    assert first["runs"][0]["status_url"] == "https://app.invalid/api/runs/run-1"
    assert (first["running"], second["running"], second["runs"]) == ("run-1", None, [])


@pytest.mark.parametrize(("query", "limit"), [({}, 20), ({"limit": "1"}, 1), ({"limit": " 100 "}, 100)])
def test_how_many_runs_are_told_of(query: Mapping[str, str], limit: int) -> None:
    """Twenty, or as many as wanted up to a hundred."""
    assert read_limit(query) == limit


@pytest.mark.parametrize("text", ["0", "101", "-1", "", "ten", "1.5", "²", "٣", "9" * 5000])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    """400, whatever was meant."""
    answer = read_limit({"limit": text})
    assert isinstance(answer, Answer)
    assert answer.status == 400


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML", True),
        ("text/html;q=0.5, application/json;q=0.9", False),
        ("text/html;q=0", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_only_a_browser_gets_a_page(accept: str, *, is_page: bool) -> None:
    """Who does not ask for HTML before JSON gets JSON."""
    assert Call("https://app.invalid/api/runs", accept=accept).wants_page is is_page


@given(st.text())
def test_no_accept_header_breaks_the_answer(accept: str) -> None:
    """Whatever a caller sends, there is an answer."""
    assert Call("https://app.invalid/api/runs", accept=accept).wants_page in {True, False}


def test_every_answer_keeps_to_itself() -> None:
    """Nobody on the way stores it, a page loads and runs nothing and is shown in no frame."""
    headers = Answer(200, "<p>").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'none'", "form-action 'none'"} <= set(
        headers["Content-Security-Policy"].split("; ")
    )
    assert (Answer(200, "<p>").content_type, Answer(200, {}).content_type) == ("text/html", "application/json")


def test_settings_that_cannot_be_used_are_all_named() -> None:
    """Every problem comes back at once."""
    answer = unavailable(ConfigurationError(["A is missing.", "B is no number."]))
    assert answer.status == 503
    assert not isinstance(answer.body, str)
    assert answer.body["problems"] == ["A is missing.", "B is no number."]


def test_health_counts_tenants_and_shows_no_secret() -> None:
    """A healthy app says how many tenants it has, not who they are."""
    answer = health("1.2.3", Settings(()))
    assert answer.status == 200
    assert answer.body == {"status": "ok", "version": "1.2.3", "tenants": 0, "warnings": []}


def test_health_says_what_is_wrong_and_what_to_do() -> None:
    """A vault or a state that cannot be read is the app's illness too, and each is named."""
    for error, settings, status in (
        (SecretError("The vault does not answer.", hint="Check its firewall."), None, "misconfigured"),
        (StateError("The account does not answer.", hint="Check its firewall."), Settings(()), "state unreachable"),
    ):
        answer = health("1.2.3", settings, error)
        assert not isinstance(answer.body, str)
        assert (answer.status, answer.body["status"]) == (503, status)
        assert answer.body["problems"] == [error.message, "Check its firewall."]


def test_every_member_of_the_answers_is_documented() -> None:
    """docs/operations.md names each member that a caller may meet in an answer of ours."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    wish, tenants = read_wish(b""), (TENANTS[0],)
    assert isinstance(wish, Wish)
    held = {TENANTS[0].tenant_id: HOLDER}
    bodies: list[object] = [
        accept(CALL, wish, tenants, {}, "run-1").body,
        accept(CALL, wish, tenants, held, "run-1").body,
        run_document("run-1", [RunPart("t1", FINE), RunPart("t2", WAITING)]),
        runs_document(CALL, {"t1": [FINE]}, {"t1": HOLDER}),
        health("1.2.3", Settings(())).body,
        unavailable(ConfigurationError(["A is missing."])).body,
    ]
    assert {name for body in bodies for name in _members(body) if f'"{name}"' not in text} == set()


def _members(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        yield from node
    for inner in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _members(inner)
