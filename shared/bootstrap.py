"""The composition root: the only place that knows every adapter. Environment in, a run's report out."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from shared import config
from shared.clock import SystemClock
from shared.config.model import Settings, Tenant
from shared.engine.check import Desk
from shared.engine.check import check as look
from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.engine.run import OpenTenant, Quiet, Work, World, chosen, run
from shared.engine.tenant import sync_tenant
from shared.errors import ConfigurationError, MirrorError, SecretError, StateError
from shared.graph.budget import Budgets
from shared.ports import Clock, Progress, StateStore, TenantServices
from shared.shards import steps
from shared.shards.steps import close
from shared.shards.workflow import Call, Done, StepName
from shared.sync.findings import CheckReport
from shared.sync.report import RunReport
from shared.telemetry import log_event

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.keyvault import Expiring, VaultSecrets

_LOG = logging.getLogger(__name__)

process_budgets: Final = defaultdict[tuple[str, str], Budgets](Budgets)
"""What mailboxes had lately, by client and tenant id, in real time: Graph counts on between the runs of a process."""


async def settings(environ: Mapping[str, str], *, trust: str | None = None) -> Settings:
    """The settings in the environment, or in the vault's secret that it names.

    `trust` is a file of CA certificates, None for the usual ones. Raises `ConfigurationError` with all that is wrong.
    """
    settled, expiring = await _settled(environ, trust)
    return replace(settled, warnings=(*settled.warnings, *(one.sentence() for one in expiring)))


async def _settled(environ: Mapping[str, str], trust: str | None) -> "tuple[Settings, tuple[Expiring, ...]]":
    """The settings, and the vault's secret that holds them if it ends soon."""
    needed = config.config_secret_needed(environ)
    if needed is None:
        return config.load(environ), ()
    vault_url, name = needed
    async with _vault(environ, vault_url, trust) as vault:
        try:
            document = await vault.secret(name, tenant="")
        except SecretError as error:
            raise ConfigurationError([error.message], hint=error.hint) from error
        expiring = vault.expiring
    return config.load(environ, vault_json=document), expiring


@dataclass(frozen=True, slots=True)
class Means:
    """What a run uses instead of the usual; None is the usual: nobody watches, the system's trust and clock.

    `state` is where to remember, None for the place that the settings name; `settings` those of the environment. `room`
    is how many mailboxes of a tenant this process takes, any number if it is None.
    """

    progress: Progress | None = None
    trust: str | None = None
    clock: Clock | None = None
    state: StateStore | None = None
    settings: Settings | None = None
    room: int | None = None


async def sync(
    environ: Mapping[str, str],
    options: RunOptions,
    *,
    progress: Progress | None = None,
    trust: str | None = None,
    clock: Clock | None = None,
    state: StateStore | None = None,
) -> RunReport:
    """One run with the settings in the environment; raises `ConfigurationError` before anything is contacted."""
    return await carry_out(environ, options, sync_tenant, Means(progress, trust, clock, state))


async def carry_out(environ: Mapping[str, str], options: RunOptions, work: Work, means: Means) -> RunReport:
    """One run that does this work for each tenant; raises `ConfigurationError` before anything is contacted."""
    settled, expiring = (means.settings, ()) if means.settings else await _settled(environ, means.trust)
    options = options if options.run_id else replace(options, run_id=str(uuid4()))
    writes_nothing = options.dry_run or all(one.dry_run for one in chosen(settled.tenants, options.tenants))
    async with _world(environ, settled, means, read_only=writes_nothing) as (world, vault):
        report = await run(settled, options, world, work)
        expiring += vault.expiring if vault else ()
    _log_expiring(expiring, options.run_id)
    return replace(report, warnings=(*report.warnings, *(one.sentence() for one in expiring)))


@asynccontextmanager
async def _world(
    environ: Mapping[str, str], settled: Settings, means: Means, *, read_only: bool = False
) -> "AsyncIterator[tuple[World, VaultSecrets | None]]":
    """What a run talks to, and the vault if there is one."""
    trust, clock = means.trust, means.clock or SystemClock()
    async with AsyncExitStack() as stack:
        vault = await _opened_vault(stack, environ, settled, trust)
        state = means.state
        if state is None:
            state = await stack.enter_async_context(open_state(environ, settled, trust=trust, read_only=read_only))
        opener = _opener(environ, vault, clock, trust)
        yield World(opener, state, clock, means.progress or Quiet(), _place(), means.room), vault


async def take_step(environ: Mapping[str, str], call: Call, means: Means) -> Done | RunReport | None:
    """One step of a run in shards; of the last one the run's report, None if that was made before.

    Raises `ConfigurationError`, `StateError`.
    """
    settled = means.settings or await settings(environ, trust=means.trust)
    async with _world(environ, settled, means) as (world, _):
        if call.step is StepName.CONCLUDE:
            return await close(call, settled, world)
        return await steps.carry_out(call, settled, world)


def _log_expiring(expiring: "Sequence[Expiring]", run_id: str) -> None:
    """An event for each secret that ends soon, for an alert to go by."""
    for one in expiring:
        log_event(
            _LOG,
            logging.WARNING,
            "secret_expiring",
            run_id=run_id,
            tenant_id=one.tenant,
            name=one.name,
            days=one.days,
        )


async def check(environ: Mapping[str, str], names: Sequence[str], *, trust: str | None = None) -> CheckReport:
    """Whether all is set up for the tenants so named, all without a name. Nothing is written anywhere.

    Raises `ConfigurationError` before anything is contacted, and for a tenant that is not configured.
    """
    settled = await settings(environ, trust=trust)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        vault = await _opened_vault(stack, environ, settled, trust)
        state: StateStore | MirrorError
        try:
            state = await stack.enter_async_context(open_state(environ, settled, trust=trust, read_only=True))
        except StateError as error:
            state = error
        return await look(settled, names, Desk(_opener(environ, vault, clock, trust), vault, state, clock))


async def _opened_vault(
    stack: AsyncExitStack, environ: Mapping[str, str], settled: Settings, trust: str | None
) -> "VaultSecrets | None":
    """The vault, if the settings name one; open until the stack ends."""
    if not settled.vault_url:
        return None
    return await stack.enter_async_context(_vault(environ, settled.vault_url, trust))


@asynccontextmanager
async def remembered(
    environ: Mapping[str, str], names: Sequence[str], *, trust: str | None = None
) -> AsyncIterator[tuple[Sequence[Tenant], StateStore]]:
    """The tenants so named, all without a name, and the state, to look at; no mailbox is contacted.

    Raises `ConfigurationError`.
    """
    settled = await settings(environ, trust=trust)
    tenants = chosen(settled.tenants, names)
    async with open_state(environ, settled, trust=trust, read_only=True) as state:
        yield tenants, state


@asynccontextmanager
async def _vault(environ: Mapping[str, str], url: str, trust: str | None) -> AsyncIterator["VaultSecrets"]:
    from shared.keyvault import VaultSecrets, vault_credential

    relaxed = config.relaxed(environ)
    authority = environ.get(f"{config.PREFIX}AUTHORITY_URL", "") if relaxed else ""
    identity = environ.get("AZURE_CLIENT_ID", "")
    credential = vault_credential(url, authority_url=authority, identity_client_id=identity, trust=trust)
    async with credential, VaultSecrets(url, credential, relaxed=relaxed, trust=trust) as vault:
        yield vault


def _place() -> Place:
    """This process, for whoever finds the lease taken."""
    from shared.state.processes import is_alive

    return Place(SystemClock(), socket.gethostname(), os.getpid(), is_alive)


@asynccontextmanager
async def open_state(
    environ: Mapping[str, str], settled: Settings, *, trust: str | None = None, read_only: bool = False
) -> AsyncIterator[StateStore]:
    """The place where the settings keep the state: on Azure the app's own storage, unless they name another.

    With `read_only` no file or table is made. Raises `StateError` when they name no place.
    """
    from shared.state.opening import APP_STORAGE, app_storage, user_folder
    from shared.state.opening import open_state as open_place

    def credential() -> "AsyncTokenCredential":
        from shared.keyvault import vault_credential

        # The host names its storage's identity so; usually both are set, and to the same.
        identity = environ.get("AZURE_CLIENT_ID") or environ.get(f"{APP_STORAGE}__clientId", "")
        return vault_credential("", identity_client_id=identity, trust=trust)

    is_on_azure = bool(environ.get("WEBSITE_SITE_NAME"))
    store = open_place(
        settled.state_url or (APP_STORAGE if is_on_azure else ""),
        credential_factory=credential,
        connection_string=app_storage(environ),
        trust=trust,
        default_folder=user_folder(environ),
        read_only=read_only,
    )
    try:
        yield store
    finally:
        await store.close()


def _opener(environ: Mapping[str, str], vault: "VaultSecrets | None", clock: Clock, trust: str | None) -> OpenTenant:
    """How a run signs in to a tenant; all tenants share the run's connections and memory."""
    from shared.graph.commons import Commons
    from shared.graph.dispatcher import Limits

    commons = Commons()
    budgets = process_budgets if isinstance(clock, SystemClock) else defaultdict(Budgets)

    @asynccontextmanager
    async def open_tenant(tenant: Tenant, deadline: float) -> AsyncIterator[TenantServices]:
        from shared.graph.auth import sign_in
        from shared.graph.proxy import proxy_for
        from shared.graph.services import open_tenant as open_graph

        identity = environ.get("AZURE_CLIENT_ID", "")
        proxy = proxy_for(environ, tenant.cloud.graph_url)
        budget = budgets[tenant.client_id, tenant.tenant_id]
        limits = Limits(budgets=budget, commons=commons, deadline=deadline)
        async with (
            await sign_in(tenant, vault, trust=trust, identity_client_id=identity) as credential,
            open_graph(tenant, credential, clock, trust=trust, proxy=proxy, limits=limits) as services,
        ):
            yield services

    return open_tenant
