"""`check`: is everything set up? Reads only, and says for what is not who can mend it and how."""

import asyncio
import os
from typing import TYPE_CHECKING, Final

import click

from shared.cli.sync import named, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from shared.sync.findings import CheckReport, Finding, Status

_COLOURS: Final = {"ok": "green", "skipped": "cyan", "warning": "yellow", "red": "red"}
_INDENT: Final = 4


@click.command(short_help="Look whether everything is set up.")
@click.option(
    "--tenant", "tenants", multiple=True, metavar="T", callback=named,
    help="Only this tenant (TenantId or PrimaryDomain); repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, and nothing else, on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Log every event, and name the mailboxes that a line is about.")
def check(*, tenants: tuple[str, ...], as_json: bool, verbose: bool) -> int:
    """Look whether everything is set up: settings, secret, permissions, mailboxes, state, clock.

    Reads only, and writes nothing anywhere. Each line that is red says what is wrong, who can mend it and how; the
    exit code is then 1.
    """
    from shared.bootstrap import check as look
    from shared.cli.logs import log_to_stderr

    log_to_stderr(verbose=verbose)
    report = asyncio.run(look(os.environ, tenants))
    if as_json:
        print_json(report.to_json())
    else:
        _show(report, verbose=verbose)
    return report.exit_code


def _show(report: "CheckReport", *, verbose: bool) -> None:
    from shared.cli.console import open_console
    from shared.cli.summary import line

    console = open_console()
    if report.settings:
        line(console, "Settings", style="bold")
        _print(console, report.settings, verbose=verbose)
    for tenant in report.tenants:
        line(console, f"Tenant {tenant.tenant_id}: {tenant.outcome}", style="bold")
        _print(console, tenant.findings, verbose=verbose)
    line(console, f"Check: {report.outcome}{_counts(report)}", style=_COLOURS[report.outcome])


def _print(console: "Console", findings: "Iterable[Finding]", *, verbose: bool) -> None:
    from shared.cli.summary import line

    for one in findings:
        line(console, f"{one.status:<8} {one.check:<14}  {one.message}", indent=2, style=_style(one.status))
        if one.hint:
            line(console, f"{f'For {one.who}: ' if one.who else ''}{one.hint}", indent=_INDENT)
        for mailbox in one.mailboxes if verbose else ():
            line(console, mailbox, indent=_INDENT)


def _style(status: "Status") -> str:
    """The colour of what is worth a look."""
    return "" if status == "ok" else _COLOURS[status]


def _counts(report: "CheckReport") -> str:
    """How many lines are worth a look."""
    from shared.sync.report import counted

    statuses = [one.status.value for one in report.findings]
    red, warnings = statuses.count("red"), statuses.count("warning")
    parts = [f"{red} red"] * bool(red) + [counted(warnings, "warning")] * bool(warnings)
    return f" ({', '.join(parts)})" if parts else ""
