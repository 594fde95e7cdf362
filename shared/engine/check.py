"""`check`: finds out about each tenant what a run would need, reads only, and lets `sync.judge` say what it means."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from shared.config.model import (
    ROOMY,
    ClientSecret,
    FederatedIdentity,
    ScaleOut,
    Settings,
    Tenant,
    VaultCertificate,
    VaultSecret,
)
from shared.engine.gather import HUB_FOLDER
from shared.engine.run import OpenTenant, chosen
from shared.errors import HubNotFoundError, MirrorError, Who
from shared.ports import Clock, StateStore, TenantServices, Vault
from shared.sync.facts import (
    MOST_ASKED,
    MOST_OUTSIDERS,
    Facts,
    HubFound,
    Knock,
    Remembered,
    SecretRead,
    Staff,
    Subject,
    Trouble,
    Way,
    spread,
)
from shared.sync.findings import CheckReport, Finding, Status, TenantFindings
from shared.sync.judge import judge
from shared.sync.roster import User, enrol
from shared.telemetry import log_crash

_LOG = logging.getLogger(__name__)
_PATIENCE_SECONDS: Final = 60
_KNOCK_SECONDS: Final = 30
_STAFF_SECONDS: Final = 240
"""A hundred thousand users are a hundred pages, one after the other."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a check asks; the vault is None without one, the state is the error if it could not even be opened."""

    open_tenant: OpenTenant
    vault: Vault | None
    state: StateStore | MirrorError
    clock: Clock


async def check(settings: Settings, names: Sequence[str], desk: Desk) -> CheckReport:
    """Look at the tenants so named, all without a name, side by side; what fails in one changes nothing for the others.

    Raises `ConfigurationError` for a tenant that is not configured.
    """
    tenants = chosen(settings.tenants, names)
    findings = await asyncio.gather(*(_tenant(tenant, settings, desk) for tenant in tenants))
    return CheckReport(desk.clock.now(), tuple(map(_warning, settings.warnings)), tuple(findings))


def _warning(text: str) -> Finding:
    hint = "docs/configuration.md explains every setting."
    return Finding("configuration", Status.WARNING, text, "Configuration", Who.DEPLOYER, hint)


async def _tenant(tenant: Tenant, settings: Settings, desk: Desk) -> TenantFindings:
    try:
        return judge(await _facts(_subject(tenant, settings), tenant, desk))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one tenant must not hide the others
        log_crash(_LOG, "tenant_crashed", error, tenant_id=tenant.tenant_id)
        message = f"The check broke off ({type(error).__name__})."
        hint = "Report it with the traceback in the log (-v)."
        return TenantFindings(
            tenant.tenant_id, (Finding("configuration", Status.RED, message, code="Unexpected", hint=hint),)
        )


def _subject(tenant: Tenant, settings: Settings) -> Subject:
    consent = f"{tenant.cloud.authority_url}/{tenant.tenant_id}/adminconsent?client_id={tenant.client_id}"
    vault = settings.vault_url.partition("://")[2].partition(".")[0]
    way, name = _way(tenant)
    return Subject(
        tenant.tenant_id,
        tenant.client_id,
        tenant.hub,
        way,
        secret_name=name,
        vault=vault,
        consent_url=consent,
        state_place=settings.state_url,
        chosen=len(tenant.test_users),
        dry_run=tenant.dry_run,
        room=ROOMY if settings.scale_out is ScaleOut.INLINE else None,
    )


def _way(tenant: Tenant) -> tuple[Way, str]:
    match tenant.auth:
        case ClientSecret():
            return Way.SETTING, ""
        case VaultSecret(name):
            return Way.STORED, name
        case VaultCertificate(name):
            return Way.CERTIFICATE, name
        case FederatedIdentity():
            return Way.IDENTITY, ""


async def _facts(subject: Subject, tenant: Tenant, desk: Desk) -> Facts:
    """All that can be found out; Graph is not asked without a secret."""
    secret, state = await asyncio.gather(
        _known(_read_secret(subject, desk.vault), subject), _known(_remembered(subject, desk), subject)
    )
    facts = Facts(subject, desk.clock.now(), secret, state)
    return facts if isinstance(secret, Trouble) else await _signed_in(facts, tenant, desk)


async def _known(finding_out: Awaitable[T], subject: Subject, seconds: int = _PATIENCE_SECONDS) -> T | Trouble:
    """What was found out, or why not; nothing is waited for without end."""
    try:
        async with asyncio.timeout(seconds):
            return await finding_out
    except MirrorError as error:
        return _trouble(error, subject)
    except TimeoutError:
        return _silence(seconds)


def _silence(seconds: int) -> Trouble:
    return Trouble(
        code="NoAnswer",
        message=f"No answer within {seconds} seconds.",
        hint="Check name resolution, firewall and proxy here, then the service health of Microsoft 365; try again.",
        who=Who.DEPLOYER,
    )


def _trouble(error: MirrorError, subject: Subject) -> Trouble:
    """The error without the tenant's name, which stands above all its lines."""
    text = error.message.removeprefix(f"Tenant {subject.tenant_id}: ")
    return Trouble(error.code, text[:1].upper() + text[1:], error.hint, error.who)


async def _read_secret(subject: Subject, vault: Vault | None) -> SecretRead:
    if vault is None or subject.way in {Way.SETTING, Way.IDENTITY}:
        return SecretRead()
    read = vault.certificate if subject.way is Way.CERTIFICATE else vault.secret
    await read(subject.secret_name, tenant=subject.tenant_id)
    return SecretRead(vault.ends(subject.secret_name))


async def _remembered(subject: Subject, desk: Desk) -> Remembered:
    if isinstance(desk.state, MirrorError):
        raise desk.state
    holder = await desk.state.lease_holder(subject.tenant_id, desk.clock.now())
    latest = await desk.state.runs(subject.tenant_id, 1)
    return Remembered(holder, latest[0] if latest else None)


async def _signed_in(facts: Facts, tenant: Tenant, desk: Desk) -> Facts:
    try:
        async with desk.open_tenant(tenant, math.inf) as services:
            roles = await _known(services.sign_in.roles(), facts.subject)
            facts = replace(facts, roles=roles)
            return facts if isinstance(roles, Trouble) else await _asked(facts, tenant, services)
    except MirrorError as error:
        return replace(facts, roles=_trouble(error, facts.subject))


async def _asked(facts: Facts, tenant: Tenant, services: TenantServices) -> Facts:
    """What Graph says of the hub and the users, side by side; its clock is in every answer."""
    hub = await _known(_hub_user(tenant, services), facts.subject)
    if hub == _silence(_PATIENCE_SECONDS):  # the same silence need not be waited for twice
        return replace(facts, hub=hub, staff=hub)
    folder, staff = await asyncio.gather(
        _known(_hub(hub, services), facts.subject),
        _known(_staff(facts.subject, tenant, hub, services), facts.subject, _STAFF_SECONDS),
    )
    return replace(facts, hub=folder, staff=staff, ahead_seconds=services.traffic.ahead_seconds)


async def _hub_user(tenant: Tenant, services: TenantServices) -> User:
    user = await services.directory.find_user(tenant.hub)
    if user is None:
        raise HubNotFoundError(
            f"There is no {tenant.hub} in the tenant.",
            hint=f"Check GlobalAddressBookUserId, or make it: New-Mailbox -Shared -Name 'Shared Contacts' "
            f"-PrimarySmtpAddress {tenant.hub}.",
        )
    return user


async def _hub(user: User | Trouble, services: TenantServices) -> HubFound | Trouble:
    if isinstance(user, Trouble):
        return user
    folder = await services.contacts.find_hub(user, HUB_FOLDER)
    return HubFound(folder.namesakes + 1 if folder else 0)


async def _staff(subject: Subject, tenant: Tenant, hub: User | Trouble, services: TenantServices) -> Staff:
    directory = services.directory
    licensed = await directory.licensed_users()
    found = {name: await directory.find_user(name) for name in tenant.test_users}
    shared = User("", "") if isinstance(hub, Trouble) else hub
    roster = enrol(licensed, shared, tenant.test_users, found)
    members = {shared.user_id, *(user.user_id for user in roster.users)}
    others = [user for user in licensed if user.user_id not in members] if tenant.test_users else []
    asked, outsiders = await asyncio.gather(
        _knock_at(spread(roster.users, MOST_ASKED), subject, services),
        _knock_at(spread(others, MOST_OUTSIDERS), subject, services),
    )
    return Staff(len(licensed), len(roster.users), asked, outsiders, roster.unknown)


async def _knock_at(users: Sequence[User], subject: Subject, services: TenantServices) -> tuple[Knock, ...]:
    async def knock(user: User) -> Knock:
        outcome = await _known(services.contacts.knock(user), subject, _KNOCK_SECONDS)
        return Knock(user.user_principal_name, outcome)

    return tuple(await asyncio.gather(*map(knock, users)))
