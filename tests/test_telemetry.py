"""What reaches the log, as the portal would show it."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import telemetry
from shared.sync.merge import Conflict, Word
from shared.sync.mergebase import Version
from shared.sync.operations import CreateContact
from shared.sync.replica import Replica
from shared.sync.report import (
    FailedMailbox,
    MailboxOutcome,
    Outcome,
    PlannedOperation,
    Problem,
    ReportedConflict,
    RunReport,
    StepCounts,
    TenantReport,
)
from shared.sync.stamp import Stamp, SyncId
from tests.builders import contact

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Lines(logging.Handler):
    """Keeps the texts of records."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _logger(level: int = logging.INFO) -> tuple[logging.Logger, Lines]:
    logger, lines = logging.getLogger("contacts_mirror.test"), Lines()
    logger.handlers, logger.propagate = [lines], False
    logger.setLevel(level)
    return logger, lines


@given(
    event=st.text(),
    fields=st.dictionaries(st.sampled_from(["name", "created", "message", "args"]), st.text() | st.integers()),
)
def test_an_event_is_one_line_of_json(event: str, fields: dict[str, str | int]) -> None:
    """Whatever the fields hold, line breaks and names of LogRecord included, it stays one parsable line."""
    logger, lines = _logger()
    telemetry.log_event(logger, logging.INFO, event, **fields)
    (line,) = lines.texts
    assert len(line.splitlines()) == 1
    assert list(json.loads(line)) == ["event", *fields]


def test_what_looks_like_an_address_is_masked() -> None:
    """A sentence keeps its sense and loses the address in it."""
    logger, lines = _logger()
    telemetry.log_event(
        logger, logging.INFO, "mailbox_failed", message="Mailbox ada@contoso.example is full.", code="Full"
    )
    assert json.loads(lines.texts[0]) == {"event": "mailbox_failed", "message": "Mailbox *** is full.", "code": "Full"}


def test_nothing_is_made_for_a_level_that_is_off() -> None:
    """A line that nobody wants costs nothing and leaves nothing."""
    logger, lines = _logger(logging.WARNING)
    telemetry.log_event(logger, logging.INFO, "timer_fired")
    assert lines.texts == []


@pytest.mark.parametrize("library", ["azure.identity", "azure.core.pipeline", "httpx", "httpcore", "msal", "urllib3"])
def test_libraries_speak_of_problems_only(library: str) -> None:
    """At INFO they would log URLs with user ids in them."""
    telemetry.quiet_libraries()
    assert not logging.getLogger(library).isEnabledFor(logging.INFO)
    assert logging.getLogger(library).isEnabledFor(logging.WARNING)


def test_a_report_is_a_summary_without_people() -> None:
    """Warnings first, a line a tenant, a line a kind of problem, the summary last; mailboxes as counts only."""
    logger, lines = _logger()
    problems = tuple(Problem(f"user{n}@contoso.example", "ItemRefused", f"Card of Ada {n}") for n in range(3))
    good = TenantReport("tenant-1", step1=StepCounts(created=2), problems=problems)
    bad = TenantReport(
        "tenant-2",
        Outcome.FAILED,
        Problem("", "SignIn", "No token for app@contoso.example."),
        mailboxes=(MailboxOutcome.FAILED,),
        failed=(FailedMailbox("mailbox-1", "MailboxFull"),),
    )
    report = RunReport("run-1", AT, AT + timedelta(seconds=90), False, (good, bad), ("No tenant is b@c.example.",))
    telemetry.log_report(logger, report)
    warning, first, problem, second, failed, summary = [json.loads(text) for text in lines.texts]
    assert (warning["event"], warning["message"]) == ("configuration_warning", "No tenant is ***")
    assert (first["event"], first["tenant_id"], first["gathered"]) == ("tenant_finished", "tenant-1", 2)
    assert (problem["event"], problem["code"], problem["count"]) == ("problem", "ItemRefused", 3)
    assert (second["error"], second["mailboxes_failed"]) == ("SignIn", 1)
    assert (failed["event"], failed["mailbox_id"], failed["code"]) == ("mailbox_failed", "mailbox-1", "MailboxFull")
    assert (summary["event"], summary["outcome"], summary["seconds"]) == ("run_summary", "failed", 90.0)
    assert summary["tenants_failed"] == 1
    assert "Ada" not in "".join(lines.texts)
    assert "@" not in "".join(lines.texts)


def test_a_tenant_that_goes_on_has_not_finished() -> None:
    """The run's summary says that it goes on in shards; the tenant's line comes with the end of that."""
    logger, lines = _logger()
    tenants = (TenantReport("tenant-1", Outcome.RUNNING), TenantReport("tenant-2"))
    telemetry.log_report(logger, RunReport("run-1", AT, AT, False, tenants))
    finished, summary = [json.loads(text) for text in lines.texts]
    assert (finished["event"], finished["tenant_id"]) == ("tenant_finished", "tenant-2")
    assert (summary["outcome"], summary["tenants"], summary["tenants_failed"]) == ("running", 2, 0)


def test_an_outage_of_all_mailboxes_is_no_flood_of_lines() -> None:
    """A hundred failed mailboxes of a tenant are named, the others counted."""
    logger, lines = _logger()
    failed = tuple(FailedMailbox(f"mailbox-{n}", "MailboxUnavailable") for n in range(5000))
    tenant = TenantReport("tenant-1", mailboxes=(MailboxOutcome.FAILED,) * 5000, failed=failed)
    telemetry.log_report(logger, RunReport("run-1", AT, AT, False, (tenant,)))
    events = [json.loads(text) for text in lines.texts]
    assert [event["event"] for event in events].count("mailbox_failed") == 100
    assert events[0]["mailboxes_failed"] == 5000


NASTY = st.text(min_size=6).map(lambda text: f"<{text}>") | st.sampled_from(
    ['{"event": "run_summary"}', "Anna\r\nMaria", "\u202eesrever", "SyncId=1;CreatedBy=x", "Zoë O'Neil", "x@y@z w@v"]
)


@given(name=NASTY)
def test_nothing_of_a_report_that_names_people_reaches_the_log(name: str) -> None:
    """Mailboxes, messages and hints of problems, both values of a conflict, a dry run's operations: all stay out."""
    logger, lines = _logger()
    stamp = Stamp(SyncId("11111111-1111-1111-1111-111111111111"), name, "", name)
    version = Version(1, stamp.sync_id, contact(name), AT, "m")
    operation = PlannedOperation(1, name, CreateContact(Replica("m", name), version, stamp))
    word = Word(AT, is_hub=False, mailbox="m")
    conflict = ReportedConflict(Conflict(stamp.sync_id, "displayName", name, word, name, word), name, name)
    tenant = TenantReport(
        "tenant-1", problems=(Problem(name, "ItemRefused", name, name),), conflicts=(conflict,), operations=(operation,)
    )
    telemetry.log_report(logger, RunReport("run-1", AT, AT, True, (tenant,)))
    assert [json.loads(text)["event"] for text in lines.texts] == ["tenant_finished", "problem", "run_summary"]
    assert not any(name in text or json.dumps(name)[1:-1] in text for text in lines.texts)
