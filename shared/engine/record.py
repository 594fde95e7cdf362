"""A run on record: what it did, from its first version on, and how long all that is remembered."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from shared.config.model import Tenant
from shared.engine.course import Course
from shared.engine.job import Job
from shared.errors import StateDamagedError, StateError
from shared.ports import Clock, StateStore
from shared.sync.mergebase import Version
from shared.sync.records import UNFINISHED, RunRecord
from shared.sync.report import Problem, TenantReport
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)


def begun(run_id: str, course: Course) -> RunRecord:
    """The record of a run that has not ended."""
    return RunRecord(run_id, course.started_at, None, UNFINISHED, course.first_version)


async def record_beginning(job: Job, versions: Iterable[Version]) -> None:
    """Put a run on record that is about to make these versions: killed from now on, it can be undone all the same."""
    job.course.note(versions)
    await job.state.save_run(job.tenant.tenant_id, begun(job.options.run_id, job.course))


async def conclude(
    state: StateStore, tenant: Tenant, record: RunRecord, report: TenantReport, clock: Clock
) -> TenantReport:
    """Put the run on record with its report, and forget what is older than the tenant wants remembered.

    A state that does not take it changes nothing about what was done; the report says so.
    """
    done = replace(record, finished_at=clock.now(), outcome=report.outcome.value, report=report.to_json())
    try:
        await _forget(state, tenant, done)
        await state.save_run(tenant.tenant_id, done)
    except StateError as error:
        log_event(_LOG, logging.ERROR, "run_not_recorded", run_id=record.run_id, tenant_id=tenant.tenant_id)
        problem = Problem("", error.code, f"The run could not be put on record. {error.message}", error.hint)
        return replace(report, problems=(*report.problems, problem))
    return report


async def _latest(state: StateStore, tenant_id: str) -> Sequence[RunRecord]:
    """The latest runs; those that cannot be read go, or no run could be put on record any more."""
    try:
        return await state.runs(tenant_id, 2)
    except StateDamagedError:
        await state.drop_unreadable(tenant_id)
        return await state.runs(tenant_id, 2)


async def _forget(state: StateStore, tenant: Tenant, record: RunRecord) -> None:
    """Once a day is enough, and keeps a quiet run from reading the history."""
    latest = await _latest(state, tenant.tenant_id)
    earlier = [one.started_at.date() for one in latest if one.run_id != record.run_id]
    if record.started_at.date() not in earlier:
        before = record.started_at - timedelta(days=tenant.history_days)
        await state.prune_versions(tenant.tenant_id, before)
        await state.prune_runs(tenant.tenant_id, before)
