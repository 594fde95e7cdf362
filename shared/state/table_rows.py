r"""How values become rows of an Azure table: keys that are safe for any id, and values of any size.

A key may not hold `/ \ # ?` or control characters and ends at 1 KiB, and a property ends at 64 KiB, a row at 1 MiB
(learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model).
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import StateDamagedError

_UNSAFE: Final = re.compile(rb"[^a-z0-9-]")
_MAX_KEY: Final = 200
_COMPRESS_FROM: Final = 4096
_PIECE: Final = 64_000
_PIECES_A_ROW: Final = 11
_MAX_PARTS: Final = 1000
_PIECE_NAMES: Final = tuple(f"Data{number}" for number in range(_PIECES_A_ROW))

Properties = Mapping[str, str | bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One row; a property is text or bytes."""

    partition: str
    key: str
    properties: Properties

    def text(self, name: str) -> str:
        """A property that is a text; raises `StateDamagedError` when there is none."""
        value = self.properties.get(name)
        if not isinstance(value, str):
            raise _damaged()
        return value


def _damaged() -> StateDamagedError:
    return StateDamagedError(
        "A row of the state cannot be read.",
        hint="Nothing to do: the run goes on without it, reads everything and rebuilds it.",
    )


def key(identifier: str) -> str:
    """An id as a key: no two ids have the same one, and none has a dot, which joins the parts of a key.

    Capitals are written as codes like everything unsafe, so that a comparison which ignores case tells ids apart too.
    """
    safe = _UNSAFE.sub(lambda byte: b"_%02x" % byte[0][0], identifier.encode())
    return safe.decode() if 0 < len(safe) <= _MAX_KEY else f"__{digest(identifier)}"


def digest(identifier: str) -> str:
    """A short text that stands for an id in a filter."""
    return digest_of(identifier.encode())


def digest_of(data: bytes) -> str:
    """A short text that stands for a value."""
    return hashlib.sha256(data).hexdigest()


def number_key(number: int) -> str:
    """A number as a key, in rising order."""
    return f"{number:020d}"


def rows(partition: str, row_key: str, data: bytes, **properties: str) -> list[Row]:
    """The rows of a value: one, or more for a value that is very large even when compressed."""
    packed = zlib.compress(data) if len(data) >= _COMPRESS_FROM else data
    size = _PIECE * _PIECES_A_ROW
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    head = Row(partition, row_key, {**properties, "Parts": str(len(parts)), **_pieces(parts[0])})
    return [head, *(Row(partition, _part_key(row_key, n), _pieces(part)) for n, part in enumerate(parts) if n)]


def extra_keys(row: Row) -> list[str]:
    """The keys of the rows that belong to a value beside its first row."""
    parts = row.text("Parts")
    if not parts.isdecimal() or not 0 < int(parts) <= _MAX_PARTS:
        raise _damaged()
    return [_part_key(row.key, number) for number in range(1, int(parts))]


def value(row: Row) -> bytes:
    """A value that is in one row."""
    return _unpack([row])


def values(found: Iterable[Row]) -> Iterator[tuple[Row, bytes]]:
    """The first row of each value with the whole value, of rows in any order."""
    known = {(row.partition, row.key): row for row in found}
    for row in known.values():
        if "Parts" in row.properties:
            yield row, _whole(row, known)


def sifted(found: Iterable[Row], is_damaged: Callable[[bytes], bool]) -> tuple[list[tuple[Row, bytes]], list[Row]]:
    """Like `values`, what can be read of them; and the first row of each value that cannot."""
    known = {(row.partition, row.key): row for row in found}
    whole: list[tuple[Row, bytes]] = []
    damaged: list[Row] = []
    for row in known.values():
        if "Parts" in row.properties:
            data = _whole_or_none(row, known)
            if data is None or is_damaged(data):
                damaged.append(row)
            else:
                whole.append((row, data))
    return whole, damaged


def _whole_or_none(row: Row, known: Mapping[tuple[str, str], Row]) -> bytes | None:
    try:
        return _whole(row, known)
    except StateDamagedError:
        return None


def _whole(row: Row, known: Mapping[tuple[str, str], Row]) -> bytes:
    others = (known.get((row.partition, extra)) for extra in extra_keys(row))
    return _unpack([row, *others])


def _part_key(row_key: str, number: int) -> str:
    return f"{row_key}.{number:03d}"


def _pieces(part: bytes) -> dict[str, bytes]:
    starts = range(0, len(part), _PIECE)
    return {name: part[start : start + _PIECE] for name, start in zip(_PIECE_NAMES, starts, strict=False)}


def _unpack(parts: list[Row | None]) -> bytes:
    packed = b"".join(_joined(part) for part in parts)
    try:
        # A value is a JSON object, or compressed, and no compressed one begins with a brace.
        return packed if packed.startswith(b"{") else zlib.decompress(packed)
    except zlib.error:
        raise _damaged() from None


def _joined(part: Row | None) -> bytes:
    pieces = (part.properties.get(name) for name in _PIECE_NAMES) if part else ()
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))
