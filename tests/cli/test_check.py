"""`python -m shared check` as a process: what it prints where, and how it ends; that it writes nothing anywhere."""

import re
from pathlib import Path

from tests.cli.terminal import PREFIX, run
from tests.cli.test_mistakes import with_tenant
from tests.emulator import MailboxState
from tests.engine.office import Office, person

LINES = ["configuration", "secret", "token", "roles", "shared mailbox", "folder", "users", "state", "clock"]


def test_all_is_well(office: Office, environ: dict[str, str]) -> None:
    """A line for each thing, in a fixed order, with what was found; exit code 0, nothing on stderr."""
    ended = run(environ, "check")
    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"^  ok {7}([a-z ]+?)  ", ended.out, re.MULTILINE) == LINES
    assert ended.out.startswith(f"Tenant {office.tenant.id}: ok\n")
    assert ended.out.endswith("Check: ok\n")
    assert "3 licensed; 3 mailboxes asked; 3 can be reached" in ended.text
    assert "the first run makes it" in ended.text


def test_it_reads_only(office: Office, environ: dict[str, str], tmp_path: Path) -> None:
    """Not a write to Graph, no folder in the hub, and no file for the state; contacts are not even read."""
    for name in office.people:
        office.box(name).add_contact(person("Grace Hopper"))
    place = tmp_path / "state" / "mirror.db"
    ended = run({**environ, f"{PREFIX}STATE_URL": f"sqlite:///{place}"}, "check")
    assert ended.code == 0
    assert office.emulator.log.writes() == []
    assert {one.method for one in office.emulator.log if one.batched} == {"GET"}
    assert not [one for one in office.emulator.log if one.path.endswith("/contacts")]
    assert not office.has_hub_folder()
    assert not place.parent.exists()


def test_json_is_the_same_and_nothing_else(office: Office, environ: dict[str, str]) -> None:
    """The same lines by name; nothing on stderr."""
    ended = run(environ, "check", "--json")
    report = ended.report
    assert (ended.code, ended.err) == (0, "")
    assert set(report) == {"checked_at", "outcome", "checks", "tenants"}
    (tenant,) = report["tenants"]
    assert (tenant["tenant_id"], tenant["outcome"], report["outcome"]) == (office.tenant.id, "ok", "ok")
    assert [one["check"] for one in tenant["checks"]] == LINES
    assert {tuple(one) for one in tenant["checks"]} == {
        ("check", "status", "code", "message", "who", "hint", "mailboxes")
    }


def test_what_fails_in_one_tenant_changes_nothing_for_the_others(office: Office) -> None:
    """Two tenants side by side; --tenant looks at one alone."""
    other = Office(office.emulator, "dan", domain="fabrikam.com")
    other.tenant.secret_expired = True
    environ = office.emulator.environment()
    both = run(environ, "check", "--json")
    assert (both.code, [one["outcome"] for one in both.report["tenants"]]) == (1, ["ok", "red"])
    one = run(environ, "check", "--json", "--tenant", office.tenant.id)
    assert (one.code, one.report["outcome"], len(one.report["tenants"])) == (0, "ok", 1)
    assert run(environ, "check", "--tenant", "nobody.com").code == 2


def test_users_without_a_mailbox_are_counted(office: Office, environ: dict[str, str]) -> None:
    """They are common; -v names them."""
    office.tenant.user("bob@contoso.com").state = MailboxState.NONE
    ended = run(environ, "check", "-v")
    assert ended.code == 0
    assert "3 mailboxes asked; 2 can be reached, 1 without a usable mailbox." in ended.text
    assert "bob@contoso.com: The mailbox is missing" in ended.text
    assert "bob@contoso.com" not in run(environ, "check").text


class TestSettings:
    """What is wrong with the settings themselves."""

    def test_a_misspelt_setting_is_a_warning(self, environ: dict[str, str]) -> None:
        """It stands above the tenants, with the right name."""
        report = run(with_tenant(environ, ExcludePrivat=True), "check", "--json").report
        (found,) = report["checks"]
        assert (found["status"], found["code"], report["outcome"]) == ("warning", "Configuration", "warning")
        assert "did you mean ExcludePrivate" in found["message"]
        ended = run(with_tenant(environ, ExcludePrivat=True), "check")
        assert ended.out.startswith("Settings\n  warning  configuration")
        assert ended.out.endswith("Check: warning (1 warning)\n")

    def test_settings_that_cannot_be_used(self, office: Office, environ: dict[str, str]) -> None:
        """Exit code 2, all problems on stderr, nothing on stdout, nobody contacted: as for every command."""
        ended = run(with_tenant(environ, ClientId=None, DryRun="perhaps"), "check", "--json")
        assert (ended.code, ended.out) == (2, "")
        assert "2 problems with the configuration" in ended.text
        assert list(office.emulator.log) == []
