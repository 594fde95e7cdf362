"""Secrets and certificates out of an Azure Key Vault, each read once, each failure a sentence for the operator.

`VaultSecrets` is the `Secrets` port. Whoever makes it closes it, and closes the credential it was given.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets.aio import SecretClient
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from cryptography.x509 import load_pem_x509_certificate

from shared.errors import SecretError

_WAIT_SECONDS = 30
WARN_DAYS = 30
"""A secret or certificate that ends within so many days is warned of: time enough to make a new one."""

# A vault that answers does so within a second, and a run cannot begin without it: a few quick tries, then the sentence.
_TRANSPORT = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "retry_total": 2,
    "retry_connect": 1,
    "retry_read": 1,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
}
# Sign-in of each cloud by the domain of its vaults
# (learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates, "DNS suffixes").
_AUTHORITIES = {
    "vault.azure.net": "https://login.microsoftonline.com",
    "vault.usgovcloudapi.net": "https://login.microsoftonline.us",
    "vault.azure.cn": "https://login.chinacloudapi.cn",
}


@dataclass(frozen=True, slots=True)
class Expiring:
    """A secret or certificate that was read for a tenant ("" for none) and ends in so many days."""

    tenant: str
    name: str
    days: int

    def sentence(self) -> str:
        """What the report says of it."""
        whose = f"Tenant {self.tenant}: secret" if self.tenant else "Secret"
        return f"{whose} {self.name} of the vault expires in {self.days} days."


@dataclass(frozen=True, slots=True)
class _Found:
    """A secret's value; kept out of the repr."""

    value: str
    expires: datetime | None

    def __repr__(self) -> str:
        return "_Found(***)"


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What is wrong, as the end of a sentence that begins with vault and secret, and what to do."""

    end: str
    hint: str


_ABSENT = _Trouble(
    "does not exist",
    "Create it: az keyvault secret set --vault-name {vault} --name {name} --value <the value>",
)
_FORBIDDEN = _Trouble(
    "may not be read by this app's identity",
    "Allow it (and wait some minutes): az role assignment create --role 'Key Vault Secrets User' "
    "--assignee <object id of the identity> --scope $(az keyvault show --name {vault} --query id --output tsv)",
)
_POLICY = _Trouble(
    "may not be read by this app's identity: the vault's access policy does not name it",
    "Allow it: az keyvault set-policy --name {vault} --object-id <object id of the identity> --secret-permissions get",
)
_NETWORK = _Trouble(
    "cannot be read from here: the vault's firewall keeps this app out",
    "Let the app's network in: Azure portal, vault {vault}, Networking",
)
_DISABLED = _Trouble(
    "is disabled",
    "Enable it: az keyvault secret set-attributes --vault-name {vault} --name {name} --enabled true",
)
_EXPIRED = _Trouble(
    "has expired",
    "Make a new client secret or certificate in Entra, then store it: "
    "az keyvault secret set --vault-name {vault} --name {name} --value <the value> --expires <date>",
)
_EMPTY = _Trouble(
    "is empty",
    "Store the value: az keyvault secret set --vault-name {vault} --name {name} --value <the value>",
)
_NO_CERTIFICATE = _Trouble(
    "holds no certificate with its private key",
    "Import it as a certificate: az keyvault certificate import --vault-name {vault} --name {name} --file <file.pfx>",
)
_UNREACHABLE = _Trouble(
    "cannot be read: the vault cannot be reached",
    "Check AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL, name resolution and the network: "
    "az keyvault show --name {vault} --query properties.vaultUri",
)
_WRONG_URL = _Trouble(
    "cannot be read: this address does not answer as that Key Vault",
    "Check AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL: az keyvault show --name {vault} --query properties.vaultUri",
)
_NO_IDENTITY = _Trouble(
    "cannot be read: there is no identity to read it with",
    "On Azure: az functionapp identity assign --name <app> --resource-group <group>. Elsewhere: az login, or set "
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
)
_WRONG_IDENTITY = _Trouble(
    "cannot be read: the vault does not accept this identity, probably one of another tenant",
    "Sign in to the vault's own tenant: az keyvault show --name {vault} --query properties.tenantId",
)

# The inner code alone tells the reasons of a 403 apart (learn.microsoft.com/azure/key-vault/general/rest-error-codes).
_BY_INNER_CODE = {
    "ForbiddenByRbac": _FORBIDDEN,
    "AccessDenied": _POLICY,
    "ForbiddenByPolicy": _POLICY,
    "ForbiddenByFirewall": _NETWORK,
    "ForbiddenByConnection": _NETWORK,
    "SecretDisabled": _DISABLED,
    "SecretExpired": _EXPIRED,
}


def vault_credential(
    vault_url: str, *, authority_url: str = "", identity_client_id: str = "", trust: str | None = None
) -> AsyncTokenCredential:
    """The identity to read the vault with: the app's managed identity on Azure, else what the machine is signed in as.

    `authority_url` is for a stand-in; without it the vault's domain tells the cloud. `trust` is a file of CA
    certificates. Nothing is contacted yet; close it after use.
    """
    options: dict[str, Any] = dict(_verify(trust))
    domain = (urlsplit(vault_url).hostname or "").partition(".")[2]
    if authority := authority_url or _AUTHORITIES.get(domain, ""):
        options["authority"] = authority
    if identity_client_id:
        options["managed_identity_client_id"] = identity_client_id
    return DefaultAzureCredential(**options)


def _verify(trust: str | None) -> dict[str, str]:
    return {"connection_verify": trust} if trust else {}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VaultSecrets:
    """One vault, asked for each secret at most once, however many tasks want it.

    `relaxed` skips the check that the vault's challenge names its own domain; it is for stand-ins only. `trust` is a
    file of CA certificates, None means the system's (or SSL_CERT_FILE). A failure is remembered like a value.
    """

    def __init__(
        self,
        vault_url: str,
        credential: AsyncTokenCredential,
        *,
        relaxed: bool,
        trust: str | None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._url = vault_url.rstrip("/")
        self._now = now
        self._client = SecretClient(
            self._url, credential, verify_challenge_resource=not relaxed, **_TRANSPORT, **_verify(trust)
        )
        self._known: dict[str, _Found | _Trouble] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._readers: dict[str, set[str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the credential stays open."""
        await self._client.close()

    async def secret(self, name: str, *, tenant: str) -> str:
        """The secret's value; raises `SecretError`, whose sentence names `tenant` unless that is ""."""
        return (await self._get(name, tenant)).value

    async def certificate(self, name: str, *, tenant: str) -> bytes:
        """The certificate with its private key, PFX or PEM bytes; raises `SecretError`.

        A certificate's private part is the secret of the same name, PFX in base64 or PEM
        (learn.microsoft.com/azure/key-vault/certificates/about-certificates).
        """
        found = await self._get(name, tenant)
        data = _certificate_bytes(found.value.strip())
        if data is None:
            raise self._error(name, tenant, _NO_CERTIFICATE)
        ends = min((moment for moment in (found.expires, _last_day(data)) if moment), default=None)
        if ends is not None and ends <= self._now():
            raise self._error(name, tenant, _EXPIRED)
        self._known[name] = _Found(found.value, ends)
        return data

    def ends(self, name: str) -> datetime | None:
        """When the secret or certificate that was read ends, UTC; None if neither vault nor certificate says so."""
        found = self._known.get(name)
        return found.expires if isinstance(found, _Found) else None

    @property
    def expiring(self) -> tuple[Expiring, ...]:
        """Of what was read so far, for whom and what ends within 30 days, the next first."""
        dated = ((tenant, name, self.ends(name)) for name, tenants in self._readers.items() for tenant in tenants)
        soon = [Expiring(tenant, name, (ends - self._now()).days) for tenant, name, ends in dated if ends is not None]
        return tuple(
            sorted((one for one in soon if one.days < WARN_DAYS), key=lambda one: (one.days, one.name, one.tenant))
        )

    async def _get(self, name: str, tenant: str) -> _Found:
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self._known:
                self._known[name] = await self._read(name)
        found = self._known[name]
        if isinstance(found, _Trouble):
            raise self._error(name, tenant, found)
        self._readers.setdefault(name, set()).add(tenant)
        return found

    async def _read(self, name: str) -> _Found | _Trouble:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                secret = await self._client.get_secret(name)
            expires = _date(secret.properties.expires_on)
        except (AzureError, TimeoutError) as error:
            return _trouble(error, self._url)
        except (ValueError, AttributeError, TypeError, LookupError):
            # The SDK refuses a challenge for another domain so, and trips over JSON that is no vault's answer.
            return _WRONG_URL
        if not isinstance(secret.value, str) or not secret.value.strip():
            return _EMPTY
        # The vault hands out an expired secret all the same: its date is "for informational purposes".
        if expires is not None and expires <= self._now():
            return _EXPIRED
        return _Found(secret.value, expires)

    def _error(self, name: str, tenant: str, trouble: _Trouble) -> SecretError:
        whose = f"Tenant {tenant}: the" if tenant else "The"
        vault = (urlsplit(self._url).hostname or "").partition(".")[0]
        return SecretError(
            f"{whose} secret {name} of the vault {self._url} {trouble.end}.",
            hint=f"{trouble.hint.format(vault=vault, name=name)}.",
        )


def _certificate_bytes(value: str) -> bytes | None:
    """The certificate as the vault keeps it: PEM, or a PFX in base64; None if it is neither."""
    if value.startswith("-----BEGIN"):
        return value.encode()
    try:
        return base64.b64decode(value.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def _last_day(data: bytes) -> datetime | None:
    """When a certificate, PFX or PEM, ends, UTC; None for what is none: whether it can be used is the sign-in's to say.

    The vault's own date is that of the secret, and may be missing or another.
    """
    try:
        if data.startswith(b"-----BEGIN"):
            return load_pem_x509_certificate(data).not_valid_after_utc
        found = load_pkcs12(data, None).cert
    except (ValueError, TypeError):
        return None
    return found.certificate.not_valid_after_utc if found else None


def _date(value: object) -> datetime | None:
    """A date as the SDK should give it; it passes on anything that the server says instead."""
    return value if isinstance(value, datetime) else None


def _trouble(error: Exception, vault_url: str) -> _Trouble:
    """What a failed read means; the text of a foreign error is not passed on."""
    if isinstance(error, ClientAuthenticationError):
        return _WRONG_IDENTITY if _answered_by(error, vault_url) else _NO_IDENTITY
    if isinstance(error, ServiceRequestError | ServiceResponseError | TimeoutError):
        return _UNREACHABLE
    if isinstance(error, HttpResponseError):
        return _refusal(error)
    return _WRONG_URL


def _answered_by(error: HttpResponseError, vault_url: str) -> bool:
    request = getattr(error.response, "request", None)
    return str(getattr(request, "url", "")).startswith(vault_url)


def _refusal(error: HttpResponseError) -> _Trouble:
    code = str(getattr(error.error, "code", ""))
    if error.status_code == 404:
        return _ABSENT if code == "SecretNotFound" else _WRONG_URL
    if error.status_code == 403:
        inner = getattr(error.error, "innererror", None)
        inner_code = str(inner.get("code", "")) if isinstance(inner, dict) else ""
        return _BY_INNER_CODE.get(inner_code, _FORBIDDEN)
    if error.status_code is None or error.status_code < 400:
        return _WRONG_URL
    return _Trouble(
        f"cannot be read: the vault answered {error.status_code}", "Try again later: the vault may be busy or down"
    )
