"""What `check` makes of facts: each line by itself, and what holds for all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Who
from shared.sync.facts import (
    Facts,
    HubFound,
    Knock,
    Remembered,
    SecretRead,
    Staff,
    Subject,
    Trouble,
    Way,
    spread,
)
from shared.sync.findings import CheckReport, Finding, Status, TenantFindings
from shared.sync.judge import judge
from shared.sync.records import Holder, RunRecord

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SUBJECT = Subject("tenant", "client", "hub@contoso.com", Way.STORED, secret_name="mirror", vault="safe")
NEEDED = frozenset({"Contacts.ReadWrite", "User.Read.All"})
ANN, BOB = Knock("ann@contoso.com"), Knock("bob@contoso.com")
REFUSAL = Trouble("MailboxRefused", "It refuses.", "Grant it.", Who.EXCHANGE)
FINE = Facts(
    SUBJECT,
    NOW,
    SecretRead(NOW + timedelta(100)),
    Remembered(),
    roles=NEEDED,
    hub=HubFound(1),
    staff=Staff(2, 2, (ANN, BOB)),
    ahead_seconds=0.5,
)

troubles = st.builds(
    Trouble,
    st.sampled_from(["InsufficientPrivileges", "SignIn", "MailboxRefused", "NoMailbox", "Throttled", "StateDamaged"]),
    st.just("Something is wrong."),
    st.just("Mend it."),
    st.sampled_from(Who),
)
moments = st.timedeltas(timedelta(-400), timedelta(400)).map(lambda distance: NOW + distance)
knocks = st.lists(st.builds(Knock, st.just("a@b.c"), st.none() | troubles), max_size=4).map(tuple)
staffs = st.builds(Staff, st.integers(0, 9), st.integers(0, 4), knocks, knocks, st.sampled_from([(), ("nobody",)])).map(
    lambda staff: (
        replace(staff, spokes=max(staff.spokes, len(staff.asked))) if staff.asked else replace(staff, spokes=0)
    )
)
facts = st.builds(
    Facts,
    st.builds(replace, st.just(SUBJECT), way=st.sampled_from(Way), chosen=st.integers(0, 3), dry_run=st.booleans()),
    st.just(NOW),
    st.builds(SecretRead, st.none() | moments) | troubles,
    st.builds(
        Remembered,
        st.none() | st.just(Holder("run", "host", 1, NOW)),
        st.none() | st.builds(RunRecord, st.just("r"), st.just(NOW), st.none(), st.sampled_from(["ok", "failed"])),
    )
    | troubles,
    roles=st.none() | troubles | st.frozensets(st.sampled_from([*NEEDED, "Mail.Read"])),
    hub=st.none() | troubles | st.builds(HubFound, st.integers(0, 3)),
    staff=st.none() | troubles | staffs,
    ahead_seconds=st.none() | st.floats(-1e6, 1e6),
)


def found(facts: Facts, check: str) -> list[Finding]:
    """The lines about something."""
    return [line for line in judge(facts).findings if line.check == check]


def only(facts: Facts, check: str) -> Finding:
    """The one line about something."""
    (line,) = found(facts, check)
    return line


@given(facts)
def test_every_line_that_is_not_fine_has_its_code_and_no_fine_one_has(facts: Facts) -> None:
    """Whatever the facts: warnings and red lines have a code to look up, every line a sentence."""
    for line in judge(facts).findings:
        assert line.message.endswith(".")
        assert bool(line.code) == (line.status in {Status.WARNING, Status.RED})


@given(facts)
def test_every_subject_has_its_line(facts: Facts) -> None:
    """Whatever the facts: no check is left out, and what others depend on comes first."""
    names = list(dict.fromkeys(line.check for line in judge(facts).findings))
    assert names == [
        "configuration", "secret", "token", "roles", "shared mailbox", "folder", "users", "state", "clock",
    ]  # fmt: skip


def test_all_is_fine() -> None:
    """Then each line says so."""
    assert {line.status for line in judge(FINE).findings} == {Status.OK}
    assert judge(FINE).outcome is Status.OK


@pytest.mark.parametrize(
    ("way", "days", "status", "code", "words"),
    [
        (Way.STORED, 30, Status.OK, "", "ends in 30 days, on 2026-02-04"),
        (Way.STORED, 29, Status.WARNING, "SecretExpiring", "Secret mirror is readable and ends in 29 days"),
        (Way.CERTIFICATE, 1, Status.WARNING, "SecretExpiring", "Certificate mirror is readable and ends in 1 day,"),
        (Way.STORED, None, Status.WARNING, "SecretUndated", "knows no date"),
        (Way.SETTING, None, Status.OK, "", "only Entra knows"),
        (Way.IDENTITY, None, Status.OK, "", "None is needed"),
    ],
)
def test_how_long_the_secret_lasts(way: Way, days: int | None, status: Status, code: str, words: str) -> None:
    """From thirty days before its end on it is a warning."""
    read = SecretRead(None if days is None else NOW + timedelta(days))
    line = only(replace(FINE, subject=replace(SUBJECT, way=way), secret=read), "secret")
    assert (line.status, line.code) == (status, code)
    assert words in line.message


def test_directory_permissions_that_suffice() -> None:
    """A larger permission than User.Read.All will do, and so does the proof that users can be read."""
    assert only(replace(FINE, roles=NEEDED - {"User.Read.All"} | {"Directory.Read.All"}), "roles").status is Status.OK
    assert only(replace(FINE, roles=NEEDED - {"User.Read.All"}), "roles").status is Status.OK


def test_a_hub_that_refuses_for_another_reason_than_a_missing_permission() -> None:
    """The users can be reached, so the permission is there, and the hub alone is out of the scope."""
    refused = Trouble("InsufficientPrivileges", "The shared mailbox refuses.", "Grant it.", Who.ENTRA)
    line = only(replace(FINE, roles=frozenset({"User.Read.All"}), hub=refused), "shared mailbox")
    assert (line.status, line.who) == (Status.RED, Who.EXCHANGE)
    assert "-Resource hub@contoso.com" in line.hint


def test_mailboxes_in_other_trouble() -> None:
    """One that is busy is a warning with its own hint; if none answers, it is red."""
    busy = Trouble("Throttled", "Graph asked us to wait.", "Wait.")
    some = found(replace(FINE, staff=Staff(2, 2, (ANN, replace(BOB, trouble=busy)))), "users")
    assert [(line.status, line.code, line.hint) for line in some[1:]] == [(Status.WARNING, "Throttled", "Wait.")]
    line = only(replace(FINE, staff=Staff(1, 1, (replace(BOB, trouble=busy),))), "users")
    assert (line.status, line.code) == (Status.RED, "Throttled")


def test_a_limit_in_exchange_shows_by_one_refusal() -> None:
    """With one refusal among the others the grant is not for all, whatever the rest says."""
    chosen = replace(SUBJECT, chosen=1)
    wide = replace(FINE, subject=chosen, staff=Staff(3, 1, (ANN,), (BOB, BOB)))
    assert [line.code for line in found(wide, "roles")] == ["TenantWide"]
    limited = replace(FINE, subject=chosen, staff=Staff(3, 1, (ANN,), (BOB, replace(BOB, trouble=REFUSAL))))
    assert only(limited, "roles").status is Status.OK


@pytest.mark.parametrize(("seconds", "words"), [(-61, "ahead of"), (61, "behind")])
def test_a_clock_that_is_wrong(seconds: float, words: str) -> None:
    """In which direction."""
    line = only(replace(FINE, ahead_seconds=seconds), "clock")
    assert (line.status, f"61 seconds {words} Graph's" in line.message) == (Status.WARNING, True)


@given(st.integers(0, 700), st.integers(1, 300))
def test_a_sample_comes_from_all_over(count: int, most: int) -> None:
    """No more than asked for, each once, in order, the first among them, and no gap twice as wide as another."""
    chosen = list(spread(range(count), most))
    assert len(chosen) == min(count, most)
    assert chosen[:1] == list(range(count))[:1]
    gaps = {after - before for before, after in zip(chosen, [*chosen[1:], count], strict=True)} if chosen else {1}
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


def test_a_report_is_as_bad_as_its_worst_line() -> None:
    """Lines about the settings count as well; only red makes the exit code 1."""
    warning = Finding("configuration", Status.WARNING, "Odd.", "Configuration")
    fine = TenantFindings("t", (Finding("token", Status.OK, "Fine."), Finding("roles", Status.SKIPPED, "Not.")))
    report = CheckReport(NOW, (warning,), (fine,))
    assert (fine.outcome, report.outcome, report.exit_code) == (Status.OK, Status.WARNING, 0)
    red = TenantFindings("u", (Finding("token", Status.RED, "No.", "SignIn"),))
    assert (CheckReport(NOW, (), (fine, red)).outcome, CheckReport(NOW, (), (fine, red)).exit_code) == (Status.RED, 1)
    assert CheckReport(NOW, (), ()).outcome is Status.OK


def test_more_mailboxes_than_one_process_takes_are_worth_a_line() -> None:
    """A warning says which setting lets the run go on in shards; where it does already, there is none."""
    many = replace(FINE, staff=Staff(2001, 2001, (ANN, BOB)))
    _, line = found(replace(many, subject=replace(FINE.subject, room=2000)), "users")
    assert (line.status, line.code) == (Status.WARNING, "Outgrown")
    assert "AUTOMATION_SYNCCONTACTS_SCALE_OUT" in line.hint
    assert len(found(many, "users")) == 1
