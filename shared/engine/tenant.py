"""One tenant's run: gather, plan, write the hub, scatter, and say what came of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from shared.config.model import PairByEmail, Tenant
from shared.engine.apply import Applied, apply
from shared.engine.gather import Gathered, gather
from shared.engine.options import RunOptions
from shared.errors import TenantError
from shared.ports import Progress, TenantServices
from shared.sync.mergebase import NO_MEMORY
from shared.sync.plan import Operation, Plan, StampContact, reconcile
from shared.sync.replica import Failure
from shared.sync.report import (
    GraphCounts,
    MailboxOutcome,
    Outcome,
    PlannedOperation,
    Problem,
    ReportedConflict,
    StepCounts,
    TenantReport,
)
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId


async def sync_tenant(
    tenant: Tenant, options: RunOptions, services: TenantServices, progress: Progress
) -> TenantReport:
    """Mirror one tenant; raises `TenantError` when that is not possible at all.

    Everything is read before anything is written, so the outcome does not depend on the order of users.
    """
    rules = _rules(tenant)
    gathered = await gather(tenant, options, services, progress)
    plan = reconcile(gathered.hub, gathered.spokes, rules, NO_MEMORY, services.clock.now())
    scribe = _Scribe(tenant, gathered, plan)
    if tenant.dry_run or options.dry_run:
        return scribe.dry_report(_counts(services))
    writer = _Writer(tenant, services, rules, progress)
    hub = await writer.write_hub(plan.hub)
    spokes = await writer.scatter(plan.spokes, hub.undone)
    return scribe.report(hub, spokes, _counts(services))


def _rules(tenant: Tenant) -> Rules:
    return Rules(
        tenant_id=tenant.tenant_id,
        update_existing=tenant.update_existing,
        names_agree=tenant.pair_by_email is PairByEmail.NAMES_AGREE,
        exclude_private=tenant.exclude_private,
        exclude_categories=frozenset(tenant.exclude_categories),
    )


def _counts(services: TenantServices) -> GraphCounts:
    traffic = services.traffic
    return GraphCounts(traffic.requests, traffic.batches, traffic.throttled, traffic.retried, traffic.bytes)


class _Writer:
    """Writes a plan, first the hub, then all spokes side by side."""

    def __init__(self, tenant: Tenant, services: TenantServices, rules: Rules, progress: Progress) -> None:
        self._tenant = tenant
        self._services = services
        self._rules = rules
        self._progress = progress

    async def write_hub(self, operations: Sequence[Operation]) -> Applied:
        self._progress.step(self._tenant.tenant_id, "writing the hub", len(operations))
        applied = await self._apply(operations)
        if applied.failure:
            failure = applied.failure
            message = f"Tenant {self._tenant.tenant_id}: the shared mailbox could not be written. {failure.message}"
            raise TenantError(message, hint=failure.hint, code=failure.code)
        return applied

    async def scatter(self, operations: Mapping[str, Sequence[Operation]], undone: set[SyncId]) -> dict[str, Applied]:
        """Write the spokes; a contact that the hub does not hold as planned goes nowhere."""
        wanted = {
            mailbox: [one for one in theirs if isinstance(one, StampContact) or one.stamp.sync_id not in undone]
            for mailbox, theirs in operations.items()
        }
        self._progress.step(self._tenant.tenant_id, "writing the spokes", sum(map(len, wanted.values())))
        results = await asyncio.gather(*map(self._apply, wanted.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return dict(zip(wanted, (one for one in results if isinstance(one, Applied)), strict=True))

    async def _apply(self, operations: Sequence[Operation]) -> Applied:
        def done() -> None:
            self._progress.advance(self._tenant.tenant_id)

        return await apply(self._services.contacts, self._rules, operations, done)


class _Scribe:
    """Writes the report."""

    def __init__(self, tenant: Tenant, gathered: Gathered, plan: Plan) -> None:
        self._tenant = tenant
        self._gathered = gathered
        self._plan = plan
        replicas = [gathered.hub.replica, *(spoke.replica for spoke in gathered.spokes)]
        self._names = {replica.mailbox: replica.name for replica in replicas}

    def dry_report(self, graph: GraphCounts) -> TenantReport:
        """What the run would have done."""
        plan = self._plan
        hub = [PlannedOperation(1, operation.replica.name, operation) for operation in plan.hub]
        spokes = [
            PlannedOperation(2, operation.replica.name, operation)
            for operations in plan.spokes.values()
            for operation in operations
        ]
        return self._compose(_planned(hub), _planned(spokes), {}, graph, tuple(hub + spokes))

    def report(self, hub: Applied, spokes: Mapping[str, Applied], graph: GraphCounts) -> TenantReport:
        """What the run did."""
        total = Applied()
        for applied in spokes.values():
            total.created += applied.created
            total.updated += applied.updated
            total.stamped += applied.stamped
        total.problems = [*hub.problems, *(problem for one in spokes.values() for problem in one.problems)]
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
        return TenantReport(
            tenant_id=self._tenant.tenant_id,
            outcome=Outcome.PARTIAL if MailboxOutcome.FAILED in mailboxes else Outcome.OK,
            step1=StepCounts(hub.created, hub.updated, plan.gathered),
            step2=StepCounts(spokes.created, spokes.updated, plan.scattered),
            stamped=hub.stamped + spokes.stamped,
            duplicates=len(pairing.duplicates),
            private=len(pairing.withheld),
            mailboxes=mailboxes,
            problems=(*self._notices(), *self._failures(failures), *spokes.problems),
            conflicts=tuple(self._conflicts()),
            operations=operations,
            graph=graph,
        )

    def _outcomes(self, failures: Mapping[str, Failure]) -> Iterable[MailboxOutcome]:
        for spoke in self._gathered.spokes:
            failed = failures.get(spoke.replica.mailbox)
            yield _outcome(failed) if failed else MailboxOutcome.SYNCED
        yield from (_outcome(one.failure) for one in self._gathered.unreadable)

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


def _planned(operations: Iterable[PlannedOperation]) -> Applied:
    actions = [operation.action for operation in operations]
    return Applied(actions.count("create"), actions.count("update"), actions.count("stamp"))
