"""The rows of the state: what is kept comes back, old formats stay readable, and nothing private gets in."""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StateDamagedError, StateError
from shared.state import codec
from shared.sync.contact import ADDRESS_PARTS, FIELDS, Contact, FieldValue, normalise
from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, Quarantined, RunRecord, StoredLink
from shared.sync.replica import Duplicate
from tests.builders import at, guid
from tests.state.builders import FULL, checkpoint, holder, link, run, version

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED: dict[str, object] = {
    "version": Version(7, guid(1), FULL, at(1), "mailbox-1", "run-1", is_deleted=True),
    "version-new": Version(3, guid(3), Contact({}), at(0), "m1", "run-1", created_by="ann@contoso.com", is_new=True),
    "version-small": Version(1, guid(2), Contact({}), at(0), "undo"),
    "link": StoredLink("m1", "AAMk/+=", guid(1), "CQAA", 7, MappingProxyType({**FULL.fields, "jobTitle": None})),
    "link-ours": StoredLink("m1", "AAMk", guid(1), "CQAA", 7, is_ours=True, is_withheld=True),
    "link-small": StoredLink("m1", "AAMk", guid(1), "", 0),
    "checkpoint": Checkpoint(
        "m1",
        "zoë@contoso.com",
        "AAMk=",
        "https://graph.microsoft.com/v1.0/users/m1/contacts/delta?$deltatoken=x",
        42,
        (guid(1), guid(2)),
        (Quarantined(guid(3), "AAMk3", "CQAB", 5, "ErrorInvalidProperty"),),
        at(1),
        at(2),
        at(3),
    ),
    "checkpoint-hub": Checkpoint("m3", "hub@contoso.com", "AAMk=", watermark=42, newest=43),
    "checkpoint-duplicates": Checkpoint("m4", "bob@contoso.com", duplicates={"AAMk=": Duplicate(guid(1), "0f")}),
    "checkpoint-refused": Checkpoint(
        "m5", "cem@contoso.com", quarantine=(Quarantined(guid(3), "AAMk3", "CQAB", 5, "ItemRefused", at(4)),)
    ),
    "checkpoint-small": Checkpoint("m2", "ann@contoso.com"),
    "run": RunRecord("run-1", at(0), at(1), "ok", 7, {"step1": {"created": 3}, "problems": [], "error": None}),
    "run-small": RunRecord("run-2", at(0), None, "running"),
    "lease": Holder("run-1", "host", 4711, at(0)),
}
DECODERS: dict[str, Callable[[bytes], object]] = {
    "version": codec.decode_version,
    "link": codec.decode_link,
    "checkpoint": codec.decode_checkpoint,
    "run": codec.decode_run,
    "lease": codec.decode_holder,
}
ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Version: codec.encode_version,
    StoredLink: codec.encode_link,
    Checkpoint: codec.encode_checkpoint,
    RunRecord: codec.encode_run,
    Holder: codec.encode_holder,
}


def fields_of(value: object) -> dict[str, FieldValue | None]:
    """A value's fields, comparable: two e-mail addresses are equal without their names, so those are shown."""
    if isinstance(value, Version):
        return {name: _shown(one) for name, one in value.contact.fields.items()}
    return {name: _shown(one) for name, one in value.residue.items()} if isinstance(value, StoredLink) else {}


def _shown(value: FieldValue | None) -> FieldValue | None:
    return repr(value) if isinstance(value, tuple) else value


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
email = st.fixed_dictionaries({"address": text, "name": text})
raw_contact = st.fixed_dictionaries(
    {},
    optional={
        "displayName": text,
        "jobTitle": text,
        "children": st.lists(text, max_size=3),
        "emailAddresses": st.lists(email, max_size=3),
        "homeAddress": st.fixed_dictionaries({}, optional=dict.fromkeys(ADDRESS_PARTS, text)),
        "birthday": st.dates().map(lambda date: f"{date.isoformat()}T11:59:00Z"),
        "categories": st.lists(text, max_size=3),
    },
)
contacts = raw_contact.map(normalise)
times = st.datetimes(timezones=st.just(UTC))
sync_ids = st.integers(0, 10**9).map(guid)
versions = st.builds(Version, st.integers(0, 2**60), sync_ids, contacts, times, text, text, st.booleans())
residues = st.builds(
    lambda contact, dropped: {**contact.fields, **dict.fromkeys(dropped)}, contacts, st.sets(st.sampled_from([*FIELDS]))
)
links = st.builds(StoredLink, text, text, sync_ids, text, st.integers(0, 2**60), residues)


@given(versions)
def test_versions_come_back(one: Version) -> None:
    """Whatever a contact holds, to the letter."""
    found = codec.decode_version(codec.encode_version(one))
    assert found == one
    assert fields_of(found) == fields_of(one)


@given(links)
def test_links_come_back(one: StoredLink) -> None:
    """With their residue, dropped fields included."""
    found = codec.decode_link(codec.encode_link(one))
    assert found == one
    assert fields_of(found) == fields_of(one)


@given(text, times, st.none() | times, st.lists(sync_ids, max_size=4), st.integers(0, 2**60))
def test_progress_comes_back(
    name: str, enrolled: datetime, succeeded: datetime | None, pending: list[Any], watermark: int
) -> None:
    """All of a checkpoint, and a run's and a lease's times."""
    refused = tuple(Quarantined(one, name, name, watermark, name) for one in pending)
    whole = Checkpoint(name, name, name, name, watermark, tuple(pending), refused, enrolled, succeeded, succeeded)
    assert codec.decode_checkpoint(codec.encode_checkpoint(whole)) == whole
    record = RunRecord(name, enrolled, succeeded, name, watermark, {name: [name, watermark, None, {}]})
    assert codec.decode_run(codec.encode_run(record)) == record
    who = Holder(name, name, watermark, enrolled)
    assert codec.decode_holder(codec.encode_holder(who)) == who


@given(st.binary(max_size=40))
def test_damage_is_told_as_damage(row: bytes) -> None:
    """Whatever stands where a row should be, it is one kind of error with a sentence."""
    for decode in DECODERS.values():
        with pytest.raises(StateDamagedError, match="in the state"):
            decode(row)


@pytest.mark.parametrize("kind", DECODERS)
def test_a_newer_format_is_not_guessed_at(kind: str) -> None:
    """The sentence says that the release is too old, even if the row looks readable."""
    row = json.loads((FIXTURES / f"format-1-{kind}.json").read_bytes())
    for changed in ({**row, "format": 2}, {"format": 2, "everything": "else"}):
        with pytest.raises(StateError, match="format 2; this release reads formats up to 1"):
            DECODERS[kind](json.dumps(changed).encode())
    with pytest.raises(StateDamagedError):
        DECODERS[kind](json.dumps({**row, "format": 0}).encode())


@pytest.mark.parametrize("name", RECORDED)
def test_format_1_stays_readable_for_ever(name: str) -> None:
    """These rows were written by the first release; they are never written anew."""
    expected = RECORDED[name]
    found = DECODERS[name.partition("-")[0]]((FIXTURES / f"format-1-{name}.json").read_bytes())
    assert found == expected
    assert fields_of(found) == fields_of(expected)


@pytest.mark.parametrize("kind", DECODERS)
def test_no_field_is_forgotten(kind: str) -> None:
    """Some recorded row has another value than the default in each field, so the tests above see every field."""
    recorded: list[Any] = [value for name, value in RECORDED.items() if name.partition("-")[0] == kind]
    for field in fields(recorded[0]):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        assert any(getattr(value, field.name) != default for value in recorded), field.name


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_written_now_is_format_1(name: str) -> None:
    """A change of what is written needs a new format number, and fixtures of its own."""
    value = RECORDED[name]
    recorded = json.loads((FIXTURES / f"format-1-{name}.json").read_bytes())
    assert json.loads(ENCODERS[type(value)](value)) == recorded


def test_no_note_gets_into_a_row() -> None:
    """Only mirrored fields are written, whoever put what into the value."""
    private = Contact({"displayName": "Ann", "personalNotes": "private", "fileAs": "private"})
    rows = (
        codec.encode_version(version(1, content=private)),
        codec.encode_link(StoredLink("m", "i", guid(1), "", 1, private.fields)),
    )
    for row in rows:
        assert b"Ann" in row
        assert b"private" not in row


def test_a_field_of_another_release_is_left_out() -> None:
    """A row of the same format may name a field that this release does not mirror."""
    row = json.loads(codec.encode_version(version(1)))
    row["fields"]["shoeSize"] = "42"
    assert codec.decode_version(json.dumps(row).encode()) == version(1)


def test_a_run_in_a_list_has_no_report() -> None:
    """The list is small however large the reports are."""
    assert b"names" not in codec.encode_run(run("r", created=["names"]), with_report=False)


def test_times_of_another_zone_are_kept_as_utc() -> None:
    """A row can be read by people: all its times are UTC."""
    for value in (version(1), link("m", 1), checkpoint("m"), run("r"), holder("a")):
        assert b"+0" not in ENCODERS[type(value)](value)
    moment = datetime.fromisoformat("2026-01-05T10:00:00+02:00")
    assert b'"2026-01-05T08:00:00Z"' in codec.encode_holder(holder("a", since=moment))
