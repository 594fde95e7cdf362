"""Bringing back what is remembered: versions, and of the links those that the run needs."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.errors import StateDamagedError
from shared.sync.cases import links_wanted
from shared.sync.mergebase import NO_MEMORY, Link, Memory, Version
from shared.sync.records import Checkpoint, StoredLink
from shared.sync.replica import Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)
_POINT_READS: Final = 100
"""From so many links on, all of a mailbox are read in one go."""


async def checkpoints_of(job: Job) -> Mapping[str, Checkpoint]:
    """All mailboxes' progress; none when it cannot be read, and everything is then read anew."""
    try:
        return await job.state.checkpoints(job.tenant.tenant_id)
    except StateDamagedError as error:
        await _begin_anew(job, error)
        return {}


async def recall(job: Job, gathered: Gathered, rules: Rules, checkpoints: Mapping[str, Checkpoint]) -> Memory | None:
    """What the run has to remember; None when the state is older than the checkpoints that were trusted.

    State that cannot be read is as good as none. A hub folder that is a new one has lost nothing.
    """
    hub = gathered.hub.replica
    known = checkpoints.get(hub.mailbox)
    is_trusting = not all(one.is_whole for one in (gathered.hub, *gathered.spokes))
    try:
        versions = await job.state.current_versions(job.tenant.tenant_id)
        newest = max((version.number for version in versions.values()), default=0)
        if is_trusting and (known is None or newest < known.newest):
            return None
        memory = await _Recollection(job, versions).of(gathered, rules)
    except StateDamagedError as error:
        await _begin_anew(job, error)
        return None if is_trusting else NO_MEMORY
    return memory if known and known.folder == hub.folder else _without_hub(memory, hub.mailbox)


async def _begin_anew(job: Job, error: StateDamagedError) -> None:
    """Forget what cannot be read, or it could not be read in the next run either; a dry run leaves even that."""
    tenant_id = job.tenant.tenant_id
    run_id = job.options.run_id
    log_event(_LOG, logging.WARNING, "state_damaged", run_id=run_id, tenant_id=tenant_id, code=error.code)
    if not job.is_dry:
        await job.state.forget_tenant(tenant_id)


def _without_hub(memory: Memory, hub: str) -> Memory:
    """The memory without the hub's links: cards that stood in another folder are not gone, the folder is."""
    links = {place: link for place, link in memory.links.items() if link.mailbox != hub}
    return Memory(memory.versions, links)


class _Recollection:
    """Reads links as needed: all of a mailbox that was read whole or has new cards, else those in question."""

    def __init__(self, job: Job, versions: Mapping[SyncId, Version]) -> None:
        self._job = job
        self._versions = versions
        self._links: dict[tuple[str, str], Link] = {}
        self._bases = {version.number: version for version in versions.values()}

    async def of(self, gathered: Gathered, rules: Rules) -> Memory:
        if not self._versions:
            return NO_MEMORY
        for observation in (gathered.hub, *gathered.spokes):
            await self._keep(await self._links_for(observation))
        memory = Memory(self._versions, self._links)
        wanted = links_wanted(gathered.hub, gathered.spokes, rules, memory)
        for mailbox, sync_ids in wanted.items():
            await self._keep(await self._links_to(mailbox, sorted(sync_ids)))
        return Memory(self._versions, self._links)

    async def _links_for(self, observation: Observation) -> Sequence[StoredLink]:
        state, tenant_id, mailbox = self._job.state, self._job.tenant.tenant_id, observation.replica.mailbox
        ids = [*(item.item_id for item in observation.items), *observation.removed]
        if observation.is_whole:
            return await state.links(tenant_id, mailbox)
        if not ids:
            return []
        links = await state.links_of_items(tenant_id, mailbox, ids)
        strangers = {item.item_id for item in observation.items} - {link.item_id for link in links}
        return await state.links(tenant_id, mailbox) if strangers else links

    async def _links_to(self, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        state, tenant_id = self._job.state, self._job.tenant.tenant_id
        if len(sync_ids) > _POINT_READS:
            return await state.links(tenant_id, mailbox)
        return await state.links_to(tenant_id, mailbox, sync_ids)

    async def _keep(self, stored: Iterable[StoredLink]) -> None:
        """Add links; one whose base is not to be had is left out: its card is paired and compared anew."""
        links = list(stored)
        behind = {link.sync_id for link in links if link.base not in self._bases}
        for sync_id in sorted(behind):
            history = await self._job.state.versions(self._job.tenant.tenant_id, sync_id)
            self._bases |= {version.number: version for version in history}
        for one in links:
            if one.base in self._bases:
                self._links[one.mailbox, one.item_id] = _link(one, self._bases[one.base])


def _link(stored: StoredLink, base: Version) -> Link:
    return Link(
        stored.mailbox,
        stored.item_id,
        stored.sync_id,
        stored.change_marker,
        base,
        stored.residue,
        is_ours=stored.is_ours,
        is_withheld=stored.is_withheld,
    )
