"""The stamp: our four tags in a card's note, read and written without touching the person's text.

The note is the person's. Whatever is not our stamp is kept to the letter, blank lines and a sentence that happens
to say "SyncId" included. Written is one line, the last of the note, joined to the text by CRLF; read are that form
and one tag a line, wherever a person's typing has moved them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NewType

SyncId = NewType("SyncId", str)
"""A contact's identity across replicas: a lower-case GUID."""

_GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_BREAK: Final = re.compile(r"(\r\n|\n|\r)")
_STAMP_LINE: Final = re.compile(rf"SyncId={_GUID}(?:;(?:CreatedBy|LastUpdatedAt|LastUpdatedBy)=[^;]*)*;?[ \t]*")
_TAG_LINE: Final = re.compile(r"(CreatedBy|LastUpdatedAt|LastUpdatedBy)=[^;]*(?:;[ \t]*)?")
_TAG: Final = re.compile(r"(SyncId|CreatedBy|LastUpdatedAt|LastUpdatedBy)=([^;]*)")
_ONE_LINE: Final = re.compile(
    rf"(?:^|\r\n|\n|\r)SyncId=({_GUID});CreatedBy=([^;\r\n]*);LastUpdatedAt=([^;\r\n]*);LastUpdatedBy=([^;\r\n]*)\Z"
)
_SEPARATORS: Final = re.compile(r"[;\r\n]+")


@dataclass(frozen=True, slots=True)
class Stamp:
    """The four tags; `updated_at` is UTC in ISO 8601, `created_by` and `updated_by` a UPN or an id."""

    sync_id: SyncId
    created_by: str = ""
    updated_at: str = ""
    updated_by: str = ""

    def line(self) -> str:
        """The stamp as it stands in a note."""
        return (
            f"SyncId={self.sync_id};CreatedBy={_one_line(self.created_by)}"
            f";LastUpdatedAt={_one_line(self.updated_at)};LastUpdatedBy={_one_line(self.updated_by)}"
        )


def read_stamp(notes: str) -> tuple[str, Stamp | None]:
    """The person's text, to the letter, and the last stamp in the note, None without one."""
    if notes.startswith("SyncId=") and "\n" not in notes:
        return _read_line(notes)
    return _read(notes)


@lru_cache(maxsize=2048)  # a contact's copies bear the same stamp, and mostly nothing else
def _read_line(line: str) -> tuple[str, Stamp | None]:
    return _read(line)


def _read(notes: str) -> tuple[str, Stamp | None]:
    stamps = notes.count("SyncId=")
    if not stamps:
        return notes, None
    if stamps == 1 and (as_written := _ONE_LINE.search(notes)):
        sync_id, created_by, updated_at, updated_by = as_written.groups()
        stamp = Stamp(SyncId(sync_id.lower()), created_by.strip(), updated_at.strip(), updated_by.strip())
        return notes[: as_written.start()], stamp
    return _read_anywhere(notes)


def _read_anywhere(notes: str) -> tuple[str, Stamp | None]:
    """The same for stamps in any of their forms, wherever they stand."""
    parts = _BREAK.split(notes)
    lines, breaks = parts[::2], ["", *parts[1::2]]
    ours = dict(_stamp_lines(lines))
    if not ours:
        return notes, None
    kept = [index for index in range(len(lines)) if index not in ours]
    text = "".join((breaks[index] if place else "") + lines[index] for place, index in enumerate(kept))
    last = max(ours.values())
    return text, _stamp([lines[index] for index, block in ours.items() if block == last])


def write_stamp(text: str, stamp: Stamp) -> str:
    """The note that holds `text` to the letter and the stamp as its last line."""
    return f"{text}\r\n{stamp.line()}" if text else stamp.line()


def _stamp_lines(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Index of every line that is ours, with the index of the SyncId line that it belongs to."""
    taken = -1
    for index, line in enumerate(lines):
        if not line.startswith("SyncId=") or not _STAMP_LINE.fullmatch(line):
            continue
        block = [index] if ";" in line.rstrip("; \t") else _tag_block(lines, index, taken)
        taken = max(block)
        yield from ((place, index) for place in block)


def _tag_block(lines: list[str], index: int, taken: int) -> list[int]:
    """A stamp of one tag a line: the SyncId line and its neighbours, each tag once."""
    block, seen = [index], {"SyncId"}
    for step, end in ((-1, taken), (1, len(lines))):
        place = index + step
        while place != end and (tag := _TAG_LINE.fullmatch(lines[place])) and tag[1] not in seen:
            seen.add(tag[1])
            block.append(place)
            place += step
    return block


def _stamp(lines: list[str]) -> Stamp:
    tags = {name: value.strip() for line in lines for name, value in _TAG.findall(line)}
    return Stamp(
        SyncId(tags["SyncId"].lower()),
        tags.get("CreatedBy", ""),
        tags.get("LastUpdatedAt", ""),
        tags.get("LastUpdatedBy", ""),
    )


@lru_cache(maxsize=4096)  # the same few names and times stand in all stamps of a run
def _one_line(value: str) -> str:
    return _SEPARATORS.sub(" ", value).strip()
