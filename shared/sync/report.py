"""What a run did, as values and as the JSON that `--json` prints.

Outcomes only escalate: a tenant that is `partial` left something undone (a failed mailbox, the deadline), one that
is `failed` was not mirrored, one that is `skipped` was held by another run, and one that is `running` goes on in
shards. The run's outcome is its worst tenant's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.sync.contact import FieldValue, field_json
from shared.sync.draft import planned_fields
from shared.sync.merge import Conflict, Word
from shared.sync.operations import CreateContact, DeleteContact, Operation, StampContact, UpdateContact


class Outcome(StrEnum):
    """How a tenant, or the run, ended."""

    OK = "ok"
    RUNNING = "running"
    SKIPPED = "skipped"
    PARTIAL = "partial"
    FAILED = "failed"


class MailboxOutcome(StrEnum):
    """How a spoke ended."""

    SYNCED = "synced"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an operator may want to look at; `mailbox` is a UPN, "" when the whole tenant is meant."""

    mailbox: str
    code: str
    message: str
    hint: str = ""

    def to_json(self) -> dict[str, object]:
        """The problem as the report shows it."""
        return {"mailbox": self.mailbox, "code": self.code, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class FailedMailbox:
    """A spoke that failed, by its object id and the problem's code: for logs, which hold no addresses."""

    mailbox_id: str
    code: str


@dataclass(frozen=True, slots=True)
class StepCounts:
    """What one direction wrote and left."""

    created: int = 0
    updated: int = 0
    skipped: int = 0

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return {"created": self.created, "updated": self.updated, "skipped": self.skipped}


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """What the run asked of Graph."""

    requests: int = 0
    batches: int = 0
    throttled: int = 0
    retried: int = 0
    bytes: int = 0

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return {
            "requests": self.requests,
            "batches": self.batches,
            "throttled": self.throttled,
            "retried": self.retried,
            "bytes": self.bytes,
        }


ACTIONS: Final[Mapping[type[Operation], str]] = MappingProxyType(
    {CreateContact: "create", UpdateContact: "update", StampContact: "stamp", DeleteContact: "delete"}
)
"""Every operation in one word."""


@dataclass(frozen=True, slots=True)
class PlannedOperation:
    """One write that a dry run would make."""

    step: int
    mailbox: str
    operation: Operation

    @property
    def action(self) -> str:
        """The operation in one word."""
        return ACTIONS[type(self.operation)]

    @property
    def name(self) -> str:
        """What a person calls the contact."""
        contact = self.operation.version.contact
        return contact.text("displayName") or contact.primary_email

    @property
    def fields(self) -> list[str]:
        """The fields it writes."""
        return sorted(planned_fields(self.operation))

    def to_json(self) -> dict[str, object]:
        """The operation as the report shows it."""
        return {
            "step": self.step,
            "action": self.action,
            "mailbox": self.mailbox,
            "sync_id": self.operation.stamp.sync_id,
            "name": self.name,
            "fields": self.fields,
        }


@dataclass(frozen=True, slots=True)
class ReportedConflict:
    """A conflict with the mailboxes' names, so that the losing value can be put back by hand."""

    conflict: Conflict
    winner: str
    loser: str

    def to_json(self) -> dict[str, object]:
        """Both values, whose they are and from when."""
        conflict = self.conflict
        return {
            "sync_id": conflict.sync_id,
            "field": conflict.field,
            "agreed": conflict.agreed,
            "kept": _said(conflict.field, conflict.winner, conflict.winner_word, self.winner),
            "lost": _said(conflict.field, conflict.loser, conflict.loser_word, self.loser),
        }


def _said(name: str, value: FieldValue | None, word: Word, mailbox: str) -> dict[str, object]:
    return {"value": field_json(name, value), "mailbox": mailbox, "at": iso(word.at)}


@dataclass(frozen=True, slots=True)
class TenantReport:
    """What the run did for one tenant."""

    tenant_id: str
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
    conflicts: tuple[ReportedConflict, ...] = ()
    operations: tuple[PlannedOperation, ...] | None = None
    graph: GraphCounts = GraphCounts()

    @property
    def has_failure(self) -> bool:
        """Whether the tenant or one of its mailboxes failed."""
        return self.outcome is Outcome.FAILED or MailboxOutcome.FAILED in self.mailboxes

    @property
    def disagreements(self) -> int:
        """How many values lost against another that was as good as they."""
        return sum(not one.conflict.agreed for one in self.conflicts)

    def to_json(self) -> dict[str, object]:
        """The tenant's part of the report; operations only in a dry run."""
        document: dict[str, object] = {
            "tenant_id": self.tenant_id,
            "outcome": self.outcome.value,
            "error": self.error.to_json() if self.error else None,
            "step1": self.step1.to_json(),
            "step2": self.step2.to_json(),
            "stamped": self.stamped,
            "deleted": self.deleted,
            "restored": self.restored,
            "conflicts": self.disagreements,
            "duplicates": self.duplicates,
            "private": self.private,
            "mailboxes": self._mailboxes_json(),
            "problems": [problem.to_json() for problem in self.problems],
            "lost_values": [conflict.to_json() for conflict in self.conflicts],
            "graph": self.graph.to_json(),
        }
        if self.operations is not None:
            document["operations"] = [operation.to_json() for operation in self.operations]
        return document

    def _mailboxes_json(self) -> dict[str, int]:
        counts = {outcome.value: self.mailboxes.count(outcome) for outcome in MailboxOutcome}
        return {"total": len(self.mailboxes), **counts}


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did; times are UTC."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    dry_run: bool
    tenants: tuple[TenantReport, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def outcome(self) -> Outcome:
        """The worst tenant's."""
        return worst(tenant.outcome for tenant in self.tenants)

    @property
    def exit_code(self) -> int:
        """0 fine, 1 a tenant or mailbox failed, 3 other runs hold every tenant."""
        if any(tenant.has_failure for tenant in self.tenants):
            return 1
        held = [tenant.outcome is Outcome.SKIPPED for tenant in self.tenants]
        return 3 if held and all(held) else 0

    def to_json(self) -> dict[str, object]:
        """The document that `--json` prints."""
        return {
            "run_id": self.run_id,
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "dry_run": self.dry_run,
            "outcome": self.outcome.value,
            "warnings": list(self.warnings),
            "tenants": [tenant.to_json() for tenant in self.tenants],
        }


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of the whole, given its parts'."""
    order: Sequence[Outcome] = list(Outcome)
    return max(outcomes, key=order.index, default=Outcome.OK)


def iso(at: datetime) -> str:
    """A UTC time in ISO 8601, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(count: int, one: str, many: str = "") -> str:
    """The number with its noun."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
