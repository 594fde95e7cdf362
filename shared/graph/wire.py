"""Graph's JSON to values of the core and back. Pure; everything from Graph is checked, nothing is believed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from shared.graph.familiar import Familiar, Reading
from shared.graph.loose import objects, text
from shared.graph.pages import Row
from shared.sync.contact import FIELDS, field_json
from shared.sync.replica import Card, Draft, Item
from shared.sync.stamp import Stamp, SyncId, read_stamp
from shared.sync.value import value

MARKER: Final = "String {6c1b9d7e-3a52-4f0e-9d14-5b8f2a7c4e61} Name ContactsMirrorSyncId"
SENSITIVITY: Final = "Integer 0x36"
PRIVATE: Final = "Boolean {00062008-0000-0000-c000-000000000046} Id 0x8506"
FLAGS: Final = (MARKER, SENSITIVITY, PRIVATE)
"""Outlook's Private flag is the latter two together (MS-OXPROPS PidTagSensitivity, PidLidPrivate)."""

_MARKER, _SENSITIVITY, _PRIVATE = (flag.lower() for flag in FLAGS)
_PRIVATE_SENSITIVITIES: Final = ("2", "3")
_BOOKKEEPING: Final = ("changeKey", "createdDateTime", "lastModifiedDateTime", "personalNotes")
SELECTED: Final = (*FIELDS, *_BOOKKEEPING)
"""What is read of a contact. The trio primaryEmailAddress and so on is a 400 in national clouds."""

_ALWAYS_SENT: Final = frozenset(
    {"createdDateTime", "lastModifiedDateTime", "displayName", "emailAddresses", "personalNotes"}
)
_ADDRESSES: Final = ("businessAddress", "homeAddress", "otherAddress")
_CUT_LENGTHS: Final = range(250, 257)
_LONGEST_SYNC_ID: Final = 64
_SYNC_ID: Final = re.compile(rf"[0-9a-z-]{{1,{_LONGEST_SYNC_ID}}}")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER: Final = msgspec.json.Encoder()


@value
class Flags:
    """What only an extended property tells of an item."""

    marker: SyncId | None = None
    private: bool = False


NO_FLAGS: Final = Flags()


@dataclass(frozen=True, slots=True)
class Home:
    """Where rows were read: the mailbox, the categories that its folder may inject, and what was read elsewhere."""

    mailbox: str
    injected: tuple[str, ...] = ()
    familiar: Familiar = field(default_factory=Familiar, compare=False, repr=False)

    def read(self, row: Row, marker: SyncId | None) -> Reading:
        """What a row says of the person that bears this marker."""
        return self.familiar.read(row, marker, self.injected)


def row_id(row: Row) -> str:
    """The item's id, "" without one."""
    return text(row.get("id"))


def change_marker(row: Row) -> str:
    """The changeKey; the etag holds the same between quotes."""
    key = row.get("changeKey")
    return key if key and isinstance(key, str) else text(row.get("@odata.etag")).removeprefix("W/").strip('"')


def is_whole(row: Row) -> bool:
    """Whether all was sent that an item needs; a changed item of a delta round may be partial."""
    return row.keys() >= _ALWAYS_SENT and bool(change_marker(row))


def is_complete(row: Row) -> bool:
    """Whether all that is selected was sent; a delta link keeps the selection of the release that began with it."""
    return is_whole(row) and row.keys() >= FIELDS.keys()


def note_of(row: Row) -> str:
    """The note as it was sent."""
    return text(row.get("personalNotes"))


def _may_be_cut(note: str, stamp: Stamp | None) -> bool:
    """Whether a listing may have cut the note; only reading by id is sure.

    A note that begins with a line break is listed without its breaks, at most 256 characters of it
    (microsoft-graph-docs#17598), and so with our stamp run into the text.
    """
    return len(note) in _CUT_LENGTHS or note[:1].isspace() or (stamp is None and "SyncId=" in note)


def read_item(row: Row, flags: Flags, home: Home, stamp: Stamp | None) -> Item:
    """The item in a whole row, with the stamp that its note is known to bear."""
    reading = home.read(row, flags.marker)
    created = _time(row.get("createdDateTime")) or _BEGINNING
    return Item(
        mailbox=home.mailbox,
        item_id=row_id(row),
        change_marker=change_marker(row),
        contact=reading.contact,
        created_at=created,
        modified_at=_time(row.get("lastModifiedDateTime")) or created,
        marker=flags.marker,
        stamp=stamp,
        private=flags.private,
        unaddressed=reading.unaddressed,
    )


def read_card(row: Row, home: Home) -> Card:
    """The card in a row that was read by id, flags expanded."""
    note = note_of(row)
    return Card(read_item(row, read_flags(row), home, read_stamp(note)[1]), note)


def read_listed(row: Row, flags: Flags, home: Home) -> Item | None:
    """The item in a whole row of a listing, None if its note may be cut."""
    note = note_of(row)
    stamp = read_stamp(note)[1]
    return None if _may_be_cut(note, stamp) else read_item(row, flags, home, stamp)


def read_cut(row: Row, flags: Flags, home: Home) -> Item:
    """The item in a whole row of a listing that cannot be read by id; a stamp that may be cut is not believed."""
    note = note_of(row)
    return read_item(row, flags, home, None if len(note) in _CUT_LENGTHS else read_stamp(note)[1])


def _time(raw: object) -> datetime | None:
    """A time, UTC; Exchange may send seven decimals, or none, and the offset may be missing."""
    return _moment(raw) if isinstance(raw, str) else None


@lru_cache(maxsize=1024)  # cards of one batch, and both times of a new card, bear the same second
def _moment(raw: str) -> datetime | None:
    text = raw.strip()
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def read_flags(row: Row) -> Flags:
    """Marker and Private flag from the expanded properties; one that is absent is not set.

    Property ids come back in another case than asked for (davmail), so they are compared in lower case.
    """
    raw = row.get("singleValueExtendedProperties")
    match raw:
        case None | []:
            return NO_FLAGS
        case [{"id": str(name), "value": str(value)}] if name.lower() == _MARKER and len(value) <= _LONGEST_SYNC_ID:
            return marked(value)  # as nearly all of them
    values = {text(one.get("id")).lower(): one.get("value") for one in objects(raw)}
    marker = _sync_id(_value_text(values.get(_MARKER)))
    private = _PRIVATE in values and _value_text(values[_PRIVATE]).lower() in ("true", "1")
    secret = _SENSITIVITY in values and _value_text(values[_SENSITIVITY]) in _PRIVATE_SENSITIVITIES
    return Flags(marker, private or secret)


@lru_cache(maxsize=16_384)
def marked(marker: str) -> Flags:
    """The flags of an item that bears a marker and nothing else: one value for all mailboxes."""
    return Flags(_sync_id(marker.strip()))


def _sync_id(marker: str) -> SyncId | None:
    lower = marker.lower()
    return SyncId(lower) if _SYNC_ID.fullmatch(lower) else None


def _value_text(raw: object) -> str:
    return str(raw).strip() if isinstance(raw, str | int | bool) else ""


def create_body(draft: Draft) -> bytes:
    """The body of a POST: absent fields left out, for a null address is a 500 (msgraph-sdk-dotnet#2368)."""
    body = {name: field_json(name, value) for name, value in draft.fields.items() if value is not None}
    for name in _ADDRESSES:
        if isinstance(parts := body.get(name), Mapping):
            body[name] = {part: text for part, text in parts.items() if text}
    return _ENCODER.encode(body | _extras(draft))


class Bodies:
    """Bodies of new cards, kept for a while: a contact's is the same for each mailbox that gets it."""

    def __init__(self, most: int = 2_000) -> None:
        """Keep the last `most`; all mailboxes get their cards in the same order, so that is enough."""
        self._most = most
        self._kept: dict[SyncId, tuple[Draft, bytes]] = {}

    def of(self, draft: Draft) -> bytes:
        """The body of a POST that makes this card."""
        if draft.marker is None:
            return create_body(draft)
        kept = self._kept.get(draft.marker)
        if kept is None or not _is_same(kept[0], draft):
            self._kept.pop(draft.marker, None)
            kept = self._kept[draft.marker] = (draft, create_body(draft))
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return kept[1]


def _is_same(one: Draft, other: Draft) -> bool:
    """Whether they are written alike to the letter; equal e-mail addresses may differ in case and name."""
    return one.fields is other.fields and one.notes == other.notes


def update_body(draft: Draft, item: Item) -> bytes:
    """The body of a PATCH: only the draft's fields, None cleared; slots without an address are kept."""
    body = {name: field_json(name, value) for name, value in draft.fields.items()}
    emails = body.get("emailAddresses")
    if isinstance(emails, list):
        names = draft.unaddressed or item.unaddressed
        body["emailAddresses"] = [*emails, *({"name": name} for name in names)]
    return _ENCODER.encode(body | _extras(draft))


def _extras(draft: Draft) -> dict[str, object]:
    extras: dict[str, object] = {}
    if draft.notes is not None:
        extras["personalNotes"] = draft.notes
    if draft.marker is not None:
        extras["singleValueExtendedProperties"] = [{"id": MARKER, "value": draft.marker}]
    return extras
