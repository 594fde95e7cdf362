"""Bringing back what is remembered: versions, and of the links those that the run needs."""

import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass

from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.engine.recollection import Recollection
from shared.errors import StateDamagedError
from shared.sync.mergebase import Memory, Versions
from shared.sync.plan import Plan, reconcile
from shared.sync.records import Checkpoint
from shared.sync.rules import Rules
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)


async def checkpoints_of(job: Job) -> Mapping[str, Checkpoint]:
    """All mailboxes' progress; none when it cannot be read, and everything is then read anew."""
    try:
        return await job.state.checkpoints(job.tenant.tenant_id)
    except StateDamagedError as error:
        await _begin_anew(job, error)
        return {}


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was gathered, with what the memory made us look at besides; the memory, and the plan that both make."""

    gathered: Gathered
    memory: Memory
    plan: Plan


async def recall(
    job: Job, gathered: Gathered, rules: Rules, checkpoints: Mapping[str, Checkpoint], quiet: Set[str] = frozenset()
) -> Recalled | None:
    """The plan with what is remembered; None when the state is older than the checkpoints that were trusted.

    State that cannot be read is as good as none. A hub folder that is a new one has lost nothing. The links of `quiet`
    mailboxes, of which nothing was read, are left to whoever makes their parts.
    """
    hub = gathered.hub.replica
    known = checkpoints.get(hub.mailbox)
    observations = (gathered.hub, *gathered.spokes)
    is_trusting = not all(one.was_read_whole for one in observations)
    try:
        versions = gathered.versions
        if versions is None:
            versions = await job.state.current_versions(job.tenant.tenant_id)
        newest = max((version.number for version in versions.values()), default=0)
        if is_trusting and (known is None or newest < known.newest):
            return None
        # A killed first run may not have said in which folder its links are; undoing takes no missing card for deleted.
        is_same_hub = job.unmade is not None or (known is not None and known.folder == hub.folder)
        recollection = Recollection(job, rules, versions, "" if is_same_hub else hub.mailbox)
        return await _plan(job, gathered, rules, recollection, quiet)
    except StateDamagedError as error:
        await _begin_anew(job, error)
        return await without_links(job, gathered, rules) if all(one.is_whole for one in observations) else None


async def without_links(job: Job, gathered: Gathered, rules: Rules) -> Recalled:
    """The plan from what was read, which has to be all of it, and from the versions as far as they can be read.

    They count on from where they were: a version of a number that is taken would not be kept.
    """
    return _without_links(job, gathered, rules, await _readable_versions(job))


async def _readable_versions(job: Job) -> Versions:
    tenant_id = job.tenant.tenant_id
    try:
        return await job.state.current_versions(tenant_id)
    except StateDamagedError:
        if not job.is_dry:
            await job.state.forget_tenant(tenant_id)  # no number is known to be free otherwise
        return {}


def _without_links(job: Job, gathered: Gathered, rules: Rules, versions: Versions) -> Recalled:
    memory = Memory(versions, {})
    plan = reconcile(gathered.hub, gathered.spokes, rules, memory, job.services.clock.now())
    return Recalled(gathered, memory, plan)


async def _plan(job: Job, gathered: Gathered, rules: Rules, recollection: Recollection, quiet: Set[str]) -> Recalled:
    """Plan, ask for what the plan did not know, and plan again, until there is no such thing."""
    memory, now = recollection.memory, job.services.clock.now()
    if not memory.versions:
        return _without_links(job, gathered, rules, {})
    for observation in (gathered.hub, *gathered.spokes):
        await recollection.begin(observation)
    while True:
        plan = reconcile(gathered.hub, gathered.spokes, rules, memory, now)
        links = {mailbox: sync_ids for mailbox, sync_ids in plan.wanted.links.items() if mailbox not in quiet}
        is_new = await recollection.ask(links)
        items = recollection.unseen(gathered, plan.wanted.items)
        if not is_new and not items:
            return Recalled(gathered, memory, plan)
        gathered = await recollection.look(gathered, items)


async def _begin_anew(job: Job, error: StateDamagedError) -> None:
    """Forget how far everybody was, and what cannot be read; the rest of the history stays. A dry run leaves it all."""
    tenant_id = job.tenant.tenant_id
    run_id = job.options.run_id
    log_event(_LOG, logging.WARNING, "state_damaged", run_id=run_id, tenant_id=tenant_id, code=error.code)
    job.course.remark(error)
    if not job.is_dry:
        await job.state.forget_progress(tenant_id)
        await job.state.drop_unreadable(tenant_id)
