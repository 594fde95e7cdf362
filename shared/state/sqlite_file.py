"""One SQLite file: opened on first use, worked on by one thread, put aside when it is damaged.

WAL with `synchronous=NORMAL`: a process killed at any moment loses no finished transaction, a power cut at most the
last ones, and neither leaves the file damaged (sqlite.org/wal.html). Several processes may share the file, on one
machine: WAL does not work over a network file system.
"""

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

from shared.errors import StateDamagedError, StateError

_APPLICATION: Final = 0x434D6972  # "CMir"
_SCHEMA_VERSION: Final = 1
# Links are clustered by mailbox: the rare look-up by item id reads one mailbox and needs no second index of long ids.
_SCHEMA: Final = f"""
CREATE TABLE leases (tenant TEXT PRIMARY KEY, until TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE checkpoints (tenant TEXT, mailbox TEXT, data BLOB NOT NULL, PRIMARY KEY (tenant, mailbox)) WITHOUT ROWID;
CREATE TABLE links (
    tenant TEXT, mailbox TEXT, sync_id TEXT, item_id TEXT NOT NULL, base INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, mailbox, sync_id)
) WITHOUT ROWID;
CREATE TABLE versions (
    tenant TEXT, number INTEGER, sync_id TEXT NOT NULL, at TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE INDEX versions_of_a_contact ON versions (tenant, sync_id, number);
CREATE TABLE runs (
    tenant TEXT, run_id TEXT, started_at TEXT NOT NULL, head BLOB NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, run_id)
);
CREATE INDEX runs_by_start ON runs (tenant, started_at);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_SCHEMA_VERSION}"""
# Beside the schema's version, so that an older release takes the file for its own: it has no need of them.
_PARCELS: Final = """
CREATE TABLE IF NOT EXISTS parcels (
    tenant TEXT, run_id TEXT, name TEXT, data BLOB NOT NULL,
    PRIMARY KEY (tenant, run_id, name)
) WITHOUT ROWID"""
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TROUBLES: Final = {
    sqlite3.SQLITE_BUSY: ("is busy: another process keeps it locked", "End the other process, or try again"),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "Make room on the disk"),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "Give this user the right to write it"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that the folder exists and that this user may write in it"),
    sqlite3.SQLITE_PERM: ("cannot be opened", "Give this user the right to read and write it"),
}
_ELSEWHERE: Final = "or set AUTOMATION_SYNCCONTACTS_STATE_URL to another place."

_T = TypeVar("_T")


class SqliteFile:
    """The file and its thread. `do` runs a function on it in a transaction; all errors come out as `StateError`.

    With `read_only` no file is made or put aside: one that is not there, but could be made, reads as empty.
    """

    def __init__(self, path: Path, busy_seconds: float, *, read_only: bool = False) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._read_only = read_only
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")

    async def do(self, work: Callable[[sqlite3.Connection], _T], *, write: bool = False) -> _T:
        """What `work` returns; with `write` it is one transaction that nobody else's write can come between."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._do, work, write)

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _do(self, work: Callable[[sqlite3.Connection], _T], write: bool) -> _T:
        with self._errors():
            if self._connection is not None and self._has_moved():
                self._disconnect()  # another process has put it aside: what is written there nobody would see
            connection = self._connection or self._connect()
            with _transaction(connection, "IMMEDIATE" if write else "DEFERRED"):
                return work(connection)

    def _connect(self) -> sqlite3.Connection:
        if self._read_only and not (self._path.exists() and self._path.stat().st_size):
            self._refuse_folder()
            return self._open(":memory:")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It holds personal data: only its owner may read it. SQLite gives the files beside it the same mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        self._inode = self._path.stat().st_ino
        return self._open(self._path)

    def _refuse_folder(self) -> None:
        """Fail as making the file would."""
        parent = next(folder for folder in self._path.parents if folder.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            code = errno.EACCES if parent.is_dir() else errno.ENOTDIR
            raise OSError(code, os.strerror(code))

    def _open(self, place: str | Path) -> sqlite3.Connection:
        connection = sqlite3.connect(
            place, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        self._connection = connection
        self._prepare(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        self._refuse_foreign(connection)
        _switch_to_wal(connection, self._busy_seconds)
        # Who only looks does not wait for another process to end its write.
        with _transaction(connection, "DEFERRED" if self._read_only else "IMMEDIATE"):
            if _pragma(connection, "user_version") == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            if not (self._read_only and self._path.exists()):
                connection.execute(_PARCELS)

    def _refuse_foreign(self, connection: sqlite3.Connection) -> None:
        """Neither touch another program's database nor guess at the tables of a newer release."""
        empty = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
        if not empty and _pragma(connection, "application_id") != _APPLICATION:
            self._disconnect()
            raise StateError(
                f"The file {self._path} is another program's database.",
                hint="Set AUTOMATION_SYNCCONTACTS_STATE_URL to a file of its own.",
            )
        if (found := _pragma(connection, "user_version")) > _SCHEMA_VERSION:
            raise StateDamagedError(
                f"The state in {self._path} was written by a newer release "
                f"(format {found}; this one reads up to {_SCHEMA_VERSION}). {self._set_aside()}",
                hint="A run goes on without it and rebuilds it. To use the old one, install the newer release again"
                f"{' before that' if self._read_only else ' and give the file its name back'}.",
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise self._damaged() from error
            self._disconnect()  # the next call begins anew
            end, hint = _TROUBLES.get(code, ("cannot be used", "Check the disk"))
            detail = getattr(error, "sqlite_errorname", type(error).__name__)
            raise StateError(f"The state in {self._path} {end} ({detail}).", hint=f"{hint}, {_ELSEWHERE}") from error
        except OSError as error:
            raise StateError(
                f"The state in {self._path} cannot be opened: {error.strerror or type(error).__name__}.",
                hint=f"Give this user the right to write there, {_ELSEWHERE}",
            ) from error

    def _damaged(self) -> StateDamagedError:
        return StateDamagedError(
            f"The state in {self._path} is damaged. {self._set_aside()}",
            hint="Nothing to do: a run goes on without it, reads everything and rebuilds it. "
            "The history up to now is in that file alone.",
        )

    def _set_aside(self) -> str:
        """Put the file aside, and say so; with `read_only` that is left to the next run."""
        if self._read_only:
            self._disconnect()
            return "The next run puts it aside."
        return f"It was put aside as {self._put_aside()}."

    def _put_aside(self) -> str:
        """Rename the file and what SQLite keeps beside it, unless another process has done so; tells the new name."""
        self._disconnect()
        if self._has_moved():
            return "another file by another process"
        aside = next(name for number in count(1) if not (name := self._aside(number)).exists())
        # The log first: left behind, it would be taken for the new file's.
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{self._path}{suffix}").rename(f"{aside}{suffix}")
        return aside.name

    def _has_moved(self) -> bool:
        return not self._path.exists() or self._path.stat().st_ino != self._inode

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}.damaged-{number}{self._path.suffix}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):  # a damaged file may not even close well; the connection is gone all the same
                connection.close()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _switch_to_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Two processes that do this to a new file at once refuse each other without waiting, so try again."""
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors; the first one counts
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
