"""What came of a tenant's run, as a report."""

from collections.abc import Iterable, Mapping, Sequence

from shared.config.model import Tenant
from shared.engine.apply import Applied
from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.sync.guard import Refusal
from shared.sync.operations import CreateContact
from shared.sync.plan import Plan
from shared.sync.replica import Failure, Observation
from shared.sync.report import (
    FailedMailbox,
    GraphCounts,
    MailboxOutcome,
    Outcome,
    PlannedOperation,
    Problem,
    ReportedConflict,
    StepCounts,
    TenantReport,
)


class Scribe:
    """Writes the report."""

    def __init__(self, job: Job, gathered: Gathered, plan: Plan) -> None:
        self._tenant = job.tenant
        self._is_dry = job.is_dry
        self._gathered = gathered
        self._plan = plan
        self._names = {one.replica.mailbox: one.replica.name for one in self._observed()}

    def planned(self, graph: GraphCounts) -> TenantReport:
        """What the plan says: all that a dry run does, and all that there is to a quiet one."""
        plan = self._plan
        hub = [PlannedOperation(1, operation.replica.name, operation) for operation in plan.hub.operations]
        spokes: list[PlannedOperation] = []
        skipped = 0
        for replica in plan.replicas:
            part = plan.part(replica)
            skipped += part.settled
            spokes += (PlannedOperation(2, replica.name, operation) for operation in part.operations)
        operations = tuple(hub + spokes) if self._is_dry else None
        return self._compose(_planned(hub), _planned(spokes, skipped), {}, graph, operations)

    def report(self, hub: Applied, spokes: Mapping[str, Applied], graph: GraphCounts) -> TenantReport:
        """What the run did."""
        total = summed(spokes.values())
        failures = {mailbox: one.failure for mailbox, one in spokes.items() if one.failure}
        return self._compose(hub, total, failures, graph, None)

    def _compose(
        self,
        hub: Applied,
        spokes: Applied,
        failures: Mapping[str, Failure],
        graph: GraphCounts,
        operations: tuple[PlannedOperation, ...] | None,
    ) -> TenantReport:
        plan, pairing = self._plan, self._plan.pairing
        mailboxes = tuple(self._outcomes(failures))
        refusal = _refused(plan.refusal, self._tenant) if plan.refusal else None
        partial = Outcome.PARTIAL if MailboxOutcome.FAILED in mailboxes else Outcome.OK
        return TenantReport(
            tenant_id=self._tenant.tenant_id,
            outcome=Outcome.FAILED if refusal else partial,
            error=refusal,
            step1=StepCounts(hub.created, hub.updated, plan.gathered),
            step2=StepCounts(spokes.created, spokes.updated, spokes.skipped),
            stamped=hub.stamped + spokes.stamped,
            deleted=hub.deleted + spokes.deleted,
            restored=hub.restored + spokes.restored,
            duplicates=len(pairing.duplicates) + sum(len(one.unread_duplicates) for one in self._observed()),
            private=len(pairing.withheld),
            mailboxes=mailboxes,
            failed=tuple(self._failed(failures)),
            problems=(*self._notices(), *self._failures(failures), *hub.problems, *spokes.problems),
            conflicts=tuple(self._conflicts()),
            operations=operations,
            graph=graph,
        )

    def _observed(self) -> Iterable[Observation]:
        return (self._gathered.hub, *self._gathered.spokes)

    def _outcomes(self, failures: Mapping[str, Failure]) -> Iterable[MailboxOutcome]:
        for spoke in self._gathered.spokes:
            failed = failures.get(spoke.replica.mailbox)
            yield _outcome(failed) if failed else MailboxOutcome.SYNCED
        yield from (_outcome(one.failure) for one in self._gathered.unreadable)

    def _failed(self, failures: Mapping[str, Failure]) -> Iterable[FailedMailbox]:
        read = [(one.replica.mailbox, one.failure) for one in self._gathered.unreadable]
        for mailbox, failure in sorted([*read, *failures.items()], key=lambda one: one[0]):
            if not failure.skipped:
                yield FailedMailbox(mailbox, failure.code)

    def _failures(self, failures: Mapping[str, Failure]) -> Iterable[Problem]:
        named = [(one.replica.name, one.failure) for one in self._gathered.unreadable]
        named += [(self._names[mailbox], failure) for mailbox, failure in failures.items()]
        for name, failure in sorted(named, key=lambda one: one[0]):
            yield Problem(name, failure.code, failure.message, failure.hint)

    def _notices(self) -> Iterable[Problem]:
        for name in self._gathered.unknown_users:
            yield Problem(name, "UnknownUser", "The chosen user was not found.", "Check the list of chosen users.")
        hub = self._gathered.hub.replica.name
        if self._gathered.namesakes:
            message = f"The shared mailbox has {self._gathered.namesakes + 1} folders named All Contacts."
            yield Problem(
                hub, "SeveralHubFolders", message, "Keep the one with the contacts, rename or delete the others."
            )
        for replica, entry in self._gathered.quarantine:
            message = f"Contact {entry.sync_id}: left alone since Graph refused it ({entry.reason})."
            hint = "Mend the card: it is tried again when it changes, once a day, and when everything is read."
            yield Problem(replica.name, "Quarantined", message, hint)
        for one, other in self._plan.pairing.unlike:
            message = (
                f"Paired by e-mail address although the names share no word: {one.contact.text('displayName')!r} in "
                f"{self._names[one.mailbox]} and {other.contact.text('displayName')!r}."
            )
            hint = "If they are two people, give one of them another address, or set PairByEmail to names-agree."
            yield Problem(self._names[other.mailbox], "UnlikeNames", message, hint)

    def _conflicts(self) -> Iterable[ReportedConflict]:
        for conflict in self._plan.conflicts:
            winner = self._names.get(conflict.winner_word.mailbox, "")
            loser = self._names.get(conflict.loser_word.mailbox, "")
            yield ReportedConflict(conflict, winner, loser)


def _outcome(failure: Failure) -> MailboxOutcome:
    return MailboxOutcome.SKIPPED if failure.skipped else MailboxOutcome.FAILED


def summed(parts: Iterable[Applied]) -> Applied:
    """What came of several mailboxes, in counts and problems."""
    total = Applied()
    for part in parts:
        total.created += part.created
        total.restored += part.restored
        total.updated += part.updated
        total.stamped += part.stamped
        total.deleted += part.deleted
        total.skipped += part.skipped
        total.problems += part.problems
    return total


def _planned(operations: Sequence[PlannedOperation], skipped: int = 0) -> Applied:
    actions = [operation.action for operation in operations]
    restored = sum(isinstance(one.operation, CreateContact) and one.operation.is_restored for one in operations)
    return Applied(
        created=actions.count("create"),
        restored=restored,
        updated=actions.count("update"),
        stamped=actions.count("stamp"),
        deleted=actions.count("delete"),
        skipped=skipped,
    )


def _refused(refusal: Refusal, tenant: Tenant) -> Problem:
    """The guard's refusal, with both ways out."""
    emptied = f" {len(refusal.emptied)} mailboxes look emptied." if refusal.emptied else ""
    message = (
        f"Tenant {tenant.tenant_id}: {refusal.contacts} contacts would be deleted, more than the {refusal.allowed} "
        f"that are plausible.{emptied} No deletion was carried out; the rest of the run was."
    )
    hint = (
        f"If they shall go: run `sync --allow-deletes {refusal.contacts}`. If they shall stay: run `sync "
        "--restore-deletes`, which puts them back."
    )
    return Problem("", "DeletionsRefused", message, hint)
