"""`sync`: one run, from the settings in the environment."""

import asyncio
import json
import logging
import os
from pathlib import Path

import click

from shared.cli.logs import log_to_stderr
from shared.engine.options import RunOptions
from shared.sync.report import RunReport
from shared.telemetry import log_report


@click.command()
@click.option("--dry-run", is_flag=True, help="Plan everything, write nothing.")
@click.option("--tenant", "tenants", multiple=True, metavar="T", help="Only this tenant (id or domain); repeatable.")
@click.option("--user", "users", multiple=True, metavar="U", help="Only this user's mailbox; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else, on stdout.")
@click.option(
    "--report",
    "page",
    metavar="FILE.html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report page.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every event, and list what was left or lost.")
def sync(
    *, dry_run: bool, tenants: tuple[str, ...], users: tuple[str, ...], as_json: bool, page: Path | None, verbose: bool
) -> None:
    """Mirror contacts once: users to the shared mailbox, shared mailbox to users."""
    from shared.bootstrap import sync as run_once
    from shared.cli.progress import watching

    log_to_stderr(verbose=verbose)
    check_writable(page)
    options = RunOptions(dry_run=dry_run, tenants=tenants, users=users)
    with watching() as progress:
        report = asyncio.run(run_once(os.environ, options, progress=progress))
    log_report(logging.getLogger("contacts_mirror"), report)
    show(report, as_json=as_json, verbose=verbose)
    if page:
        write_page(report, page)
    raise SystemExit(report.exit_code)


def check_writable(page: Path | None) -> None:
    """Refuse a report file that cannot be written before the run, not after it."""
    if page and not (page.parent.is_dir() and os.access(page.parent, os.W_OK)):
        raise click.BadParameter(f"{page.parent} is not a folder that can be written to.", param_hint="--report")


def show(report: RunReport, *, as_json: bool, verbose: bool) -> None:
    """Print the report on stdout."""
    if as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
        return
    from shared.cli.summary import print_summary

    print_summary(report, verbose=verbose)


def write_page(report: RunReport, file: Path) -> None:
    """Write the report as a page."""
    from shared.page import report_page

    file.write_text(report_page(report.to_json()), encoding="utf-8")
