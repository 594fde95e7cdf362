"""Who the mirror is: one managed identity for vault and storage, tenants by federation, certificate or secret."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from shared.bootstrap import open_state, settings, sync
from shared.engine.options import RunOptions
from shared.errors import StateError
from shared.sync.report import Outcome, RunReport
from tests.engine.office import PREFIX, Office
from tests.graph.test_auth import certificate
from tests.keyvault.stub import CA_FILE, Stub, serving

IDENTITY = "00000000-0000-0000-0000-00000000cafe"


@pytest.fixture(autouse=True)
def identity(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has a managed identity, as App Service gives it."""
    for name, value in office.emulator.identity_environment().items():
        monkeypatch.setenv(name, value)


def environ(office: Office, **sign_in: str) -> dict[str, str]:
    """The settings of all tenants without any secret, signing in this way."""
    variables = office.emulator.environment()
    tenants = json.loads(variables[f"{PREFIX}MICROSOFT_TENANTS_JSON"])
    for tenant in tenants:
        del tenant["ClientSecret"]
        tenant.update(sign_in)
    return {
        **variables,
        f"{PREFIX}MICROSOFT_TENANTS_JSON": json.dumps(tenants),
        f"{PREFIX}KEY_VAULT_URL": office.emulator.vault_url,
        "AZURE_CLIENT_ID": IDENTITY,
    }


async def mirrored(office: Office, variables: dict[str, str]) -> RunReport:
    """One run in this process."""
    return await sync(variables, RunOptions(), trust=CA_FILE, state=office.state)


def asked_identity(office: Office) -> set[tuple[str, str]]:
    """For what which identity was asked."""
    queries = [parse_qs(one.url.partition("?")[2]) for one in office.emulator.log if one.path == "/msi/token"]
    return {(query["resource"][0], query.get("client_id", [""])[0]) for query in queries}


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """The log's events of this name."""
    lines = [json.loads(message) for message in caplog.messages if message.startswith("{")]
    return [line for line in lines if line["event"] == name]


async def test_a_renewed_secret_needs_no_restart(office: Office) -> None:
    """Entra and vault get a new one between two runs of the same process, and the old one is good for nothing."""
    office.emulator.vault.set("mirror", office.tenant.client_secret)
    variables = environ(office, ClientSecretName="mirror")
    assert (await mirrored(office, variables)).outcome is Outcome.OK
    office.tenant.client_secret = "a-new-one"
    assert (await mirrored(office, variables)).outcome is Outcome.FAILED
    office.emulator.vault.set("mirror", "a-new-one")
    assert (await mirrored(office, variables)).outcome is Outcome.OK


async def test_a_renewed_certificate_needs_no_restart(office: Office) -> None:
    """The same with a certificate."""
    variables = environ(office, ClientCertificateName="cert")
    for _ in range(2):
        pem = certificate("pem", days=100)
        office.tenant.certificates.clear()
        office.tenant.trust_certificate(pem)
        office.emulator.vault.set("cert", pem.decode())
        assert (await mirrored(office, variables)).outcome is Outcome.OK


async def test_tenants_by_federation_have_no_secret_at_all(office: Office) -> None:
    """The user-assigned identity is exchanged for a token of each tenant's application; no vault is asked."""
    Office(office.emulator, "dan", domain="fabrikam.com")
    report = await mirrored(office, environ(office, Auth="ManagedIdentity"))
    assert [one.outcome for one in report.tenants] == [Outcome.OK, Outcome.OK]
    assert asked_identity(office) == {("api://AzureADTokenExchange", IDENTITY)}
    assert not [one for one in office.emulator.log if one.path.startswith("/secrets")]


async def test_vault_and_storage_are_read_by_the_named_identity(office: Office) -> None:
    """One of several identities, by AZURE_CLIENT_ID, for both."""
    office.emulator.vault.set("mirror", office.tenant.client_secret)
    variables = environ(office, ClientSecretName="mirror")
    await mirrored(office, variables)
    assert asked_identity(office) == {("https://vault.azure.net", IDENTITY)}
    office.emulator.log.clear()
    await read_state(variables)
    assert asked_identity(office) == {("https://storage.azure.com", IDENTITY)}


async def test_storage_goes_by_the_hosts_own_identity(office: Office) -> None:
    """Where only the host's setting names it, as an identity-based connection does."""
    variables = environ(office, Auth="ManagedIdentity")
    del variables["AZURE_CLIENT_ID"]
    await read_state({**variables, "AzureWebJobsStorage__clientId": IDENTITY})
    assert asked_identity(office) == {("https://storage.azure.com", IDENTITY)}


async def read_state(variables: dict[str, str]) -> None:
    """Ask a storage account, which refuses everything, for the runs; it is the app's own."""
    async with serving(Stub(403, {"odata.error": {"code": "AuthorizationPermissionMismatch"}})) as account:
        # The library takes localhost for a Cosmos emulator, whose tokens are for somebody else.
        url = account.url.replace("localhost", "127.0.0.1")
        place = {"AzureWebJobsStorage__tableServiceUri": url, f"{PREFIX}STATE_URL": "AzureWebJobsStorage"}
        variables = {**variables, **place}
        async with open_state(variables, await settings(variables, trust=CA_FILE), trust=CA_FILE) as state:
            with pytest.raises(StateError, match="may not be used by this identity"):
                await state.runs("t")
    assert account.paths


async def test_what_ends_soon_is_warned_of(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Weeks ahead: a sentence in the report, and an event with tenant, name and days for an alert."""
    caplog.set_level(logging.INFO)
    soon = datetime.now(UTC) + timedelta(days=12, hours=1)
    office.emulator.vault.set("mirror", office.tenant.client_secret, expires=soon)
    report = await mirrored(office, environ(office, ClientSecretName="mirror"))
    assert f"Tenant {office.tenant.id}: secret mirror of the vault expires in 12 days." in report.warnings
    (event,) = events(caplog, "secret_expiring")
    fields = {"run_id": report.run_id, "tenant_id": office.tenant.id, "name": "mirror", "days": 12}
    assert event == {"event": "secret_expiring", **fields}


async def test_a_certificate_that_ends_soon_is_warned_of(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """By its own date, even where the vault knows none."""
    caplog.set_level(logging.INFO)
    pfx = certificate("pfx", days=20.5)
    office.tenant.certificates.clear()
    office.emulator.vault.set("cert", base64.b64encode(pfx).decode(), content_type="application/x-pkcs12")
    await mirrored(office, environ(office, ClientCertificateName="cert"))
    assert [(one["name"], one["days"]) for one in events(caplog, "secret_expiring")] == [("cert", 20)]


async def test_what_lasts_is_not_warned_of(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Thirty days and more are time enough."""
    caplog.set_level(logging.INFO)
    later = datetime.now(UTC) + timedelta(days=31)
    office.emulator.vault.set("mirror", office.tenant.client_secret, expires=later)
    report = await mirrored(office, environ(office, ClientSecretName="mirror"))
    assert (report.warnings, events(caplog, "secret_expiring")) == ((), [])


async def test_the_secret_with_the_whole_configuration_is_warned_of(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """It belongs to no tenant; `check` shows it above all of them."""
    caplog.set_level(logging.INFO)
    variables = environ(office, Auth="ManagedIdentity")
    document = json.dumps({"MicrosoftTenants": json.loads(variables.pop(f"{PREFIX}MICROSOFT_TENANTS_JSON"))})
    office.emulator.vault.set("config", document, expires=datetime.now(UTC) + timedelta(days=3, hours=1))
    variables[f"{PREFIX}CONFIG_SECRET_NAME"] = "config"
    report = await mirrored(office, variables)
    assert report.outcome is Outcome.OK
    assert report.warnings == ("Secret config of the vault expires in 3 days.",)
    assert [(one["tenant_id"], one["days"]) for one in events(caplog, "secret_expiring")] == [("", 3)]
    assert report.warnings == (await settings(variables, trust=CA_FILE)).warnings
