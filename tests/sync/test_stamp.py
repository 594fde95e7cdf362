"""The stamp in a note: whatever is the person's stays to the letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.stamp import Stamp, SyncId, read_stamp, write_stamp

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "11111111-2222-4333-8444-555555555555"
STAMP = Stamp(SyncId(GUID), "anna@contoso.com", "2026-01-05T08:00:00Z", "ben@contoso.com")
LINE = f"SyncId={GUID};CreatedBy=anna@contoso.com;LastUpdatedAt=2026-01-05T08:00:00Z;LastUpdatedBy=ben@contoso.com"

pieces = st.sampled_from(
    ["\r\n", "\n", "\r", " ", "Call on Monday", "SyncId is a nice word", "SyncId=", f"SyncId={GUID} maybe",
     "CreatedBy=me", "LastUpdatedAt=yesterday", f"the SyncId={GUID}", "\u2028", "\x0b", "é", ";"]
)  # fmt: skip
notes = st.lists(pieces, max_size=12).map("".join)


@given(notes)
def test_a_note_survives_any_number_of_stamps(note: str) -> None:
    """Writing and reading the stamp gives back the person's text to the letter."""
    text, _ = read_stamp(note)
    assert read_stamp(write_stamp(text, STAMP)) == (text, STAMP)


@given(st.text(max_size=60))
def test_text_without_a_stamp_is_left_alone(note: str) -> None:
    """A note without a stamp is read as the person's text, whatever is in it."""
    assert read_stamp(note) == (note, None)


def test_the_stamp_is_one_line_after_the_text() -> None:
    """The stamp is the last line, joined by CRLF, as the older automation wrote it."""
    assert write_stamp("Met in Bern\n\nlikes tea", STAMP) == f"Met in Bern\n\nlikes tea\r\n{LINE}"


def test_an_empty_note_becomes_the_stamp_alone() -> None:
    """No blank line is put before the stamp of an empty note."""
    assert write_stamp("", STAMP) == LINE


@pytest.mark.parametrize(
    ("note", "text"),
    [
        (f"Tea\r\nSyncId={GUID}\r\nCreatedBy=a\r\nLastUpdatedAt=b\r\nLastUpdatedBy=c", "Tea"),
        (f"Tea\nCreatedBy=a\nSyncId={GUID}", "Tea"),
        (f"SyncId={GUID.upper()};CreatedBy=a", ""),
        (f"Tea\r\n{LINE}\r\nCoffee", "Tea\r\nCoffee"),
        (f"{LINE}\r\nCoffee", "Coffee"),
        (f"Tea\r\n\r\n{LINE}", "Tea\r\n"),
        (f"Tea\r\nSyncId={OTHER};CreatedBy=x\r\n{LINE}", "Tea"),
        (f"CreatedBy=me\r\n\r\nSyncId={GUID}", "CreatedBy=me\r\n"),
        (f"CreatedBy=me\r\nCreatedBy=a\r\nSyncId={GUID}", "CreatedBy=me"),
    ],
    ids=["a tag a line", "tags before", "upper case", "typed below", "typed below alone", "blank line", "two stamps",
         "own tag apart", "own tag before"],
)  # fmt: skip
def test_both_forms_are_read_wherever_they_stand(note: str, text: str) -> None:
    """One line or one tag a line, in the middle or at the end: the stamp is found and the text is the rest."""
    found, stamp = read_stamp(note)
    assert (found, stamp.sync_id if stamp else None) == (text, GUID)


@pytest.mark.parametrize(
    "note",
    [
        f"The SyncId={GUID} was wrong",
        "SyncId=",
        "SyncId=12345",
        f"SyncId={GUID};Owner=me",
        "CreatedBy=me\r\nLastUpdatedBy=me",
    ],
)
def test_a_persons_own_words_are_no_stamp(note: str) -> None:
    """A sentence, a broken id or a tag that is not ours is the person's."""
    assert read_stamp(note) == (note, None)


def test_the_last_of_several_stamps_counts() -> None:
    """A pasted older stamp does not replace the one that stands last."""
    _, stamp = read_stamp(f"SyncId={OTHER};CreatedBy=x\r\n{LINE}")
    assert stamp == STAMP


def test_separators_in_a_name_cannot_break_the_line() -> None:
    """A tag's value never brings a tag or a line of its own."""
    stamp = Stamp(SyncId(GUID), f"a;SyncId={OTHER}\r\nx", "t", "b")
    _, found = read_stamp(write_stamp("", stamp))
    assert found
    assert found.sync_id == GUID


def test_a_long_note_is_read_in_no_time() -> None:
    """A megabyte of almost-stamps is read line by line."""
    note = "CreatedBy=" + " " * 500_000 + "\n" + "CreatedBy=\n" * 50_000
    assert read_stamp(note) == (note, None)
