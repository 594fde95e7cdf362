"""`python -m shared sync`: what it prints where, what its options limit, and how it ends."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.terminal import TENANTS, run
from tests.emulator import Answer, Fault, MailboxState
from tests.engine.office import Office, person

TENANT_KEYS = {
    "tenant_id", "outcome", "error", "step1", "step2", "stamped", "deleted", "restored", "conflicts", "duplicates",
    "private", "mailboxes", "problems", "lost_values", "graph",
}  # fmt: skip
STEP_KEYS = {"created", "updated", "skipped"}


def test_a_run_says_what_it_did_on_stdout_and_how_far_it_is_on_stderr(office: Office, environ: dict[str, str]) -> None:
    """Exit code 0, the summary on stdout, progress as plain lines on stderr, and no colour codes in either."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil"))
    ended = run(environ, "sync")
    assert ended.code == 0
    assert re.search(r"users to the hub +1 +0 +0\n", ended.out)
    assert re.search(r"hub to the users +2 +0 +1\n", ended.out)
    assert re.search(r"^Run: ok in [\d.]+ s \(run [0-9a-f-]{36}\)$", ended.out, re.MULTILINE)
    assert ended.err.splitlines() == [
        f"{office.tenant.id}  {line}"
        for line in (
            "reading: 4 to do", "reading: done", "writing the hub: 1 to do", "writing the hub: done",
            "writing the spokes: 3 to do", "writing the spokes: done",
        )
    ]  # fmt: skip
    assert "\x1b" not in ended.out + ended.err
    assert office.names("cem") == ["Grace Hopper"]


def test_json_is_the_report_and_nothing_else(office: Office, environ: dict[str, str]) -> None:
    """With --json stdout is one JSON document of a fixed shape."""
    office.box("ann").add_contact(person("山田 花子", "hanako@yamada.example"))
    ended = run(environ, "sync", "--json")
    report = ended.report
    assert set(report) == {"run_id", "started_at", "finished_at", "dry_run", "outcome", "warnings", "tenants"}
    assert (ended.code, report["outcome"], report["dry_run"]) == (0, "ok", False)
    (tenant,) = report["tenants"]
    assert set(tenant) == TENANT_KEYS
    assert tenant["tenant_id"] == office.tenant.id
    assert (tenant["step1"], tenant["step2"]) == (
        {"created": 1, "updated": 0, "skipped": 0}, {"created": 2, "updated": 0, "skipped": 1},
    )  # fmt: skip
    assert tenant["mailboxes"] == {"total": 3, "synced": 3, "skipped": 0, "failed": 0}
    assert set(tenant["graph"]) == {"requests", "batches", "throttled", "retried", "bytes"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["started_at"])


def test_a_dry_run_lists_what_it_would_write_and_writes_nothing(office: Office, environ: dict[str, str]) -> None:
    """Both steps' operations are listed and summed up by mailbox; not even the hub's folder is made."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    ended = run(environ, "sync", "--dry-run")
    assert ended.code == 0
    assert "Dry run, nothing was written: ok" in ended.out
    assert "step 1, hub@contoso.com: create Grace Hopper (displayName, emailAddresses, mobilePhone)" in ended.out
    assert "step 2, bob@contoso.com: create Grace Hopper" in ended.out
    assert "step 2, ann@contoso.com: stamp Grace Hopper" in ended.out
    assert re.search(r"New contacts by mailbox\n +bob@contoso.com: 1 new contact\n", ended.out)
    assert (office.writes(), office.has_hub_folder()) == ([], False)


def test_a_dry_runs_json_lists_the_operations(office: Office, environ: dict[str, str]) -> None:
    """Each operation names step, action, mailbox, contact and fields."""
    office.box("ann").add_contact(person("Grace Hopper"))
    (tenant,) = run(environ, "sync", "--dry-run", "--json").report["tenants"]
    assert set(tenant) == {*TENANT_KEYS, "operations"}
    shown = {(one["step"], one["action"], one["mailbox"].partition("@")[0]) for one in tenant["operations"]}
    assert shown == {(1, "create", "hub"), (2, "stamp", "ann"), (2, "create", "bob"), (2, "create", "cem")}
    assert {one["name"] for one in tenant["operations"]} == {"Grace Hopper"}


def test_users_limit_what_is_read_and_written(office: Office, environ: dict[str, str]) -> None:
    """With --user, twice and in any case, the other mailboxes are neither read nor written."""
    office.box("ann").add_contact(person("Grace Hopper"))
    office.box("cem").add_contact(person("Alan Turing"))
    ended = run(environ, "sync", "--user", "ANN@contoso.com", "--user", office.tenant.user("bob@contoso.com").id)
    assert ended.code == 0
    assert office.names("bob") == office.names("hub") == ["Grace Hopper"]
    touched = {one.mailbox for one in office.emulator.log if "contacts" in one.path.lower()}
    assert touched == {"hub@contoso.com", "ann@contoso.com", "bob@contoso.com"}


def test_an_unknown_user_is_named_and_the_others_run(office: Office, environ: dict[str, str]) -> None:
    """A name that nobody answers to is worth a look; a run for nobody at all has failed."""
    office.box("ann").add_contact(person("Grace Hopper"))
    ended = run(environ, "sync", "--user", "ann@contoso.com", "--user", "nobody@contoso.com")
    assert (ended.code, office.names("hub")) == (0, ["Grace Hopper"])
    assert "UnknownUser (1) nobody@contoso.com: The chosen user was not found." in ended.text
    nobody = run(environ, "sync", "--user", "nobody@contoso.com")
    assert nobody.code == 1
    assert "NoLicensedUsers" in nobody.text
    assert "Check --user" in nobody.text


def test_a_tenant_can_be_chosen_by_id_and_by_domain(office: Office) -> None:
    """With --tenant the others are not even signed in to."""
    other = Office(office.emulator, "dan", domain="fabrikam.com")
    other.box("dan").add_contact(person("Alan Turing"))
    environ = office.emulator.environment()
    tenants = json.loads(environ[TENANTS])
    tenants[0]["PrimaryDomain"] = "contoso.com"
    environ[TENANTS] = json.dumps(tenants)
    for name in (office.tenant.id.upper(), "Contoso.com"):
        assert run(environ, "sync", "--tenant", name).code == 0
    assert not any(other.tenant.id in one.url or one.mailbox.endswith("fabrikam.com") for one in office.emulator.log)
    assert not other.has_hub_folder()


def test_a_broken_mailbox_is_exit_code_1_and_the_others_are_served(office: Office, environ: dict[str, str]) -> None:
    """The summary names the mailbox, the code and what to do."""
    office.box("ann").add_contact(person("Grace Hopper"))
    office.tenant.user("bob@contoso.com").state = MailboxState.OVER_QUOTA
    ended = run(environ, "sync")
    assert ended.code == 1
    assert "MailboxFull (1) bob@contoso.com: The mailbox is full." in ended.text
    assert "Free space in the mailbox or raise its quota." in ended.text
    assert office.names("cem") == ["Grace Hopper"]


def test_verbose_logs_one_json_object_a_line(office: Office, environ: dict[str, str]) -> None:
    """With -v the events are on stderr between the progress lines, and name no contact."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil"))
    ended = run(environ, "sync", "-v")
    events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["run_started", "tenant_finished", "run_summary"]
    assert len({event["run_id"] for event in events}) == 1
    assert not any(word in ended.err for word in ("Hopper", "grace"))


def test_long_lists_are_cut_unless_asked_for(office: Office, environ: dict[str, str]) -> None:
    """A summary stays readable; -v shows all of it."""
    for number in range(6):
        office.box("ann").add_contact(person(f"Person {number}", f"p{number}@x.example"))
    assert "... and 14 more (-v shows all)" in run(environ, "sync", "--dry-run").out
    whole = run(environ, "sync", "--dry-run", "-v").out
    assert whole.count("Person ") == 24
    assert "-v shows all" not in whole


def test_names_cannot_drive_the_terminal(office: Office, environ: dict[str, str]) -> None:
    """Escape sequences, line breaks and markup in a contact's name arrive as harmless text."""
    office.box("ann").add_contact(person("\x1b[2JEve [red]\nsection_start:1:x\r\x1b[0K\u202egro"))
    out = run(environ, "sync", "--dry-run").out
    assert "Eve [red]" in out
    assert not re.search(r"\x1b|\u202e|^section_start", out, re.MULTILINE)


def test_an_encoding_that_lacks_a_script_breaks_nothing(office: Office, environ: dict[str, str]) -> None:
    """A summary in Latin-1 has question marks where it must, and JSON stays UTF-8."""
    office.box("ann").add_contact(person("山田 花子"))
    latin = {**environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "LC_ALL": "C"}
    ended = run(latin, "sync", "--dry-run")
    assert (ended.code, "create ?? ??" in ended.out) == (0, True)
    assert "山田 花子" in run(latin, "sync", "--dry-run", "--json").out


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{ 7 * 7 }}"])
def test_a_report_page_is_self_contained_and_escaped(
    office: Office, environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    """--report writes one HTML file that loads nothing and runs nothing, whatever a contact is called."""
    office.box("ann").add_contact(person(name))
    file = tmp_path / "report.html"
    assert run(environ, "sync", "--dry-run", "--report", str(file)).code == 0
    page = file.read_text(encoding="utf-8")
    assert name.replace("<", "&lt;").replace(">", "&gt;") in page
    assert not re.search(r"<script|\b(src|href)=|url\(|@import", page)


def test_a_failed_run_leaves_a_report_page_too(office: Office, environ: dict[str, str], tmp_path: Path) -> None:
    """What failed is what one wants to read about."""
    office.emulator.faults.add(Fault(action=Answer(403, "Authorization_RequestDenied"), path=r"^/users", count=None))
    file = tmp_path / "report.html"
    assert run(environ, "sync", "--report", str(file)).code == 1
    assert "User.Read.All" in file.read_text(encoding="utf-8")
