"""Taking damaged values out of an Azure table one by one, and the rows of a version, of which there are several."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from shared.state import codec
from shared.state.table_client import Table
from shared.state.table_rows import Row, key, number_key, rows, sifted
from shared.sync.mergebase import Version


def version_rows(partition: str, version: Version, *, is_newest: bool) -> list[Row]:
    """All rows of a version, with its contact's row for the newest one if it is that."""
    number, contact = number_key(version.number), key(version.sync_id)
    data = codec.encode_version(version)
    pointer = Row(partition, f"s.{contact}.{number}", {"Number": number})
    history = rows(partition, f"n.{number}", data, Number=number, SyncId=contact, At=text_of(version.at))
    return [*history, pointer, *(rows(partition, f"c.{contact}", data, Number=number) if is_newest else ())]


def text_of(moment: datetime) -> str:
    """A time such that texts compare as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


async def drop_versions(table: Table, place: str) -> int:
    """Drop the versions in this partition that cannot be read; tells how many. A newest one may have a whole copy."""
    found = await table.query(f"PartitionKey eq '{place}'")
    whole, damaged = sifted(found, partial(codec.is_damaged, codec.decode_version))
    if not damaged:
        return 0
    versions = {one.number: one for one in (codec.decode_version(data) for _, data in whole)}
    newest = {key(one.sync_id): one for _, one in sorted(versions.items())}
    contacts = {_contact(row) for row in damaged}
    # Written before anything is erased: stopped in between, the contact is not without a newest version.
    mended = [newest[contact] for contact in sorted(contacts) if contact in newest]
    await table.write(version_rows(place, one, is_newest=True) for one in mended)
    kept = {f"n.{number_key(number)}" for number in versions} | {f"c.{key(one.sync_id)}" for one in mended}
    lost = [row for row in damaged if row.key not in kept]
    await table.erase(place, [one for row in lost for one in _keys(row, found)])
    return sum(row.key.startswith("n.") for row in lost)


async def drop_runs(table: Table, tenant: str) -> int:
    """Drop the runs of a tenant, given as a key, of which record or report cannot be read; tells how many."""
    is_damaged = partial(codec.is_damaged, codec.decode_run)
    listed = await table.query(f"PartitionKey eq '{tenant}.runs'")
    reports = await table.query(f"PartitionKey ge '{tenant}.report.' and PartitionKey lt '{tenant}.report/'")
    places = {row.partition for row in sifted(reports, is_damaged)[1]}
    places |= {f"{tenant}.report.{_run(row)}" for row in sifted(listed, is_damaged)[1]}
    heads = [row.key for row in listed if f"{tenant}.report.{_run(row)}" in places]
    for place in sorted(places):
        await table.erase(place, [row.key for row in reports if row.partition == place])
    await table.erase(f"{tenant}.runs", heads)
    return len(places)


def _contact(row: Row) -> str:
    """The contact's key, as far as the row tells."""
    known = row.properties.get("SyncId")
    if row.key.startswith("c."):
        return row.key.removeprefix("c.")
    return known if isinstance(known, str) else ""


def _keys(row: Row, found: Iterable[Row]) -> Sequence[str]:
    """The row, those that belong to it, and the one that says that its contact has it."""
    pointer = f"s.{_contact(row)}.{row.key.removeprefix('n.')}"
    return [one.key for one in found if one.key in {row.key, pointer} or one.key.startswith(f"{row.key}.")]


def _run(row: Row) -> str:
    """A listed run's id as a key: what follows the time, without the number of a part."""
    return row.key.split(".")[1]
