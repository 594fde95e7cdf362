"""What the first filling of a mailbox's links costs in an Azure table: `python -m tests.state.measure_tables`."""

import asyncio
import tempfile
import time
from pathlib import Path

from shared.ports import StateStore
from tests.state import azurite
from tests.state.builders import link
from tests.state.conftest import open_tables

MAILBOXES, CONTACTS = 5, 2000


async def fill(store: StateStore) -> None:
    """Write all links of some mailboxes."""
    for mailbox in range(MAILBOXES):
        name = f"{mailbox:08d}-1111-4222-8333-444444444444"
        links = [link(name, person, item_id=f"AAMkAGI2{person:0144d}") for person in range(CONTACTS)]
        await store.save_links("tenant", name, links)


async def measure(connection_string: str) -> tuple[float, float]:
    """Microseconds a link: of this process's CPU, and of time against a local Azurite."""
    store = open_tables(connection_string)
    await store.checkpoints("tenant")
    cpu, start = time.process_time(), time.perf_counter()
    await fill(store)
    spent = time.process_time() - cpu, time.perf_counter() - start
    await store.close()
    return spent[0] / (MAILBOXES * CONTACTS) * 1e6, spent[1] / (MAILBOXES * CONTACTS) * 1e6


def main() -> None:
    """Say the numbers."""
    azurite.install()
    with tempfile.TemporaryDirectory() as folder, azurite.running(Path(folder)) as connection_string:
        cpu, wall = asyncio.run(measure(connection_string))
    print(f"{MAILBOXES} x {CONTACTS} links: {cpu:.0f} µs of CPU a link, {wall:.0f} µs of time against Azurite")  # noqa: T201 - the result


if __name__ == "__main__":
    main()
