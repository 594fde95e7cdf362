"""What came of a shard, of a round, and of the whole run: counts that add up, in any order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from shared.engine.apply import Applied
from shared.engine.scribe import summed
from shared.shards.rows import BROKEN_OFF, FORMAT, Row, decode, encode, value_json, value_of
from shared.sync.merge import Conflict, Word
from shared.sync.replica import Failure, Replica
from shared.sync.report import (
    FailedMailbox,
    GraphCounts,
    MailboxOutcome,
    Outcome,
    Problem,
    ReportedConflict,
    StepCounts,
    TenantReport,
    worst,
)
from shared.sync.stamp import SyncId


class Tally(Row, kw_only=True):
    """What came of a shard's writing; `failures` by mailbox, `stop` if it was stopped."""

    step2: StepCounts = StepCounts()
    stamped: int = 0
    deleted: int = 0
    restored: int = 0
    problems: tuple[Problem, ...] = ()
    failures: dict[str, Failure] = msgspec.field(default_factory=dict)
    stop: Problem | None = None
    graph: GraphCounts = GraphCounts()


class _ConflictRow(msgspec.Struct, gc=False, kw_only=True):
    sync_id: SyncId
    field: str
    winner: Any
    winner_word: Word
    winner_name: str
    loser: Any
    loser_word: Word
    loser_name: str
    agreed: bool


class Merged(Row, kw_only=True):
    """What came of a round up to the hub: the shards that are to be written then, and the report so far.

    `again` if what was trusted proved wrong, so that everything has to be read in another round.
    """

    scatter: tuple[int, ...] = ()
    again: bool = False
    stop: Problem | None = None
    outcome: Outcome = Outcome.OK
    error: Problem | None = None
    step1: StepCounts = StepCounts()
    step2: StepCounts = StepCounts()
    stamped: int = 0
    deleted: int = 0
    restored: int = 0
    duplicates: int = 0
    private: int = 0
    mailboxes: tuple[MailboxOutcome, ...] = ()
    failed: tuple[FailedMailbox, ...] = ()
    problems: tuple[Problem, ...] = ()
    conflicts: tuple[_ConflictRow, ...] = ()
    graph: GraphCounts = GraphCounts()


_COUNTED = (
    "outcome", "error", "step1", "step2", "stamped", "deleted", "restored", "duplicates", "private", "mailboxes",
    "failed", "problems", "graph",
)  # fmt: skip


def tally(applied: Mapping[str, Applied], names: Mapping[str, str], stop: Problem | None, graph: GraphCounts) -> Tally:
    """What came of these mailboxes; `names` are what people call them."""
    total = summed(applied.values())
    failures = {mailbox: one.failure for mailbox, one in applied.items() if one.failure}
    said = (Problem(names[box], one.code, one.message, one.hint) for box, one in failures.items())
    return Tally(
        format=FORMAT,
        step2=StepCounts(total.created, total.updated, total.skipped),
        stamped=total.stamped,
        deleted=total.deleted,
        restored=total.restored,
        problems=(*said, *total.problems),
        failures=failures,
        stop=stop,
        graph=graph,
    )


def broken_off(replicas: Sequence[Replica]) -> Tally:
    """What stands for the tally of a shard that was begun and never ended: all its mailboxes have failed."""
    applied = {one.mailbox: Applied(failure=BROKEN_OFF) for one in replicas}
    return tally(applied, {one.mailbox: one.name for one in replicas}, None, GraphCounts())


def merged(report: TenantReport, scatter: Sequence[int], stop: Problem | None = None) -> Merged:
    """The report of a round, before its shards are written."""
    counted = {name: getattr(report, name) for name in _COUNTED}
    conflicts = tuple(map(_conflict_row, report.conflicts))
    return Merged(format=FORMAT, scatter=tuple(scatter), stop=stop, conflicts=conflicts, **counted)


def report_of(row: Merged, tenant_id: str) -> TenantReport:
    """The report of a round, before its shards are written."""
    counted = {name: getattr(row, name) for name in _COUNTED}
    return TenantReport(tenant_id, conflicts=tuple(map(_conflict_of, row.conflicts)), **counted)


def encode_tally(row: Tally | Merged) -> bytes:
    """The parcel."""
    return encode(row)


def decode_tally(data: bytes) -> Tally:
    """What came of a shard."""
    return decode(data, Tally)


def decode_merged(data: bytes) -> Merged:
    """What came of a round up to the hub."""
    return decode(data, Merged)


def with_shards(report: TenantReport, tallies: Iterable[Tally]) -> TenantReport:
    """The report with what came of the shards."""
    for one in tallies:
        report = replace(
            report,
            step2=_added(report.step2, one.step2),
            stamped=report.stamped + one.stamped,
            deleted=report.deleted + one.deleted,
            restored=report.restored + one.restored,
            problems=(*report.problems, *one.problems),
            graph=together(report.graph, one.graph),
        )
        report = _without(report, one.failures)
    return report


def _without(report: TenantReport, failures: Mapping[str, Failure]) -> TenantReport:
    """These mailboxes were read, and failed when they were written."""
    if not failures:
        return report
    outcomes = [MailboxOutcome.SKIPPED if one.skipped else MailboxOutcome.FAILED for one in failures.values()]
    failed = (FailedMailbox(box, one.code) for box, one in sorted(failures.items()) if not one.skipped)
    outcome = Outcome.PARTIAL if MailboxOutcome.FAILED in outcomes else Outcome.OK
    return replace(
        report,
        outcome=worst((report.outcome, outcome)),
        mailboxes=(*_without_these(report.mailboxes, [MailboxOutcome.SYNCED] * len(failures)), *outcomes),
        failed=(*report.failed, *failed),
    )


def joined(first: TenantReport, second: TenantReport) -> TenantReport:
    """The report of two rounds; what the second was about had broken off in the first."""
    return replace(
        second,
        outcome=worst((first.outcome, second.outcome)),
        error=second.error or first.error,
        step1=_added(first.step1, second.step1),
        step2=_added(first.step2, second.step2),
        stamped=first.stamped + second.stamped,
        deleted=first.deleted + second.deleted,
        restored=first.restored + second.restored,
        duplicates=max(first.duplicates, second.duplicates),
        private=max(first.private, second.private),
        mailboxes=(*_without_these(first.mailboxes, second.mailboxes), *second.mailboxes),
        failed=tuple(dict.fromkeys((*first.failed, *second.failed))),
        problems=tuple(dict.fromkeys((*first.problems, *second.problems))),
        conflicts=(*first.conflicts, *second.conflicts),
        graph=together(first.graph, second.graph),
    )


def together(*counts: GraphCounts) -> GraphCounts:
    """All that was asked of Graph."""
    names = ("requests", "batches", "throttled", "retried", "bytes")
    return GraphCounts(*(sum(getattr(one, name) for one in counts) for name in names))


def _added(one: StepCounts, other: StepCounts) -> StepCounts:
    return StepCounts(one.created + other.created, one.updated + other.updated, one.skipped + other.skipped)


def _without_these(outcomes: Iterable[MailboxOutcome], these: Iterable[MailboxOutcome]) -> list[MailboxOutcome]:
    """The outcomes of other mailboxes; one that ends otherwise now had been read before."""
    left = Counter(outcomes)
    for one in these:
        left[one if left[one] else MailboxOutcome.SYNCED] -= 1
    return list(left.elements())


def _conflict_row(one: ReportedConflict) -> _ConflictRow:
    conflict = one.conflict
    return _ConflictRow(
        sync_id=conflict.sync_id,
        field=conflict.field,
        winner=value_json(conflict.field, conflict.winner),
        winner_word=conflict.winner_word,
        winner_name=one.winner,
        loser=value_json(conflict.field, conflict.loser),
        loser_word=conflict.loser_word,
        loser_name=one.loser,
        agreed=conflict.agreed,
    )


def _conflict_of(row: _ConflictRow) -> ReportedConflict:
    conflict = Conflict(
        row.sync_id,
        row.field,
        value_of(row.field, row.winner),
        row.winner_word,
        value_of(row.field, row.loser),
        row.loser_word,
        row.agreed,
    )
    return ReportedConflict(conflict, row.winner_name, row.loser_name)
