"""Tokens (point 21) and Key Vault."""

import base64
import datetime as dt
import json

import pytest
from azure.identity.aio import CertificateCredential
from azure.keyvault.secrets.aio import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.emulator_tests.client import ANNA, SCOPE, Scene

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def test_a_token_lives_an_hour(scene: Scene) -> None:
    """It is shaped as a JWT with the roles in it; after that it is a 401."""
    answer = await scene.client.sign_in()
    claims = scene.client.token.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert (answer.json["expires_in"], answer.json["token_type"]) == (3599, "Bearer")
    assert decoded["roles"] == ["Contacts.ReadWrite", "User.Read.All"]
    assert (await scene.client.get("/users")).status == 200
    scene.emulator.clock.advance(3600)
    expired = await scene.client.get("/users")
    assert (expired.status, expired.code) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000216),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 400, "unauthorized_client", 700016),
        ({"tenant": "00000000-0000-0000-0000-000000000000"}, 400, "invalid_tenant", 90002),
        ({"tenant": "nonsense"}, 400, "invalid_request", 900023),
        ({"scope": "Contacts.Read"}, 400, "invalid_scope", 1002012),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_assertion": "x", "client_assertion_type": JWT_BEARER}, 401, "invalid_client", 700027),
    ],
)
async def test_refusals(scene: Scene, changes: dict[str, str], status: int, error: str, number: int) -> None:
    """With the AADSTS number in text and list."""
    answer = await scene.client.sign_in(**changes)
    assert (answer.status, answer.json["error"], answer.json["error_codes"]) == (status, error, [number])
    assert answer.json["error_description"].startswith(f"AADSTS{number}: ")


async def test_an_expired_secret(scene: Scene) -> None:
    """Is told from a wrong one."""
    scene.tenant.secret_expired = True
    assert (await scene.client.sign_in()).json["error_codes"] == [7000222]


async def test_an_assertion_instead_of_a_secret(scene: Scene) -> None:
    """Another issuer's token will do as long as no certificate is trusted."""
    assertion = {"client_secret": "", "client_assertion": scene.client.token, "client_assertion_type": JWT_BEARER}
    assert (await scene.client.sign_in(**assertion)).status == 200


async def test_a_certificate_must_be_trusted(scene: Scene) -> None:
    """azure-identity signs; only the trusted certificate's signature is taken."""
    mine, other = _certificate(), _certificate()
    scene.tenant.trust_certificate(mine)
    for pem, is_good in ((mine, True), (other, False)):
        credential = CertificateCredential(
            scene.tenant.id,
            scene.tenant.client_id,
            certificate_data=pem,
            authority=scene.emulator.authority_url,
            connection_verify=scene.emulator.ca_file,
            disable_instance_discovery=True,
        )
        async with credential:
            if is_good:
                assert (await credential.get_token(SCOPE)).token
            else:
                with pytest.raises(Exception, match="AADSTS700027"):
                    await credential.get_token(SCOPE)


async def test_a_token_without_roles_is_issued_and_useless(scene: Scene) -> None:
    """The directory and Exchange refuse it in words of their own; roles come with a new token only."""
    scene.tenant.roles = ()
    await scene.client.sign_in()
    assert (await scene.client.get("/users")).code == "Authorization_RequestDenied"
    assert (await scene.client.get(f"{ANNA}/contacts")).code == "ErrorAccessDenied"
    scene.tenant.roles = ("Contacts.Read",)
    assert (await scene.client.get(f"{ANNA}/contacts")).status == 403
    await scene.client.sign_in()
    assert (await scene.client.get(f"{ANNA}/contacts")).status == 200
    assert (await scene.client.post(f"{ANNA}/contacts", {"displayName": "x"})).status == 403


async def test_tokens_are_for_one_audience_and_tenant(scene: Scene) -> None:
    """A forged one, none, one for the vault, one of another tenant."""
    other = scene.emulator.add_tenant(domain="fabrikam.com")
    for token in (
        "",
        "forged.token.x",
        scene.emulator.entra.issue(scene.tenant.id, "x", "https://vault.azure.net", ()),
    ):
        scene.client.token = token
        assert (await scene.client.get("/users")).status == 401
    scene.client.token = scene.emulator.entra.issue(other.id, other.client_id, SCOPE[:-9], other.roles)
    assert (await scene.client.get(ANNA)).status == 404


async def test_the_vault_serves_azures_client(scene: Scene) -> None:
    """Challenge, token, value; a certificate is read as a secret; each refusal has its inner code."""
    vault = scene.emulator.vault
    scene.tenant.vault_secret("db", "s3cret")
    for name in ("off", "forbidden"):
        scene.tenant.vault_secret(name, "x")
    vault.disable("off")
    vault.forbid("forbidden")
    identity = _identity(scene)
    client = SecretClient(
        scene.emulator.vault_url,
        identity,
        verify_challenge_resource=False,
        connection_verify=scene.emulator.ca_file,
        retry_total=0,
    )
    async with identity, client:
        assert (await client.get_secret("db")).value == "s3cret"
        for name, words in (("absent", "SecretNotFound"), ("off", "disabled"), ("forbidden", "not authorized")):
            with pytest.raises(Exception, match=words):
                await client.get_secret(name)
        assert {item.name async for item in client.list_properties_of_secrets()} == {"db", "off", "forbidden"}


async def test_a_managed_identity_gets_tokens(scene: Scene) -> None:
    """From App Service's endpoint, with its header."""
    environment = scene.emulator.identity_environment()
    url = f"{environment['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://vault.azure.net"
    granted = await scene.client.get(url, **{"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]})
    assert granted.json["expires_on"].isdecimal()
    assert (await scene.client.get(url)).status == 400


def _identity(scene: Scene) -> CertificateCredential:
    return CertificateCredential(
        scene.tenant.id,
        scene.tenant.client_id,
        certificate_data=_certificate(),
        authority=scene.emulator.authority_url,
        connection_verify=scene.emulator.ca_file,
        disable_instance_discovery=True,
    )


def _certificate() -> bytes:
    """A new certificate with its key, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mirror")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
