"""One run over all tenants, side by side: what fails in one changes nothing for the others."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.config.model import Settings, Tenant
from shared.engine.options import RunOptions
from shared.engine.tenant import sync_tenant
from shared.errors import ConfigurationError, TenantError
from shared.ports import Clock, Progress, TenantServices
from shared.sync.report import Outcome, Problem, RunReport, TenantReport
from shared.telemetry import log_crash, log_event

OpenTenant = Callable[[Tenant], AbstractAsyncContextManager[TenantServices]]
"""Signs in to a tenant and gives what its run talks to; raises `TenantError`."""

_LOG = logging.getLogger(__name__)


class Quiet:
    """Progress that nobody watches."""

    def step(self, tenant: str, name: str, total: int) -> None:
        """Say nothing."""

    def advance(self, tenant: str, count: int = 1) -> None:
        """Say nothing."""


async def run(
    settings: Settings, options: RunOptions, open_tenant: OpenTenant, clock: Clock, progress: Progress
) -> RunReport:
    """Mirror the chosen tenants; raises `ConfigurationError` for a tenant that is not configured."""
    tenants = _chosen(settings.tenants, options.tenants)
    started_at = clock.now()
    log_event(_LOG, logging.INFO, "run_started", run_id=options.run_id, tenants=len(tenants), dry_run=options.dry_run)
    reports = await asyncio.gather(*(_one(tenant, options, open_tenant, progress) for tenant in tenants))
    dry_run = options.dry_run or all(tenant.dry_run for tenant in tenants)
    return RunReport(options.run_id, started_at, clock.now(), dry_run, tuple(reports), settings.warnings)


def _chosen(tenants: Sequence[Tenant], names: Sequence[str]) -> list[Tenant]:
    """The tenants named by id or primary domain, in any case; all of them when none is named."""
    wanted = {name.strip().casefold(): name for name in names}
    chosen = [one for one in tenants if not wanted or wanted.keys() & _handles(one)]
    known = {handle for one in tenants for handle in _handles(one)}
    unknown = [name for handle, name in wanted.items() if handle not in known]
    if unknown:
        ids = ", ".join(one.tenant_id for one in tenants)
        raise ConfigurationError([f"Tenant {name} is not configured. Configured are: {ids}." for name in unknown])
    return chosen


def _handles(tenant: Tenant) -> set[str]:
    return {tenant.tenant_id.casefold(), tenant.primary_domain.casefold()} - {""}


async def _one(tenant: Tenant, options: RunOptions, open_tenant: OpenTenant, progress: Progress) -> TenantReport:
    """The tenant's report; its failure is a report too."""
    try:
        async with open_tenant(tenant) as services:
            return await sync_tenant(tenant, options, services, progress)
    except TenantError as error:
        problem = Problem("", error.code, error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - a fault of ours in one tenant must not stop the others
        log_crash(_LOG, "tenant_crashed", error, run_id=options.run_id, tenant_id=tenant.tenant_id)
        message = f"Tenant {tenant.tenant_id}: the run broke off ({type(error).__name__})."
        problem = Problem("", "Unexpected", message, "Report it with the traceback in the log; the next run goes on.")
    return TenantReport(tenant.tenant_id, Outcome.FAILED, problem)
