"""A table in memory that counts what it is asked for: the real way of keeping the state runs on it."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Final

from shared.state.table_batch import transactions
from shared.state.table_client import Table
from shared.state.table_rows import Row

_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "eq": operator.eq, "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt,
}  # fmt: skip
_ROWS_A_PAGE: Final = 1000
_ROWS_A_TRANSACTION: Final = 100


@dataclass(frozen=True, slots=True)
class Count:
    """What the state was asked for: requests, the rows that went each way, and the bytes of parcels."""

    requests: float = 0
    rows_read: float = 0
    rows_written: float = 0
    parcel_bytes: float = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, factor: float) -> "Count":
        return Count(*(one * factor for one in astuple(self)))

    def __sub__(self, other: "Count") -> "Count":
        return self + other * -1

    @property
    def transactions(self) -> float:
        """HTTP requests at most: a page ends after a thousand rows, a transaction after a hundred."""
        return self.requests + self.rows_read / _ROWS_A_PAGE + self.rows_written / _ROWS_A_TRANSACTION


class CountedTable(Table):
    """Rows in memory, behind the real table's methods."""

    def __init__(self) -> None:
        self.count = Count()
        self._rows: dict[tuple[str, str], tuple[Row, int]] = {}
        self._marker = 0

    async def read(self, partition: str, key: str) -> tuple[Row, str] | None:
        self._note(requests=1)
        found = self._rows.get((partition, key))
        return (found[0], str(found[1])) if found else None

    async def query(self, condition: str, select: Sequence[str] = (), limit: int | None = None) -> list[Row]:
        found = [row for _, (row, _) in sorted(self._rows.items()) if _fulfils(row, condition)][:limit]
        self._note(requests=1, rows_read=len(found))
        return found

    async def insert(self, row: Row) -> bool:
        self._note(requests=1)
        return self._put(row) if (row.partition, row.key) not in self._rows else False

    async def replace(self, row: Row, marker: str) -> bool:
        self._note(requests=1)
        return self._put(row) if self._is_at(row, marker) else False

    async def remove(self, row: Row, marker: str) -> bool:
        self._note(requests=1)
        return self._rows.pop((row.partition, row.key), None) is not None if self._is_at(row, marker) else False

    async def write(self, groups: Iterable[Sequence[Row]]) -> None:
        for rows in transactions(groups):
            self._note(requests=1, rows_written=len(rows))
            for row in rows:
                self._put(row)

    async def erase(self, partition: str, keys: Sequence[str]) -> None:
        self._note(requests=1 if keys else 0, rows_written=len(keys))
        for key in keys:
            self._rows.pop((partition, key), None)

    async def close(self) -> None:
        return None

    def note_parcel(self, data: bytes) -> None:
        """A parcel was handed over."""
        self._note(parcel_bytes=len(data))

    def _note(self, **more: float) -> None:
        self.count += Count(**more)

    def _put(self, row: Row) -> bool:
        self._marker += 1
        self._rows[row.partition, row.key] = row, self._marker
        return True

    def _is_at(self, row: Row, marker: str) -> bool:
        found = self._rows.get((row.partition, row.key))
        return found is not None and str(found[1]) == marker


def _fulfils(row: Row, condition: str) -> bool:
    """Whether a row fulfils one of the conditions that the state asks with: these and those, or one of some."""
    return all(any(_holds(row, one) for one in part.strip("()").split(" or ")) for part in condition.split(" and "))


def _holds(row: Row, comparison: str) -> bool:
    found = re.fullmatch(r"(\w+) (\w+) '(.*)'", comparison)
    assert found, comparison
    name, kind, value = found.groups()
    own = {"PartitionKey": row.partition, "RowKey": row.key}.get(name, row.properties.get(name))
    return isinstance(own, str) and _OPERATORS[kind](own, value)
