"""What `check` finds: every line that can be red or a warning, provoked."""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bootstrap import check, sync
from shared.clock import SystemClock
from shared.config import load
from shared.config.model import Tenant
from shared.engine.check import Desk
from shared.engine.check import check as check_with
from shared.engine.options import RunOptions
from shared.errors import SignInError
from shared.ports import TenantServices, Traffic, User
from shared.state.memory import MemoryStateStore
from shared.state.sqlite import SqliteStateStore
from shared.sync.records import Holder, RunRecord
from tests.emulator import MailboxState
from tests.engine.office import HUB_FOLDER, PREFIX, Office
from tests.graph.test_auth import certificate
from tests.keyvault.stub import CA_FILE, closed_port

TENANTS = f"{PREFIX}MICROSOFT_TENANTS_JSON"


def with_tenant(environ: dict[str, str], **changes: object) -> dict[str, str]:
    """The settings with some keys of the tenant changed; None takes one away."""
    (tenant,) = json.loads(environ[TENANTS])
    changed = {name: value for name, value in {**tenant, **changes}.items() if value is not None}
    return {**environ, TENANTS: json.dumps([changed])}


async def checked(environ: dict[str, str], *, code: int = 0) -> dict[str, Any]:
    """The findings as JSON; the exit code has to be this one."""
    report = await check(environ, (), trust=CA_FILE)
    assert report.exit_code == code, report
    return report.to_json()


@pytest.fixture
def environ(office: Office) -> dict[str, str]:
    """The settings that point to the office."""
    return office.emulator.environment()


def lines(report: dict[str, Any], check: str, *, tenant: int = 0) -> list[dict[str, Any]]:
    """A tenant's lines about something."""
    return [one for one in report["tenants"][tenant]["checks"] if one["check"] == check]


def line(report: dict[str, Any], check: str, status: str, *, tenant: int = 0) -> dict[str, Any]:
    """The one line of this status about something."""
    (found,) = [one for one in lines(report, check, tenant=tenant) if one["status"] == status]
    return found


def statuses(report: dict[str, Any], *, tenant: int = 0) -> dict[str, str]:
    """How each line of a tenant stands."""
    return {one["check"]: one["status"] for one in report["tenants"][tenant]["checks"]}


@pytest.fixture
def vault(office: Office, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings with the secret in the vault, and an identity that may read it."""
    office.emulator.vault.set("mirror", office.tenant.client_secret, expires=datetime.now(UTC) + timedelta(200))
    for name, value in office.emulator.identity_environment().items():
        monkeypatch.setenv(name, value)
    settings = with_tenant(environ, ClientSecret=None, ClientSecretName="mirror")
    return {**settings, f"{PREFIX}KEY_VAULT_URL": office.emulator.vault_url}


@pytest.mark.parametrize(
    ("secret", "expired", "words", "hint"),
    [
        ("wrong", False, "the client secret is wrong", "Entra shows the value only once"),
        (None, True, "the client secret has expired", "Make a new client secret in Entra"),
    ],
)
async def test_a_secret_that_entra_refuses(
    office: Office, environ: dict[str, str], secret: str | None, expired: bool, words: str, hint: str
) -> None:
    """Wrong or expired: the token is red, and what needs one is not looked at; the state is."""
    office.tenant.secret_expired = expired
    report = await checked(with_tenant(environ, ClientSecret=secret) if secret else environ, code=1)
    token = line(report, "token", "red")
    assert (token["code"], token["who"]) == ("SignIn", "an Entra administrator of the tenant")
    assert words in token["message"]
    assert hint in token["hint"]
    needy = ("roles", "shared mailbox", "folder", "users", "clock")
    assert {name: statuses(report)[name] for name in needy} == dict.fromkeys(needy, "skipped")
    assert statuses(report)["state"] == "ok"


async def test_no_administrator_has_consented(office: Office, environ: dict[str, str]) -> None:
    """Entra does not know the application in this tenant: the address to consent at."""
    client = json.loads(environ[TENANTS])[0]["ClientId"]
    office.tenant.client_id = "another"
    token = line(await checked(environ, code=1), "token", "red")
    assert "no administrator has consented yet" in token["message"]
    assert f"{office.emulator.authority_url}/{office.tenant.id}/adminconsent?client_id={client}" in token["hint"]


@pytest.mark.parametrize(
    ("roles", "red", "warned"),
    [
        (("Contacts.ReadWrite",), ["User.Read.All"], []),
        (("User.Read.All",), ["Contacts.ReadWrite"], []),
        ((), ["User.Read.All"], ["Contacts.ReadWrite"]),
    ],
)
async def test_a_permission_that_is_missing(
    office: Office, environ: dict[str, str], roles: tuple[str, ...], red: list[str], warned: list[str]
) -> None:
    """Named, with the way through the portal; one cause is one red line."""
    office.tenant.roles = roles
    report = await checked(environ, code=1)
    found = {one["status"]: one for one in lines(report, "roles")}
    assert sorted(found) == sorted([*("red" for _ in red), *("warning" for _ in warned)])
    for status, names in (("red", red), ("warning", warned)):
        for name in names:
            assert f"The token lacks {name}" in found[status]["message"]
            assert found[status]["code"] == "InsufficientPrivileges"
            assert f"Application permissions: {name}; then Grant admin consent" in found[status]["hint"]
    assert statuses(report)["shared mailbox"] == "skipped"
    assert statuses(report)["users"] == "skipped"


async def test_a_permission_for_a_part_of_the_mailboxes(office: Office, environ: dict[str, str]) -> None:
    """Granted in Exchange alone the token does not name it; what answers shows it, and what refuses is listed."""
    office.tenant.roles = ("User.Read.All",)
    office.tenant.exchange_scope = frozenset({"hub@contoso.com", "ann@contoso.com", "bob@contoso.com"})
    report = await checked(environ)
    assert "granted in Exchange" in line(report, "roles", "ok")["message"]
    refused = line(report, "users", "warning")
    assert (refused["code"], refused["who"]) == ("MailboxRefused", "an Exchange administrator of the tenant")
    assert "Test-ServicePrincipalAuthorization" in refused["hint"]
    assert "cem@contoso.com" in refused["hint"]
    assert [one.partition(":")[0] for one in refused["mailboxes"]] == ["cem@contoso.com"]


async def test_more_permissions_than_needed(office: Office, environ: dict[str, str]) -> None:
    """What else the application may do is told."""
    office.tenant.roles = ("Contacts.ReadWrite", "User.Read.All", "Mail.ReadWrite")
    found = line(await checked(environ), "roles", "warning")
    assert found["code"] == "MorePrivileges"
    assert "Mail.ReadWrite" in found["message"]


async def test_a_permission_for_all_where_a_few_were_meant(office: Office, environ: dict[str, str]) -> None:
    """With test users others should refuse; if all let us in, the grant is wider than what is meant."""
    limited = with_tenant(environ, TestUserList=["ann@contoso.com"])
    found = line(await checked(limited), "roles", "warning")
    assert found["code"] == "TenantWide"
    assert "2 of 2" in found["message"]
    assert sorted(found["mailboxes"]) == ["bob@contoso.com", "cem@contoso.com"]
    for name in ("bob", "cem"):
        office.tenant.user(f"{name}@contoso.com").state = MailboxState.BLOCKED
    assert statuses(await checked(limited))["roles"] == "ok"
    assert statuses(await checked(environ))["roles"] == "ok"


async def test_a_hub_that_is_not_there(environ: dict[str, str]) -> None:
    """The name, the setting and the command that makes one."""
    report = await checked(with_tenant(environ, GlobalAddressBookUserId="gone@contoso.com"), code=1)
    found = line(report, "shared mailbox", "red")
    assert (found["code"], found["message"]) == ("HubNotFound", "There is no gone@contoso.com in the tenant.")
    assert "New-Mailbox -Shared" in found["hint"]
    assert statuses(report)["folder"] == "skipped"
    assert statuses(report)["users"] == "ok"


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (MailboxState.BLOCKED, "InsufficientPrivileges", "Test-ServicePrincipalAuthorization"),
        (MailboxState.NONE, "HubNotFound", "Check that the shared mailbox exists"),
    ],
)
async def test_a_hub_that_does_not_let_us_in(
    office: Office, environ: dict[str, str], state: MailboxState, code: str, words: str
) -> None:
    """Out of the scope, or without a mailbox: Exchange's administrator is asked, with the command."""
    office.tenant.user("hub@contoso.com").state = state
    found = line(await checked(environ, code=1), "shared mailbox", "red")
    assert (found["code"], found["who"]) == (code, "an Exchange administrator of the tenant")
    assert words in found["hint"]


async def test_a_folder_that_exists_twice(office: Office, environ: dict[str, str]) -> None:
    """A warning: the runs go on with one of them."""
    for _ in range(2):
        office.box("hub").add_folder(HUB_FOLDER)
    found = line(await checked(environ), "folder", "warning")
    assert found["code"] == "SeveralHubFolders"
    assert "2 folders are called All Contacts" in found["message"]


async def test_nobody_has_a_licence(office: Office, environ: dict[str, str]) -> None:
    """Where licences are given."""
    for name in office.people:
        office.tenant.user(f"{name}@contoso.com").set_licensed(False)
    found = line(await checked(environ, code=1), "users", "red")
    assert found["code"] == "NoLicensedUsers"
    assert "Licenses and apps" in found["hint"]


async def test_test_users_that_do_not_exist(environ: dict[str, str]) -> None:
    """One of two is a warning, none of them is red."""
    some = line(
        await checked(with_tenant(environ, TestUserList=["ann@contoso.com", "anne@contoso.com"])), "users", "warning"
    )
    assert (some["code"], some["mailboxes"]) == ("UnknownUser", ["anne@contoso.com"])
    none = line(await checked(with_tenant(environ, TestUserList=["anne@contoso.com"]), code=1), "users", "red")
    assert (none["code"], none["who"]) == ("NoLicensedUsers", "whoever deploys the mirror")


async def test_mailboxes_that_all_refuse(office: Office, environ: dict[str, str]) -> None:
    """Nobody can be mirrored: red, with the way to find out why."""
    for name in office.people:
        office.tenant.user(f"{name}@contoso.com").state = MailboxState.BLOCKED
    found = line(await checked(environ, code=1), "users", "red")
    assert (found["code"], len(found["mailboxes"])) == ("InsufficientPrivileges", 3)
    assert "Test-ServicePrincipalAuthorization" in found["hint"]


async def test_of_many_mailboxes_a_sample_is_asked(office: Office, environ: dict[str, str]) -> None:
    """Two hundred, and the line says so."""
    for number in range(300):
        office.tenant.add_user(f"user{number}@contoso.com")
    told = line(await checked(environ), "users", "ok")["message"]
    assert told == "303 licensed; 200 mailboxes asked of 303, a sample from all over the list; 200 can be reached."
    assert office.emulator.http_requests < 20


class TestState:
    """The memory between runs."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """The state's file."""
        return tmp_path / "mirror.db"

    @pytest.fixture
    def settings(self, environ: dict[str, str], place: Path) -> dict[str, str]:
        """The settings that name it."""
        return {**environ, f"{PREFIX}STATE_URL": f"sqlite:///{place}"}

    async def test_the_last_run_is_told(self, settings: dict[str, str]) -> None:
        """After a run: when it began and how it ended."""
        await sync(settings, RunOptions(), trust=CA_FILE)
        assert re.search(
            r"the last run began \S+Z and ended ok", line(await checked(settings), "state", "ok")["message"]
        )

    async def test_a_run_that_holds_the_tenant(self, settings: dict[str, str], place: Path, office: Office) -> None:
        """A warning that names it: whoever starts another one now would be told to wait."""
        await self.prepare(place, office, held=True)
        found = line(await checked(settings), "state", "warning")
        assert found["code"] == "Held"
        assert all(word in found["message"] for word in ("run-9", "build-7", "process 42"))

    @pytest.mark.parametrize(("outcome", "words"), [("failed", "failed"), ("unfinished", "did not end")])
    async def test_a_last_run_that_went_wrong(
        self, settings: dict[str, str], place: Path, office: Office, outcome: str, words: str
    ) -> None:
        """Failed, or killed: a warning with the command that tells more."""
        await self.prepare(place, office, outcome=outcome)
        found = line(await checked(settings), "state", "warning")
        assert (found["code"], words in found["message"]) == ("LastRunFailed", True)
        assert "python -m shared history" in found["hint"]

    async def test_a_file_that_cannot_be_made(self, environ: dict[str, str], tmp_path: Path) -> None:
        """The state is red, all else is looked at."""
        (tmp_path / "file").write_text("")
        report = await checked({**environ, f"{PREFIX}STATE_URL": f"sqlite:///{tmp_path}/file/mirror.db"}, code=1)
        found = line(report, "state", "red")
        assert (found["code"], found["who"]) == ("State", "whoever deploys the mirror")
        assert statuses(report)["users"] == "ok"

    async def test_an_account_that_cannot_be_reached(self, environ: dict[str, str]) -> None:
        """A connection string that leads nowhere: the account is named, its key is not."""
        account = (
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=aHVzaC1odXNo;"
            "TableEndpoint=http://127.0.0.1:9/devstoreaccount1"
        )
        settings = {**environ, f"{PREFIX}STATE_URL": "AzureWebJobsStorage", "AzureWebJobsStorage": account}
        found = line(await checked(settings, code=1), "state", "red")
        assert "devstoreaccount1 cannot be reached" in found["message"]
        assert "aHVzaC1odXNo" not in json.dumps(found)

    async def test_a_place_that_is_none(self, environ: dict[str, str]) -> None:
        """The app's storage is asked for, and there is none: red, not a traceback."""
        settings = {**environ, f"{PREFIX}STATE_URL": "AzureWebJobsStorage"}
        assert "the app has no such setting" in line(await checked(settings, code=1), "state", "red")["message"]

    async def test_a_damaged_file_stays(self, settings: dict[str, str], place: Path) -> None:
        """A warning: the next run puts it aside and goes on."""
        place.write_bytes(b"not a database, but longer than the header of one " * 100)
        assert line(await checked(settings), "state", "warning")["code"] == "StateDamaged"
        assert [one.name for one in place.parent.iterdir()] == [place.name]

    async def prepare(self, place: Path, office: Office, *, held: bool = False, outcome: str = "") -> None:
        """Let another run have left its traces."""
        store, now = SqliteStateStore(place), datetime.now(UTC)
        if held:
            await store.acquire_lease(office.tenant.id, Holder("run-9", "build-7", 42, now), now, 600)
        if outcome:
            await store.save_run(office.tenant.id, RunRecord("run-8", now, now, outcome))
        await store.close()


@pytest.mark.parametrize(("seconds", "status"), [(30, "ok"), (90, "warning")])
async def test_a_clock_that_is_wrong(office: Office, environ: dict[str, str], seconds: int, status: str) -> None:
    """A minute is allowed; more is a warning that says in which direction."""
    office.emulator.clock.advance(seconds)
    found = line(await checked(environ), "clock", status)
    assert status == "ok" or ("seconds behind Graph's" in found["message"] and found["code"] == "ClockSkew")


class TestSecretOfTheVault:
    """What the vault holds, and until when."""

    async def test_it_is_read_and_its_days_are_counted(self, vault: dict[str, str]) -> None:
        """Long enough: fine."""
        found = line(await checked(vault), "secret", "ok")
        assert re.match(r"Secret mirror is readable and ends in (199|200) days", found["message"])

    async def test_it_ends_soon(self, office: Office, vault: dict[str, str]) -> None:
        """Within thirty days a warning, with the two commands."""
        soon = datetime.now(UTC) + timedelta(days=12, hours=1)
        office.emulator.vault.set("mirror", office.tenant.client_secret, expires=soon)
        found = line(await checked(vault), "secret", "warning")
        assert found["code"] == "SecretExpiring"
        assert "ends in 12 days" in found["message"]
        assert "az ad app credential reset" in found["hint"]
        assert "az keyvault secret set --vault-name localhost" in found["hint"]

    async def test_nobody_knows_when_it_ends(self, office: Office, vault: dict[str, str]) -> None:
        """Without a date nobody can be warned: say so, and how to store one."""
        office.emulator.vault.set("mirror", office.tenant.client_secret)
        found = line(await checked(vault), "secret", "warning")
        assert (found["code"], "--expires <date>" in found["hint"]) == ("SecretUndated", True)

    @pytest.mark.parametrize(
        ("trouble", "words"),
        [("remove", "does not exist"), ("forbid", "may not be read"), ("disable", "is disabled")],
    )
    async def test_it_cannot_be_read(self, office: Office, vault: dict[str, str], trouble: str, words: str) -> None:
        """Red, with the command; nobody signs in with nothing."""
        getattr(office.emulator.vault, trouble)("mirror")
        report = await checked(vault, code=1)
        found = line(report, "secret", "red")
        assert (found["code"], found["who"]) == ("Secret", "whoever deploys the mirror")
        assert words in found["message"]
        assert statuses(report)["token"] == "skipped"
        assert not [one for one in office.emulator.log if f"/{office.tenant.id}/oauth2" in one.path]

    async def test_the_vault_cannot_be_reached(self, vault: dict[str, str]) -> None:
        """The address in question is named."""
        url = closed_port()
        found = line(await checked({**vault, f"{PREFIX}KEY_VAULT_URL": url}, code=1), "secret", "red")
        assert f"the vault {url} cannot be read: the vault cannot be reached" in found["message"]

    async def test_a_certificate_ends_when_it_says(self, office: Office, vault: dict[str, str]) -> None:
        """The date in the certificate counts, whatever the vault knows."""
        pem = certificate("pem", days=20)
        office.tenant.trust_certificate(pem)
        office.emulator.vault.set("cert", pem.decode())
        settings = with_tenant(vault, ClientSecretName=None, ClientCertificateName="cert")
        found = line(await checked(settings), "secret", "warning")
        assert re.match(r"Certificate cert is readable and ends in (19|20) days", found["message"])
        assert "--cert cert" in found["hint"]

    async def test_a_certificate_that_cannot_sign(self, office: Office, vault: dict[str, str]) -> None:
        """It is there, but of a kind that no assertion can be signed with: the token is red."""
        office.emulator.vault.set("cert", base64.b64encode(certificate("ec", days=200)).decode())
        settings = with_tenant(vault, ClientSecretName=None, ClientCertificateName="cert")
        found = line(await checked(settings, code=1), "token", "red")
        assert (found["code"], found["who"]) == ("SignIn", "whoever deploys the mirror")
        assert "The application" in found["message"]
        assert "cannot be used" in found["message"]

    async def test_an_identity_needs_no_secret(self, vault: dict[str, str]) -> None:
        """Nothing is stored, and nothing ends."""
        report = await checked(with_tenant(vault, ClientSecretName=None, Auth="ManagedIdentity"))
        assert "None is needed" in line(report, "secret", "ok")["message"]
        assert statuses(report)["token"] == "ok"

    async def test_an_identity_that_is_not_there(self, vault: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The token is red, with the command that gives the app one."""
        monkeypatch.setenv("IDENTITY_HEADER", "another")
        report = await checked(with_tenant(vault, ClientSecretName=None, Auth="ManagedIdentity"), code=1)
        found = line(report, "token", "red")
        assert found["who"] == "whoever deploys the mirror"
        assert "az functionapp identity assign" in found["hint"]


async def test_a_misspelt_setting(environ: dict[str, str]) -> None:
    """A warning above the tenants, with the right name."""
    (found,) = (await checked(with_tenant(environ, ExcludePrivat=True)))["checks"]
    assert (found["status"], found["code"], found["who"]) == ("warning", "Configuration", "whoever deploys the mirror")
    assert "did you mean ExcludePrivate" in found["message"]


async def test_a_fault_of_ours_hides_no_other_tenant(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """It is a red line with its kind, and the way there is in the log."""
    other = office.emulator.add_tenant(domain="fabrikam.com")
    other.add_shared_mailbox("hub@fabrikam.com")

    def open_tenant(tenant: Tenant, _deadline: float) -> AbstractAsyncContextManager[TenantServices]:
        raise ZeroDivisionError if tenant.tenant_id == other.id else SignInError(f"Tenant {tenant.tenant_id}: no.")

    desk = Desk(open_tenant, None, MemoryStateStore(), SystemClock())
    report = (await check_with(load(office.emulator.environment()), (), desk)).to_json()
    assert line(report, "token", "red")["message"] == "No."
    broken = line(report, "configuration", "red", tenant=1)
    assert (broken["code"], "ZeroDivisionError" in broken["message"]) == ("Unexpected", True)
    assert "tenant_crashed" in caplog.text


class Silent:
    """A tenant that gives a token and then says nothing any more."""

    asked = 0

    async def roles(self) -> frozenset[str]:
        return frozenset({"Contacts.ReadWrite", "User.Read.All"})

    async def find_user(self, name: str) -> User | None:
        self.asked += 1
        raise TimeoutError


async def test_silence_is_waited_for_once(office: Office) -> None:
    """A Graph that does not answer is red for what was asked of it, and is not asked again."""
    silent: Any = Silent()

    @asynccontextmanager
    async def open_tenant(_tenant: Tenant, _deadline: float) -> AsyncIterator[TenantServices]:
        yield TenantServices(silent, silent, silent, SystemClock(), Traffic())

    desk = Desk(open_tenant, None, MemoryStateStore(), SystemClock())
    report = (await check_with(load(office.emulator.environment()), (), desk)).to_json()
    told = {name: line(report, name, "red")["code"] for name in ("shared mailbox", "users")}
    assert (told, silent.asked) == (dict.fromkeys(told, "NoAnswer"), 1)
    assert statuses(report)["clock"] == "skipped"
