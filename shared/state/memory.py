"""The state in this process's memory: the reference of the port, and what a run without a place for its state uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, RunRecord, StoredLink
from shared.sync.stamp import SyncId


@dataclass(slots=True)
class _Tenant:
    lease: tuple[Holder, datetime] | None = None
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    links: dict[str, dict[SyncId, StoredLink]] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    runs: dict[str, RunRecord] = field(default_factory=dict)
    parcels: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def newest(self) -> dict[SyncId, Version]:
        """The newest version of each contact."""
        return {version.sync_id: version for _, version in sorted(self.versions.items())}


class MemoryStateStore:
    """A `StateStore` that ends with its process; the promises are the port's."""

    def __init__(self) -> None:
        self._tenants: dict[str, _Tenant] = {}

    def _of(self, tenant_id: str) -> _Tenant:
        return self._tenants.setdefault(tenant_id, _Tenant())

    async def acquire_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> Holder | None:
        tenant = self._of(tenant_id)
        if tenant.lease and tenant.lease[0] != holder and tenant.lease[1] > now:
            return tenant.lease[0]
        tenant.lease = holder, now + timedelta(seconds=seconds)
        return None

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        tenant = self._of(tenant_id)
        if tenant.lease and tenant.lease[0] != holder:
            return False
        tenant.lease = holder, now + timedelta(seconds=seconds)
        return True

    async def release_lease(self, tenant_id: str, holder: Holder) -> None:
        tenant = self._of(tenant_id)
        if tenant.lease and tenant.lease[0] == holder:
            tenant.lease = None

    async def lease_holder(self, tenant_id: str, now: datetime) -> Holder | None:
        lease = self._of(tenant_id).lease
        return lease[0] if lease and lease[1] > now else None

    async def checkpoints(self, tenant_id: str) -> Mapping[str, Checkpoint]:
        return dict(self._of(tenant_id).checkpoints)

    async def save_checkpoint(self, tenant_id: str, checkpoint: Checkpoint) -> None:
        self._of(tenant_id).checkpoints[checkpoint.mailbox] = checkpoint

    async def links(self, tenant_id: str, mailbox: str) -> Sequence[StoredLink]:
        return tuple(self._of(tenant_id).links.get(mailbox, {}).values())

    async def links_to(self, tenant_id: str, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        known = self._of(tenant_id).links.get(mailbox, {})
        return tuple(known[sync_id] for sync_id in dict.fromkeys(sync_ids) if sync_id in known)

    async def links_of_items(self, tenant_id: str, mailbox: str, item_ids: Sequence[str]) -> Sequence[StoredLink]:
        wanted = frozenset(item_ids)
        return tuple(link for link in await self.links(tenant_id, mailbox) if link.item_id in wanted)

    async def save_links(
        self, tenant_id: str, mailbox: str, links: Sequence[StoredLink], forgotten: Sequence[SyncId] = ()
    ) -> None:
        known = self._of(tenant_id).links.setdefault(mailbox, {})
        for sync_id in forgotten:
            known.pop(sync_id, None)
        known.update({link.sync_id: link for link in links})

    async def current_versions(self, tenant_id: str) -> Mapping[SyncId, Version]:
        return self._of(tenant_id).newest()

    async def versions(self, tenant_id: str, sync_id: SyncId) -> Sequence[Version]:
        return tuple(version for version in await self.versions_since(tenant_id, 0) if version.sync_id == sync_id)

    async def versions_since(self, tenant_id: str, number: int) -> Sequence[Version]:
        return tuple(version for known, version in sorted(self._of(tenant_id).versions.items()) if known >= number)

    async def add_versions(self, tenant_id: str, versions: Sequence[Version]) -> None:
        known = self._of(tenant_id).versions
        for version in versions:
            known.setdefault(version.number, version)

    async def prune_versions(self, tenant_id: str, before: datetime) -> int:
        tenant = self._of(tenant_id)
        kept = {version.number for version in tenant.newest().values()}
        kept |= {link.base for links in tenant.links.values() for link in links.values()}
        old = [number for number, one in tenant.versions.items() if one.at < before and number not in kept]
        for number in old:
            del tenant.versions[number]
        return len(old)

    async def save_run(self, tenant_id: str, record: RunRecord) -> None:
        self._of(tenant_id).runs[record.run_id] = record

    async def runs(self, tenant_id: str, limit: int = 100) -> Sequence[RunRecord]:
        newest = sorted(self._of(tenant_id).runs.values(), key=lambda one: (one.started_at, one.run_id), reverse=True)
        return tuple(replace(record, report={}) for record in newest[:limit])

    async def run(self, tenant_id: str, run_id: str) -> RunRecord | None:
        return self._of(tenant_id).runs.get(run_id)

    async def prune_runs(self, tenant_id: str, before: datetime) -> int:
        runs = self._of(tenant_id).runs
        old = [run_id for run_id, record in runs.items() if record.started_at < before]
        for run_id in old:
            del runs[run_id]
        return len(old)

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        parcels = self._of(tenant_id).parcels
        is_new = (run_id, name) not in parcels
        parcels.setdefault((run_id, name), data)
        return is_new

    async def parcel(self, tenant_id: str, run_id: str, name: str) -> bytes | None:
        return self._of(tenant_id).parcels.get((run_id, name))

    async def forget_parcels(self, tenant_id: str, but: str = "") -> None:
        tenant = self._of(tenant_id)
        tenant.parcels = {place: data for place, data in tenant.parcels.items() if place[0] == but}

    async def forget_progress(self, tenant_id: str) -> None:
        tenant = self._of(tenant_id)
        tenant.checkpoints, tenant.links = {}, {}

    async def drop_unreadable(self, tenant_id: str) -> int:  # noqa: ARG002 - values of any tenant can be read
        return 0

    async def forget_tenant(self, tenant_id: str) -> None:
        self._tenants.pop(tenant_id, None)

    async def close(self) -> None:
        """Nothing to let go of."""
