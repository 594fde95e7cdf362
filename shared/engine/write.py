"""Writing a plan: the history first, then the hub, then all spokes side by side; what is confirmed is remembered."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.engine.apply import Applied, apply
from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.engine.record import record_beginning
from shared.errors import TenantError
from shared.sync.mergebase import Memory
from shared.sync.plan import CreateContact, Operation, Plan, UpdateContact
from shared.sync.progress import Leftovers, advanced, is_quarantined
from shared.sync.records import Checkpoint, Quarantined
from shared.sync.replica import Duplicate
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId


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
        for mailbox, links in plan.links.items():
            await state.save_links(self._tenant_id, mailbox, links)

    async def write_hub(self, operations: Sequence[Operation]) -> Applied:
        """Write the hub; raises `TenantError` when its mailbox does not go on."""
        self._job.progress.step(self._tenant_id, "writing the hub", len(operations))
        applied = await self._apply(self._hub, operations, frozenset())
        if applied.failure:
            failure = applied.failure
            message = f"Tenant {self._tenant_id}: the shared mailbox could not be written. {failure.message}"
            raise TenantError(message, hint=failure.hint, code=failure.code)
        return applied

    async def scatter(self, operations: Mapping[str, Sequence[Operation]], hub: Applied) -> dict[str, Applied]:
        """Write the spokes; a contact that the hub does not hold as planned goes nowhere."""
        self._job.progress.step(self._tenant_id, "writing the spokes", sum(map(len, operations.values())))
        missing = frozenset(hub.undone)
        mailboxes = [mailbox for mailbox in self._observed if mailbox != self._hub]
        work = [self._apply(mailbox, operations.get(mailbox, ()), missing) for mailbox in mailboxes]
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return dict(zip(mailboxes, (one for one in results if isinstance(one, Applied)), strict=True))

    async def _apply(self, mailbox: str, operations: Sequence[Operation], missing: frozenset[SyncId]) -> Applied:
        """Carry out a mailbox's operations, but for contacts that the hub is `missing`; remember what came of it."""
        quarantine = self._quarantine(mailbox)
        wanted = [one for one in operations if _may_go(one, missing) and not is_quarantined(one, quarantine)]
        for _ in range(len(operations) - len(wanted)):
            self._job.progress.advance(self._tenant_id)
        applied = await apply(self._job.services.contacts, self._rules, wanted, self._done, self._job.course.goes_on)
        if applied.links or applied.forgotten:
            await self._job.state.save_links(self._tenant_id, mailbox, applied.links, applied.forgotten)
        if applied.tenant_error:
            raise applied.tenant_error
        skipped = {one.version.sync_id for one in operations if not _may_go(one, missing)}
        await self._advance(mailbox, applied, frozenset(skipped), is_open=bool(missing) or mailbox in self._held)
        return applied

    def _done(self) -> None:
        self._job.progress.advance(self._tenant_id)

    def _quarantine(self, mailbox: str) -> tuple[Quarantined, ...]:
        """What is not tried again; in a whole reading everything is."""
        known = self._checkpoints.get(mailbox)
        return known.quarantine if known and not self._observed[mailbox].is_whole else ()

    async def _advance(self, mailbox: str, applied: Applied, skipped: frozenset[SyncId], *, is_open: bool) -> None:
        refused = {one.sync_id for one in applied.refused}
        if self._job.only is not None:
            return  # what else was read is left to a run that is about everything
        pending = frozenset(applied.undone - refused) | skipped
        settled = frozenset(link.sync_id for link in applied.links).union(applied.forgotten)
        duplicates = self._duplicates.get(mailbox, {})
        left = Leftovers(pending, tuple(applied.refused), settled, duplicates, is_open)
        known, observation = self._checkpoints.get(mailbox), self._observed[mailbox]
        checkpoint = advanced(observation, known, self._newest, left, self._job.services.clock.now())
        if checkpoint != known:
            await self._job.state.save_checkpoint(self._tenant_id, checkpoint)


def _may_go(operation: Operation, missing: frozenset[SyncId]) -> bool:
    return not isinstance(operation, CreateContact | UpdateContact) or operation.version.sync_id not in missing
