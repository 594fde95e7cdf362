"""Entra's refusals in the operator's words: a table of error numbers, then of OAuth's own error words.

Microsoft asks not to depend on the numbers (learn.microsoft.com/entra/identity-platform/reference-error-codes), so
they only choose the sentence; what the mirror does is the same for all of them.
"""

from dataclasses import dataclass
from typing import Final

from shared.config.model import FederatedIdentity, Tenant, VaultCertificate, VaultSecret
from shared.errors import Who


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no token, what to do, and who can; neither text ends in a full stop."""

    sentence: str
    hint: str
    who: Who = Who.ENTRA


_RENEW: Final = (
    "Make a new client secret in Entra (App registrations, {client}, Certificates & secrets) "
    "and store its value {place}"
)
_WRONG_SECRET: Final = Refusal(
    "the client secret is wrong; maybe it is the secret's id instead of its value",
    f"Entra shows the value only once. {_RENEW}",
)
_EXPIRED_SECRET: Final = Refusal("the client secret has expired", _RENEW)
_NO_SECRET: Final = Refusal("Entra received no secret and no assertion", _RENEW, Who.DEPLOYER)
_UNKNOWN_APP: Final = Refusal(
    "this application is not known in the tenant: the ClientId is wrong, or no administrator has consented yet",
    "Check ClientId, then consent as an administrator of the tenant: "
    "{authority}/{tenant}/adminconsent?client_id={client}",
)
_DISABLED_APP: Final = Refusal(
    "the application is disabled in the tenant",
    "Enable it: az ad sp update --id {client} --set accountEnabled=true",
)
_UNKNOWN_TENANT: Final = Refusal(
    "there is no such tenant in the cloud {cloud}",
    "Check TenantId, and Cloud if the tenant is in a national cloud",
    Who.DEPLOYER,
)
_CERTIFICATE: Final = Refusal(
    "Entra refused the certificate",
    "Upload the certificate's public part in Entra (App registrations, {client}, Certificates & secrets) and check "
    "that it has not expired",
)
_CLOCK: Final = Refusal(
    "Entra found the time in the assertion wrong: probably this machine's clock is",
    "Set the clock of this machine",
    Who.DEPLOYER,
)
_FEDERATION: Final = Refusal(
    "no federated credential of the application fits this app's managed identity",
    "Add one to the app registration: issuer {authority}/<home tenant>/v2.0, subject the identity's object id, "
    "audience api://AzureADTokenExchange (another in national clouds); letters count in their case",
)
_FEDERATION_ABROAD: Final = Refusal(
    "the app registration stands in another tenant than this app's managed identity, and may not trust it",
    "Register the application once, as a multi-tenant one, in the identity's own tenant, and consent to it here: "
    "{authority}/{tenant}/adminconsent?client_id={client}",
)
_RESOURCE: Final = Refusal(
    "Entra does not know Graph under the address {scope}",
    "Check Cloud and AUTOMATION_SYNCCONTACTS_GRAPH_URL",
    Who.DEPLOYER,
)
_POLICY: Final = Refusal(
    "a policy of the tenant (conditional access or assignment) blocks the application",
    "Except the application from the policy: Entra, Sign-in logs, Service principal sign-ins names it",
)
_CREDENTIALS: Final = Refusal("Entra refused the application's secret or certificate", _RENEW)

_BY_NUMBER: Final = {
    "7000215": _WRONG_SECRET,
    "7000222": _EXPIRED_SECRET,
    "7000216": _NO_SECRET,
    "700016": _UNKNOWN_APP,
    "7000229": _UNKNOWN_APP,
    "7000112": _DISABLED_APP,
    "90002": _UNKNOWN_TENANT,
    "900023": _UNKNOWN_TENANT,
    "700027": _CERTIFICATE,
    "700024": _CLOCK,
    "70021": _FEDERATION,
    "700211": _FEDERATION,
    "700212": _FEDERATION,
    "700213": _FEDERATION,
    "700236": _FEDERATION_ABROAD,
    "7002137": _FEDERATION,
    "7002138": _FEDERATION,
    "70011": _RESOURCE,
    "1002012": _RESOURCE,
    "500011": _RESOURCE,
    "53003": _POLICY,
    "50105": _POLICY,
}
_BY_WORD: Final = {
    "invalid_client": _CREDENTIALS,
    "unauthorized_client": _UNKNOWN_APP,
    "invalid_tenant": _UNKNOWN_TENANT,
    "invalid_scope": _RESOURCE,
    "invalid_resource": _RESOURCE,
}


def refusal(tenant: Tenant, *, number: str, word: str, status: int | None) -> Refusal:
    """What Entra's answer means; `number` is the AADSTS number, `word` OAuth's error, "" where there is none."""
    found = _BY_NUMBER.get(number) or _BY_WORD.get(word)
    if found is _CERTIFICATE or found is _CREDENTIALS:
        found = _by_auth(tenant)
    if found is None:
        found = _unknown(status)
    shown = f" (AADSTS{number})" if number else f" ({word})" if word else ""
    return _filled(Refusal(found.sentence + shown, found.hint, found.who), tenant)


def _by_auth(tenant: Tenant) -> Refusal:
    """The tenant's own way to sign in tells what it was that Entra refused."""
    if isinstance(tenant.auth, FederatedIdentity):
        return _FEDERATION
    return _CERTIFICATE if isinstance(tenant.auth, VaultCertificate) else _CREDENTIALS


def _unknown(status: int | None) -> Refusal:
    if status is not None and (status == 429 or status >= 500):
        return Refusal(f"Entra answered {status}", "Try again later: Entra is busy or down", Who.NOBODY)
    return Refusal(
        "Entra's answer was not understood",
        "Look into the tenant's sign-in logs (Entra, Sign-in logs, Service principal sign-ins)",
    )


def unreachable(tenant: Tenant) -> Refusal:
    """No answer from the sign-in endpoint."""
    return _filled(
        Refusal(
            "{authority} cannot be reached",
            "Check name resolution, firewall and proxy; the address comes from Cloud or "
            "AUTOMATION_SYNCCONTACTS_AUTHORITY_URL",
            Who.DEPLOYER,
        ),
        tenant,
    )


def untrusted(tenant: Tenant) -> Refusal:
    """The sign-in endpoint shows a certificate that nobody here trusts."""
    return _filled(
        Refusal(
            "the TLS certificate of {authority} is not trusted here",
            "If a proxy opens TLS, put its CA certificate in a file and name that file in SSL_CERT_FILE",
            Who.DEPLOYER,
        ),
        tenant,
    )


def no_identity() -> Refusal:
    """The app has no managed identity, or not the one that is wanted."""
    return Refusal(
        "the app's managed identity gives no token",
        "Give the app an identity: az functionapp identity assign --name <app> --resource-group <group>; if it has "
        "several, name the client id of the right one in AZURE_CLIENT_ID",
        Who.DEPLOYER,
    )


def unreadable_certificate(name: str) -> Refusal:
    """The vault's certificate is none that can be signed with."""
    return Refusal(
        f"the certificate {name} of the vault cannot be used: it must be PFX or PEM without a password, "
        "with its RSA private key",
        "Import it with its key as exportable, or let the vault make it: az keyvault certificate create",
        Who.DEPLOYER,
    )


def _filled(found: Refusal, tenant: Tenant) -> Refusal:
    facts = {
        "client": tenant.client_id,
        "tenant": tenant.tenant_id,
        "cloud": tenant.cloud.name,
        "authority": tenant.cloud.authority_url,
        "scope": tenant.cloud.scope,
        "place": _place(tenant),
    }
    return Refusal(found.sentence.format(**facts), found.hint.format(**facts), found.who)


def _place(tenant: Tenant) -> str:
    if isinstance(tenant.auth, VaultSecret):
        return f"in the vault's secret {tenant.auth.name}"
    return "in ClientSecret, or better in a vault"
