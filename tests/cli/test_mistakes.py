"""Whatever an operator can cause ends in a sentence that says what to do, with the right exit code and no traceback."""

import json
import socket
from pathlib import Path

import pytest

from tests.cli.terminal import PREFIX, TENANTS, run
from tests.emulator import MailboxState
from tests.engine.office import Office, person


def with_tenant(environ: dict[str, str], **changes: object) -> dict[str, str]:
    """The settings with some keys of the tenant changed; None takes one away."""
    (tenant,) = json.loads(environ[TENANTS])
    changed = {name: value for name, value in {**tenant, **changes}.items() if value is not None}
    return {**environ, TENANTS: json.dumps([changed])}


def test_all_problems_of_the_configuration_come_together(office: Office, environ: dict[str, str]) -> None:
    """Exit code 2, one message with every problem on stderr, nothing on stdout, and nobody was contacted."""
    wrong = with_tenant(environ, ClientId=None, DryRun="perhaps", ExcludePrivate=7)
    ended = run({**wrong, f"{PREFIX}TIME_BUDGET_MINUTES": "soon"}, "sync", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "4 problems with the configuration; no mailbox was contacted" in ended.text
    assert all(name in ended.err for name in ("ClientId", "DryRun", "ExcludePrivate", "TIME_BUDGET_MINUTES"))
    assert list(office.emulator.log) == []


def test_no_configuration_at_all_says_where_to_begin() -> None:
    """An empty environment ends in the names of the variables and of the document that explains them."""
    ended = run({}, "sync")
    assert ended.code == 2
    assert f"{PREFIX}CONFIG_JSON" in ended.err
    assert "docs/configuration.md" in ended.err


def test_a_misspelt_required_key_is_named_with_the_right_one(environ: dict[str, str]) -> None:
    """What is missing and what stands there instead are told together."""
    wrong = with_tenant(environ, GlobalAddressBookUserId=None, GlobalAdressBookUserId="hub@contoso.com")
    ended = run(wrong, "sync")
    assert (ended.code, ended.out) == (2, "")
    assert "One problem with the configuration; no mailbox was contacted:" in ended.err
    assert "GlobalAddressBookUserId is missing." in ended.err
    assert "Warning: " in ended.err
    assert '"GlobalAdressBookUserId" is not known and not read; did you mean GlobalAddressBookUserId?' in ended.err


def test_broken_json_is_named_with_line_and_column(office: Office, environ: dict[str, str]) -> None:
    """The message names the variable and the place, and shows nothing of the text, which may hold secrets."""
    ended = run({**environ, TENANTS: '[\n  {"TenantId": "x",\n   "ClientSecret": "hush-hush" oops}\n]'}, "sync")
    assert ended.code == 2
    assert f"{TENANTS} is no valid JSON" in ended.err
    assert "line 3, column" in ended.err
    assert "hush" not in ended.err
    assert list(office.emulator.log) == []


def test_an_unknown_tenant_is_a_mistake_of_the_command_line(office: Office, environ: dict[str, str]) -> None:
    """The message lists the tenants that are configured."""
    ended = run(environ, "sync", "--tenant", "fabrikam.com")
    assert (ended.code, ended.out) == (2, "")
    assert "Tenant fabrikam.com is not configured" in ended.err
    assert office.tenant.id in ended.err
    assert list(office.emulator.log) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sync", "--ful"), "No such option"),
        (("sync", "everything"), "unexpected extra argument"),
        (("synch",), "No such command"),
        (("sync", "--user", ""), "it is empty"),
        (("sync", "--tenant", " "), "it is empty"),
        (("sync", "--user"), "requires an argument"),
        (("emulator", "--users", "0"), "--users"),
        (("undo", "\udcff"), "RUN_ID"),
    ],
)
def test_usage_is_explained(arguments: tuple[str, ...], sentence: str) -> None:
    """A slip of the keyboard, or a variable of a pipeline that came out empty, is exit code 2."""
    ended = run({}, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


@pytest.mark.parametrize("name", ["missing/report.html", ".", "n" * 300])
def test_a_report_that_cannot_be_written_is_refused_before_the_run(
    office: Office, environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    """A typing error in the file's name does not cost a run."""
    ended = run(environ, "sync", "--report", str(tmp_path / name))
    assert ended.code == 2
    assert "--report" in ended.err
    assert list(office.emulator.log) == []


@pytest.mark.parametrize("name", ["", "."])
def test_a_report_without_a_name_is_refused_before_the_run(office: Office, environ: dict[str, str], name: str) -> None:
    """A variable of a pipeline that came out empty, or a folder, is no file to write a page to."""
    ended = run(environ, "sync", "--report", name)
    assert (ended.code, ended.out) == (2, "")
    assert "--report" in ended.err
    assert list(office.emulator.log) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_report_that_fails_after_all_does_not_hide_the_run(office: Office, environ: dict[str, str]) -> None:
    """A full disk costs the page and exit code 0, not the summary."""
    ended = run(environ, "sync", "--report", "/dev/full")
    assert ended.code == 1
    assert "Run: ok" in ended.out
    assert "/dev/full could not be written: No space left on device." in ended.err


def test_an_endpoint_that_does_not_answer(environ: dict[str, str]) -> None:
    """A Graph that refuses connections is a failed tenant, with the address to look at."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://localhost:{nobody.getsockname()[1]}"
        ended = run({**environ, f"{PREFIX}AUTHORITY_URL": url, f"{PREFIX}GRAPH_URL": f"{url}/v1.0"}, "sync")
    assert ended.code == 1
    assert "cannot be reached" in ended.text


def test_a_wrong_secret(environ: dict[str, str]) -> None:
    """The refusal says that the secret is wrong, and never what it was."""
    ended = run(with_tenant(environ, ClientSecret="s3cr3t-nobody-may-see"), "sync", "-v")
    assert ended.code == 1
    assert "SignIn" in ended.out
    assert "secret is wrong" in ended.text
    assert "s3cr3t" not in ended.text


@pytest.mark.parametrize(
    ("roles", "missing"), [(("Contacts.ReadWrite",), "User.Read.All"), (("User.Read.All",), "Contacts.ReadWrite")]
)
def test_a_missing_permission_is_named(
    office: Office, environ: dict[str, str], roles: tuple[str, ...], missing: str
) -> None:
    """Insufficient privileges say which."""
    office.tenant.roles = roles
    ended = run(environ, "sync")
    assert ended.code == 1
    assert "InsufficientPrivileges" in ended.text
    assert f"Grant the application permission {missing}" in ended.text


def test_a_shared_mailbox_that_is_not_there(environ: dict[str, str]) -> None:
    """The message names it and the setting."""
    ended = run(with_tenant(environ, GlobalAddressBookUserId="gone@contoso.com"), "sync")
    assert ended.code == 1
    assert "HubNotFound" in ended.text
    assert "the shared mailbox gone@contoso.com was not found" in ended.text
    assert "GlobalAddressBookUserId" in ended.text


def test_nobody_has_a_licence(office: Office, environ: dict[str, str]) -> None:
    """A tenant without licensed users has failed: an empty run is hardly what was meant."""
    for name in office.people:
        office.tenant.user(f"{name}@contoso.com").set_licensed(False)
    ended = run(environ, "sync")
    assert ended.code == 1
    assert "no licensed users were found" in ended.text


def test_users_without_a_mailbox_are_no_failure(office: Office, environ: dict[str, str]) -> None:
    """They are listed once by code with what to do, and the exit code stays 0."""
    office.box("ann").add_contact(person("Grace Hopper"))
    for name in ("bob", "cem"):
        office.tenant.user(f"{name}@contoso.com").state = MailboxState.NONE
    ended = run(environ, "sync")
    assert ended.code == 0
    assert "NoMailbox (2)" in ended.out
    assert ended.out.count("Check in the Exchange admin center") == 1


def test_warnings_stand_above_the_summary(environ: dict[str, str]) -> None:
    """A key that nothing reads is pointed out, with the nearest name."""
    ended = run(with_tenant(environ, ExcludePrivat=True), "sync", "--dry-run")
    assert ended.code == 0
    assert ended.out.startswith("Warning: ")
    assert "did you mean ExcludePrivate" in ended.text
