"""Graph's JSON to values of the core and back. Pure; everything from Graph is checked, nothing is believed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from shared.graph.pages import Row
from shared.sync.contact import ADDRESS_PARTS, FIELDS, field_json, normalise
from shared.sync.replica import Card, Draft, Item
from shared.sync.stamp import Stamp, SyncId, read_stamp

MARKER: Final = "String {6c1b9d7e-3a52-4f0e-9d14-5b8f2a7c4e61} Name ContactsMirrorSyncId"
SENSITIVITY: Final = "Integer 0x36"
PRIVATE: Final = "Boolean {00062008-0000-0000-c000-000000000046} Id 0x8506"
FLAGS: Final = (MARKER, SENSITIVITY, PRIVATE)
"""Outlook's Private flag is the latter two together (MS-OXPROPS PidTagSensitivity, PidLidPrivate)."""

_PRIVATE_SENSITIVITIES: Final = ("2", "3")
_BOOKKEEPING: Final = ("changeKey", "createdDateTime", "lastModifiedDateTime", "personalNotes")
SELECTED: Final = (*FIELDS, *_BOOKKEEPING)
"""What is read of a contact. The trio primaryEmailAddress and so on is a 400 in national clouds."""

_ALWAYS_SENT: Final = ("createdDateTime", "lastModifiedDateTime", "displayName", "emailAddresses", "personalNotes")
_ADDRESSES: Final = ("businessAddress", "homeAddress", "otherAddress")
_CUT_LENGTHS: Final = range(250, 257)
_SYNC_ID: Final = re.compile(r"[0-9a-z-]{1,64}")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Flags:
    """What only an extended property tells of an item."""

    marker: SyncId | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where rows were read: the mailbox, and the categories that its folder may inject."""

    mailbox: str
    injected: tuple[str, ...] = ()


def row_id(row: Row) -> str:
    """The item's id, "" without one."""
    return _text(row.get("id"))


def change_marker(row: Row) -> str:
    """The changeKey; the etag holds the same between quotes."""
    key = _text(row.get("changeKey"))
    return key or _text(row.get("@odata.etag")).removeprefix("W/").strip('"')


def is_whole(row: Row) -> bool:
    """Whether all was sent that an item needs; a changed item of a delta round may be partial."""
    return all(name in row for name in _ALWAYS_SENT) and bool(change_marker(row))


def is_complete(row: Row) -> bool:
    """Whether all that is selected was sent; a delta link keeps the selection of the release that began with it."""
    return is_whole(row) and all(name in row for name in FIELDS)


def note_of(row: Row) -> str:
    """The note as it was sent."""
    return _text(row.get("personalNotes"))


def note_may_be_cut(row: Row) -> bool:
    """Whether a listing may have cut the note; only reading by id is sure.

    A note that begins with a line break is listed without its breaks, at most 256 characters of it
    (microsoft-graph-docs#17598), and so with our stamp run into the text.
    """
    note = note_of(row)
    if len(note) in _CUT_LENGTHS or note[:1].isspace():
        return True
    return "SyncId=" in note and read_stamp(note)[1] is None


def read_item(row: Row, flags: Flags, home: Home, *, by_id: bool = True) -> Item:
    """The item in a whole row; from a listing (not `by_id`) a stamp in a note that may be cut is not believed."""
    created = _time(row.get("createdDateTime")) or _BEGINNING
    return Item(
        mailbox=home.mailbox,
        item_id=row_id(row),
        change_marker=change_marker(row),
        contact=normalise(row, without_categories=home.injected),
        created_at=created,
        modified_at=_time(row.get("lastModifiedDateTime")) or created,
        marker=flags.marker,
        stamp=_stamp(note_of(row), by_id=by_id),
        private=flags.private,
        unaddressed=_unaddressed(row.get("emailAddresses")),
    )


def read_card(row: Row, home: Home) -> Card:
    """The card in a row that was read by id, flags expanded."""
    return Card(read_item(row, read_flags(row), home), note_of(row))


def _stamp(note: str, *, by_id: bool) -> Stamp | None:
    if not by_id and len(note) in _CUT_LENGTHS:
        return None
    return read_stamp(note)[1]


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _time(raw: object) -> datetime | None:
    """A time, UTC; Exchange may send seven decimals, or none, and the offset may be missing."""
    text = _text(raw).strip()
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _unaddressed(raw: object) -> tuple[str, ...]:
    """Names of slots without an address: Exchange keeps a malformed one so (microsoft-graph-docs-contrib#7966)."""
    entries = [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []
    names = (_text(entry.get("name")) for entry in entries if not _text(entry.get("address")).strip())
    return tuple(name for name in names if name.strip())


def read_flags(row: Row) -> Flags:
    """Marker and Private flag from the expanded properties; one that is absent is not set.

    Property ids come back in another case than asked for (davmail), so they are compared in lower case.
    """
    values = _properties(row.get("singleValueExtendedProperties"))
    marker = values.get(MARKER.lower(), "").strip().lower()
    private = values.get(PRIVATE.lower(), "").strip().lower() in ("true", "1")
    secret = values.get(SENSITIVITY.lower(), "").strip() in _PRIVATE_SENSITIVITIES
    return Flags(SyncId(marker) if _SYNC_ID.fullmatch(marker) else None, private or secret)


def _properties(raw: object) -> dict[str, str]:
    entries = [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []
    return {_text(entry.get("id")).lower(): _value_text(entry.get("value")) for entry in entries}


def _value_text(raw: object) -> str:
    return str(raw) if isinstance(raw, str | int | bool) else ""


def create_body(draft: Draft) -> bytes:
    """The body of a POST: absent fields left out, for a null address is a 500 (msgraph-sdk-dotnet#2368)."""
    present = {name: value for name, value in draft.fields.items() if value is not None}
    body = {name: _without_nulls(name, field_json(name, value)) for name, value in present.items()}
    return msgspec.json.encode(body | _extras(draft))


def _without_nulls(name: str, value: object) -> object:
    if name in _ADDRESSES and isinstance(value, Mapping):
        return {part: value[part] for part in ADDRESS_PARTS if value.get(part)}
    return value


def update_body(draft: Draft, item: Item) -> bytes:
    """The body of a PATCH: only the draft's fields, None cleared; slots without an address are kept."""
    body = {name: field_json(name, value) for name, value in draft.fields.items()}
    emails = body.get("emailAddresses")
    if isinstance(emails, list):
        names = draft.unaddressed or item.unaddressed
        body["emailAddresses"] = [*emails, *({"name": name} for name in names)]
    return msgspec.json.encode(body | _extras(draft))


def _extras(draft: Draft) -> dict[str, object]:
    extras: dict[str, object] = {}
    if draft.notes is not None:
        extras["personalNotes"] = draft.notes
    if draft.marker is not None:
        extras["singleValueExtendedProperties"] = [{"id": MARKER, "value": draft.marker}]
    return extras
