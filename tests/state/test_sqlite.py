"""The state in one file: killed, damaged, shared, refused."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import StateDamagedError, StateError
from shared.state.sqlite import SqliteStateStore
from tests.builders import at, guid
from tests.state.builders import checkpoint, holder, link, run, version

ROOT = Path(__file__).parents[2]
WRITER = """
import asyncio, sys
from pathlib import Path
from shared.state.sqlite import SqliteStateStore
from tests.state.builders import checkpoint, link, version

async def main():
    store = SqliteStateStore(Path(sys.argv[1]))
    for number in range(1, 100_000):
        await store.add_versions("t", [version(number)])
        await store.save_links("t", "m", [link("m", person, base=number) for person in range(50)])
        await store.save_checkpoint("t", checkpoint("m", number))
        print(number, flush=True)

asyncio.run(main())
"""
TAKER = """
import asyncio, sys
from pathlib import Path
from shared.state.sqlite import SqliteStateStore
from tests.builders import at
from tests.state.builders import checkpoint, holder

async def main():
    store = SqliteStateStore(Path(sys.argv[1]))
    print(await store.acquire_lease("t", holder(sys.argv[2]), at(0), 60) is None)
    for number in range(20):
        await store.save_checkpoint("t", checkpoint(f"{sys.argv[2]}-{number}"))
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be, in a folder that is not there yet."""
    return tmp_path / "folder" / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStateStore]:
    """The state in it."""
    one = SqliteStateStore(path)
    yield one
    await one.close()


def start(program: str, *words: str) -> "subprocess.Popen[str]":
    """Run a program of these tests beside them."""
    return subprocess.Popen([sys.executable, "-c", program, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def filled(path: Path) -> None:
    """A state with something in every corner of its file."""
    store = SqliteStateStore(path)
    await store.add_versions("t", [version(number, number) for number in range(300)])
    await store.save_links("t", "m", [link("m", person) for person in range(300)])
    await store.close()


async def test_a_killed_writer_leaves_a_readable_state(path: Path, store: SqliteStateStore) -> None:
    """Everything it had confirmed is there, each save whole or not at all, and writing goes on."""
    with start(WRITER, str(path)) as writer:
        assert writer.stdout
        confirmed = next(int(line) for line in writer.stdout if int(line) >= 20)
        writer.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        confirmed = max([confirmed, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    assert (await store.checkpoints("t"))["m"].watermark >= confirmed
    links = await store.links("t", "m")
    assert len(links) == 50
    assert len({one.base for one in links}) == 1
    assert [one.number for one in await store.versions("t", guid(1))][:confirmed] == list(range(1, confirmed + 1))
    await store.add_versions("t", [version(200_000)])
    assert (await store.current_versions("t"))[guid(1)].number == 200_000


async def test_several_processes_share_a_new_file(path: Path, store: SqliteStateStore) -> None:
    """One of them gets the lease, and all of them save."""
    running = [start(TAKER, str(path), name) for name in "abc"]
    answers = [process.communicate()[0].strip() for process in running]
    assert sorted(answers) == ["False", "False", "True"]
    assert len(await store.checkpoints("t")) == 60


@pytest.mark.parametrize("damage", ["no database", "a page overwritten", "cut off"])
async def test_a_damaged_file_is_put_aside(path: Path, store: SqliteStateStore, damage: str) -> None:
    """It is told once, with the new name; then the state is empty and usable, and nothing of the old file is lost."""
    await filled(path)
    whole = path.read_bytes()
    damaged = {
        "no database": b"not a database" * 1000,
        "a page overwritten": whole[:4096] + b"\xff" * (len(whole) - 4096),
        "cut off": whole[: len(whole) // 2],
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(StateDamagedError, match=r"damaged.*put aside as state\.damaged-1\.db"):
        await store.links("t", "m")
    assert path.with_name("state.damaged-1.db").read_bytes() == damaged
    assert list(await store.links("t", "m")) == []
    await store.save_links("t", "m", [link("m", 1)])
    assert list(await store.links("t", "m")) == [link("m", 1)]


async def test_damage_during_work_takes_the_log_along(path: Path, store: SqliteStateStore) -> None:
    """What SQLite keeps beside a damaged file is never taken for the new file's; a second one gets its own name."""
    await filled(path)
    path.with_name("state.damaged-1.db").write_bytes(b"an older one")
    other = SqliteStateStore(path)
    await other.save_links("t", "m", [link("m", 1, base=2)])
    assert path.with_name("state.db-wal").stat().st_size > 0
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))
    with pytest.raises(StateDamagedError, match=r"state\.damaged-2\.db"):
        await store.current_versions("t")
    await store.save_links("t", "m", [link("m", 3)])
    assert list(await store.links("t", "m")) == [link("m", 3)]
    assert list(await other.links("t", "m")) == [link("m", 3)]
    await other.close()
    assert list(await store.links("t", "m")) == [link("m", 3)]
    assert path.with_name("state.damaged-1.db").read_bytes() == b"an older one"


async def test_a_client_of_a_file_put_aside_goes_over_to_the_new_one(path: Path) -> None:
    """One of two runs notices the damage; the other is told at its next renewal that it no longer has the lease."""
    await filled(path)
    first, second = SqliteStateStore(path), SqliteStateStore(path)
    await second.acquire_lease("t", holder("b"), at(0), 60)
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(StateDamagedError):
        await first.checkpoints("t")
    await first.acquire_lease("t", holder("a"), at(0), 60)
    assert await second.renew_lease("t", holder("b"), at(0), 60) is False
    assert [each.name for each in path.parent.glob("*.db")].count("state.damaged-2.db") == 0
    await first.close()
    await second.close()


async def test_a_damaged_row_spoils_its_tenant_only(path: Path, store: SqliteStateStore) -> None:
    """Forgetting that tenant mends it."""
    await filled(path)
    await store.save_checkpoint("other", checkpoint("m"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE links SET data = x'00' WHERE tenant = 't' AND sync_id = ?", (guid(1),))
    database.close()
    with pytest.raises(StateDamagedError, match="link in the state cannot be read"):
        await store.links("t", "m")
    await store.forget_tenant("t")
    assert list(await store.links("t", "m")) == []
    assert "m" in await store.checkpoints("other")


async def test_damaged_versions_and_runs_are_dropped_singly(path: Path, store: SqliteStateStore) -> None:
    """The others stay, another tenant's too; a row of a newer release is none of them."""
    for tenant in ("t", "other"):
        await store.add_versions(tenant, [version(1), version(2), version(3, 2)])
        for run_id in ("a", "b", "c"):
            await store.save_run(tenant, run(run_id))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE versions SET data = x'00' WHERE tenant = 't' AND number = 2")
        database.execute("UPDATE runs SET head = x'00' WHERE tenant = 't' AND run_id = 'a'")
        database.execute("UPDATE runs SET data = CAST('{\"format\":99}' AS BLOB) WHERE tenant = 't' AND run_id = 'b'")
    database.close()
    assert await store.drop_unreadable("t") == 2
    assert [one.number for one in await store.versions_since("t", 0)] == [1, 3]
    assert {one.number for one in (await store.current_versions("t")).values()} == {1, 3}
    assert [one.run_id for one in await store.runs("t")] == ["c", "b"]
    assert (len(await store.versions_since("other", 0)), len(await store.runs("other"))) == (3, 3)


async def test_a_newer_releases_file_is_put_aside_whole(path: Path, store: SqliteStateStore) -> None:
    """It is not guessed at, and can be had back."""
    await filled(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StateDamagedError, match=r"newer release \(format 99.*state\.damaged-1\.db"):
        await store.links("t", "m")
    assert list(await store.links("t", "m")) == []


async def test_another_programs_database_is_left_alone(path: Path, store: SqliteStateStore) -> None:
    """A wrong path is a sentence, not a loss."""
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (id)")
    database.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StateError, match="another program's database"):
            await store.links("t", "m")
    assert path.read_bytes() == before


async def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    """A folder in the file's place, and a file in the folder's."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "state.db"):
        store = SqliteStateStore(path)
        with pytest.raises(StateError, match="cannot be opened") as caught:
            await store.checkpoints("t")
        assert "AUTOMATION_SYNCCONTACTS_STATE_URL" in caught.value.hint
        await store.close()


async def test_a_file_that_another_process_keeps_locked(path: Path) -> None:
    """It is waited for with patience that ends; when it is free again all is well."""
    store = SqliteStateStore(path, busy_seconds=0.05)
    await store.checkpoints("t")
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=r"is busy.*SQLITE_BUSY"):
            await store.save_checkpoint("t", checkpoint("m"))
        database.execute("ROLLBACK")
    database.close()
    await store.save_checkpoint("t", checkpoint("m"))
    assert "m" in await store.checkpoints("t")
    await store.close()


async def test_a_new_file_that_another_process_keeps_locked(path: Path) -> None:
    """Making the file is tried with the same patience."""
    path.parent.mkdir()
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        store = SqliteStateStore(path, busy_seconds=0.05)
        with pytest.raises(StateError, match="is busy"):
            await store.checkpoints("t")
        database.execute("ROLLBACK")
    database.close()
    assert await store.checkpoints("t") == {}
    await store.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_only_the_owner_can_read_it(path: Path, store: SqliteStateStore) -> None:
    """It holds people's addresses: the file, those beside it, and a folder made for it."""
    await store.save_checkpoint("t", checkpoint("m"))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_work_does_not_hold_up_the_loop(path: Path, store: SqliteStateStore) -> None:
    """While the file is locked by others, the run's other tasks go on; then the call goes through."""
    await store.checkpoints("t")
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.acquire_lease("t", holder("a"), at(0), 60))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        database.execute("COMMIT")
    database.close()
    assert await waiting is None


class TestReadOnly:
    """Looking on changes nothing."""

    async def test_a_file_that_is_not_there_reads_as_empty_and_is_not_made(self, path: Path) -> None:
        """Neither file nor folder; once a run has made them, the same client reads them."""
        looking, working = SqliteStateStore(path, read_only=True), SqliteStateStore(path)
        assert await looking.runs("t") == []
        assert await looking.lease_holder("t", at(0)) is None
        assert not path.parent.exists()
        assert await working.acquire_lease("t", holder("a"), at(0), 60) is None
        assert await looking.lease_holder("t", at(0)) == holder("a")
        for store in (looking, working):
            await store.close()

    async def test_who_looks_does_not_wait_for_who_writes(self, path: Path, store: SqliteStateStore) -> None:
        """Another process is in the middle of a write: what stood before it is read at once."""
        await store.acquire_lease("t", holder("a"), at(0), 60)
        looking = SqliteStateStore(path, read_only=True, busy_seconds=0)
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await looking.lease_holder("t", at(0)) == holder("a")
            other.execute("ROLLBACK")
        other.close()
        await looking.close()

    async def test_a_place_where_no_file_can_be_made_is_refused(self, tmp_path: Path) -> None:
        """The folder is a file: the sentence is that of a run that would want to write there."""
        (tmp_path / "file").write_text("")
        looking = SqliteStateStore(tmp_path / "file" / "state.db", read_only=True)
        with pytest.raises(StateError, match="cannot be opened: Not a directory"):
            await looking.runs("t")
        await looking.close()

    async def test_a_damaged_file_is_left_where_it_is(self, tmp_path: Path) -> None:
        """It is told; the next run puts it aside."""
        path = tmp_path / "state.db"
        path.write_bytes(b"no database at all, and longer than a header of a hundred bytes" * 20)
        looking = SqliteStateStore(path, read_only=True)
        with pytest.raises(StateDamagedError, match="The next run puts it aside"):
            await looking.runs("t")
        await looking.close()
        assert [each.name for each in tmp_path.iterdir()] == ["state.db"]
