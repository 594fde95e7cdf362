"""Reading a replica as cheaply as what is remembered allows: what changed since the last run, else everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.engine.job import Job
from shared.errors import StateDamagedError
from shared.sync.records import Checkpoint
from shared.sync.replica import Observation, Replica


@dataclass(frozen=True, slots=True)
class Eyes:
    """Reads the replicas of one run; `checkpoints` are empty when what is remembered cannot be trusted."""

    job: Job
    checkpoints: Mapping[str, Checkpoint]

    async def observe(self, replica: Replica) -> Observation:
        """The replica's changes, or all of it; raises `MailboxError` or `TenantError`."""
        checkpoint = self.checkpoints.get(replica.mailbox)
        if checkpoint and self._trusts(checkpoint, replica):
            changed = await self._changes(replica, checkpoint)
            if changed:
                return changed
        whole = await self.job.services.contacts.observe(replica)
        return replace(whole, duplicates=checkpoint.duplicates) if checkpoint else whole

    def _trusts(self, checkpoint: Checkpoint, replica: Replica) -> bool:
        """Whether a delta round will do: it is distrusted once in a while, and never knows another folder."""
        if self.job.options.full or not checkpoint.delta_link or checkpoint.read_whole_at is None:
            return False
        if replica.is_hub and checkpoint.folder != replica.folder:
            return False
        age = self.job.services.clock.now() - checkpoint.read_whole_at
        return age < timedelta(hours=self.job.tenant.full_reconcile_hours)

    async def _changes(self, replica: Replica, checkpoint: Checkpoint) -> Observation | None:
        async def known(item_ids: Sequence[str]) -> Mapping[str, str]:
            try:
                links = await self.job.state.links_of_items(self.job.tenant.tenant_id, replica.mailbox, item_ids)
            except StateDamagedError:
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
            pending=checkpoint.pending,
            duplicates=checkpoint.duplicates,
        )
