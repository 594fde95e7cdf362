"""Undoing a run: its plan from the state alone, and the run that carries it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.engine.job import Job
from shared.engine.record import record_beginning
from shared.engine.tenant import sync_tenant
from shared.errors import StateError
from shared.ports import StateStore
from shared.sync.records import Checkpoint
from shared.sync.report import TenantReport
from shared.sync.undo import Fate, UndoPlan, plan_undo
from shared.sync.unmake import Unmade


async def read_plan(state: StateStore, tenant_id: str, run_id: str) -> UndoPlan | None:
    """What undoing the run would do now, None when the tenant has no such run; raises `StateError`."""
    record = await state.run(tenant_id, run_id)
    if record is None:
        return None
    made = await state.versions_since(tenant_id, record.first_version) if record.first_version else ()
    contacts = sorted({version.sync_id for version in made if version.run_id == run_id})
    return plan_undo(run_id, [await state.versions(tenant_id, sync_id) for sync_id in contacts])


@dataclass(frozen=True, slots=True)
class Undoing:
    """A run's work: undo another run, as `shown` to whoever agreed to it, by tenant."""

    shown: Mapping[str, UndoPlan]

    async def __call__(self, job: Job) -> TenantReport:
        """Make the old values current, and bring hub and spokes to them; nothing else is gathered or scattered.

        Raises `StateError` when another run has written since the plan was shown.
        """
        tenant_id, shown = job.tenant.tenant_id, self.shown[job.tenant.tenant_id]
        plan = await read_plan(job.state, tenant_id, shown.run_id)
        if plan != shown:
            message = f"Tenant {tenant_id}: another run has written since the plan was made. Nothing was undone."
            raise StateError(message, hint="Look at the plan again: run `undo` once more.")
        if not plan.moving or job.is_dry:
            return TenantReport(tenant_id)
        unmade = await _speak(job, plan)
        # Everything is read, so that no card is missed; what is missing is put back, for a deletion may be undone.
        options = replace(job.options, full=True, restores_deletes=True)
        return await sync_tenant(replace(job, options=options, only=plan.sync_ids, unmade=unmade))


async def _speak(job: Job, plan: UndoPlan) -> Unmade:
    """Put the old values into the history as the newest ones; killed from here on, the next run finishes it.

    Gives those of the contacts that the run had made.
    """
    state, tenant_id = job.state, job.tenant.tenant_id
    current = await state.current_versions(tenant_id)
    last = max(version.number for version in current.values())
    versions = plan.versions(last, job.services.clock.now(), job.options.run_id)
    await record_beginning(job, versions)
    checkpoints = await state.checkpoints(tenant_id)
    restored = sorted(step.sync_id for step in plan.moving if step.fate is Fate.RESTORED)
    for mailbox in checkpoints:
        # A card that is gone would count as deleted anew.
        await state.save_links(tenant_id, mailbox, (), restored)
    await state.add_versions(tenant_id, versions)
    await _wake(job, checkpoints.values(), versions[-1].number)
    record = await state.run(tenant_id, plan.run_id)
    began_at = record.started_at if record else job.services.clock.now()
    return Unmade({version.sync_id: version for version in versions if version.is_deleted}, began_at)


async def _wake(job: Job, checkpoints: Iterable[Checkpoint], newest: int) -> None:
    """Let the next run see that there are newer versions than it has scattered, should this one not come so far."""
    hub = max(checkpoints, key=lambda checkpoint: checkpoint.newest, default=None)
    if hub:
        await job.state.save_checkpoint(job.tenant.tenant_id, replace(hub, newest=newest))
