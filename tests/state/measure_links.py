"""What the links of a tenant cost in a file and in an Azure table: `python -m tests.state.measure_links`."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.ports import StateStore
from shared.state.sqlite import SqliteStateStore
from shared.sync.records import StoredLink
from tests.state import azurite
from tests.state.builders import link
from tests.state.conftest import open_tables

MAILBOXES, CONTACTS = 5, 2000
FILLED: dict[str, list[StoredLink]] = {
    name: [link(name, person, item_id=f"AAMkAGI2{person:0144d}") for person in range(CONTACTS)]
    for name in (f"{number:08d}-1111-4222-8333-444444444444" for number in range(MAILBOXES))
}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how many microseconds a link took, of this process's CPU and in all."""
    cpu, start = time.process_time(), time.perf_counter()
    yield
    spent = [one / (MAILBOXES * CONTACTS) * 1e6 for one in (time.process_time() - cpu, time.perf_counter() - start)]
    print(f"{what}: {spent[0]:.0f} µs of CPU a link, {spent[1]:.0f} µs in all")  # noqa: T201 - the result


async def measure(place: str, store: StateStore) -> None:
    """Write all links of some mailboxes, and read them again."""
    await store.checkpoints("tenant")
    with timed(f"{place}, write"):
        for mailbox, links in FILLED.items():
            await store.save_links("tenant", mailbox, links)
    with timed(f"{place}, read"):
        for mailbox in FILLED:
            assert len(await store.links("tenant", mailbox)) == CONTACTS
    await store.close()


async def main() -> None:
    """Measure in a file, and against an Azurite of its own."""
    azurite.AZURITE.install()
    with tempfile.TemporaryDirectory() as folder, azurite.running(Path(folder)) as connection_string:
        await measure("file", SqliteStateStore(Path(folder) / "state.db"))
        await measure("table", open_tables(connection_string))


if __name__ == "__main__":
    asyncio.run(main())
