"""The report: its JSON, how outcomes add up, and the exit code."""

import json
from datetime import datetime, timedelta, timezone
from itertools import permutations

import pytest

from shared.sync.contact import Contact, FieldValue
from shared.sync.merge import Conflict, Word
from shared.sync.operations import CreateContact, StampContact, UpdateContact
from shared.sync.report import (
    GraphCounts,
    MailboxOutcome,
    Outcome,
    PlannedOperation,
    Problem,
    ReportedConflict,
    RunReport,
    StepCounts,
    TenantReport,
    iso,
    worst,
)
from shared.sync.stamp import Stamp
from tests.builders import HUB, at, card, contact, guid, spoke, version

ANNA = contact("Anna Meier", "anna@x.org", mobilePhone="1")
STAMP = Stamp(guid(1))


def run(*tenants: TenantReport, dry_run: bool = False) -> RunReport:
    """A run's report."""
    return RunReport("run-1", at(0), at(1), dry_run, tenants)


def conflict(loser: FieldValue | None, *, agreed: bool = False) -> ReportedConflict:
    """A conflict that ann lost to ben."""
    winner = ANNA.get("emailAddresses")
    words = Word(at(2), is_hub=False, mailbox="ben"), Word(at(1), is_hub=False, mailbox="ann")
    found = Conflict(guid(1), "emailAddresses", winner, words[0], loser, words[1], agreed)
    return ReportedConflict(found, "ben@contoso.com", "ann@contoso.com")


def test_the_json_of_a_run() -> None:
    """Every key is there whatever happened, and the whole is plain JSON."""
    tenant = TenantReport(
        "contoso.com",
        Outcome.PARTIAL,
        step1=StepCounts(1, 2, 3),
        step2=StepCounts(4, 5, 6),
        stamped=7,
        duplicates=8,
        private=9,
        mailboxes=(MailboxOutcome.SYNCED, MailboxOutcome.FAILED, MailboxOutcome.SKIPPED, MailboxOutcome.SYNCED),
        problems=(Problem("ann@contoso.com", "MailboxFailed", "It did not answer.", "Wait."),),
        conflicts=(conflict(None), conflict(None, agreed=True)),
        graph=GraphCounts(10, 11, 12, 13, 14),
    )
    (document,) = json.loads(json.dumps(run(tenant).to_json()))["tenants"]
    lost_values = document.pop("lost_values")
    assert len(lost_values) == 2
    assert document == {
        "tenant_id": "contoso.com",
        "outcome": "partial",
        "error": None,
        "step1": {"created": 1, "updated": 2, "skipped": 3},
        "step2": {"created": 4, "updated": 5, "skipped": 6},
        "stamped": 7,
        "deleted": 0,
        "restored": 0,
        "conflicts": 1,
        "duplicates": 8,
        "private": 9,
        "mailboxes": {"total": 4, "synced": 2, "skipped": 1, "failed": 1},
        "problems": [
            {"mailbox": "ann@contoso.com", "code": "MailboxFailed", "message": "It did not answer.", "hint": "Wait."}
        ],
        "graph": {"requests": 10, "batches": 11, "throttled": 12, "retried": 13, "bytes": 14},
    }


def test_the_json_around_the_tenants() -> None:
    """Who ran, when, how it ended, and what the settings were warned of."""
    report = RunReport(
        "run-1", at(0), at(1), dry_run=True, tenants=(TenantReport("contoso.com"),), warnings=("A key is misspelt.",)
    )
    document = report.to_json()
    document.pop("tenants")
    assert document == {
        "run_id": "run-1",
        "started_at": "2026-01-05T08:00:00Z",
        "finished_at": "2026-01-05T09:00:00Z",
        "dry_run": True,
        "outcome": "ok",
        "warnings": ["A key is misspelt."],
    }


def test_a_failed_tenants_json_says_why() -> None:
    """The error is the problem that stopped the tenant."""
    error = Problem("", "SignIn", "The client secret has expired.", "Make a new one.")
    document = TenantReport("contoso.com", Outcome.FAILED, error).to_json()
    assert (document["outcome"], document["error"]) == ("failed", error.to_json())


def test_a_dry_run_lists_its_operations() -> None:
    """Step, action, mailbox, contact and fields of each write that it would make; a real run lists none."""
    item = card("ann", ANNA)
    operations = (
        PlannedOperation(1, "hub@contoso.com", CreateContact(HUB, version(ANNA), STAMP)),
        PlannedOperation(
            2, "ann@contoso.com", UpdateContact(spoke("ann"), version(ANNA), STAMP, item, {"mobilePhone": "2"})
        ),
        PlannedOperation(2, "ann@contoso.com", StampContact(spoke("ann"), version(ANNA), STAMP, item)),
    )
    listed = TenantReport("contoso.com", operations=operations).to_json()["operations"]
    shared = {"sync_id": guid(1), "name": "Anna Meier"}
    assert listed == [
        {"step": 1, "action": "create", "mailbox": "hub@contoso.com", **shared,
         "fields": ["displayName", "emailAddresses", "mobilePhone"]},
        {"step": 2, "action": "update", "mailbox": "ann@contoso.com", **shared, "fields": ["mobilePhone"]},
        {"step": 2, "action": "stamp", "mailbox": "ann@contoso.com", **shared, "fields": []},
    ]  # fmt: skip
    assert "operations" not in TenantReport("contoso.com").to_json()
    assert TenantReport("contoso.com", operations=()).to_json()["operations"] == []


@pytest.mark.parametrize(("found", "name"), [(contact("", "Anna@x.org"), "anna@x.org"), (contact(), "")])
def test_a_nameless_contact_is_listed_by_its_address(found: Contact, name: str) -> None:
    """A person reading the list recognises the card."""
    assert PlannedOperation(1, "hub@contoso.com", CreateContact(HUB, version(found), STAMP)).name == name


def test_a_losing_value_can_be_put_back_by_hand() -> None:
    """Both values are there as Graph would take them, with whose they are and from when."""
    assert conflict(contact("A", "old@x.org").get("emailAddresses")).to_json() == {
        "sync_id": guid(1),
        "field": "emailAddresses",
        "agreed": False,
        "kept": {
            "value": [{"address": "anna@x.org", "name": "Anna Meier"}],
            "mailbox": "ben@contoso.com",
            "at": "2026-01-05T10:00:00Z",
        },
        "lost": {
            "value": [{"address": "old@x.org", "name": "A"}],
            "mailbox": "ann@contoso.com",
            "at": "2026-01-05T09:00:00Z",
        },
    }


def test_the_worst_tenant_is_the_runs_outcome() -> None:
    """Outcomes only escalate, in whatever order the tenants end."""
    for outcomes in permutations(Outcome):
        assert worst(outcomes) is Outcome.FAILED
        assert run(*(TenantReport(one.value, one) for one in outcomes)).outcome is Outcome.FAILED
    assert worst([Outcome.OK, Outcome.SKIPPED]) is Outcome.SKIPPED
    assert worst([Outcome.PARTIAL, Outcome.SKIPPED]) is Outcome.PARTIAL
    assert worst([]) is Outcome.OK


OK = TenantReport("ok", mailboxes=(MailboxOutcome.SYNCED, MailboxOutcome.SKIPPED))
STOPPED = TenantReport("stopped", Outcome.PARTIAL, mailboxes=(MailboxOutcome.SYNCED,))
HELD = TenantReport("held", Outcome.SKIPPED)
FAILED = TenantReport("failed", Outcome.FAILED)
MAILBOX_FAILED = TenantReport("mailbox", Outcome.PARTIAL, mailboxes=(MailboxOutcome.SYNCED, MailboxOutcome.FAILED))


@pytest.mark.parametrize(
    ("tenants", "code"),
    [
        ([], 0),
        ([OK], 0),
        ([OK, STOPPED], 0),
        ([OK, HELD], 0),
        ([HELD], 3),
        ([HELD, HELD], 3),
        ([OK, FAILED], 1),
        ([HELD, FAILED], 1),
        ([OK, MAILBOX_FAILED], 1),
    ],
    ids=lambda value: "+".join(one.tenant_id for one in value) or "none" if isinstance(value, list) else None,
)
def test_the_exit_code(tenants: list[TenantReport], code: int) -> None:
    """0 fine, stopped by the deadline or in part held elsewhere; 1 a tenant or mailbox failed; 3 all are held."""
    assert run(*tenants).exit_code == code


def test_times_are_utc() -> None:
    """Whatever zone a time comes in."""
    assert iso(datetime(2026, 1, 5, 8, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-05T06:00:00Z"
