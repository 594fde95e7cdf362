"""`sync`: one run, from the settings in the environment."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared.engine.options import RunOptions

if TYPE_CHECKING:
    from shared.engine.run import Work
    from shared.sync.report import RunReport


def named(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name that is empty: a variable of a pipeline that came out empty does not mean everybody, nor nobody."""
    if any(not name.strip() for name in names):
        raise click.BadParameter("it is empty; leave the option out to take all of them.")
    return tuple(name.strip() for name in names)


@click.command(short_help="Mirror contacts once.")
@click.option("--dry-run", is_flag=True, help="Plan everything, step 2 included, and write nothing.")
@click.option(
    "--tenant", "tenants", multiple=True, metavar="T", callback=named,
    help="Only this tenant (TenantId or PrimaryDomain); repeatable.",
)  # fmt: skip
@click.option(
    "--user", "users", multiple=True, metavar="U", callback=named,
    help="Only this user's mailbox and the hub (UPN, e-mail address or object id); repeatable.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Read every mailbox whole, whatever is remembered of it.")
@click.option(
    "--allow-deletes", "allowed_deletes", type=click.IntRange(min=1), metavar="N",
    help="Carry out deletions that were refused as implausible, if they are no more than N contacts.",
)  # fmt: skip
@click.option("--restore-deletes", "restores_deletes", is_flag=True, help="Put back what is missing, this once.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else, on stdout.")
@click.option(
    "--report", "page", metavar="FILE.html", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report as a self-contained page. It names contacts: keep it as you keep them.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log every event, and leave nothing out of the summary.")
def sync(*, as_json: bool, page: Path | None, verbose: bool, **limits: Any) -> int:
    """Mirror contacts once: users to the shared mailbox, shared mailbox to users.

    Progress goes to stderr, the summary to stdout. Begin with --dry-run, and with --user for a first real run.
    """
    options = RunOptions(**limits)
    if options.restores_deletes and options.allowed_deletes is not None:
        raise click.UsageError("--allow-deletes and --restore-deletes exclude each other: deletions go on or go back.")
    check_writable(page)
    report = carry_out(options, verbose=verbose)
    is_kept = page is None or write_page(report, page)
    show(report, as_json=as_json, verbose=verbose)
    return report.exit_code or int(not is_kept)


def carry_out(options: RunOptions, *, verbose: bool, work: "Work | None" = None) -> "RunReport":
    """A run with its progress on stderr; `work` is what it does for each tenant, None to mirror it."""
    from shared.bootstrap import Means
    from shared.bootstrap import carry_out as run_once
    from shared.cli.logs import log_to_stderr
    from shared.cli.progress import watching
    from shared.engine.tenant import sync_tenant
    from shared.telemetry import log_report

    log_to_stderr(verbose=verbose)
    with watching(bars=not verbose) as progress:
        report = asyncio.run(run_once(os.environ, options, work or sync_tenant, Means(progress)))
    log_report(logging.getLogger("contacts_mirror"), report)
    return report


def check_writable(page: Path | None) -> None:
    """Refuse a report file that cannot be written before the run, not after it."""
    if page is None:
        return
    try:
        problem = _unwritable(page)
    except OSError as error:
        problem = f"{page} cannot be written: {error.strerror}."
    if problem:
        raise click.BadParameter(problem, param_hint="--report")


def _unwritable(page: Path) -> str:
    """Why the page cannot be written, "" if it can."""
    if page.is_dir():  # so is the path that an empty text makes
        return "it is empty or a folder; give the name of a file."
    if not (page.parent.is_dir() and os.access(page.parent, os.W_OK)):
        return f"{page.parent} is not a folder that can be written to."
    if page.exists() and not os.access(page, os.W_OK):
        return f"{page} exists and cannot be written to."
    return ""


def show(report: "RunReport", *, as_json: bool, verbose: bool) -> None:
    """Print the report on stdout; a reader that has gone away changes nothing about the run."""
    if as_json:
        print_json(report.to_json())
        return
    from shared.cli.summary import print_summary

    print_summary(report, verbose=verbose)


def print_json(document: Mapping[str, object]) -> None:
    """Print a document on stdout, in UTF-8 whatever the terminal's encoding."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace"))


def write_page(report: "RunReport", file: Path) -> bool:
    """Write the report as a page, and say whether that went well: the run has happened all the same."""
    from shared.page import report_page

    try:
        file.write_text(report_page(report.to_json()), encoding="utf-8", errors="replace")
    except OSError as error:
        click.echo(f"The report page {file} could not be written: {error.strerror}.", err=True)
        return False
    return True
