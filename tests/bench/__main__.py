"""`python -m tests.bench`: measures the mirror, and the clients beside it, on a local Microsoft 365."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from tests.bench import document, targets
from tests.bench.bound import Work
from tests.bench.scenarios import MIRROR, OTHERS, Bench, Measured
from tests.bench.server import Company, Pace, serving
from tests.bench.targets import TARGETS

_BESIDE: Final = Company(10, 40)
GRIDS: Final = {
    "tiny": (Company(5, 20),),
    "default": (Company(20, 200), Company(20, 1000), Company(100, 200), Company(200, 200)),
    "full": tuple(Company(mailboxes, contacts) for mailboxes in (20, 200, 1000) for contacts in (200, 1000, 2000)),
}
_AT_ONCE: Final = 20


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--grid", type=click.Choice(list(GRIDS)), default="default", show_default=True, help="Which companies.")
@click.option("--size", "sizes", multiple=True, metavar="NxM", help="Instead: N mailboxes and M contacts; repeatable.")
@click.option(
    "--only", type=click.Choice([work.name.lower() for work in Work]), multiple=True, help="Only these works."
)
@click.option("--latency-ms", default=50, show_default=True, type=click.IntRange(min=0), help="For each request.")
@click.option(
    "--batch-concurrency", default=4, show_default=True, type=click.IntRange(1, 20),
    help="Requests of one batch that are carried out at a time: 4 as documented, 20 as fast as mailboxes allow.",
)  # fmt: skip
@click.option("--others/--no-others", default=True, show_default=True, help="Measure the two other clients as well.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers to this file.")
@click.option("--write", is_flag=True, help="Put tables and charts into docs/performance.md.")
def main(*, others: bool, file: Path | None, write: bool, **choice: object) -> None:
    """Measure the mirror on a local Microsoft 365 with latency and throttling.

    Each run is a process of its own on a server of its own; what others do on this machine disturbs the times.
    """
    console = Console(stderr=True)
    pace = Pace(int(str(choice["latency_ms"])) / 1000, int(str(choice["batch_concurrency"])))
    names = choice["only"]
    assert isinstance(names, tuple)
    works = frozenset(Work[name.upper()] for name in names) or frozenset(Work)
    results = measure_all(_companies(choice), works, pace, console, others=others)
    Console().print(*_tables(results))
    if file:
        file.write_text(json.dumps([asdict(one) for one in results], default=_plain, indent=1), encoding="utf-8")
    if write:
        document.write(results, " ".join(["python -m tests.bench", *sys.argv[1:]]))


def _companies(choice: dict[str, object]) -> Sequence[Company]:
    sizes = choice["sizes"]
    assert isinstance(sizes, tuple)
    try:
        return [Company(*map(int, size.split("x", 1))) for size in sizes] or GRIDS[str(choice["grid"])]
    except (TypeError, ValueError) as error:
        raise click.BadParameter("say it like 20x200: mailboxes, then contacts.", param_hint="--size") from error


def measure_all(
    companies: Sequence[Company], works: frozenset[Work], pace: Pace, console: Console, *, others: bool
) -> list[Measured]:
    """All results, the mirror's first."""

    def note(one: Measured) -> None:
        cells = dict(zip(document.COLUMNS, document.row(one), strict=True))
        console.print(f"{one.client}: " + ", ".join(f"{name} {cell}" for name, cell in cells.items()), highlight=False)

    results: list[Measured] = []
    with serving() as server:
        bench = Bench(server, pace, note)
        bench.start_seconds(MIRROR)
        for company in companies:
            results += bench.mirror(company, works)
        if others:
            results += bench.mirror(_BESIDE, works & {Work.FIRST, Work.QUIET, Work.EDIT})
            for client in OTHERS:
                bench.start_seconds(client)
                results += bench.other(client, _BESIDE)
        if pace.batch_concurrency != _AT_ONCE and Work.FIRST in works:
            faster = Bench(server, Pace(pace.latency_seconds, _AT_ONCE), note)
            results += faster.mirror(companies[0], frozenset({Work.FIRST}))
    return results


def _tables(results: Sequence[Measured]) -> list[Table]:
    runs = Table("client", *document.COLUMNS, title="Measured")
    for one in results:
        runs.add_row(one.client, *document.row(one))
    kept = Table("target", "allowed", "at worst", "", title="What must hold")
    for target in TARGETS:
        if worst := targets.telling(target, results):
            verdict = "[green]holds[/]" if target.holds(worst) else "[red]does not hold[/]"
            kept.add_row(target.name, f"{target.allowed(worst):.1f}", f"{target.actual(worst):.1f}", verdict)
    return [runs, kept]


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else str(value)


if __name__ == "__main__":
    main()
