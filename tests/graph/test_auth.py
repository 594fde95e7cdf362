"""Sign-in: secret, certificate, managed identity; one token at a time; each refusal a sentence."""

import asyncio
import base64
import datetime as dt
import json
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from shared.config.clouds import CloudName, cloud
from shared.config.model import Auth, ClientSecret, FederatedIdentity, Secret, Tenant, VaultCertificate, VaultSecret
from shared.errors import SecretError, SignInError
from shared.graph.auth import TenantCredential, roles_of, sign_in
from shared.graph.refusals import refusal
from tests.emulator import Emulator
from tests.keyvault.stub import CA_FILE, Stub, closed_port, serving

SECRET = "V4lue~of-the-secret"
TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
TOKEN = {"token_type": "Bearer", "expires_in": 3599, "access_token": "a.token"}
IDENTITY_TOKEN = {**TOKEN, "expires_on": "4000000000", "resource": "x"}


class Vault:
    """A vault in memory."""

    def __init__(self, *, secret: str = "", certificate: bytes = b"") -> None:
        self._secret, self._certificate = secret, certificate

    async def secret(self, name: str, *, tenant: str) -> str:
        if not self._secret:
            raise SecretError(f"Tenant {tenant}: no {name}.")
        return self._secret

    async def certificate(self, name: str, *, tenant: str) -> bytes:
        return self._certificate


def settings(url: str, auth: Auth | None = None, *, tenant_id: str = TENANT) -> Tenant:
    """A tenant that signs in at this address."""
    return Tenant(
        tenant_id=tenant_id,
        client_id=CLIENT,
        hub="hub@contoso.com",
        auth=auth or ClientSecret(Secret(SECRET)),
        cloud=cloud(CloudName.GLOBAL, graph_url=f"{url}/v1.0", authority_url=url),
    )


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A Microsoft 365 with one tenant."""
    async with Emulator() as running:
        running.add_tenant(TENANT, client_id=CLIENT, client_secret=SECRET)
        yield running


async def signed_in(tenant: Tenant, vault: Vault | None = None) -> str:
    """The token that the tenant gets."""
    async with await sign_in(tenant, vault, trust=CA_FILE) as credential:
        return await credential.token()


async def refused(tenant: Tenant, vault: Vault | None = None) -> SignInError:
    """Why the tenant gets no token."""
    with pytest.raises(SignInError) as caught:
        await signed_in(tenant, vault)
    error = caught.value
    assert error.message.startswith(f"Tenant {tenant.tenant_id}: the application {CLIENT} cannot sign in: ")
    assert SECRET not in "".join(traceback.format_exception(error)) + error.hint + repr(error)
    return error


@pytest.mark.parametrize("auth", [ClientSecret(Secret(SECRET)), VaultSecret("db")])
async def test_a_secret_signs_in(emulator: Emulator, auth: Auth) -> None:
    """From the configuration or from the vault, blanks around it left away."""
    token = await signed_in(settings(emulator.authority_url, auth), Vault(secret=f"{SECRET}\n"))
    assert "Contacts.ReadWrite" in roles_of(token)


def certificate(kind: str, *, password: bytes = b"", days: float = 1) -> bytes:
    """A self-signed certificate with its key, for so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mirror")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days)).sign(key, hashes.SHA256())
    if kind == "pem":
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private + made.public_bytes(serialization.Encoding.PEM)
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"mirror", key, made, None, encryption)


@pytest.mark.parametrize("kind", ["pfx", "pem"])
async def test_a_certificate_of_the_vault_signs_in(emulator: Emulator, kind: str) -> None:
    """PFX and PEM sign the assertion."""
    tenant = settings(emulator.authority_url, VaultCertificate("cert"))
    assert await signed_in(tenant, Vault(certificate=certificate(kind)))


@pytest.mark.parametrize("data", [b"no certificate", b"-----BEGIN CERTIFICATE-----\nx", "password", "ec"])
async def test_a_certificate_that_cannot_sign_is_told_before_entra_is_asked(data: bytes | str) -> None:
    """Garbage, a password, a key that is not RSA: the sentence says what it has to be."""
    made = data if isinstance(data, bytes) else certificate(data, password=b"pw" if data == "password" else b"")
    error = await refused(settings("https://localhost:1", VaultCertificate("cert")), Vault(certificate=made))
    assert "the certificate cert of the vault cannot be used" in error.message


async def test_a_managed_identity_signs_in_without_any_secret(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's own identity is exchanged for a token of the tenant's application."""
    for name, value in emulator.identity_environment().items():
        monkeypatch.setenv(name, value)
    assert await signed_in(settings(emulator.authority_url, FederatedIdentity()))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (CloudName.GLOBAL, ""),
        (CloudName.US_DOD, "USGov"),
        (CloudName.US_GOVERNMENT, "USGov"),
        (CloudName.CHINA, "China"),
    ],
)
async def test_the_identity_is_asked_for_its_clouds_audience(
    name: CloudName, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each national cloud exchanges under its own name, and one of several identities is named."""
    async with serving(Stub(200, IDENTITY_TOKEN)) as identity, serving(Stub(200, TOKEN)) as entra:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        tenant = replace(settings(entra.url, FederatedIdentity()), cloud=cloud(name, authority_url=entra.url))
        async with await sign_in(tenant, None, trust=CA_FILE, identity_client_id=CLIENT) as credential:
            await credential.token()
    assert f"resource=api://AzureADTokenExchange{suffix}&" in identity.paths[0] + "&"
    assert f"client_id={CLIENT}" in identity.paths[0]
    assert entra.forms[0]["client_assertion"] == "a.token"


async def test_an_identity_endpoint_that_talks_nonsense_gives_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON without what belongs in it is no traceback."""
    async with serving(Stub(200, TOKEN)) as stub:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{stub.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        assert "gives no token" in (await refused(settings(stub.url, FederatedIdentity()))).message


async def test_an_app_without_identity_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint refuses: there is no such identity."""
    async with serving(Stub(400, {"statusCode": 400, "message": "No User Assigned Managed Identity found"})) as stub:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{stub.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        error = await refused(settings(stub.url, FederatedIdentity()))
    assert "the app's managed identity gives no token" in error.message
    assert "az functionapp identity assign" in error.hint


async def test_twenty_first_callers_cause_one_request() -> None:
    """They wait for the same token; a claims challenge fetches one more."""
    async with (
        serving(Stub(200, TOKEN)) as stub,
        await sign_in(settings(stub.url), None, trust=CA_FILE) as credential,
    ):
        tokens = await asyncio.gather(*(credential.token() for _ in range(20)))
        assert {*tokens, await credential.token()} == {"a.token"}
        assert len(stub.forms) == 1
        claims = '{"access_token": {"nbf": {"essential": true}}}'
        await credential.get_token("https://graph.microsoft.com/.default", claims=claims, enable_cae=True)
        assert "nbf" in stub.forms[1]["claims"]


async def test_the_token_is_asked_for_the_tenants_graph_and_may_be_revoked() -> None:
    """Scope and continuous access evaluation are those that the Graph SDK uses, so that its cache is the one warmed."""
    async with serving(Stub(200, TOKEN)) as stub:
        await signed_in(settings(stub.url))
    (form,) = stub.forms
    assert form["scope"] == "https://graph.microsoft.com/.default"
    assert "CP1" in form["claims"]


async def test_a_token_near_its_end_is_renewed_once() -> None:
    """Twenty callers with a token that is about to end wait for one another."""
    async with (
        serving(Stub(200, TOKEN | {"expires_in": 200})) as stub,
        await sign_in(settings(stub.url), None, trust=CA_FILE) as credential,
    ):
        await credential.token()
        await asyncio.gather(*(credential.token() for _ in range(20)))
        assert len(stub.forms) <= 2


async def test_entras_refusals_of_the_emulator(emulator: Emulator) -> None:
    """Wrong secret, unknown application, unknown tenant, expired secret: as Entra tells them."""
    url = emulator.authority_url
    assert "maybe it is the secret's id" in (await refused(settings(url, ClientSecret(Secret("x"))))).message
    assert "there is no such tenant" in (await refused(settings(url, tenant_id="nobody.example.com"))).message
    emulator.tenants[TENANT].secret_expired = True
    assert "the client secret has expired" in (await refused(settings(url))).message
    emulator.tenants[TENANT].client_id = "another"
    assert "not known in the tenant" in (await refused(settings(url))).message


@pytest.mark.parametrize(
    ("number", "word", "sentence", "hint"),
    [
        (7000215, "invalid_client", "the client secret is wrong; maybe it is the secret's id", "only once"),
        (7000222, "invalid_client", "the client secret has expired", "Make a new client secret"),
        (7000216, "invalid_client", "Entra received no secret", "store its value in ClientSecret"),
        (700016, "unauthorized_client", "no administrator has consented yet", f"adminconsent?client_id={CLIENT}"),
        (7000229, "unauthorized_client", "no administrator has consented yet", f"{TENANT}/adminconsent"),
        (7000112, "unauthorized_client", "the application is disabled", f"az ad sp update --id {CLIENT}"),
        (90002, "invalid_tenant", "there is no such tenant in the cloud AzureCloud", "Check TenantId"),
        (900023, "invalid_request", "there is no such tenant", "Check TenantId"),
        (700027, "invalid_client", "Entra refused the application's secret or certificate", "Make a new"),
        (700024, "invalid_client", "probably this machine's clock", "Set the clock"),
        (700213, "invalid_request", "no federated credential of the application fits", "subject the identity's"),
        (700236, "invalid_request", "stands in another tenant than this app's managed identity", "multi-tenant"),
        (500011, "invalid_resource", "does not know Graph under the address https://graph", "Check Cloud"),
        (1002012, "invalid_scope", "does not know Graph under", "GRAPH_URL"),
        (53003, "access_denied", "a policy of the tenant", "Except the application"),
        (0, "invalid_client", "Entra refused the application's secret or certificate (invalid_client)", "Make a new"),
        (0, "unauthorized_client", "not known in the tenant", "consent"),
        (999999, "weird", "Entra's answer was not understood (AADSTS999999)", "sign-in logs"),
    ],
)
async def test_each_refusal_has_its_sentence(number: int, word: str, sentence: str, hint: str) -> None:
    """By Entra's number, else by OAuth's word; the number is shown, Entra's own text is not."""
    body = {"error": word, "error_description": f"AADSTS{number}: Long story. Trace ID: 0" if number else "Long story."}
    async with serving(Stub(400, body)) as stub:
        error = await refused(settings(stub.url))
    assert sentence in error.message
    assert hint in error.hint
    assert "Long story" not in error.message + error.hint
    assert not number or f"(AADSTS{number})" in error.message


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        (VaultCertificate("cert"), "Entra refused the certificate"),
        (FederatedIdentity(), "no federated credential of the application fits"),
        (VaultSecret("db"), "Entra refused the application's secret"),
    ],
)
async def test_a_refusal_speaks_of_what_was_used(auth: Auth, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """invalid_client means the certificate, the identity or the secret, whichever signs in."""
    body = {
        "error": "invalid_client",
        "error_description": "AADSTS700027: no",
        "access_token": "x",
        "expires_on": "4000000000",
    }
    async with serving(Stub(400, body)) as stub, serving(Stub(200, IDENTITY_TOKEN)) as identity:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "h")
        error = await refused(settings(stub.url, auth), Vault(secret=SECRET, certificate=certificate("pfx")))
    assert sentence in error.message


async def test_the_hint_names_where_the_secret_is_kept() -> None:
    """Who keeps it in the vault is told the vault's name for it."""
    body = {"error": "invalid_client", "error_description": "AADSTS7000222: expired"}
    async with serving(Stub(401, body)) as stub:
        error = await refused(settings(stub.url, VaultSecret("synccontacts-x")), Vault(secret=SECRET))
    assert "store its value in the vault's secret synccontacts-x" in error.hint


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<html>", 200),
        ("{}", 200),
        ("", 200),
        ("<html>", 403),
        ("[]", 200),
        ('"x"', 200),
        ('{"access_token": 5, "expires_in": "x"}', 200),
    ],
)
async def test_an_answer_that_is_none_of_entras_is_told(body: str, status: int) -> None:
    """A proxy's page instead of a token."""
    async with serving(Stub(status, body)) as stub:
        assert (await refused(settings(stub.url))).message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_entra_is_told_as_such(status: int) -> None:
    """After the retries: nothing is wrong with the configuration."""
    found = refusal(settings("https://localhost"), number="", word="", status=status)
    assert found.sentence == f"Entra answered {status}"
    assert "Try again later" in found.hint


async def test_an_endpoint_that_nobody_answers_at_is_named() -> None:
    """The address is in the sentence, and where it comes from in the hint."""
    url = closed_port()
    error = await refused(settings(url))
    assert f"{url} cannot be reached" in error.message
    assert "AUTOMATION_SYNCCONTACTS_AUTHORITY_URL" in error.hint


async def test_a_certificate_that_nobody_trusts_is_told_apart(emulator: Emulator) -> None:
    """A proxy that opens TLS: how to trust it."""
    credential = await sign_in(settings(emulator.authority_url), None)
    async with credential:
        with pytest.raises(SignInError, match="is not trusted here") as caught:
            await credential.token()
    assert "SSL_CERT_FILE" in caught.value.hint


async def test_the_vaults_own_error_passes_through() -> None:
    """A secret that is not there is the vault's sentence, not a refusal of Entra's."""
    with pytest.raises(SecretError, match="no db"):
        await signed_in(settings("https://localhost:1", VaultSecret("db")), Vault())


async def test_a_secret_of_the_vault_without_a_vault_is_told() -> None:
    """Whoever forgets to hand over the vault is told the variable."""
    error = await refused(settings("https://localhost:1", VaultSecret("db")))
    assert "AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL" in error.hint


def jwt(claims: Any) -> str:
    """An unsigned token."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.x"


def test_roles_are_read_from_a_token() -> None:
    """The application permissions, for hints."""
    assert roles_of(jwt({"roles": ["Contacts.ReadWrite", "User.Read.All", 5]})) == {
        "Contacts.ReadWrite",
        "User.Read.All",
    }


@given(
    st.text()
    | st.builds(jwt, st.none() | st.text() | st.lists(st.text()) | st.dictionaries(st.just("roles"), st.integers()))
)
def test_what_is_no_token_has_no_roles(token: str) -> None:
    """Anything else is no reason to fail."""
    assert roles_of(token) == frozenset()


def test_a_credential_is_what_the_graph_sdk_takes() -> None:
    """Its methods are those that azure-core's protocol names."""
    assert all(hasattr(TenantCredential, name) for name in ("get_token", "close", "__aenter__", "__aexit__"))
