"""Sign-in: one credential a tenant, that asks Entra for one token at a time and says clearly why it gets none.

`sign_in` makes a `TenantCredential` of a tenant's settings; whoever makes it closes it. The tokens are for the
tenant's Graph only. Entra's own texts are never passed on, only the number of its error.
"""

import asyncio
import base64
import binascii
import json
import re
import ssl
import time
from typing import Any, Final, Protocol

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.identity.aio import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)

from shared.config.model import ClientSecret, FederatedIdentity, Tenant, VaultCertificate, VaultSecret
from shared.errors import SignInError, Who
from shared.graph.refusals import Refusal, no_identity, refusal, unreachable, unreadable_certificate, untrusted
from shared.ports import Secrets

_WAIT_SECONDS: Final = 60
_IDENTITY_SECONDS: Final = 20
# azure-identity renews a token on its own when 300 seconds are left; from then on callers go one by one.
_RENEWAL_SECONDS: Final = 310
_TRANSPORT: Final = {"connection_timeout": 10, "read_timeout": 20, "retry_connect": 2, "retry_backoff_factor": 0.4}
# What a managed identity's token must be for, to be exchanged (learn.microsoft.com/entra/workload-id,
# "Configure an application to trust a managed identity").
_EXCHANGE: Final = {
    "AzureUSGovernment": "api://AzureADTokenExchangeUSGov/.default",
    "AzureUSGovernmentDoD": "api://AzureADTokenExchangeUSGov/.default",
    "AzureChinaCloud": "api://AzureADTokenExchangeChina/.default",
}
_EXCHANGE_GLOBAL: Final = "api://AzureADTokenExchange/.default"
# What azure-identity raises when it trips over JSON that no token endpoint sends.
_TRIPS: Final = (LookupError, TypeError, ValueError, AttributeError)


class _Inner(Protocol):
    """What is asked of azure-identity."""

    async def get_token(self, *scopes: str, claims: str | None, enable_cae: bool) -> AccessToken: ...

    async def close(self) -> None: ...


class TenantCredential:
    """A tenant's credential, as the Graph SDK takes it; every failure is a `SignInError`.

    azure-identity's async credentials do not lock (azure-sdk-for-python#43889): of twenty first callers each would
    fetch a token of its own. Here they wait for one, and so they do for a renewal and for a claims challenge.
    """

    def __init__(self, inner: _Inner, tenant: Tenant) -> None:
        self._inner = inner
        self._tenant = tenant
        self._lock = asyncio.Lock()
        self._good_until: dict[tuple[tuple[str, ...], bool], float] = {}

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,  # noqa: ARG002 - the protocol has it; a credential here knows its only tenant
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """A token for the scopes, from memory while it is good; raises `SignInError`."""
        key = (scopes, enable_cae)
        if claims is None and time.time() < self._good_until.get(key, 0):
            return await self._ask(*scopes, claims=claims, enable_cae=enable_cae)
        async with self._lock:
            token = await self._ask(*scopes, claims=claims, enable_cae=enable_cae)
            self._good_until[key] = token.expires_on - _RENEWAL_SECONDS
            return token

    async def roles(self) -> frozenset[str]:
        """The application permissions that the token names, unverified; raises `SignInError`."""
        return roles_of(await self.token())

    async def token(self) -> str:
        """The access token for the tenant's Graph, the same that the Graph SDK uses; raises `SignInError`."""
        return (await self.get_token(self._tenant.cloud.scope, enable_cae=True)).token

    async def _ask(self, *scopes: str, claims: str | None, enable_cae: bool) -> AccessToken:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return await self._inner.get_token(*scopes, claims=claims, enable_cae=enable_cae)
        except (AzureError, TimeoutError, *_TRIPS) as error:
            raise _error(self._tenant, _reason(error, self._tenant)) from error

    async def close(self) -> None:
        """Close the connections to Entra."""
        await self._inner.close()

    async def __aenter__(self) -> "TenantCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Federated:
    """The app's managed identity, exchanged for a token of the tenant's application.

    The assertion is fetched before each call rather than inside the exchange, which is synchronous and would hold up
    all other tenants; azure-identity keeps it in memory for its life.
    """

    def __init__(self, tenant: Tenant, identity: ManagedIdentityCredential, options: dict[str, Any]) -> None:
        self._tenant = tenant
        self._identity = identity
        self._assertion = ""
        self._exchange = ClientAssertionCredential(
            tenant.tenant_id, tenant.client_id, lambda: self._assertion, **options
        )

    async def get_token(self, *scopes: str, claims: str | None, enable_cae: bool) -> AccessToken:
        audience = _EXCHANGE.get(self._tenant.cloud.name, _EXCHANGE_GLOBAL)
        try:
            async with asyncio.timeout(_IDENTITY_SECONDS):
                self._assertion = (await self._identity.get_token(audience)).token
        except (AzureError, TimeoutError, *_TRIPS) as error:
            raise _error(self._tenant, no_identity()) from error
        return await self._exchange.get_token(*scopes, claims=claims, enable_cae=enable_cae)

    async def close(self) -> None:
        await self._identity.close()
        await self._exchange.close()


async def sign_in(
    tenant: Tenant, secrets: Secrets | None, *, trust: str | None = None, identity_client_id: str = ""
) -> TenantCredential:
    """The tenant's credential; the vault is asked now for what it holds, Entra only for the first token.

    `trust` is a file of CA certificates, None means the system's (or SSL_CERT_FILE). `identity_client_id` picks one
    of several managed identities.

    Raises:
        SecretError: the vault does not give the secret or certificate.
        SignInError: the certificate cannot be read, or a secret of the vault is wanted and there is no vault.
    """
    options: dict[str, Any] = {**_TRANSPORT, "authority": tenant.cloud.authority_url}
    if not tenant.cloud.known:
        options["disable_instance_discovery"] = True
    if trust:
        options["connection_verify"] = trust
    return TenantCredential(await _inner(tenant, secrets, options, identity_client_id), tenant)


async def _inner(tenant: Tenant, secrets: Secrets | None, options: dict[str, Any], identity: str) -> _Inner:
    match tenant.auth:
        case ClientSecret(value):
            return ClientSecretCredential(tenant.tenant_id, tenant.client_id, value.reveal(), **options)
        case FederatedIdentity():
            own = ManagedIdentityCredential(client_id=identity or None, **_trusting(options))
            return _Federated(tenant, own, options)
        case VaultSecret(name):
            stored = await _vault(tenant, secrets).secret(name, tenant=tenant.tenant_id)
            return ClientSecretCredential(tenant.tenant_id, tenant.client_id, stored.strip(), **options)
        case VaultCertificate(name):
            data = await _vault(tenant, secrets).certificate(name, tenant=tenant.tenant_id)
            return _certificate(tenant, name, data, options)


def _trusting(options: dict[str, Any]) -> dict[str, Any]:
    """What of the options concerns whom to trust."""
    return {name: value for name, value in options.items() if name == "connection_verify"}


def _vault(tenant: Tenant, secrets: Secrets | None) -> Secrets:
    if secrets is None:
        raise _error(
            tenant, Refusal("no vault is configured", "Set AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL", Who.DEPLOYER)
        )
    return secrets


def _certificate(tenant: Tenant, name: str, data: bytes, options: dict[str, Any]) -> CertificateCredential:
    try:
        return CertificateCredential(tenant.tenant_id, tenant.client_id, certificate_data=data, **options)
    except (ValueError, TypeError):
        # cryptography raises TypeError for a private key under a password; neither text helps an operator.
        raise _error(tenant, unreadable_certificate(name)) from None


def _error(tenant: Tenant, reason: Refusal) -> SignInError:
    return SignInError(
        f"Tenant {tenant.tenant_id}: the application {tenant.client_id} cannot sign in: {reason.sentence}.",
        hint=f"{reason.hint}.",
        who=reason.who,
    )


def _reason(error: Exception, tenant: Tenant) -> Refusal:
    """Why there is no token, told from azure-identity's error."""
    if isinstance(error, ServiceRequestError | ServiceResponseError | TimeoutError):
        inner = getattr(error, "inner_exception", None)
        return untrusted(tenant) if isinstance(inner, ssl.SSLError) else unreachable(tenant)
    text = str(error)
    number = re.search(r"AADSTS(\d{4,9})", text)
    word = re.search(r"error '\((\w{1,40})\)", text)
    status = error.status_code if isinstance(error, HttpResponseError) else None
    return refusal(tenant, number=number[1] if number else "", word=word[1] if word else "", status=status)


def roles_of(token: str) -> frozenset[str]:
    """The application permissions in an access token, unverified; empty when there are none or it is no JWT.

    Only for hints: what the token may really do is Graph's to say.
    """
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return frozenset()
    roles = claims.get("roles") if isinstance(claims, dict) else None
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()
