"""The state in one SQLite file: the default where there is no Azure."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from shared.state import codec
from shared.state.sqlite_file import SqliteFile
from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, RunRecord, StoredLink
from shared.sync.stamp import SyncId

_T = TypeVar("_T")

_PUT_LEASE = "INSERT OR REPLACE INTO leases (tenant, until, data) VALUES (?, ?, ?)"
_PUT_CHECKPOINT = "INSERT OR REPLACE INTO checkpoints (tenant, mailbox, data) VALUES (?, ?, ?)"
_PUT_LINK = "INSERT OR REPLACE INTO links (tenant, mailbox, sync_id, item_id, base, data) VALUES (?, ?, ?, ?, ?, ?)"
_PUT_VERSION = "INSERT OR IGNORE INTO versions (tenant, number, sync_id, at, data) VALUES (?, ?, ?, ?, ?)"
_PUT_RUN = "INSERT OR REPLACE INTO runs (tenant, run_id, started_at, head, data) VALUES (?, ?, ?, ?, ?)"
_CURRENT = (
    "SELECT data FROM versions JOIN (SELECT MAX(number) AS newest FROM versions WHERE tenant = ?1 GROUP BY sync_id)"
    " ON number = newest WHERE tenant = ?1 ORDER BY number"
)
_PRUNE = (
    "DELETE FROM versions WHERE tenant = ?1 AND at < ?2"
    " AND number NOT IN (SELECT MAX(number) FROM versions WHERE tenant = ?1 GROUP BY sync_id)"
    " AND number NOT IN (SELECT base FROM links WHERE tenant = ?1)"
)
_VERSIONS = "SELECT number, data FROM versions WHERE tenant = ?"
_RUNS = "SELECT run_id, head, data FROM runs WHERE tenant = ?"
_PUT_PARCEL = "INSERT OR IGNORE INTO parcels (tenant, run_id, name, data) VALUES (?, ?, ?, ?)"
_TABLES = ("leases", "checkpoints", "links", "versions", "runs", "parcels")


class SqliteStateStore:
    """A `StateStore` in one file; the promises are the port's. Nothing is opened before the first call.

    While another process writes, a call waits for `busy_seconds` at most. With `read_only` no file is made or put
    aside.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 10, read_only: bool = False) -> None:
        self._file = SqliteFile(path, busy_seconds, read_only=read_only)

    async def acquire_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> Holder | None:
        def work(db: sqlite3.Connection) -> Holder | None:
            held = _lease(db, tenant_id)
            if held and held[0] != holder and held[1] > _text(now):
                return held[0]
            _put_lease(db, tenant_id, holder, now + timedelta(seconds=seconds))
            return None

        return await self._file.do(work, write=True)

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            held = _lease(db, tenant_id)
            if held and held[0] != holder:
                return False
            _put_lease(db, tenant_id, holder, now + timedelta(seconds=seconds))
            return True

        return await self._file.do(work, write=True)

    async def release_lease(self, tenant_id: str, holder: Holder) -> None:
        def work(db: sqlite3.Connection) -> None:
            held = _lease(db, tenant_id)
            if held and held[0] == holder:
                db.execute("DELETE FROM leases WHERE tenant = ?", (tenant_id,))

        await self._file.do(work, write=True)

    async def lease_holder(self, tenant_id: str, now: datetime) -> Holder | None:
        held = await self._file.do(lambda db: _lease(db, tenant_id))
        return held[0] if held and held[1] > _text(now) else None

    async def checkpoints(self, tenant_id: str) -> Mapping[str, Checkpoint]:
        query = "SELECT data FROM checkpoints WHERE tenant = ?"
        found = await self._all(query, (tenant_id,), codec.decode_checkpoint)
        return {checkpoint.mailbox: checkpoint for checkpoint in found}

    async def save_checkpoint(self, tenant_id: str, checkpoint: Checkpoint) -> None:
        await self._put(_PUT_CHECKPOINT, [(tenant_id, checkpoint.mailbox, codec.encode_checkpoint(checkpoint))])

    async def links(self, tenant_id: str, mailbox: str) -> Sequence[StoredLink]:
        query = "SELECT data FROM links WHERE tenant = ? AND mailbox = ?"
        return await self._all(query, (tenant_id, mailbox), codec.decode_link)

    async def links_to(self, tenant_id: str, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        query = "SELECT data FROM links WHERE tenant = ? AND mailbox = ? AND sync_id = ?"

        def work(db: sqlite3.Connection) -> list[StoredLink]:
            found = (db.execute(query, (tenant_id, mailbox, one)).fetchone() for one in dict.fromkeys(sync_ids))
            return [codec.decode_link(row[0]) for row in found if row]

        return await self._file.do(work)

    async def links_of_items(self, tenant_id: str, mailbox: str, item_ids: Sequence[str]) -> Sequence[StoredLink]:
        wanted = frozenset(item_ids)
        query = "SELECT item_id, data FROM links WHERE tenant = ? AND mailbox = ?"

        def work(db: sqlite3.Connection) -> list[StoredLink]:
            rows = db.execute(query, (tenant_id, mailbox))
            return [codec.decode_link(data) for item_id, data in rows if item_id in wanted]

        return await self._file.do(work) if wanted else ()

    async def save_links(
        self, tenant_id: str, mailbox: str, links: Sequence[StoredLink], forgotten: Sequence[SyncId] = ()
    ) -> None:
        gone = [(tenant_id, mailbox, sync_id) for sync_id in forgotten]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM links WHERE tenant = ? AND mailbox = ? AND sync_id = ?", gone)
            rows = ((one.sync_id, one.item_id, one.base, codec.encode_link(one)) for one in links)
            db.executemany(_PUT_LINK, ((tenant_id, mailbox, *row) for row in rows))

        if links or gone:
            await self._file.do(work, write=True)

    async def current_versions(self, tenant_id: str) -> Mapping[SyncId, Version]:
        found = await self._all(_CURRENT, (tenant_id,), codec.decode_version)
        return {version.sync_id: version for version in found}

    async def versions(self, tenant_id: str, sync_id: SyncId) -> Sequence[Version]:
        query = "SELECT data FROM versions WHERE tenant = ? AND sync_id = ? ORDER BY number"
        return await self._all(query, (tenant_id, sync_id), codec.decode_version)

    async def versions_since(self, tenant_id: str, number: int) -> Sequence[Version]:
        query = "SELECT data FROM versions WHERE tenant = ? AND number >= ? ORDER BY number"
        return await self._all(query, (tenant_id, number), codec.decode_version)

    async def add_versions(self, tenant_id: str, versions: Sequence[Version]) -> None:
        rows = [(tenant_id, one.number, one.sync_id, _text(one.at), codec.encode_version(one)) for one in versions]
        if rows:
            await self._put(_PUT_VERSION, rows)

    async def prune_versions(self, tenant_id: str, before: datetime) -> int:
        def work(db: sqlite3.Connection) -> int:
            return db.execute(_PRUNE, (tenant_id, _text(before))).rowcount

        return await self._file.do(work, write=True)

    async def save_run(self, tenant_id: str, record: RunRecord) -> None:
        head = codec.encode_run(record, with_report=False)
        await self._put(
            _PUT_RUN, [(tenant_id, record.run_id, _text(record.started_at), head, codec.encode_run(record))]
        )

    async def runs(self, tenant_id: str, limit: int = 100) -> Sequence[RunRecord]:
        query = "SELECT head FROM runs WHERE tenant = ? ORDER BY started_at DESC, run_id DESC LIMIT ?"
        return await self._all(query, (tenant_id, limit), codec.decode_run)

    async def run(self, tenant_id: str, run_id: str) -> RunRecord | None:
        query = "SELECT data FROM runs WHERE tenant = ? AND run_id = ?"
        return next(iter(await self._all(query, (tenant_id, run_id), codec.decode_run)), None)

    async def prune_runs(self, tenant_id: str, before: datetime) -> int:
        def work(db: sqlite3.Connection) -> int:
            condition = "DELETE FROM runs WHERE tenant = ? AND started_at < ?"
            return db.execute(condition, (tenant_id, _text(before))).rowcount

        return await self._file.do(work, write=True)

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        row = (tenant_id, run_id, name, data)
        return await self._file.do(lambda db: db.execute(_PUT_PARCEL, row).rowcount == 1, write=True)

    async def parcel(self, tenant_id: str, run_id: str, name: str) -> bytes | None:
        query = "SELECT data FROM parcels WHERE tenant = ? AND run_id = ? AND name = ?"
        return next(iter(await self._all(query, (tenant_id, run_id, name), bytes)), None)

    async def forget_parcels(self, tenant_id: str, but: str = "") -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM parcels WHERE tenant = ? AND run_id <> ?", (tenant_id, but))

        await self._file.do(work, write=True)

    async def forget_progress(self, tenant_id: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM checkpoints WHERE tenant = ?", (tenant_id,))
            db.execute("DELETE FROM links WHERE tenant = ?", (tenant_id,))

        await self._file.do(work, write=True)

    async def drop_unreadable(self, tenant_id: str) -> int:
        def work(db: sqlite3.Connection) -> int:
            versions, runs = db.execute(_VERSIONS, (tenant_id,)), db.execute(_RUNS, (tenant_id,))
            bad = [(tenant_id, number) for number, data in versions if codec.is_damaged(codec.decode_version, data)]
            lost = [(tenant_id, run_id) for run_id, *data in runs if any(map(_is_no_run, data))]
            db.executemany("DELETE FROM versions WHERE tenant = ? AND number = ?", bad)
            db.executemany("DELETE FROM runs WHERE tenant = ? AND run_id = ?", lost)
            return len(bad) + len(lost)

        return await self._file.do(work, write=True)

    async def forget_tenant(self, tenant_id: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant_id,))  # noqa: S608 - a name of ours

        await self._file.do(work, write=True)

    async def close(self) -> None:
        await self._file.close()

    async def _all(self, query: str, keys: tuple[object, ...], decode: Callable[[bytes], _T]) -> list[_T]:
        return await self._file.do(lambda db: [decode(row[0]) for row in db.execute(query, keys)])

    async def _put(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.executemany(statement, rows)

        await self._file.do(work, write=True)


def _is_no_run(data: bytes) -> bool:
    return codec.is_damaged(codec.decode_run, data)


def _lease(db: sqlite3.Connection, tenant_id: str) -> tuple[Holder, str] | None:
    row = db.execute("SELECT data, until FROM leases WHERE tenant = ?", (tenant_id,)).fetchone()
    return (codec.decode_holder(row[0]), row[1]) if row else None


def _put_lease(db: sqlite3.Connection, tenant_id: str, holder: Holder, until: datetime) -> None:
    db.execute(_PUT_LEASE, (tenant_id, _text(until), codec.encode_holder(holder)))


def _text(moment: datetime) -> str:
    """A time such that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
