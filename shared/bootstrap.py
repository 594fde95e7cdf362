"""The composition root: the only place that knows every adapter. Environment in, a run's report out."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from shared import config
from shared.clock import SystemClock
from shared.config.model import Settings, Tenant
from shared.engine.options import RunOptions
from shared.engine.run import OpenTenant, Quiet, run
from shared.errors import ConfigurationError, SecretError
from shared.ports import Clock, Progress, TenantServices
from shared.sync.report import RunReport

if TYPE_CHECKING:
    from shared.keyvault import VaultSecrets


async def settings(environ: Mapping[str, str], *, trust: str | None = None) -> Settings:
    """The settings in the environment, or in the vault's secret that it names.

    `trust` is a file of CA certificates, None for the usual ones. Raises `ConfigurationError` with all that is wrong.
    """
    needed = config.config_secret_needed(environ)
    if needed is None:
        return config.load(environ)
    vault_url, name = needed
    async with _vault(environ, vault_url, trust) as vault:
        try:
            document = await vault.secret(name, tenant="")
        except SecretError as error:
            raise ConfigurationError([error.message], hint=error.hint) from error
    return config.load(environ, vault_json=document)


async def sync(
    environ: Mapping[str, str],
    options: RunOptions,
    *,
    progress: Progress | None = None,
    trust: str | None = None,
    clock: Clock | None = None,
) -> RunReport:
    """One run with the settings in the environment; raises `ConfigurationError` before anything is contacted."""
    chosen = await settings(environ, trust=trust)
    options = options if options.run_id else replace(options, run_id=str(uuid4()))
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        vault = None
        if chosen.vault_url:
            vault = await stack.enter_async_context(_vault(environ, chosen.vault_url, trust))
        opener = _opener(environ, vault, clock, trust)
        report = await run(chosen, options, opener, clock, progress or Quiet())
        notes = (
            [f"Secret {one.name} of the vault expires in {one.days} days." for one in vault.expiring] if vault else []
        )
    return replace(report, warnings=(*report.warnings, *notes))


@asynccontextmanager
async def _vault(environ: Mapping[str, str], url: str, trust: str | None) -> AsyncIterator["VaultSecrets"]:
    from shared.keyvault import VaultSecrets, vault_credential

    relaxed = config.relaxed(environ)
    authority = environ.get(f"{config.PREFIX}AUTHORITY_URL", "") if relaxed else ""
    identity = environ.get("AZURE_CLIENT_ID", "")
    credential = vault_credential(url, authority_url=authority, identity_client_id=identity, trust=trust)
    async with credential, VaultSecrets(url, credential, relaxed=relaxed, trust=trust) as vault:
        yield vault


def _opener(environ: Mapping[str, str], vault: "VaultSecrets | None", clock: Clock, trust: str | None) -> OpenTenant:
    """How a run signs in to a tenant."""

    @asynccontextmanager
    async def open_tenant(tenant: Tenant) -> AsyncIterator[TenantServices]:
        from shared.graph.auth import sign_in
        from shared.graph.services import open_tenant as open_graph

        identity = environ.get("AZURE_CLIENT_ID", "")
        async with (
            await sign_in(tenant, vault, trust=trust, identity_client_id=identity) as credential,
            open_graph(tenant, credential, clock, trust=trust) as services,
        ):
            yield services

    return open_tenant
