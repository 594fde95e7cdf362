"""`undo`: take a run back, after a look at what that means."""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from shared.cli.sync import carry_out, named, print_json, show
from shared.engine.options import RunOptions

if TYPE_CHECKING:
    from rich.console import Console

    from shared.sync.undo import Step, UndoPlan


def _readable(_context: click.Context, _parameter: click.Parameter, run_id: str) -> str:
    """Refuse bytes that are no text, which no state can look up."""
    if not run_id.isprintable():
        raise click.BadParameter("it is no run's id; `history` lists the runs.")
    return run_id.strip()


@click.command(short_help="Take a run back.")
@click.argument("run_id", callback=_readable)
@click.option(
    "--tenant", "tenants", multiple=True, metavar="T", callback=named,
    help="Only in this tenant (TenantId or PrimaryDomain); repeatable.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what it would mean, and do nothing.")
@click.option("--yes", "is_agreed", is_flag=True, help="Carry it out without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print the report, without a run the plan, as JSON on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Log every event, and leave nothing out of the summary.")
def undo(*, run_id: str, tenants: tuple[str, ...], dry_run: bool, is_agreed: bool, as_json: bool, verbose: bool) -> int:
    """Take the run RUN_ID back: make current again what was current before it, in the hub and in all mailboxes.

    What somebody changed since stays. Contacts that the run created are removed again, where the mirror made the card
    and nobody has edited it; a person's own card stays, no longer shared. Shows what it means and asks first. It is a
    run of its own, and can be undone.
    """
    plans, dry_tenants = asyncio.run(_plans(run_id, tenants))
    if not plans:
        raise click.BadParameter(f"no run {run_id} is on record; `history` lists the runs.", param_hint="RUN_ID")
    moving = {tenant: plan for tenant, plan in plans.items() if plan.moving}
    ends_here = dry_run or plans.keys() <= dry_tenants or not moving
    if as_json and ends_here:
        print_json(_plans_json(run_id, plans))
    else:
        _show(plans, as_json=as_json)
    if ends_here:
        click.echo("Nothing was undone: a dry run." if moving else "There is nothing to undo.", err=True)
        return 0
    if not is_agreed and not _agrees():
        click.echo("Nothing was undone.", err=True)
        return 0
    return _carry_out(moving, as_json=as_json, verbose=verbose)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("This is no terminal to ask on: --yes carries the plan out, --dry-run only shows it.")
    return click.confirm("Undo this?", err=True)


def _carry_out(plans: "Mapping[str, UndoPlan]", *, as_json: bool, verbose: bool) -> int:
    from shared.engine.undo import Undoing

    report = carry_out(RunOptions(tenants=tuple(plans)), verbose=verbose, work=Undoing(plans))
    show(report, as_json=as_json, verbose=verbose)
    return report.exit_code


async def _plans(run_id: str, names: Sequence[str]) -> "tuple[dict[str, UndoPlan], set[str]]":
    """By tenant that knows the run, the plan; and the tenants whose settings ask for dry runs."""
    from shared.bootstrap import remembered
    from shared.engine.undo import read_plan

    async with remembered(os.environ, names) as (tenants, state):
        found = {one.tenant_id: await read_plan(state, one.tenant_id, run_id) for one in tenants}
        dry = {tenant.tenant_id for tenant in tenants if tenant.dry_run}
    return {tenant: plan for tenant, plan in found.items() if plan}, dry


def _plans_json(run_id: str, plans: "Mapping[str, UndoPlan]") -> dict[str, object]:
    tenants = [
        {"tenant_id": tenant, "steps": [step.to_json() for step in plan.steps]} for tenant, plan in plans.items()
    ]
    return {"undo": run_id, "tenants": tenants}


def _show(plans: "Mapping[str, UndoPlan]", *, as_json: bool) -> None:
    """Print the plan where a person sees it: with JSON on stdout that is stderr."""
    from shared.cli.console import open_console
    from shared.cli.summary import line
    from shared.sync.report import counted

    console = open_console(stderr=as_json)
    for tenant, plan in plans.items():
        line(console, f"Tenant {tenant}: undoing run {plan.run_id} means", style="bold")
        for step in plan.steps:
            _print_step(console, step)
        line(console, f"{counted(len(plan.moving), 'contact')} of {len(plan.steps)} to write.", indent=2)


def _print_step(console: "Console", step: "Step") -> None:
    from shared.cli.summary import line

    line(console, f"{_WORDS[step.fate]}: {step.name or 'a nameless contact'}{_reason(step)}", indent=2)
    for text in _fields(step):
        line(console, text, indent=6)


_WORDS: Mapping[str, str] = {
    "changed": "goes back",
    "restored": "comes back",
    "removed": "is removed",
    "kept": "stays as it is",
}


def _reason(step: "Step") -> str:
    if step.fate == "removed":
        return " (the mirror's cards that nobody edited; a person's own card stays, no longer shared)"
    fields = f": {', '.join(step.kept)}" if step.kept else ""
    return f" ({'but ' if step.fate == 'changed' else ''}{step.reason}{fields})" if step.reason else ""


def _fields(step: "Step") -> Iterable[str]:
    from shared.sync.contact import field_json

    for name, (now, then) in step.fields.items() if step.fate == "changed" else ():
        yield f"{name}: {field_json(name, now)} -> {field_json(name, then)}"
