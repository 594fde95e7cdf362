"""Writing a plan: the history first, then the hub, then all spokes side by side; what is confirmed is remembered."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from shared.engine.apply import Applied, Beside, apply
from shared.engine.job import Job
from shared.engine.record import record_beginning
from shared.errors import TenantError
from shared.sync.mergebase import Memory
from shared.sync.operations import CreateContact, Operation, UpdateContact
from shared.sync.plan import Plan
from shared.sync.progress import Leftovers, advanced, in_force, is_quarantined
from shared.sync.records import Checkpoint, Quarantined, StoredLink
from shared.sync.replica import Duplicate, Observation, Replica
from shared.sync.rules import Rules
from shared.sync.scatter import Part, Scatter
from shared.sync.stamp import SyncId

_WRITERS: Final = 160
"""Mailboxes written at once: four requests of each are more than Graph takes in all."""

_FEWEST_WRITERS: Final = 80
"""So many keep all batches busy, also while some of them have something else to do than to create."""

_AT_A_TIME: Final = 80_000
"""Operations that may be planned at once: each takes about a hundred bytes until its mailbox is done."""

_SAVERS: Final = 16
"""Checkpoints saved at once where nothing else is to be done."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a run remembers of mailboxes beside what was written in them.

    `newest` is the newest version's number, `held` are the mailboxes whose deletions were refused, `duplicates` the
    cards left aside, by mailbox and item id.
    """

    newest: int = 0
    held: frozenset[str] = frozenset()
    duplicates: Mapping[str, Mapping[str, Duplicate]] = field(default_factory=lambda: MappingProxyType({}))


def ledger_of(plan: Plan, memory: Memory) -> Ledger:
    """What the plan leaves to be remembered."""
    duplicates: dict[str, dict[str, Duplicate]] = {}
    for (mailbox, item_id), card in plan.pairing.aside.items():
        duplicates.setdefault(mailbox, {})[item_id] = card
    newest = max((one.number for one in (*memory.versions.values(), *plan.versions)), default=0)
    return Ledger(newest, plan.held, duplicates)


@dataclass(frozen=True, slots=True)
class Missing:
    """The contacts that the hub does not hold as planned: they go nowhere.

    While it `is_open` that the hub gets one of them in the next run, what was read has to be told again.
    """

    contacts: frozenset[SyncId] = frozenset()
    is_open: bool = False


NOTHING_MISSING: Final = Missing()


class Writer:
    """Writes one tenant's plan."""

    def __init__(
        self,
        job: Job,
        rules: Rules,
        observed: Iterable[Observation],
        checkpoints: Mapping[str, Checkpoint],
        ledger: Ledger,
    ) -> None:
        """Carry operations out by `rules`, and move the checkpoints of what was observed on."""
        self._job = job
        self._rules = rules
        self._observed = {one.replica.mailbox: one for one in observed}
        self._checkpoints = checkpoints
        self._ledger = ledger
        self._tenant_id = job.tenant.tenant_id

    async def record(self, plan: Plan) -> None:
        """Put the new versions into the history, before any card is overwritten.

        That there are newer versions is known before anything else could make the next run look quiet.
        """
        state, run_id, hub = self._job.state, self._job.options.run_id, plan.hub_replica
        if plan.versions:
            await record_beginning(self._job, plan.versions)
            await state.add_versions(self._tenant_id, [replace(one, run_id=run_id) for one in plan.versions])
            known = self._checkpoints.get(hub.mailbox) or Checkpoint(hub.mailbox, hub.name, hub.folder)
            await state.save_checkpoint(self._tenant_id, replace(known, newest=self._ledger.newest))

    async def write_hub(self, plan: Plan) -> tuple[Applied, Missing]:
        """Write the hub, and find what it lacks then; raises `TenantError` when its mailbox does not go on."""
        self._job.progress.step(self._tenant_id, "writing the hub", len(plan.hub.operations))
        applied = await self._apply(plan.hub_replica.mailbox, plan.hub, NOTHING_MISSING)
        if applied.failure:
            failure = applied.failure
            message = f"Tenant {self._tenant_id}: the shared mailbox could not be written. {failure.message}"
            raise TenantError(message, hint=failure.hint, code=failure.code)
        refused = self._refused_by_hub(plan, applied)
        return applied, Missing(frozenset(applied.undone) | refused, bool(applied.undone - refused))

    async def scatter(self, scatter: Scatter, replicas: Sequence[Replica], missing: Missing) -> dict[str, Applied]:
        """Write these spokes; what the hub is `missing` goes nowhere."""
        size = len(scatter.decisions)
        self._job.progress.step(self._tenant_id, "writing the spokes", size * len(replicas))
        places = asyncio.Semaphore(max(_FEWEST_WRITERS, min(_WRITERS, _AT_A_TIME // max(1, size))))

        async def write(replica: Replica) -> Applied:
            async with places:
                part = scatter.part(replica)
                self._skip(size - len(part.operations))
                return (await self._apply(replica.mailbox, part, missing)).counted()

        results = await asyncio.gather(*map(write, replicas), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        mailboxes = [replica.mailbox for replica in replicas]
        return dict(zip(mailboxes, (one for one in results if isinstance(one, Applied)), strict=True))

    def _refused_by_hub(self, plan: Plan, hub: Applied) -> frozenset[SyncId]:
        """The contacts that the hub has refused for good as they are: they go nowhere until it takes them."""
        before = (one for one in self._quarantine(plan.hub_replica.mailbox) if one.sync_id in plan.contacts)
        known = {one.sync_id for one in before if one.version == plan.contacts[one.sync_id].number}
        return frozenset(known | {one.sync_id for one in hub.refused})

    async def _apply(self, mailbox: str, part: Part, missing: Missing) -> Applied:
        """Carry out a mailbox's part; remember what came of it."""
        await self._keep(mailbox, part.links, part.forgotten)
        quarantine = self._quarantine(mailbox)
        wanted = [one for one in part.operations if _may_go(one, missing) and not is_quarantined(one, quarantine)]
        self._skip(len(part.operations) - len(wanted))
        beside = Beside(self._job.course.goes_on, lambda: self._skip(1), partial(self._keep, mailbox))
        applied = await apply(self._job.services.contacts, self._rules, wanted, beside)
        applied.skipped = part.settled
        if applied.tenant_error:
            raise applied.tenant_error
        skipped = {one.version.sync_id for one in part.operations if not _may_go(one, missing)}
        is_open = missing.is_open or mailbox in self._ledger.held
        await self._advance(mailbox, applied, frozenset(skipped), is_open=is_open)
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
        if known is None or self._observed[mailbox].was_read_whole:
            return ()
        return in_force(known.quarantine, self._job.services.clock.now())

    async def _advance(self, mailbox: str, applied: Applied, skipped: frozenset[SyncId], *, is_open: bool) -> None:
        refused = {one.sync_id for one in applied.refused}
        if self._job.only is not None:
            return  # what else was read is left to a run that is about everything
        pending = frozenset(applied.undone - refused) | skipped
        duplicates = self._ledger.duplicates.get(mailbox, {})
        now = self._job.services.clock.now()
        refusals = tuple(replace(one, at=now) for one in applied.refused)
        left = Leftovers(pending, refusals, frozenset(applied.settled), duplicates, is_open)
        known, observation = self._checkpoints.get(mailbox), self._observed[mailbox]
        checkpoint = advanced(observation, known, self._ledger.newest, left, now)
        if checkpoint != known:
            await self._job.state.save_checkpoint(self._tenant_id, checkpoint)


async def pass_echoes(job: Job, observations: Iterable[Observation], checkpoints: Mapping[str, Checkpoint]) -> None:
    """Where nothing else was told, move the delta link past what was known, or each hour would be told it again."""
    if job.is_dry or job.only is not None:
        return
    places = asyncio.Semaphore(_SAVERS)

    async def save(known: Checkpoint, delta_link: str) -> None:
        async with places:
            await job.state.save_checkpoint(job.tenant.tenant_id, replace(known, delta_link=delta_link))

    told = (one for one in observations if one.echoes and not one.items and not one.removed)
    passed = ((checkpoints.get(one.replica.mailbox), one.delta_link) for one in told)
    await asyncio.gather(*(save(known, delta_link) for known, delta_link in passed if known))


def _may_go(operation: Operation, missing: Missing) -> bool:
    return not isinstance(operation, CreateContact | UpdateContact) or operation.version.sync_id not in missing.contacts
