"""Carrying a step out: under the tenant's lease, with the tenant open, and with an answer whatever becomes of it."""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.config.model import Settings, Tenant
from shared.engine.course import Course
from shared.engine.job import Job
from shared.engine.lease import together
from shared.engine.run import World, chosen
from shared.shards.begin import begin
from shared.shards.conclude import conclude
from shared.shards.ending import End, Ended, attempted
from shared.shards.errand import Errand, Step
from shared.shards.gather import gather
from shared.shards.merge import merge
from shared.shards.remarks import hand_on
from shared.shards.scatter import scatter
from shared.shards.workflow import Call, Done, StepName
from shared.sync.report import RunReport
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)


async def carry_out(call: Call, settings: Settings, world: World) -> Done:
    """Take any step but the last; raises `StateError` when not even the state can be reached, and faults of ours."""
    tenant, step = _of(call.errand, settings, world)
    try:
        is_first = call.step is StepName.BEGIN
        await _refuse_if_over(step, is_first=is_first)
        async with attempted(step, is_first=is_first), _open(step, tenant, settings, world) as job:
            try:
                done = await _take(call, step, job)
            finally:
                await hand_on(step, call.step, job.course.damages)
    except Ended as error:
        done = Done(end=error.end)
    _log(call, done)
    return done


async def close(call: Call, settings: Settings, world: World) -> RunReport | None:
    """Take the last step: the run's report, None if that was done before. Raises `StateError`."""
    errand = call.errand
    tenant, step = _of(errand, settings, world)
    report = await conclude(step, tenant, world.clock)
    await world.state.release_lease(errand.tenant_id, errand.holder)
    if report is None:
        return None
    return RunReport(errand.run_id, errand.started_at, world.clock.now(), False, (report,), settings.warnings)


def _of(errand: Errand, settings: Settings, world: World) -> tuple[Tenant, Step]:
    (tenant,) = chosen(settings.tenants, (errand.tenant_id,))
    return tenant, Step(errand, world.state, world.place)


async def _refuse_if_over(step: Step, *, is_first: bool) -> None:
    """A step may come when its run is long over: then it must not even take the lease, which nobody would give back."""
    errand = step.errand
    if is_first:
        record = await step.state.run(errand.tenant_id, errand.run_id)
        is_over = record is not None and record.finished_at is not None
    else:
        is_over = await step.take("begun") is None
    if is_over:
        raise Ended(End.RUN_ENDS)


@asynccontextmanager
async def _open(step: Step, tenant: Tenant, settings: Settings, world: World) -> AsyncIterator[Job]:
    """The tenant, while the run holds its lease and there is time left."""
    errand, clock = step.errand, world.clock
    course = Course(clock, _deadline(errand, settings, world))
    lease = together(world.state, errand.tenant_id, errand.holder, world.place, course)
    async with lease, world.open_tenant(tenant, course.deadline) as services:
        yield Job(tenant, errand.options, services, world.state, world.progress, course)


def _deadline(errand: Errand, settings: Settings, world: World) -> float:
    """When the time is used up that the whole run has, all its steps together."""
    if settings.time_budget_minutes is None:
        return math.inf
    passed = (world.clock.now() - errand.started_at).total_seconds()
    return world.clock.monotonic() + settings.time_budget_minutes * 60 - passed


async def _take(call: Call, step: Step, job: Job) -> Done:
    match call.step:
        case StepName.BEGIN:
            return Done(await begin(step, job))
        case StepName.GATHER:
            await gather(step, job, call.number)
        case StepName.MERGE:
            merged = await merge(step, job, call.number)
            return Done(shards=merged.scatter, again=merged.again)
        case StepName.SCATTER:
            await scatter(step, job, call.number)
        case StepName.CONCLUDE:
            raise ValueError(call.step)
    return Done()


def _log(call: Call, done: Done) -> None:
    log_event(
        _LOG,
        logging.WARNING if done.end else logging.INFO,
        "step_finished",
        run_id=call.errand.run_id,
        tenant_id=call.errand.tenant_id,
        step=call.step.value,
        round=call.errand.round,
        number=call.number,
        end=done.end.value if done.end else None,
    )
