"""Writing a plan: the history first, then the hub, then all spokes side by side; what is confirmed is remembered."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from shared.engine.apply import Applied, Beside, apply
from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.engine.record import record_beginning
from shared.errors import TenantError
from shared.sync.mergebase import Memory
from shared.sync.operations import CreateContact, Operation, UpdateContact
from shared.sync.plan import Plan
from shared.sync.progress import Leftovers, advanced, is_quarantined
from shared.sync.records import Checkpoint, Quarantined, StoredLink
from shared.sync.replica import Duplicate, Replica
from shared.sync.rules import Rules
from shared.sync.scatter import Part
from shared.sync.stamp import SyncId

_WRITERS: Final = 160
"""Mailboxes written at once: four requests of each are more than Graph takes in all, and their parts fit in memory."""


_MANY_ECHOES: Final = 20
"""Fewer cost less to be told again than a row of state for each mailbox."""


class Writer:
    """Writes one tenant's plan."""

    def __init__(self, job: Job, rules: Rules, gathered: Gathered, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Carry operations out by `rules`, and move the checkpoints of what was gathered on."""
        self._job = job
        self._rules = rules
        self._observed = {one.replica.mailbox: one for one in (gathered.hub, *gathered.spokes)}
        self._hub = gathered.hub.replica.mailbox
        self._checkpoints = checkpoints
        self._tenant_id = job.tenant.tenant_id
        self._newest = 0
        self._held: frozenset[str] = frozenset()
        self._duplicates: dict[str, dict[str, Duplicate]] = {}

    async def record(self, plan: Plan, memory: Memory) -> None:
        """Put the new versions into the history, before any card is overwritten, and what needs no write on record.

        That there are newer versions is known before anything else could make the next run look quiet.
        """
        state, run_id = self._job.state, self._job.options.run_id
        self._held = plan.held
        for (mailbox, item_id), card in plan.pairing.aside.items():
            self._duplicates.setdefault(mailbox, {})[item_id] = card
        self._newest = max((one.number for one in (*memory.versions.values(), *plan.versions)), default=0)
        if plan.versions:
            await record_beginning(self._job, plan.versions)
            await state.add_versions(self._tenant_id, [replace(one, run_id=run_id) for one in plan.versions])
            hub = self._observed[self._hub].replica
            known = self._checkpoints.get(self._hub) or Checkpoint(hub.mailbox, hub.name)
            await state.save_checkpoint(self._tenant_id, replace(known, newest=self._newest))

    async def write_hub(self, plan: Plan) -> Applied:
        """Write the hub; raises `TenantError` when its mailbox does not go on."""
        self._job.progress.step(self._tenant_id, "writing the hub", len(plan.hub.operations))
        applied = await self._apply(self._hub, plan.hub, frozenset())
        if applied.failure:
            failure = applied.failure
            message = f"Tenant {self._tenant_id}: the shared mailbox could not be written. {failure.message}"
            raise TenantError(message, hint=failure.hint, code=failure.code)
        return applied

    async def scatter(self, plan: Plan, hub: Applied) -> dict[str, Applied]:
        """Write the spokes; a contact that the hub does not hold as planned goes nowhere."""
        self._job.progress.step(self._tenant_id, "writing the spokes", plan.size * len(plan.replicas))
        missing, places = frozenset(hub.undone), asyncio.Semaphore(_WRITERS)

        async def write(replica: Replica) -> Applied:
            async with places:
                part = plan.part(replica)
                self._skip(plan.size - len(part.operations))
                return await self._apply(replica.mailbox, part, missing)

        results = await asyncio.gather(*map(write, plan.replicas), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        mailboxes = [replica.mailbox for replica in plan.replicas]
        return dict(zip(mailboxes, (one for one in results if isinstance(one, Applied)), strict=True))

    async def _apply(self, mailbox: str, part: Part, missing: frozenset[SyncId]) -> Applied:
        """Carry out a mailbox's part, but for contacts that the hub is `missing`; remember what came of it."""
        await self._keep(mailbox, part.links)
        quarantine = self._quarantine(mailbox)
        wanted = [one for one in part.operations if _may_go(one, missing) and not is_quarantined(one, quarantine)]
        self._skip(len(part.operations) - len(wanted))
        beside = Beside(self._job.course.goes_on, lambda: self._skip(1), partial(self._keep, mailbox))
        applied = await apply(self._job.services.contacts, self._rules, wanted, beside)
        applied.skipped = part.settled
        if applied.tenant_error:
            raise applied.tenant_error
        skipped = {one.version.sync_id for one in part.operations if not _may_go(one, missing)}
        await self._advance(mailbox, applied, frozenset(skipped), is_open=bool(missing) or mailbox in self._held)
        return applied

    async def _keep(self, mailbox: str, links: Sequence[StoredLink], forgotten: Sequence[SyncId] = ()) -> None:
        if links or forgotten:
            await self._job.state.save_links(self._tenant_id, mailbox, links, forgotten)

    def _skip(self, count: int) -> None:
        """So much of the step is done, or need not be."""
        if count:
            self._job.progress.advance(self._tenant_id, count)

    def _quarantine(self, mailbox: str) -> tuple[Quarantined, ...]:
        """What is not tried again; in a whole reading everything is."""
        known = self._checkpoints.get(mailbox)
        return known.quarantine if known and not self._observed[mailbox].was_read_whole else ()

    async def _advance(self, mailbox: str, applied: Applied, skipped: frozenset[SyncId], *, is_open: bool) -> None:
        refused = {one.sync_id for one in applied.refused}
        if self._job.only is not None:
            return  # what else was read is left to a run that is about everything
        pending = frozenset(applied.undone - refused) | skipped
        duplicates = self._duplicates.get(mailbox, {})
        left = Leftovers(pending, tuple(applied.refused), frozenset(applied.settled), duplicates, is_open)
        known, observation = self._checkpoints.get(mailbox), self._observed[mailbox]
        checkpoint = advanced(observation, known, self._newest, left, self._job.services.clock.now())
        if checkpoint != known:
            await self._job.state.save_checkpoint(self._tenant_id, checkpoint)


async def pass_echoes(job: Job, gathered: Gathered, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Where nothing is new, move the delta links past what was known already, or each hour would be told it again."""
    if job.is_dry or job.only is not None:
        return
    for one in (gathered.hub, *gathered.spokes):
        known = checkpoints.get(one.replica.mailbox)
        if known and one.echoes >= _MANY_ECHOES:
            await job.state.save_checkpoint(job.tenant.tenant_id, replace(known, delta_link=one.delta_link))


def _may_go(operation: Operation, missing: frozenset[SyncId]) -> bool:
    return not isinstance(operation, CreateContact | UpdateContact) or operation.version.sync_id not in missing
