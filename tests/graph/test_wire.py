"""Graph's JSON to values and back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph import wire
from shared.sync.contact import FIELDS, Email, FieldValue, PostalAddress, normalise
from shared.sync.replica import Draft, Item
from shared.sync.stamp import Stamp, SyncId, write_stamp

HOME = wire.Home("m", ("All Contacts",))
GUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
ROW: dict[str, Any] = {
    "@odata.etag": 'W/"EQAAABYA"',
    "id": "AAMk=",
    "changeKey": "EQAAABYA",
    "createdDateTime": "2026-01-02T03:04:05Z",
    "lastModifiedDateTime": "2026-02-03T04:05:06.1234567Z",
    "displayName": " Ada Lovelace ",
    "emailAddresses": [{"address": "Ada@Example.com", "name": "Ada"}, {"name": "broken,"}],
    "businessAddress": {},
    "businessPhones": [],
    "birthday": "1815-12-10T11:59:00Z",
    "categories": ["Friends", "all contacts"],
    "personalNotes": "",
    "children": None,
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(str.strip).filter(bool)
SAFE = TEXTS.map(lambda text: text.replace("\r", "").replace("\n", "")).map(str.strip).filter(bool)


def item(**fields: object) -> Item:
    return wire.read_card({**ROW, **fields}, HOME).item


def test_a_row_becomes_an_item() -> None:
    """What Graph sends in its odd forms is an item with normalised contact, times in UTC and open slots."""
    read = item()
    assert (read.item_id, read.change_marker, read.mailbox) == ("AAMk=", "EQAAABYA", "m")
    assert read.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read.modified_at == datetime(2026, 2, 3, 4, 5, 6, 123457, tzinfo=UTC)
    assert read.unaddressed == ("broken,",)
    assert read.contact.fields == {
        "displayName": "Ada Lovelace",
        "emailAddresses": (Email("Ada@Example.com"),),
        "birthday": "1815-12-10",
        "categories": frozenset({"Friends"}),
    }


def test_the_change_marker_is_in_the_etag_too() -> None:
    """A row without changeKey still tells its state."""
    assert wire.change_marker({"@odata.etag": 'W/"EQ=="'}) == "EQ=="


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", None, 5, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_not_fatal(text: object) -> None:
    """An unreadable time falls back to the creation, and that to the beginning of time."""
    assert item(lastModifiedDateTime=text).modified_at == item().created_at
    assert item(createdDateTime=text).created_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_time_without_zone_is_utc() -> None:
    """Nothing leaves here without a zone."""
    assert item(createdDateTime="2026-01-02T03:04:05").created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def flags(*pairs: tuple[str, object]) -> wire.Flags:
    return wire.read_flags({"singleValueExtendedProperties": [{"id": name, "value": value} for name, value in pairs]})


@pytest.mark.parametrize(
    ("pairs", "private"),
    [
        ([], False),
        ([("Integer 0x36", "0")], False),
        ([("Integer 0x36", "1")], False),
        ([("Integer 0x36", "2")], True),
        ([("Integer 0x36", "3")], True),
        ([("integer 0X36", "2")], True),
        ([("Integer 0x36", 2)], True),
        ([(wire.PRIVATE.upper(), "true")], True),
        ([(wire.PRIVATE, "True")], True),
        ([(wire.PRIVATE, "false"), ("Integer 0x36", "0")], False),
        ([(wire.PRIVATE, "false"), ("Integer 0x36", "2")], True),
        ([(wire.PRIVATE, True)], True),
    ],
)
def test_private_is_seen_in_either_property(pairs: list[tuple[str, object]], *, private: bool) -> None:
    """Sensitivity 2 or 3, or the private flag: one is enough, in any case and type."""
    assert flags(*pairs).private is private


@pytest.mark.parametrize("value", ["", " ", "x" * 200, "a b", None, {}, "drop'table"])
def test_a_marker_that_is_none_of_ours_is_ignored(value: object) -> None:
    """An emptied or foreign value of the property is no marker."""
    assert flags((wire.MARKER, value)).marker is None


def test_a_marker_is_read_in_any_case() -> None:
    """Sync ids are lower case, however the property comes back."""
    assert flags((wire.MARKER.lower(), GUID.upper())).marker == GUID


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_flags_of_any_rubbish_are_flags(raw: object) -> None:
    """Whatever comes instead of properties, reading does not fail."""
    assert isinstance(wire.read_flags({"singleValueExtendedProperties": raw}), wire.Flags)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.none() | st.integers() | st.text() | st.lists(st.integers())))
def test_a_row_of_any_rubbish_is_an_item(raw: dict[str, Any]) -> None:
    """Wrong types count as absent."""
    assert isinstance(wire.read_card({**ROW, **raw}, HOME).item, Item)


def test_a_stamp_is_read_from_the_note() -> None:
    """Marker and stamp are separate witnesses."""
    stamp = Stamp(SyncId(GUID), "ada@x.com", "2026-01-01T00:00:00Z", "ben@x.com")
    assert item(personalNotes=write_stamp("met in Paris", stamp)).stamp == stamp


@pytest.mark.parametrize(("length", "believed"), [(200, True), (256, False), (300, True)])
def test_a_stamp_that_may_be_cut_is_not_believed(length: int, *, believed: bool) -> None:
    """A listing cuts some notes at 256: half a stamp there would name half an author."""
    note = write_stamp("", Stamp(SyncId(GUID), "a" * (length - 150))).ljust(length, " ")
    row = {**ROW, "personalNotes": note}
    assert (wire.read_cut(row, wire.Flags(), HOME).stamp is not None) is believed
    assert wire.read_card(row, HOME).item.stamp is not None


@pytest.mark.parametrize(
    ("note", "doubt"),
    [
        ("short", False),
        ("x" * 250, True),
        ("x" * 257, False),
        ("\nline", True),
        (" x", True),
        ("", False),
        (f"textSyncId={GUID}", True),
    ],
)
def test_notes_that_may_be_cut_are_known(note: str, *, doubt: bool) -> None:
    """Long notes, and those that begin with white space, are read by id to be sure."""
    listed = wire.read_listed({**ROW, "personalNotes": note}, wire.Flags(), HOME)
    assert (listed is None) is doubt


def test_a_partial_row_is_known() -> None:
    """A row with its changed properties alone is not taken for a card with everything else cleared."""
    assert wire.is_whole(ROW)
    assert not wire.is_whole({"id": "1", "@odata.etag": 'W/"x"', "displayName": "A"})


def values(kind: str) -> st.SearchStrategy[FieldValue]:
    emails = st.lists(SAFE, min_size=1, max_size=3).map(lambda texts: tuple(Email(text, text) for text in texts))
    parts = st.tuples(*[st.just("") | SAFE] * 5).filter(any).map(PostalAddress)
    lists = st.lists(SAFE, min_size=1, max_size=3).map(tuple)
    dates = st.dates(min_value=datetime(1700, 1, 1, tzinfo=UTC).date()).map(lambda day: day.isoformat())
    sets = st.frozensets(SAFE.filter(lambda text: text.casefold() != "all contacts"), min_size=1, max_size=3)
    made: dict[str, st.SearchStrategy[Any]] = {
        "emailAddresses": emails,
        "businessAddress": parts,
        "homeAddress": parts,
        "otherAddress": parts,
        "birthday": dates,
        "categories": sets,
        "children": lists,
        "businessPhones": lists,
        "homePhones": lists,
        "imAddresses": lists,
    }
    return made.get(kind, SAFE)


CONTACTS = st.fixed_dictionaries({}, optional={name: values(name) for name in FIELDS})


@given(CONTACTS)
def test_what_is_written_is_what_is_read(fields: dict[str, FieldValue]) -> None:
    """The body of a create or an update, read back as Graph would echo it, is the same contact."""
    draft = Draft(fields)
    for body in (wire.create_body(draft), wire.update_body(draft, item(emailAddresses=[]))):
        assert normalise(json.loads(body), without_categories=("All Contacts",)).fields == fields


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), max_size=5), CONTACTS)
def test_a_create_names_no_absent_field(absent: dict[str, None], fields: dict[str, FieldValue]) -> None:
    """A null address makes Graph answer 500, so absent fields are left out, and parts of addresses too."""
    body = json.loads(wire.create_body(Draft({**fields, **absent})))
    assert set(body) == set(fields) - set(absent)
    for name in ("businessAddress", "homeAddress", "otherAddress"):
        assert all(body.get(name, {"street": "x"}).values())


def test_an_update_clears_what_is_none() -> None:
    """Null clears a text, an empty list a list, and all five parts an address."""
    body = json.loads(wire.update_body(Draft({"title": None, "children": None, "homeAddress": None}), item()))
    assert body == {
        "title": None,
        "children": [],
        "homeAddress": dict.fromkeys(("street", "city", "state", "postalCode", "countryOrRegion")),
    }


def test_an_update_keeps_slots_without_address() -> None:
    """A malformed address lives on as a name; writing the list without it would drop what a person typed."""
    draft = Draft({"emailAddresses": (Email("ben@x.com", "Ben"),)})
    body = json.loads(wire.update_body(draft, item()))
    assert body["emailAddresses"] == [{"address": "ben@x.com", "name": "Ben"}, {"name": "broken,"}]


def test_an_update_that_leaves_the_addresses_alone_does_not_name_them() -> None:
    """Only what the draft has is sent."""
    assert json.loads(wire.update_body(Draft({"title": "Dr"}), item())) == {"title": "Dr"}


def test_note_and_marker_are_written_only_if_asked() -> None:
    """The marker goes inline, as Graph wants it: its value a text."""
    draft = Draft({}, notes="hello", marker=SyncId(GUID))
    assert json.loads(wire.create_body(draft)) == {
        "personalNotes": "hello",
        "singleValueExtendedProperties": [{"id": wire.MARKER, "value": GUID}],
    }


def test_a_new_cards_body_is_kept_for_the_next_mailbox() -> None:
    """The same card for another mailbox is the same bytes, not made again; the oldest goes when there are too many."""
    bodies = wire.Bodies(most=1)
    ada = Draft({"displayName": "Ada"}, "note", SyncId(GUID))
    body = bodies.of(ada)
    assert json.loads(body)["displayName"] == "Ada"
    assert bodies.of(Draft(ada.fields, "note", SyncId(GUID))) is body
    bodies.of(Draft({"displayName": "Bob"}, "note", SyncId(GUID.replace("f", "e"))))
    assert bodies.of(ada) is not body


@pytest.mark.parametrize(
    "other",
    [
        Draft({"emailAddresses": (Email("A@x.org", "Ada L."),)}, "note", SyncId(GUID)),
        Draft({"emailAddresses": (Email("a@x.org", "Ada"),)}, "other note", SyncId(GUID)),
        Draft({"emailAddresses": (Email("a@x.org", "Ada"),)}, "note"),
    ],
)
def test_a_kept_body_is_no_other_cards(other: Draft) -> None:
    """Contacts that compare as equal may still be written differently."""
    bodies = wire.Bodies()
    bodies.of(Draft({"emailAddresses": (Email("a@x.org", "Ada"),)}, "note", SyncId(GUID)))
    assert bodies.of(other) == wire.create_body(other)
