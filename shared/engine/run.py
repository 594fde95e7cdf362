"""One run over all tenants, side by side: what fails in one changes nothing for the others."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from shared.config.model import Settings, Tenant
from shared.engine.course import Course, StoppedError
from shared.engine.job import Job
from shared.engine.lease import Place, alone
from shared.engine.options import RunOptions
from shared.engine.record import begun, conclude
from shared.engine.roster import OutgrownError
from shared.engine.tenant import sync_tenant
from shared.errors import ConfigurationError, HeldError, TenantError
from shared.ports import Clock, Progress, StateStore, TenantServices
from shared.sync.report import Outcome, Problem, RunReport, TenantReport, worst
from shared.telemetry import log_crash, log_event

OpenTenant = Callable[[Tenant, float], AbstractAsyncContextManager[TenantServices]]
"""Opens a tenant until it is left; what it would have to wait for beyond a moment of the clock is given up."""
"""Signs in to a tenant and gives what its run talks to; raises `TenantError`."""

Work = Callable[[Job], Awaitable[TenantReport]]
"""What is done for one tenant; raises `TenantError`, or `StoppedError` when there was no time to begin."""

_LOG = logging.getLogger(__name__)


class Quiet:
    """Progress that nobody watches."""

    def step(self, tenant: str, name: str, total: int) -> None:
        """Say nothing."""

    def advance(self, tenant: str, count: int = 1) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs beside its settings; `room` is how many mailboxes of a tenant this process takes."""

    open_tenant: OpenTenant
    state: StateStore
    clock: Clock
    progress: Progress
    place: Place
    room: int | None = None


@dataclass(frozen=True, slots=True)
class _Errand:
    """What all tenants of a run have in common; `deadline` is a moment of the clock's monotonic seconds."""

    options: RunOptions
    work: Work
    deadline: float

    def is_dry(self, tenant: Tenant) -> bool:
        return self.options.dry_run or tenant.dry_run


async def run(settings: Settings, options: RunOptions, world: World, work: Work = sync_tenant) -> RunReport:
    """Mirror the chosen tenants, or do other `work` for them, until the time budget is used up.

    Raises `ConfigurationError` for a tenant that is not configured.
    """
    tenants = chosen(settings.tenants, options.tenants)
    started_at = world.clock.now()
    budget = settings.time_budget_minutes
    errand = _Errand(options, work, math.inf if budget is None else world.clock.monotonic() + budget * 60)
    log_event(_LOG, logging.INFO, "run_started", run_id=options.run_id, tenants=len(tenants), dry_run=options.dry_run)
    reports = await asyncio.gather(*(_one(tenant, errand, world) for tenant in tenants))
    dry_run = options.dry_run or all(tenant.dry_run for tenant in tenants)
    return RunReport(options.run_id, started_at, world.clock.now(), dry_run, tuple(reports), settings.warnings)


def chosen(tenants: Sequence[Tenant], names: Sequence[str]) -> list[Tenant]:
    """The tenants named by id or primary domain, in any case; all of them when none is named."""
    wanted = {name.strip().casefold(): name for name in names}
    found = [one for one in tenants if not wanted or wanted.keys() & _handles(one)]
    known = {handle for one in tenants for handle in _handles(one)}
    unknown = [name for handle, name in wanted.items() if handle not in known]
    if unknown:
        ids = ", ".join(one.tenant_id for one in tenants)
        raise ConfigurationError([f"Tenant {name} is not configured. Configured are: {ids}." for name in unknown])
    return found


def _handles(tenant: Tenant) -> set[str]:
    return {tenant.tenant_id.casefold(), tenant.primary_domain.casefold()} - {""}


async def _one(tenant: Tenant, errand: _Errand, world: World) -> TenantReport:
    """The tenant's report. A dry run takes no lease and leaves no record, for it writes nothing."""
    course = Course(world.clock, errand.deadline)
    if errand.is_dry(tenant):
        return await _attempt(tenant, errand, world, course)
    try:
        async with alone(world.state, tenant.tenant_id, errand.options.run_id, world.place, course):
            report = await _attempt(tenant, errand, world, course)
            if report.outcome is Outcome.RUNNING:
                return report
            record = begun(errand.options.run_id, course)
            return await conclude(world.state, tenant, record, report, world.clock)
    except HeldError as error:
        return TenantReport(tenant.tenant_id, Outcome.SKIPPED, _problem(error), problems=course.damages)
    except TenantError as error:
        return TenantReport(tenant.tenant_id, Outcome.FAILED, _problem(error), problems=course.damages)


def _problem(error: TenantError) -> Problem:
    return Problem("", error.code, error.message, error.hint)


async def _attempt(tenant: Tenant, errand: _Errand, world: World, course: Course) -> TenantReport:
    """The tenant's report; its failure is a report too, and so is that it was stopped."""
    try:
        report = await _work(tenant, errand, world, course)
    except StoppedError:
        report = TenantReport(tenant.tenant_id)
    report = replace(report, problems=(*course.damages, *report.problems))
    if course.stop is None:
        return report
    return replace(report, outcome=worst((report.outcome, Outcome.PARTIAL)), problems=(course.stop, *report.problems))


async def _work(tenant: Tenant, errand: _Errand, world: World, course: Course) -> TenantReport:
    options = errand.options
    try:
        async with world.open_tenant(tenant, course.deadline) as services:
            # Whoever asks for a plan waits for it, and some chosen users are never too many for one process.
            room = None if errand.is_dry(tenant) or options.users else world.room
            return await errand.work(Job(tenant, options, services, world.state, world.progress, course, room=room))
    except OutgrownError as outgrown:
        where = {"run_id": options.run_id, "tenant_id": tenant.tenant_id}
        log_event(_LOG, logging.INFO, "run_in_shards", **where, mailboxes=outgrown.mailboxes)
        return TenantReport(tenant.tenant_id, Outcome.RUNNING)
    except TenantError as error:
        problem = _problem(error)
    except StoppedError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours in one tenant must not stop the others
        log_crash(_LOG, "tenant_crashed", error, run_id=options.run_id, tenant_id=tenant.tenant_id)
        message = f"Tenant {tenant.tenant_id}: the run broke off ({type(error).__name__})."
        problem = Problem("", "Unexpected", message, "Report it with the traceback in the log; the next run goes on.")
    return TenantReport(tenant.tenant_id, Outcome.FAILED, problem)
