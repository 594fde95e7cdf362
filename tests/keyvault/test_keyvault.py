"""The vault: each secret once, each failure a sentence that names vault, secret and tenant, with what to do."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import SecretError
from shared.keyvault import Expiring, VaultSecrets, vault_credential
from tests.emulator import Emulator
from tests.graph.test_auth import certificate
from tests.keyvault.stub import CA_FILE, Stub, closed_port, serving

SECRET = "V4lue~of-the-secret"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CHALLENGE = 'Bearer authorization="{url}/common", resource="https://vault.azure.net"'


class Identity:
    """An identity with a token, or without."""

    def __init__(self, token: str = "", *, error: Exception | None = None) -> None:
        self.token, self.error = token or "some", error

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        if self.error:
            raise self.error
        return AccessToken(self.token, 4_000_000_000)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A Microsoft 365 with a tenant whose application may read the vault."""
    async with Emulator() as running:
        running.add_tenant(client_id="app", client_secret="s")
        yield running


def reader(emulator: Emulator) -> VaultSecrets:
    """The vault, read by an identity of the emulator's tenant."""
    tenant = next(iter(emulator.tenants.values()))
    token = emulator.entra.issue(tenant.id, "app", "https://vault.azure.net", ())
    return VaultSecrets(emulator.vault_url, Identity(token), relaxed=True, trust=emulator.ca_file)


async def failure(vault: VaultSecrets, name: str = "db", *, tenant: str = "contoso.com") -> SecretError:
    """The error of reading a secret."""
    async with vault:
        with pytest.raises(SecretError) as caught:
            await vault.secret(name, tenant=tenant)
    return caught.value


async def test_a_secret_is_read_by_its_name(emulator: Emulator) -> None:
    """The value comes as it was stored."""
    emulator.vault.set("db", SECRET)
    async with reader(emulator) as vault:
        assert await vault.secret("db", tenant="contoso.com") == SECRET


async def test_each_secret_is_read_once_however_many_ask() -> None:
    """Twenty tasks at once and one later cause one request; the value stays out of every repr."""
    async with serving(_answers({"value": SECRET})) as stub, _stubbed(stub) as vault:
        values = await asyncio.gather(*(vault.secret("db", tenant=str(n)) for n in range(20)))
        assert [*values, await vault.secret("db", tenant="x")] == [SECRET] * 21
        assert len(stub.forms) == 1
        assert SECRET not in repr(vars(vault))


async def test_a_failure_is_remembered_and_told_to_each_tenant() -> None:
    """The vault is not asked again for what it refused; each tenant gets its own sentence."""
    async with serving(Stub(404, {"error": {"code": "SecretNotFound", "message": ""}}, CHALLENGE)) as stub:
        vault = _stubbed(stub)
        for tenant in ("a.com", "b.com"):
            assert (await failure(vault, tenant=tenant)).message.startswith(f"Tenant {tenant}: ")
        assert len(stub.forms) == 1


@pytest.mark.parametrize(
    ("prepare", "end", "hint"),
    [
        ("remove", "does not exist", "az keyvault secret set --vault-name localhost --name db"),
        ("forbid", "may not be read by this app's identity", "--role 'Key Vault Secrets User'"),
        ("disable", "is disabled", "--name db --enabled true"),
    ],
)
async def test_what_the_vault_refuses_is_told_apart(emulator: Emulator, prepare: str, end: str, hint: str) -> None:
    """Absent, forbidden and disabled, each with the command that mends it."""
    emulator.vault.set("db", SECRET)
    getattr(emulator.vault, prepare)("db")
    error = await failure(reader(emulator))
    assert error.message == f"Tenant contoso.com: the secret db of the vault {emulator.vault_url} {end}."
    assert hint in error.hint


@pytest.mark.parametrize(
    ("status", "inner", "words"),
    [
        (403, "AccessDenied", "access policy does not name it"),
        (403, "ForbiddenByPolicy", "access policy does not name it"),
        (403, "ForbiddenByFirewall", "the vault's firewall keeps this app out"),
        (403, "ForbiddenByConnection", "the vault's firewall keeps this app out"),
        (403, "SecretExpired", "has expired"),
        (403, "", "may not be read by this app's identity"),
        (404, "", "this address does not answer as that Key Vault"),
        (500, "", "cannot be read: the vault answered 500"),
        (401, "", "the vault does not accept this identity"),
    ],
)
async def test_rarer_refusals_have_their_own_sentence(status: int, inner: str, words: str) -> None:
    """The inner code decides, and the server's own text is not passed on."""
    body = {"error": {"code": "Odd", "message": "oid=1234", "innererror": {"code": inner} if inner else None}}
    async with serving(Stub(status, body, CHALLENGE)) as stub:
        error = await failure(_stubbed(stub))
    assert words in error.message
    assert "1234" not in error.message + error.hint


@pytest.mark.parametrize("body", ["<html>", "[]", '"x"', "", "{}", '{"attributes": 1}'])
async def test_something_else_at_that_address_is_a_wrong_address(body: str) -> None:
    """A web page with status 200 is no vault."""
    async with serving(Stub(200, body, CHALLENGE)) as stub:
        error = await failure(_stubbed(stub))
    assert "does not answer as that Key Vault" in error.message or "is empty" in error.message


async def test_a_vault_that_nobody_answers_at_is_told_soon() -> None:
    """A closed port: a few quick tries, then the sentence."""
    began = asyncio.get_running_loop().time()
    error = await failure(VaultSecrets(closed_port(), Identity(), relaxed=True, trust=CA_FILE))
    assert "the vault cannot be reached" in error.message
    assert "AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL" in error.hint
    assert asyncio.get_running_loop().time() - began < 10


async def test_a_vault_that_challenges_for_another_is_refused() -> None:
    """Unless endpoints of one's own are configured, the token goes to no other domain than the vault's."""
    async with serving(_answers({"value": SECRET})) as stub:
        vault = VaultSecrets(stub.url, Identity(), relaxed=False, trust=CA_FILE)
        assert "does not answer as that Key Vault" in (await failure(vault)).message
        assert stub.forms == []


async def test_no_identity_to_read_with_is_its_own_sentence(emulator: Emulator) -> None:
    """Neither managed identity nor anything else: how to get one, on Azure and elsewhere."""
    none = Identity(error=ClientAuthenticationError("DefaultAzureCredential failed"))
    error = await failure(VaultSecrets(emulator.vault_url, none, relaxed=True, trust=emulator.ca_file))
    assert "there is no identity to read it with" in error.message
    assert "az functionapp identity assign" in error.hint
    assert "az login" in error.hint


async def test_an_identity_that_the_vault_does_not_know_is_named(emulator: Emulator) -> None:
    """The vault refuses the token itself."""
    emulator.vault.set("db", SECRET)
    error = await failure(VaultSecrets(emulator.vault_url, Identity("x"), relaxed=True, trust=emulator.ca_file))
    assert "the vault does not accept this identity" in error.message


async def test_without_a_tenant_the_sentence_is_about_the_vault_alone(emulator: Emulator) -> None:
    """The configuration secret belongs to no tenant."""
    error = await failure(reader(emulator), "config", tenant="")
    assert error.message == f"The secret config of the vault {emulator.vault_url} does not exist."


async def test_an_expired_secret_is_not_used() -> None:
    """The vault gives it all the same; the sentence says to make a new one."""
    body = {"value": SECRET, "attributes": {"enabled": True, "exp": int((NOW - timedelta(1)).timestamp())}}
    async with serving(_answers(body)) as stub:
        error = await failure(_stubbed(stub))
    assert "has expired" in error.message
    assert SECRET not in error.message + error.hint


@pytest.mark.parametrize(("days", "noted"), [(29, True), (31, False)])
async def test_a_secret_that_expires_soon_is_noted(days: int, noted: bool) -> None:
    """Within thirty days there is a note with the days left."""
    body = {"value": SECRET, "attributes": {"enabled": True, "exp": int((NOW + timedelta(days)).timestamp())}}
    async with serving(_answers(body)) as stub, _stubbed(stub) as vault:
        await vault.secret("db", tenant="x")
        assert vault.expiring == ((Expiring("x", "db", 29),) if noted else ())


@pytest.mark.parametrize("kind", ["pem", "pfx"])
@pytest.mark.parametrize("stored", [None, 90, 5])
async def test_a_certificate_ends_on_the_first_of_both_dates(kind: str, stored: int | None) -> None:
    """Its own, and the vault's, which may be missing or another; each tenant that uses it is named."""
    data = certificate(kind, days=(NOW + timedelta(days=19.5) - datetime.now(UTC)) / timedelta(days=1))
    value = data.decode() if kind == "pem" else base64.b64encode(data).decode()
    ends = {} if stored is None else {"exp": int((NOW + timedelta(days=stored)).timestamp())}
    body = {"value": value, "attributes": {"enabled": True, **ends}}
    async with serving(_answers(body)) as stub, _stubbed(stub) as vault:
        for tenant in ("b.com", "a.com"):
            assert await vault.certificate("cert", tenant=tenant) == data.strip()
    days = 5 if stored == 5 else 19
    assert vault.expiring == (Expiring("a.com", "cert", days), Expiring("b.com", "cert", days))
    assert vault.expiring[0].sentence() == f"Tenant a.com: secret cert of the vault expires in {days} days."


async def test_an_expired_certificate_is_not_used() -> None:
    """Entra would refuse it; the sentence says to make a new one."""
    async with serving(_answers({"value": certificate("pem", days=1).decode()})) as stub, _stubbed(stub) as vault:
        with pytest.raises(SecretError, match="has expired"):
            await vault.certificate("cert", tenant="t")


async def test_an_odd_date_of_expiry_does_no_harm() -> None:
    """The value counts; a date that is none is no date."""
    async with serving(_answers({"value": SECRET, "attributes": {"exp": "x"}})) as stub, _stubbed(stub) as vault:
        assert await vault.secret("db", tenant="x") == SECRET
        assert vault.expiring == ()


async def test_an_empty_secret_is_no_secret() -> None:
    """A value of nothing would only be refused by Entra later."""
    async with serving(_answers({"value": ""})) as stub:
        assert "is empty" in (await failure(_stubbed(stub))).message


async def test_a_certificate_comes_as_bytes(emulator: Emulator) -> None:
    """PFX is decoded, PEM is taken as it is."""
    pem = "-----BEGIN CERTIFICATE-----\nx\n"
    emulator.vault.set("pfx", base64.b64encode(b"\x30\x82pfx").decode(), content_type="application/x-pkcs12")
    emulator.vault.set("pem", pem, content_type="application/x-pem-file")
    async with reader(emulator) as vault:
        assert await vault.certificate("pfx", tenant="t") == b"\x30\x82pfx"
        assert await vault.certificate("pem", tenant="t") == pem.strip().encode()


@pytest.mark.parametrize("value", ["not base64!", "ümlaut"])
async def test_a_secret_that_is_no_certificate_is_told(emulator: Emulator, value: str) -> None:
    """The sentence says how to import one, and does not repeat the value."""
    emulator.vault.set("cert", value)
    async with reader(emulator) as vault:
        with pytest.raises(SecretError, match="holds no certificate with its private key") as caught:
            await vault.certificate("cert", tenant="t")
    assert "az keyvault certificate import" in caught.value.hint
    assert value not in str(caught.value)


async def test_the_machines_own_identity_reads_the_vault(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in Azure's usual variables is used, at the given authority."""
    tenant = next(iter(emulator.tenants.values()))
    for name, value in {"TENANT_ID": tenant.id, "CLIENT_ID": "app", "CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    emulator.vault.set("db", SECRET)
    async with (
        vault_credential(emulator.vault_url, authority_url=emulator.authority_url, trust=CA_FILE) as identity,
        VaultSecrets(emulator.vault_url, identity, relaxed=True, trust=CA_FILE) as vault,
    ):
        assert await vault.secret("db", tenant="t") == SECRET


async def test_a_managed_identity_reads_the_vault(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Azure the app's own identity is found by itself; one of several by its client id."""
    for name, value in emulator.identity_environment().items():
        monkeypatch.setenv(name, value)
    emulator.vault.set("db", SECRET)
    for client_id in ("", "00000000-0000-0000-0000-000000000001"):
        async with (
            vault_credential(emulator.vault_url, identity_client_id=client_id, trust=CA_FILE) as identity,
            VaultSecrets(emulator.vault_url, identity, relaxed=True, trust=CA_FILE) as vault,
        ):
            assert await vault.secret("db", tenant="t") == SECRET


def _answers(body: dict[str, Any]) -> Stub:
    return Stub(200, {"id": "https://localhost/secrets/db/1", "attributes": {"enabled": True}, **body}, CHALLENGE)


def _stubbed(stub: Stub) -> VaultSecrets:
    return VaultSecrets(stub.url, Identity(), relaxed=True, trust=CA_FILE, now=lambda: NOW)
