"""The state in an Azure table: for runs on Azure, and for several machines that share one state.

| partition | row | holds |
|---|---|---|
| `tenant.lease` | `lease` | who runs |
| `tenant.progress` | mailbox | a checkpoint |
| `tenant.links.mailbox` | SyncId | a link |
| `tenant.versions` | `n.number` | a version |
| | `c.SyncId` | the newest version of a contact |
| | `s.SyncId.number` | which versions a contact has |
| `tenant.runs` | latest first | a run without its report |
| `tenant.report.run` | `report` | a run with its report |
| `tenant.parcels.run` | name | which parcel is the one of that name |
| | `name.digest` | a parcel |

The lease alone is written conditionally, by change marker; all else is written by the run that holds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from shared.errors import StateError
from shared.state import codec
from shared.state.table_client import Table
from shared.state.table_repair import drop_runs, drop_versions, text_of, version_rows
from shared.state.table_rows import Row, digest, digest_of, extra_keys, key, number_key, rows, value, values
from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, RunRecord, StoredLink
from shared.sync.stamp import SyncId

_TRIES = 10
_POINT_READS = 24
_COMPARISONS = 14  # a filter may have 15 (learn.microsoft.com/rest/api/storageservices/querying-tables-and-entities)
_LATEST = 10**20 - 1


class TableStateStore:
    """A `StateStore` in one table; the promises are the port's. It closes what it was given."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def acquire_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> Holder | None:
        return await self._take(tenant_id, holder, now, seconds, only_expired=True)

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        return await self._take(tenant_id, holder, now, seconds, only_expired=False) is None

    async def release_lease(self, tenant_id: str, holder: Holder) -> None:
        found = await self._table.read(f"{key(tenant_id)}.lease", "lease")
        if found and codec.decode_holder(value(found[0])) == holder:
            await self._table.remove(*found)

    async def lease_holder(self, tenant_id: str, now: datetime) -> Holder | None:
        found = await self._table.read(f"{key(tenant_id)}.lease", "lease")
        is_held = found is not None and found[0].text("Until") > text_of(now)
        return codec.decode_holder(value(found[0])) if found and is_held else None

    async def checkpoints(self, tenant_id: str) -> Mapping[str, Checkpoint]:
        found = await self._partition(f"{key(tenant_id)}.progress")
        checkpoints = [codec.decode_checkpoint(data) for _, data in values(found)]
        return {one.mailbox: one for one in checkpoints}

    async def save_checkpoint(self, tenant_id: str, checkpoint: Checkpoint) -> None:
        data = codec.encode_checkpoint(checkpoint)
        await self._table.write([rows(f"{key(tenant_id)}.progress", key(checkpoint.mailbox), data)])

    async def links(self, tenant_id: str, mailbox: str) -> Sequence[StoredLink]:
        return _links(await self._partition(_links_of(tenant_id, mailbox)))

    async def links_to(self, tenant_id: str, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        wanted = frozenset(sync_ids)
        if len(wanted) > _POINT_READS:
            return [link for link in await self.links(tenant_id, mailbox) if link.sync_id in wanted]
        partition = _links_of(tenant_id, mailbox)
        return _links(await self._whole(await self._table.read_each(partition, map(key, wanted))))

    async def links_of_items(self, tenant_id: str, mailbox: str, item_ids: Sequence[str]) -> Sequence[StoredLink]:
        wanted = list(dict.fromkeys(item_ids))
        if len(wanted) > 4 * _COMPARISONS:
            found = list(await self.links(tenant_id, mailbox))
        else:
            found = [
                link
                for start in range(0, len(wanted), _COMPARISONS)
                for link in await self._links_with(tenant_id, mailbox, wanted[start : start + _COMPARISONS])
            ]
        return [link for link in found if link.item_id in frozenset(wanted)]

    async def save_links(
        self, tenant_id: str, mailbox: str, links: Sequence[StoredLink], forgotten: Sequence[SyncId] = ()
    ) -> None:
        partition = _links_of(tenant_id, mailbox)
        newest = {link.sync_id: link for link in links}
        gone = [key(sync_id) for sync_id in dict.fromkeys(forgotten) if sync_id not in newest]
        await self._table.erase(partition, gone)
        await self._table.write(_link_rows(partition, link) for link in newest.values())

    async def current_versions(self, tenant_id: str) -> Mapping[SyncId, Version]:
        found = await self._range(_versions_of(tenant_id), "c.", "c/")
        versions = [codec.decode_version(data) for _, data in values(found)]
        return {one.sync_id: one for one in sorted(versions, key=lambda version: version.number)}

    async def versions(self, tenant_id: str, sync_id: SyncId) -> Sequence[Version]:
        partition, prefix = _versions_of(tenant_id), f"s.{key(sync_id)}"
        pointers = await self._range(partition, f"{prefix}.", f"{prefix}/", select=["Number"])
        numbers = [f"n.{pointer.text('Number')}" for pointer in pointers]
        return _in_order(await self._whole(await self._table.read_each(partition, numbers)))

    async def versions_since(self, tenant_id: str, number: int) -> Sequence[Version]:
        return _in_order(await self._range(_versions_of(tenant_id), f"n.{number_key(number)}", "n/"))

    async def add_versions(self, tenant_id: str, versions: Sequence[Version]) -> None:
        if not versions:
            return
        partition = _versions_of(tenant_id)
        lowest = min(version.number for version in versions)
        known = await self._range(partition, f"n.{number_key(lowest)}", "n/", select=["Number", "SyncId", "Parts"])
        numbers = {row.text("Number"): row.text("SyncId") for row in known if "Parts" in row.properties}
        newest = {sync_key: number for number, sync_key in sorted(numbers.items())}
        new = {number: one for one in reversed(versions) if (number := number_key(one.number)) not in numbers}
        for number, version in sorted(new.items()):
            newest[key(version.sync_id)] = max(number, newest.get(key(version.sync_id), ""))
        await self._table.write(
            version_rows(partition, version, is_newest=newest[key(version.sync_id)] == number)
            for number, version in sorted(new.items())
        )

    async def prune_versions(self, tenant_id: str, before: datetime) -> int:
        partition = _versions_of(tenant_id)
        condition = f"{_between(partition, 'n.', 'n/')} and At lt '{text_of(before)}'"
        old = {row.text("Number"): row for row in await self._table.query(condition, ["Number", "SyncId", "Parts"])}
        if not old:
            return 0
        newest = await self._range(partition, "c.", "c/", select=["Number"])
        unneeded = sorted(old.keys() - {row.text("Number") for row in newest if "Number" in row.properties})
        if unneeded:
            unneeded = sorted(frozenset(unneeded) - await self._bases(tenant_id, unneeded[0], unneeded[-1]))
        await self._table.erase(partition, [one for number in unneeded for one in _version_keys(old[number])])
        return len(unneeded)

    async def save_run(self, tenant_id: str, record: RunRecord) -> None:
        tenant = key(tenant_id)
        partition = f"{tenant}.report.{key(record.run_id)}"
        since = int(record.started_at.timestamp() * 1_000_000)
        place = f"{number_key(_LATEST - since)}.{key(record.run_id)}"
        known = await self._table.read(partition, "report")
        await self._table.write([rows(partition, "report", codec.encode_run(record), Listed=place)])
        await self._table.write([rows(f"{tenant}.runs", place, codec.encode_run(record, with_report=False))])
        former = known[0].properties.get("Listed") if known else None
        if isinstance(former, str) and former != place:
            await self._table.erase(f"{tenant}.runs", [former])

    async def runs(self, tenant_id: str, limit: int = 100) -> Sequence[RunRecord]:
        found = await self._table.query(f"PartitionKey eq '{key(tenant_id)}.runs'", limit=limit)
        return [codec.decode_run(data) for _, data in values(found)]

    async def run(self, tenant_id: str, run_id: str) -> RunRecord | None:
        found = await self._partition(f"{key(tenant_id)}.report.{key(run_id)}")
        return next((codec.decode_run(data) for _, data in values(found)), None)

    async def prune_runs(self, tenant_id: str, before: datetime) -> int:
        tenant = key(tenant_id)
        since = number_key(_LATEST - int(before.timestamp() * 1_000_000))
        old = await self._table.query(f"PartitionKey eq '{tenant}.runs' and RowKey gt '{since}/'")
        runs = [codec.decode_run(data) for _, data in values(old)]
        for run in runs:
            partition = f"{tenant}.report.{key(run.run_id)}"
            await self._table.erase(partition, [row.key for row in await self._partition(partition)])
        await self._table.erase(f"{tenant}.runs", [row.key for row in old])
        return len(runs)

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        partition = _parcels_of(tenant_id, run_id)
        if await self._table.read(partition, key(name)):
            return False
        # A parcel may need several rows, and only one can be written conditionally: the one that names the others.
        place = f"{key(name)}.{digest_of(data)}"
        await self._table.write([rows(partition, place, data)])
        return await self._table.insert(Row(partition, key(name), {"Place": place}))

    async def parcel(self, tenant_id: str, run_id: str, name: str) -> bytes | None:
        partition = _parcels_of(tenant_id, run_id)
        found = await self._table.read(partition, key(name))
        if found is None:
            return None
        heads = await self._table.read_each(partition, [found[0].text("Place")])
        return next((data for _, data in values(await self._whole(heads))), None)

    async def forget_parcels(self, tenant_id: str, but: str = "") -> None:
        await self._forget(f"{key(tenant_id)}.parcels", kept=_parcels_of(tenant_id, but))

    async def forget_progress(self, tenant_id: str) -> None:
        # The checkpoints first: with one that outlived the links, only changes were read, and compared with nothing.
        partition = f"{key(tenant_id)}.progress"
        rows_there = await self._table.query(f"PartitionKey eq '{partition}'", ["Parts"])
        await self._table.erase(partition, [row.key for row in rows_there])
        await self._forget(f"{key(tenant_id)}.links")

    async def drop_unreadable(self, tenant_id: str) -> int:
        versions = await drop_versions(self._table, _versions_of(tenant_id))
        return versions + await drop_runs(self._table, key(tenant_id))

    async def forget_tenant(self, tenant_id: str) -> None:
        await self._forget(key(tenant_id))

    async def _forget(self, prefix: str, kept: str = "") -> None:
        """Erase all partitions whose name goes on from here, but for one."""
        condition = f"PartitionKey ge '{prefix}.' and PartitionKey lt '{prefix}/'"
        partitions: dict[str, list[str]] = {}
        for row in await self._table.query(condition, ["Parts"]):
            partitions.setdefault(row.partition, []).append(row.key)
        for partition in partitions.keys() - {kept}:
            await self._table.erase(partition, partitions[partition])

    async def close(self) -> None:
        await self._table.close()

    async def _take(
        self, tenant_id: str, holder: Holder, now: datetime, seconds: float, *, only_expired: bool
    ) -> Holder | None:
        until = text_of(now + timedelta(seconds=seconds))
        (wanted,) = rows(f"{key(tenant_id)}.lease", "lease", codec.encode_holder(holder), Until=until)
        for attempt in range(_TRIES):
            found = await self._table.read(wanted.partition, wanted.key)
            if found is None:
                if await self._table.insert(wanted):
                    return None
                continue
            row, marker = found
            held = codec.decode_holder(value(row))
            if attempt and held == holder and row.text("Until") > text_of(now + timedelta(seconds=seconds / 2)):
                return None  # another process of the same holder was quicker
            if held != holder and not (only_expired and row.text("Until") <= text_of(now)):
                return held
            if await self._table.replace(wanted, marker):
                return None
        raise StateError(
            f"Tenant {tenant_id}: many runs want its lease at once.", hint="Nothing to do: the next run tries again."
        )

    async def _partition(self, partition: str) -> list[Row]:
        return await self._table.query(f"PartitionKey eq '{partition}'")

    async def _range(self, partition: str, first: str, end: str, select: Sequence[str] = ()) -> list[Row]:
        return await self._table.query(_between(partition, first, end), select)

    async def _whole(self, heads: Iterable[Row]) -> list[Row]:
        """First rows with the other rows of their values."""
        found = list(heads)
        for head in list(found):
            found += await self._table.read_each(head.partition, extra_keys(head))
        return found

    async def _links_with(self, tenant_id: str, mailbox: str, item_ids: Sequence[str]) -> list[StoredLink]:
        items = " or ".join(f"Item eq '{digest(item_id)}'" for item_id in item_ids)
        found = await self._table.query(f"PartitionKey eq '{_links_of(tenant_id, mailbox)}' and ({items})")
        return _links(await self._whole(found))

    async def _bases(self, tenant_id: str, lowest: str, highest: str) -> frozenset[str]:
        """Which versions between these two are a link's base; the one question that goes through all mailboxes."""
        tenant = f"{key(tenant_id)}.links"
        condition = (
            f"PartitionKey ge '{tenant}.' and PartitionKey lt '{tenant}/'"
            f" and Base ge '{lowest}' and Base le '{highest}'"
        )
        return frozenset(row.text("Base") for row in await self._table.query(condition, ["Base"]))


def _between(partition: str, first: str, end: str) -> str:
    return f"PartitionKey eq '{partition}' and RowKey ge '{first}' and RowKey lt '{end}'"


def _links_of(tenant_id: str, mailbox: str) -> str:
    return f"{key(tenant_id)}.links.{key(mailbox)}"


def _versions_of(tenant_id: str) -> str:
    return f"{key(tenant_id)}.versions"


def _parcels_of(tenant_id: str, run_id: str) -> str:
    return f"{key(tenant_id)}.parcels.{key(run_id)}"


def _link_rows(partition: str, link: StoredLink) -> list[Row]:
    columns = {"Item": digest(link.item_id), "Base": number_key(link.base)}
    return rows(partition, key(link.sync_id), codec.encode_link(link), **columns)


def _links(found: Iterable[Row]) -> list[StoredLink]:
    return [codec.decode_link(data) for _, data in values(found)]


def _version_keys(row: Row) -> list[str]:
    """All keys that a version which is no contact's newest has."""
    return [f"s.{row.text('SyncId')}.{row.text('Number')}", *extra_keys(row), row.key]


def _in_order(found: Iterable[Row]) -> list[Version]:
    return sorted((codec.decode_version(data) for _, data in values(found)), key=lambda version: version.number)
