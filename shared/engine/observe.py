"""Reading a replica as cheaply as what is remembered allows: what changed since the last run, else everything."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.engine.door import at_once
from shared.engine.job import Job
from shared.errors import StateDamagedError
from shared.sync.first import links_to_agreeing, versions_of
from shared.sync.mergebase import Versions
from shared.sync.progress import in_force
from shared.sync.records import Checkpoint
from shared.sync.replica import Observation, Replica
from shared.sync.rules import Rules
from shared.sync.settle import refreshed, settle
from shared.sync.stamp import SyncId

_WHOLE_READERS: Final = 8
"""Large mailboxes read whole at once: what of them is settled goes before the next ones come, so this bounds memory."""

_MANY: Final = 50
"""Of fewer changes all are planned with, and no version has to be read for a quiet hour with some of them."""


class Eyes:
    """Reads the replicas of one run; with no `checkpoints` (None) nothing that is remembered is trusted."""

    def __init__(self, job: Job, rules: Rules, checkpoints: Mapping[str, Checkpoint] | None) -> None:
        """Settle what is read by `rules`; `told_much` are the mailboxes that took memory to be read.

        `hub_told` is how many contacts the hub told of, once it was read: about as many as each spoke will.
        """
        self.job = job
        self.versions: Versions | None = None
        self.told_much: set[str] = set()
        self.hub_told = 0
        self._rules = rules
        self._settles = checkpoints is not None
        self._checkpoints = checkpoints or {}
        self._places = asyncio.Semaphore(_WHOLE_READERS)
        self._recalling = asyncio.Lock()

    async def observe(self, replica: Replica) -> Observation:
        """The replica's changes, or all of it; raises `MailboxError` or `TenantError`."""
        observation = await self._observed(replica)
        if replica.is_hub:
            self.hub_told = len(observation.items) + observation.echoes
            self._places = asyncio.Semaphore(at_once(_WHOLE_READERS, self.hub_told))
        return observation

    async def _observed(self, replica: Replica) -> Observation:
        checkpoint = self._checkpoints.get(replica.mailbox)
        if checkpoint and self._trusts(checkpoint, replica):
            changed = await self._changes(replica, checkpoint)
            if changed:
                return await self._refreshed(changed)
        self.told_much.add(replica.mailbox)
        async with self._places:
            whole = await self.job.services.contacts.observe(replica)
            if checkpoint:
                whole = replace(whole, duplicates=checkpoint.duplicates)
            if not self._settles:
                return whole
            return await (self._learn(whole) if replica.is_hub else self._settled(whole))

    async def _learn(self, hub: Observation) -> Observation:
        """The hub; where nothing is remembered, what it holds is put on record as what was last agreed on."""
        try:
            if not await self._recall():
                last = max((max(one.newest, one.watermark) for one in self._checkpoints.values()), default=0)
                self.versions = versions_of(hub, self._rules, last)
                if not self.job.is_dry:
                    await self.job.state.add_versions(self.job.tenant.tenant_id, list(self.versions.values()))
        except StateDamagedError as error:
            self.job.course.remark(error)
            self._settles = False
        return hub

    async def _settled(self, whole: Observation) -> Observation:
        """What of a spoke is not as remembered; all of it where nothing is, or if the memory cannot be read."""
        state, tenant_id, mailbox = self.job.state, self.job.tenant.tenant_id, whole.replica.mailbox
        try:
            versions = await self._recall()
            if not versions or not whole.items:
                return whole
            links = await state.links(tenant_id, mailbox)
            if not links:
                if self.job.is_dry:
                    return whole
                links = links_to_agreeing(whole, versions, self._rules)
                await state.save_links(tenant_id, mailbox, links)
            return settle(whole, links, versions, self._rules)
        except StateDamagedError as error:
            self.job.course.remark(error)
            return whole

    async def _refreshed(self, changed: Observation) -> Observation:
        """Many changes without those that are none; what they tell of change markers is remembered at once."""
        if len(changed.items) < _MANY:
            return changed
        self.told_much.add(changed.replica.mailbox)
        if self.job.is_dry:
            return changed
        state, tenant_id, mailbox = self.job.state, self.job.tenant.tenant_id, changed.replica.mailbox
        try:
            versions = await self._recall()
            links = await state.links_of_items(tenant_id, mailbox, [item.item_id for item in changed.items])
            left, touched = refreshed(changed, links, versions, self._rules)
            await state.save_links(tenant_id, mailbox, touched)
        except StateDamagedError as error:
            self.job.course.remark(error)
            return changed
        return replace(left, echoes=left.echoes + len(touched))

    async def _recall(self) -> Versions:
        """The newest versions, asked for once."""
        async with self._recalling:
            if self.versions is None:
                self.versions = await self.job.state.current_versions(self.job.tenant.tenant_id)
            return self.versions

    def _trusts(self, checkpoint: Checkpoint, replica: Replica) -> bool:
        """Whether a delta round will do: it is distrusted once in a while, and never knows another folder."""
        if self.job.options.full or not checkpoint.delta_link or checkpoint.read_whole_at is None:
            return False
        if replica.is_hub and checkpoint.folder != replica.folder:
            return False
        age = self.job.services.clock.now() - checkpoint.read_whole_at
        return age < timedelta(hours=self.job.tenant.full_reconcile_hours)

    def _due(self, checkpoint: Checkpoint) -> set[SyncId]:
        """The contacts of which a write was refused so long ago that it is tried again."""
        waiting = in_force(checkpoint.quarantine, self.job.services.clock.now())
        return {one.sync_id for one in checkpoint.quarantine} - {one.sync_id for one in waiting}

    async def _changes(self, replica: Replica, checkpoint: Checkpoint) -> Observation | None:
        async def known(item_ids: Sequence[str]) -> Mapping[str, str]:
            try:
                links = await self.job.state.links_of_items(self.job.tenant.tenant_id, replica.mailbox, item_ids)
            except StateDamagedError as error:
                self.job.course.remark(error)
                return {}  # no echo is told from an edit: all of it is read
            return {link.item_id: link.change_marker for link in links}

        changes = await self.job.services.contacts.changes(replica, checkpoint.delta_link, known)
        if changes is None:
            return None
        return Observation(
            replica,
            changes.items,
            changes.delta_link,
            changes.removed,
            is_whole=False,
            watermark=checkpoint.watermark,
            pending=tuple(sorted({*checkpoint.pending, *self._due(checkpoint)})),
            duplicates=checkpoint.duplicates,
            echoes=changes.echoes,
        )
