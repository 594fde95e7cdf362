"""A run that somebody asked for: on record from its acceptance on, begun once, and told of while it goes on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from shared.config.model import Tenant
from shared.errors import StateDamagedError, StateError
from shared.ports import StateStore
from shared.sync.records import QUEUED, UNFINISHED, Holder, RunPart, RunRecord
from shared.sync.report import Outcome, RunReport, TenantReport
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)


async def holders(state: StateStore, tenants: Sequence[Tenant], now: datetime) -> Mapping[str, Holder]:
    """Which of these tenants another run holds, and who that is; raises `StateError`.

    A lease that cannot be read holds nobody up: the run itself sees to it.
    """
    found = {}
    for tenant in tenants:
        try:
            holder = await state.lease_holder(tenant.tenant_id, now)
        except StateDamagedError:
            continue
        if holder:
            found[tenant.tenant_id] = holder
    return found


async def enqueue(state: StateStore, tenants: Sequence[Tenant], run_id: str, now: datetime) -> None:
    """Put an accepted run on record, before its message is out; raises `StateError`."""
    for tenant in tenants:
        await state.save_run(tenant.tenant_id, RunRecord(run_id, now, None, QUEUED))


async def begin(state: StateStore, tenants: Sequence[Tenant], run_id: str, now: datetime) -> bool:
    """Put a run on record as begun; False for one that has begun before, which must not be repeated.

    Queues deliver at least once. A run that the state does not know is begun all the same: its record may be lost.
    """
    known = [await _record(state, tenant.tenant_id, run_id) for tenant in tenants]
    if any(record and record.outcome != QUEUED for record in known):
        return False
    for tenant in tenants:
        await state.save_run(tenant.tenant_id, RunRecord(run_id, now, None, UNFINISHED))
    return True


async def settle(state: StateStore, report: RunReport) -> None:
    """Put on record what the run left unsaid: a dry run, or a tenant that another run holds, keeps no record itself.

    What goes on in shards will have its own.

    Somebody waits for the report of just this run. A state that does not take it changes nothing about what was done.
    """
    for tenant in report.tenants:
        if tenant.outcome is Outcome.RUNNING:
            continue
        try:
            await _settle_one(state, report, tenant)
        except StateError:
            log_event(_LOG, logging.ERROR, "run_not_recorded", run_id=report.run_id, tenant_id=tenant.tenant_id)


async def _settle_one(state: StateStore, report: RunReport, tenant: TenantReport) -> None:
    record = await _record(state, tenant.tenant_id, report.run_id)
    if record is None or record.finished_at is None:
        record = record or RunRecord(report.run_id, report.started_at, None, UNFINISHED)
        outcome, told = tenant.outcome.value, tenant.to_json()
        ended = replace(record, finished_at=report.finished_at, outcome=outcome, report=told)
        await state.save_run(tenant.tenant_id, ended)


async def parts(state: StateStore, tenants: Sequence[Tenant], run_id: str, now: datetime) -> Sequence[RunPart]:
    """What is known of a run, by tenant; empty when no tenant knows it. Raises `StateError`."""
    held = {tenant: one for tenant, one in (await holders(state, tenants, now)).items() if one.run_id == run_id}
    found = [
        RunPart(tenant.tenant_id, await state.run(tenant.tenant_id, run_id), held.get(tenant.tenant_id))
        for tenant in tenants
    ]
    return [part for part in found if part.record or part.held]


async def _record(state: StateStore, tenant_id: str, run_id: str) -> RunRecord | None:
    try:
        return await state.run(tenant_id, run_id)
    except StateDamagedError:
        return None
