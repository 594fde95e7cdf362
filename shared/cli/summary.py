"""The report as a person reads it in a terminal."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.sync.contact import field_json
from shared.sync.report import Outcome, PlannedOperation, ReportedConflict, RunReport, TenantReport

_COLOURS = {Outcome.OK: "green", Outcome.SKIPPED: "cyan", Outcome.PARTIAL: "yellow", Outcome.FAILED: "red"}
_SHORT = 10


def print_summary(report: RunReport, *, verbose: bool, console: Console | None = None) -> None:
    """Print what the run did; `verbose` lists every problem, planned write and lost value."""
    console = console or Console(soft_wrap=True)
    for warning in report.warnings:
        console.print(f"[yellow]Warning:[/] {escape(warning)}")
    for tenant in report.tenants:
        _print_tenant(console, tenant, None if verbose else _SHORT)
    seconds = (report.finished_at - report.started_at).total_seconds()
    verb = "Dry run, nothing was written" if report.dry_run else "Run"
    outcome = f"[{_COLOURS[report.outcome]}]{report.outcome}[/]"
    console.print(f"{verb}: {outcome} in {seconds:.1f} s (run {report.run_id})")


def _table(tenant: TenantReport) -> Table:
    outcome = f"[{_COLOURS[tenant.outcome]}]{tenant.outcome}[/]"
    table = Table(title=f"Tenant {tenant.tenant_id}: {outcome}", title_justify="left", title_style="")
    table.add_column("")
    for name in ("new", "changed", "up to date"):
        table.add_column(name, justify="right")
    for name, step in (("users to the hub", tenant.step1), ("hub to the users", tenant.step2)):
        table.add_row(name, str(step.created), str(step.updated), str(step.skipped))
    return table


def _counts(tenant: TenantReport) -> str:
    mailboxes = Counter(outcome.value for outcome in tenant.mailboxes)
    parts = [f"{count} mailboxes {name}" for name, count in sorted(mailboxes.items(), reverse=True)]
    parts += [f"{tenant.stamped} cards stamped", f"{tenant.disagreements} conflicts"]
    return ", ".join([*parts, f"{tenant.graph.requests} requests to Graph"])


def _print_tenant(console: Console, tenant: TenantReport, limit: int | None) -> None:
    console.print(_table(tenant))
    if tenant.error:
        console.print(f"[red]{escape(tenant.error.message)}[/]")
        _print_hint(console, tenant.error.hint)
    else:
        console.print(_counts(tenant))
    _print_some(console, "Left as they are", list(_left(tenant)), limit)
    _print_some(console, "Worth a look", list(_problems(tenant)), limit)
    _print_some(console, "Replaced by a newer value", [_lost(one) for one in tenant.conflicts], limit)
    _print_some(console, "Would be written", [_planned(one) for one in tenant.operations or ()], limit)
    _print_creations(console, tenant.operations or ())


def _print_hint(console: Console, hint: str) -> None:
    if hint:
        console.print(f"    {escape(hint)}", style="dim")


def _left(tenant: TenantReport) -> Iterable[str]:
    if tenant.private:
        yield f"{tenant.private} private cards"
    if tenant.duplicates:
        yield f"{tenant.duplicates} duplicates within a mailbox"


def _problems(tenant: TenantReport) -> Iterable[str]:
    for problem in tenant.problems:
        hint = f" {problem.hint}" if problem.hint else ""
        yield f"{problem.mailbox}: {problem.message}{hint}"


def _lost(reported: ReportedConflict) -> str:
    conflict = reported.conflict
    lost, kept = (field_json(conflict.field, value) for value in (conflict.loser, conflict.winner))
    note = "" if conflict.agreed else " (conflict)"
    return f"{conflict.field}: {lost} of {reported.loser} by {kept} of {reported.winner}{note}"


def _planned(operation: PlannedOperation) -> str:
    fields = ", ".join(operation.fields)
    return f"step {operation.step}, {operation.mailbox}: {operation.action} {operation.name} ({fields})"


def _print_creations(console: Console, operations: Iterable[PlannedOperation]) -> None:
    """Whom each mailbox would get: the page's creation summary."""
    created = Counter(operation.mailbox for operation in operations if operation.action == "create")
    if created:
        table = Table(title="New contacts by mailbox", title_justify="left")
        table.add_column("mailbox")
        table.add_column("contacts", justify="right")
        for mailbox, count in sorted(created.items()):
            table.add_row(escape(mailbox), str(count))
        console.print(table)


def _print_some(console: Console, title: str, lines: list[str], limit: int | None) -> None:
    if not lines:
        return
    console.print(f"[bold]{title}[/]")
    for line in lines[:limit]:
        console.print(f"  {escape(line)}", highlight=False)
    if limit is not None and len(lines) > limit:
        console.print(f"  … and {len(lines) - limit} more (-v shows all)", style="dim")
