"""What steps hand on comes out as it went in, and another release's is not guessed at."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

import pytest

from shared.errors import StateError
from shared.shards.rows import (
    Begun,
    Reading,
    Shard,
    decode_begun,
    decode_reading,
    decode_shard,
    encode_begun,
    encode_reading,
    encode_shard,
)
from shared.shards.tally import decode_merged, decode_tally, encode_tally, merged, report_of
from shared.sync.merge import Conflict, Word
from shared.sync.replica import Duplicate, Failure, Item, Observation, Replica, Unreadable
from shared.sync.report import (
    FailedMailbox,
    GraphCounts,
    MailboxOutcome,
    Outcome,
    Problem,
    ReportedConflict,
    StepCounts,
    TenantReport,
)
from shared.sync.stamp import Stamp
from tests.builders import at, guid
from tests.state.builders import FULL, checkpoint

HUB = Replica("hub", "hub@contoso.com", is_hub=True, folder="AAMk=")
ANN = Replica("ann", "ann@contoso.com")
CARD = Item(
    "ann", "AAMk/+=", "CQAA", FULL, at(1), at(2), guid(1), Stamp(guid(1), "ann", "2026", "bob"), True, ("Zoë",)
)  # fmt: skip
OBSERVED = Observation(
    ANN,
    (CARD,),
    "https://graph/delta?token=x",
    ("AAMk2",),
    is_whole=False,
    watermark=7,
    pending=(guid(2),),
    duplicates=MappingProxyType({"AAMk3": Duplicate(guid(3), "0f")}),
    is_settled=True,
)
COUNTS = GraphCounts(1, 2, 3, 4, 5)
REPORT = TenantReport(
    "tenant",
    Outcome.PARTIAL,
    Problem("", "Code", "What.", "Do."),
    StepCounts(1, 2, 3),
    StepCounts(4, 5, 6),
    stamped=7,
    deleted=8,
    restored=9,
    duplicates=10,
    private=11,
    mailboxes=(MailboxOutcome.SYNCED, MailboxOutcome.FAILED),
    failed=(FailedMailbox("ann", "Code"),),
    problems=(Problem("ann", "Code", "What."),),
    conflicts=tuple(
        ReportedConflict(
            Conflict(guid(1), name, value, Word(at(1), False, "ann"), None, Word(at(0), True, "hub"), True), "a", "h"
        )
        for name, value in FULL.fields.items()
    ),
    graph=COUNTS,
)


def assert_full(value: Any, but: frozenset[str] = frozenset()) -> None:
    """Each field has another value than its default, so that one which is forgotten shows."""
    for one in fields(value):
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        assert one.name in but or getattr(value, one.name) != default, one.name


def test_what_was_read_comes_out_as_it_went_in() -> None:
    """All of it but how much of it was echo, which is seen to where it is read."""
    assert_full(OBSERVED, frozenset({"echoes"}))
    assert_full(CARD)
    reading = Reading((OBSERVED,), (Unreadable(ANN, Failure("Code", "What.", "Do.", skipped=True)),), COUNTS)
    found = decode_reading(encode_reading(reading))
    assert found == reading
    assert found.observations[0].items[0].contact.fields == FULL.fields


def test_beginnings_and_shards_come_out_as_they_went_in() -> None:
    """The hub, the spokes, and how far each of them is."""
    begun = Begun(OBSERVED, (ANN, HUB), 2, ("nobody@contoso.com",), COUNTS)
    assert_full(begun)
    assert decode_begun(encode_begun(begun)) == begun
    shard = Shard((ANN,), {"ann": checkpoint("ann", 7)})
    assert decode_shard(encode_shard(shard)) == shard


def test_a_report_comes_out_as_it_went_in() -> None:
    """Also the values that lost, of whatever kind; a dry run's operations are no matter of shards."""
    assert_full(REPORT, frozenset({"operations"}))
    stop = Problem("", "Deadline", "No time.")
    row = decode_merged(encode_tally(merged(REPORT, (1, 2), stop)))
    assert (row.scatter, row.stop) == ((1, 2), stop)
    assert report_of(row, "tenant") == REPORT
    assert report_of(row, "tenant").to_json() == REPORT.to_json()


@pytest.mark.parametrize("data", [b"", b"{}", b'{"format":2}', b"\xff", b"[]"])
@pytest.mark.parametrize("decode", [decode_begun, decode_shard, decode_reading, decode_merged, decode_tally])
def test_another_releases_is_not_guessed_at(decode: Callable[[bytes], object], data: bytes) -> None:
    """One kind of error, with a sentence that says when it happens."""
    with pytest.raises(StateError, match="handed over"):
        decode(data)
