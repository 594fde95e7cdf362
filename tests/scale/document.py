"""The model as `docs/scale.md` tells it, and what was measured for it; the prose around the tables is kept."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.bench.process import ROOT
from tests.scale.assumptions import AZURE, PRICES, SIZES, TENANT
from tests.scale.company import Scenario
from tests.scale.durable import traffic
from tests.scale.merging import Found
from tests.scale.model import Estimate, estimate

DOCUMENT: Final = ROOT / "docs" / "scale.md"
MODEL: Final = ("<!-- model: begin -->\n", "<!-- model: end -->")
MEASURED: Final = ("<!-- measured: begin -->\n", "<!-- measured: end -->")
_MEGABYTE: Final = 1_000_000
_COSTS: Final = (
    "work", "mailboxes", "HTTP requests", "requests in them", "table transactions", "MB of parcels", "minutes",
    "GB-seconds", "euros",
)  # fmt: skip
_HOST: Final = (
    "mailboxes", "shards written", "orchestrations", "steps", "entries of histories", "turns", "messages", "large ones",
    "CPU s of replays", "if heard 32 at a time", "without slices",
)  # fmt: skip


def tables() -> str:
    """All of the model's tables, in Markdown; the same numbers on every machine."""
    estimates = [estimate(scenario, mailboxes) for scenario in Scenario for mailboxes in SIZES]
    return "\n".join(
        (
            "What a run costs:\n",
            _table(_COSTS, map(_cost, estimates)),
            "What Durable Functions does for it:\n",
            _table(_HOST, (_host(mailboxes, writes=writes) for writes in (False, True) for mailboxes in SIZES)),
            "With these assumptions:\n",
            _table(("assumed", "value"), _assumed()),
        )
    )


def measured(found: Found) -> str:
    """What a merge holds, in Markdown."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    rows = (
        ("a mailbox in a quiet hour", found.quiet),
        ("a mailbox when somebody has edited a contact", found.edited),
        ("each further edited contact, for a mailbox", found.further),
        ("a card that a first run finds in a mailbox", found.first_card),
    )
    head = f"Measured with `python -m tests.scale --measure` on {machine}.\n\n"
    return head + _table(("the merge holds, for", "bytes at its peak"), ((what, _number(size)) for what, size in rows))


def put(text: str, marks: tuple[str, str], document: Path = DOCUMENT) -> None:
    """Put a text between its marks in the document."""
    begin, end = marks
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    document.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}", encoding="utf-8")


def shown(marks: tuple[str, str], document: Path = DOCUMENT) -> str:
    """What stands between these marks."""
    begin, end = marks
    return document.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def _cost(one: Estimate) -> Sequence[str]:
    least, most = one.work_seconds / 60, (one.work_seconds + one.waiting_seconds) / 60
    return (
        one.scenario.value, _number(one.mailboxes), _number(one.http_requests), _number(one.graph_requests),
        _number(one.table_transactions), _number(one.state.parcel_bytes / _MEGABYTE), f"{least:.1f} to {most:.1f}",
        _number(one.gigabyte_seconds), f"{one.euros:.3f}",
    )  # fmt: skip


def _host(mailboxes: int, *, writes: bool) -> Sequence[str]:
    one = traffic(mailboxes, writes=writes)
    soon, whole = (
        traffic(mailboxes, writes=writes, **how) for how in ({"heard": AZURE.messages_a_poll}, {"sliced": False})
    )
    return (
        _number(mailboxes), "all" if writes else "none", _number(one.orchestrations), _number(one.activities),
        _number(one.events), _number(one.turns), _number(one.messages), _number(one.large),
        *(f"{each.replay_seconds:.1f}" for each in (one, soon, whole)),
    )  # fmt: skip


def _assumed() -> Iterable[Sequence[str]]:
    for values in (TENANT, AZURE, PRICES):
        for name, value in asdict(values).items():
            yield name.replace("_", " "), f"{value:.10f}".rstrip("0").rstrip(".") if value < 1 else _number(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
