"""`history`: the runs, or what became of one contact; from the state alone, no mailbox is contacted."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from shared.cli.sync import named, print_json
from shared.sync.records import QUEUED

if TYPE_CHECKING:
    from rich.console import Console

    from shared.engine.history import Entry, Story
    from shared.sync.records import RunRecord

_RUNS_SHOWN = 20


@click.command(short_help="Show past runs, or what became of a contact.")
@click.argument("contact", required=False)
@click.option(
    "--tenant", "tenants", multiple=True, metavar="T", callback=named,
    help="Only this tenant (TenantId or PrimaryDomain); repeatable.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(min=1), default=_RUNS_SHOWN, show_default=True, metavar="N",
    help="The latest N runs, or changes of the contact.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")
def history(*, contact: str | None, tenants: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Show the latest runs, or who changed what of a contact, and when.

    CONTACT is a SyncId, an e-mail address, or a display name or a part of one, in any case. The output names contacts:
    keep it as you keep them.
    """
    if contact is None:
        runs = asyncio.run(_runs(tenants, limit))
        _show_runs(runs, as_json=as_json)
        return 0
    if not contact.strip():
        raise click.BadParameter("it is empty; leave it out to see the runs.", param_hint="CONTACT")
    stories = asyncio.run(_stories(contact, tenants, limit))
    if not any(stories.values()):
        raise click.BadParameter(f"nobody is remembered by {contact!r}.", param_hint="CONTACT")
    _show_stories(stories, as_json=as_json)
    return 0


async def _runs(names: Sequence[str], limit: int) -> "Mapping[str, Sequence[RunRecord]]":
    from shared.bootstrap import remembered
    from shared.engine.history import latest_runs

    async with remembered(os.environ, names) as (tenants, state):
        return {one.tenant_id: await latest_runs(state, one.tenant_id, limit) for one in tenants}


async def _stories(words: str, names: Sequence[str], limit: int) -> "Mapping[str, Sequence[Story]]":
    from shared.bootstrap import remembered
    from shared.engine.history import find, tell

    stories = {}
    async with remembered(os.environ, names) as (tenants, state):
        for tenant in tenants:
            found = await find(state, tenant.tenant_id, words)
            # Of several nobody's whole history is asked for: their names help to say who is meant.
            shown = limit if len(found) == 1 else 1
            stories[tenant.tenant_id] = [await tell(state, tenant.tenant_id, one, shown) for one in found]
    return stories


def _show_runs(runs: "Mapping[str, Sequence[RunRecord]]", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"tenants": [{"tenant_id": tenant, "runs": list(map(_run_json, rs))} for tenant, rs in runs.items()]}
        )
        return
    from shared.cli.console import open_console
    from shared.cli.summary import line

    console = open_console()
    for tenant, records in runs.items():
        line(console, f"Tenant {tenant}: {'no run is remembered' if not records else 'the latest runs'}", style="bold")
        for record in records:
            line(console, f"{_time(record)}  {record.outcome:<10}  {record.run_id}  {_counts(record)}", indent=2)


def _run_json(record: "RunRecord") -> dict[str, object]:
    from shared.sync.report import iso

    return {
        "run_id": record.run_id,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at) if record.finished_at else None,
        "outcome": record.outcome,
        "report": dict(record.report),
    }


def _time(record: "RunRecord") -> str:
    from shared.sync.report import iso

    return iso(record.started_at)


def _counts(record: "RunRecord") -> str:
    """What the run wrote, in a few words, as far as its report tells."""
    report: Mapping[str, Any] = record.report
    if not report:
        return "has not begun" if record.outcome == QUEUED else "did not end, or goes on"
    error = report.get("error")
    if isinstance(error, Mapping):
        return str(error.get("code", ""))
    counts = [
        ("hub", "new", _count(report, "step1", "created")),
        ("hub", "changed", _count(report, "step1", "updated")),
        ("users", "new", _count(report, "step2", "created")),
        ("users", "changed", _count(report, "step2", "updated")),
        ("cards", "stamped", _count(report, "stamped")),
        ("cards", "deleted", _count(report, "deleted")),
        ("cards", "restored", _count(report, "restored")),
    ]
    return ", ".join(f"{where}: {count} {what}" for where, what, count in counts if count) or "nothing to do"


def _count(report: Mapping[str, Any], *path: str) -> int:
    value: Any = report
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) else 0


def _show_stories(stories: "Mapping[str, Sequence[Story]]", *, as_json: bool) -> None:
    if as_json:
        told = [
            {"tenant_id": tenant, "contacts": [one.to_json() for one in theirs]} for tenant, theirs in stories.items()
        ]
        print_json({"tenants": told})
        return
    from shared.cli.console import open_console
    from shared.cli.summary import line

    console = open_console()
    for tenant, found in stories.items():
        if len(found) > 1:
            line(
                console, f"Tenant {tenant}: {len(found)} contacts fit; ask for one of them by its SyncId", style="bold"
            )
            for story in found:
                line(console, f"{story.sync_id}  {_title(story)}", indent=2)
        for story in found if len(found) == 1 else ():
            line(console, f"Tenant {tenant}: {_title(story)}, SyncId {story.sync_id}", style="bold")
            for entry in story.entries:
                _print_entry(console, entry)


def _title(story: "Story") -> str:
    email = f" <{story.email}>" if story.email else ""
    return f"{story.name or 'a nameless contact'}{email}{' (deleted)' if story.is_deleted else ''}"


def _print_entry(console: "Console", entry: "Entry") -> None:
    from shared.cli.summary import line
    from shared.sync.contact import field_json
    from shared.sync.report import iso

    line(console, f"{iso(entry.at)}  {entry.event} by {entry.by} (run {entry.run_id})", indent=2)
    for name, (before, after) in entry.fields.items():
        was, now = field_json(name, before), field_json(name, after)
        line(console, f"{name}: {now}" if before is None else f"{name}: {was} -> {now}", indent=6)
