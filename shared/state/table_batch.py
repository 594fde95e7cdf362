"""A transaction of an Azure table as bytes: up to 100 changes of one partition, all or none.

The library would write and read the same bytes with the standard library's e-mail package, which costs ten times the
CPU. Keys are safe for a URL as they are (`table_rows.key`).
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import msgspec

from shared.state.table_rows import Row

MAX_CHANGES: Final = 100
"""The most that a transaction may hold
(learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions)."""

_MAX_BYTES: Final = 1_000_000  # four may be sent; more than one at a time holds up the loop while it is sent
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
_CODE: Final = re.compile(rb'"code"\s*:\s*"(\w+)"')
_encode: Final = msgspec.json.Encoder().encode


class Batch:
    """The body of one transaction, and its content type."""

    def __init__(self, table_url: str) -> None:
        self._table_url = table_url
        boundary = str(uuid4())
        self.content_type = f"multipart/mixed; boundary=batch_{boundary}"
        self._open = (
            f"--batch_{boundary}\r\nContent-Type: multipart/mixed; boundary=changeset_{boundary}\r\n\r\n".encode()
        )
        self._part = (
            f"--changeset_{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        ).encode()
        self._close = f"--changeset_{boundary}--\r\n--batch_{boundary}--\r\n".encode()

    def replacing(self, rows: Iterable[Row]) -> bytes:
        """The body that writes rows, whether they are there or not."""
        return self._body(self._put(row) for row in rows)

    def erasing(self, partition: str, keys: Iterable[str]) -> bytes:
        """The body that deletes rows, which must be there."""
        return self._body(
            f"DELETE {self._url(partition, key)} HTTP/1.1\r\nIf-Match: *\r\n\r\n".encode() for key in keys
        )

    def _body(self, changes: Iterator[bytes]) -> bytes:
        return b"".join((self._open, *(b"%b%b\r\n" % (self._part, change) for change in changes), self._close))

    def _put(self, row: Row) -> bytes:
        content = _encode(_odata(row))
        head = (
            f"PUT {self._url(row.partition, row.key)} HTTP/1.1\r\nContent-Type: application/json\r\n"
            f"Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def _url(self, partition: str, key: str) -> str:
        return f"{self._table_url}(PartitionKey='{partition}',RowKey='{key}')"


def transactions(groups: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    """Groups of rows, packed into as few transactions as hold them; a group is parted only if none can hold it."""
    taken: list[Row] = []
    size = 0
    for group in groups:
        for part in _affordable(group):
            more = sum(map(_size, part))
            if taken and (len(taken) + len(part) > MAX_CHANGES or size + more > _MAX_BYTES):
                yield taken
                taken, size = [], 0
            taken.extend(part)
            size += more
    if taken:
        yield taken


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transaction was not carried out: status and error code."""

    status: int
    code: str

    @property
    def is_absence(self) -> bool:
        """Whether a row is not there."""
        return self.status == 404 and self.code != "TableNotFound"


def refusal(status: int, body: bytes) -> Refusal | None:
    """Why a transaction with this answer was not carried out, None if it was."""
    statuses = [(int(found[1]), found.end()) for found in _STATUS.finditer(body)] if status == 202 else [(status, 0)]
    for one, end in statuses:
        if not 200 <= one < 300:
            code = _CODE.search(body, end)
            return Refusal(one, code[1].decode() if code else "")
    return None if statuses and status == 202 else Refusal(status, "")


def _affordable(group: Sequence[Row]) -> Iterable[Sequence[Row]]:
    if sum(map(_size, group)) <= _MAX_BYTES:
        return [group]
    # The first row tells how many there are: written last, it never tells of rows that are not there yet.
    return [[row] for row in reversed(group)]


def _size(row: Row) -> int:
    return sum(len(value) * 4 // 3 + 100 for value in row.properties.values()) + 500


def _odata(row: Row) -> dict[str, str]:
    content = {"PartitionKey": row.partition, "RowKey": row.key}
    for name, value in row.properties.items():
        if isinstance(value, bytes):
            content[f"{name}@odata.type"] = "Edm.Binary"
            content[name] = base64.b64encode(value).decode()
        else:
            content[name] = value
    return content
