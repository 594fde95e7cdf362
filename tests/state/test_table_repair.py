"""Damaged values in a table are dropped one by one, and what can be read stays."""

import asyncio

import pytest
from azure.data.tables.aio import TableServiceClient

from shared.errors import StateDamagedError
from shared.state.table_client import TABLE
from shared.state.table_rows import key, number_key
from tests.builders import guid
from tests.state.builders import run, version
from tests.state.conftest import open_tables


async def damage(storage: str, partition: str, *prefixes: str) -> None:
    """Make the values of all rows of a partition unreadable whose keys begin so."""
    async with TableServiceClient.from_connection_string(storage) as service:
        table = service.get_table_client(TABLE)
        condition = f"PartitionKey eq '{partition}'"
        for row in [one async for one in table.query_entities(condition)]:
            if "Parts" in row and row["RowKey"].startswith(prefixes or ""):
                await table.update_entity({**row, "Data0": b"garbage"})


def newest(person: int) -> str:
    """The row of a contact's newest version."""
    return f"c.{key(guid(person))}"


def numbered(number: int) -> str:
    """The row of a version."""
    return f"n.{number_key(number)}"


@pytest.mark.parametrize(
    ("damaged", "left", "current"),
    [
        ([numbered(1)], {2, 3}, {2, 3}),
        ([numbered(2)], {1, 2, 3}, {2, 3}),
        ([newest(1)], {1, 2, 3}, {2, 3}),
        ([numbered(2), newest(1)], {1, 3}, {1, 3}),
        ([numbered(3), newest(2)], {1, 2}, {2}),
        (["n.", "c."], set(), set()),
    ],
)
async def test_damaged_versions_go_singly(
    storage: str, tenant: str, damaged: list[str], left: set[int], current: set[int]
) -> None:
    """A newest version has two rows, and one of them is enough; what goes leaves its number free."""
    store = open_tables(storage)
    everything = [version(1), version(2), version(3, 2)]
    await store.add_versions(tenant, everything)
    await damage(storage, f"{key(tenant)}.versions", *damaged)
    with pytest.raises(StateDamagedError):
        await asyncio.gather(store.versions_since(tenant, 0), store.current_versions(tenant))
    assert await store.drop_unreadable(tenant) == 3 - len(left)
    assert {one.number for one in await store.versions_since(tenant, 0)} == left
    assert {one.number for one in (await store.current_versions(tenant)).values()} == current
    await store.add_versions(tenant, everything)
    assert list(await store.versions_since(tenant, 0)) == everything
    assert {one.number for one in (await store.current_versions(tenant)).values()} == {2, 3}
    assert [one.number for one in await store.versions(tenant, guid(1))] == [1, 2]
    await store.close()


@pytest.mark.parametrize("place", ["runs", f"report.{key('run-2')}"])
async def test_damaged_runs_go_singly(storage: str, tenant: str, place: str) -> None:
    """Whichever of its two rows is damaged; the list is whole again."""
    store = open_tables(storage)
    await store.save_run(tenant, run("run-2"))
    await damage(storage, f"{key(tenant)}.{place}")
    await store.save_run(tenant, run("run-1"))
    await store.save_run(tenant, run("run-3", hours=1))
    assert await store.drop_unreadable(tenant) == 1
    assert [one.run_id for one in await store.runs(tenant)] == ["run-3", "run-1"]
    assert await store.run(tenant, "run-2") is None
    assert await store.run(tenant, "run-3") == run("run-3", hours=1)
    await store.close()
