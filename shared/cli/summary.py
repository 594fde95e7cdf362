"""The report as a person reads it in a terminal or in a pipeline's log."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shared.cli.console import open_console, plain
from shared.sync.contact import field_json
from shared.sync.report import Outcome, PlannedOperation, Problem, ReportedConflict, RunReport, TenantReport, counted

_COLOURS = {
    Outcome.OK: "green",
    Outcome.RUNNING: "cyan",
    Outcome.SKIPPED: "cyan",
    Outcome.PARTIAL: "yellow",
    Outcome.FAILED: "red",
}
_SHORT = 10


def print_summary(report: RunReport, *, verbose: bool, console: Console | None = None) -> None:
    """Print what the run did; `verbose` lists every problem, planned write and lost value."""
    console = console or open_console()
    for warning in report.warnings:
        line(console, f"Warning: {warning}", style="yellow")
    for tenant in report.tenants:
        _TenantSummary(console, tenant, None if verbose else _SHORT).print()
    seconds = (report.finished_at - report.started_at).total_seconds()
    verb = "Dry run, nothing was written" if report.dry_run else "Run"
    console.print(f"{verb}: {_coloured(report.outcome)} in {seconds:.1f} s (run {escape(report.run_id)})")


def _coloured(outcome: Outcome) -> str:
    return f"[{_COLOURS[outcome]}]{outcome}[/]"


def line(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Print one line of text from anywhere; a terminal wraps it within its indentation, a log keeps it whole."""
    shown = Text(plain(text), style=style)
    if console.is_terminal:
        console.print(Padding(shown, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent) + shown, soft_wrap=True)


class _TenantSummary:
    """What one tenant's part of the run comes to; of long lists the first `limit`, None for all."""

    def __init__(self, console: Console, tenant: TenantReport, limit: int | None) -> None:
        self._console = console
        self._tenant = tenant
        self._limit = limit

    def print(self) -> None:
        """Print it."""
        tenant = self._tenant
        dry = ", dry run" if tenant.operations is not None else ""
        self._console.print(f"[bold]Tenant {escape(plain(tenant.tenant_id))}: {_coloured(tenant.outcome)}{dry}[/]")
        if tenant.error:
            self._print_error(tenant.error)
        else:
            self._print_numbers()
        self._print_problems()
        self._print_some("Replaced by a newer value", [_lost(one) for one in tenant.conflicts])
        self._print_some("Would be written", [_planned(one) for one in tenant.operations or ()])
        self._print_creations()

    def _print_error(self, error: Problem) -> None:
        self._say(f"{error.code}: {error.message}", style=_COLOURS[self._tenant.outcome])
        if error.hint:
            self._say(error.hint)

    def _print_numbers(self) -> None:
        self._console.print(_table(self._tenant))
        self._say(_counts(self._tenant))
        left = list(_left(self._tenant))
        if left:
            self._say(f"Left as they are: {', '.join(left)}")

    def _print_problems(self) -> None:
        """What is worth a look, by code, so that a hint stands once."""
        groups: dict[tuple[str, str], list[Problem]] = defaultdict(list)
        for problem in self._tenant.problems:
            groups[problem.code, problem.hint].append(problem)
        for (code, hint), problems in groups.items():
            lines = [f"{one.mailbox}: {one.message}" if one.mailbox else one.message for one in problems]
            self._print_some(f"{code} ({len(problems)})", lines, after=hint)

    def _print_creations(self) -> None:
        """Whom each mailbox would get."""
        operations = self._tenant.operations or ()
        created = Counter(one.mailbox for one in operations if one.action == "create")
        lines = [f"{mailbox}: {counted(count, 'new contact')}" for mailbox, count in sorted(created.items())]
        self._print_some("New contacts by mailbox", lines)

    def _print_some(self, title: str, lines: Sequence[str], *, after: str = "") -> None:
        if not lines:
            return
        self._say(title, style="bold")
        for text in lines[: self._limit]:
            line(self._console, text, indent=4)
        if self._limit is not None and len(lines) > self._limit:
            line(self._console, f"... and {len(lines) - self._limit} more (-v shows all)", indent=4)
        if after:
            line(self._console, after, indent=4, style="italic")

    def _say(self, text: str, *, style: str = "") -> None:
        line(self._console, text, indent=2, style=style)


def _table(tenant: TenantReport) -> Padding:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("")
    for name in ("new", "changed", "up to date"):
        table.add_column(name, justify="right")
    for name, step in (("users to the hub", tenant.step1), ("hub to the users", tenant.step2)):
        table.add_row(name, str(step.created), str(step.updated), str(step.skipped))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _counts(tenant: TenantReport) -> str:
    mailboxes = Counter(outcome.value for outcome in tenant.mailboxes)
    parts = [
        f"{counted(count, 'mailbox', 'mailboxes')} {name}" for name, count in sorted(mailboxes.items(), reverse=True)
    ]
    changed = (("stamped", tenant.stamped), ("deleted", tenant.deleted), ("restored", tenant.restored))
    parts += [f"{counted(count, 'card')} {what}" for what, count in changed if count or what == "stamped"]
    parts += [counted(tenant.disagreements, "conflict")]
    return ", ".join([*parts, f"{counted(tenant.graph.requests, 'request')} to Graph"])


def _left(tenant: TenantReport) -> Iterable[str]:
    if tenant.private:
        yield counted(tenant.private, "private card")
    if tenant.duplicates:
        yield f"{counted(tenant.duplicates, 'duplicate')} within a mailbox"


def _lost(reported: ReportedConflict) -> str:
    conflict = reported.conflict
    lost, kept = (field_json(conflict.field, value) for value in (conflict.loser, conflict.winner))
    note = "" if conflict.agreed else " (conflict)"
    return f"{conflict.field}: now {kept} ({reported.winner}), was {lost} ({reported.loser}){note}"


def _planned(operation: PlannedOperation) -> str:
    fields = f" ({', '.join(operation.fields)})" if operation.fields else ""
    return (
        f"step {operation.step}, {operation.mailbox}: {operation.action} {operation.name or 'a nameless card'}{fields}"
    )
