"""`python -m tests.bench`: measures the mirror, and the clients beside it, on a local Microsoft 365."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from tests.bench import document, targets
from tests.bench.bound import Work
from tests.bench.process import ProcessError
from tests.bench.scenarios import MIRROR, OTHERS, Bench, Measured, WrongResultError
from tests.bench.server import Company, Pace, serving
from tests.bench.targets import TARGETS

_BESIDE: Final = Company(10, 40)
GRIDS: Final = {
    "tiny": (Company(5, 20),),
    "default": (
        *(Company(20, 200), Company(20, 1000), Company(100, 200), Company(200, 200)),
        *(Company(20, 2000), Company(200, 2000), Company(1000, 200)),
    ),
    "full": tuple(Company(mailboxes, contacts) for mailboxes in (20, 200, 1000) for contacts in (200, 1000, 2000)),
}
_ONCE: Final = 100_000
"""Companies with more cards than that are measured once: they take minutes, and chance matters little there."""

_AT_ONCE: Final = 20
_TABLE_WIDTH: Final = 160


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
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(min=1),
    help="Tell the mirror's story so often, that of the largest once; counts go by the worst, CPU by the median.",
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
    names, repeat = choice["only"], int(str(choice["repeat"]))
    assert isinstance(names, tuple)
    works = frozenset(Work[name.upper()] for name in names) or frozenset(Work)
    results, is_whole = measure_all(_repeated(_companies(choice), repeat), works, pace, console, others=others)
    if not results:
        raise click.ClickException("nothing could be measured")
    _wide().print(*_tables(results))
    if file:
        file.write_text(json.dumps([asdict(one) for one in results], default=_plain, indent=1), encoding="utf-8")
    if write:
        document.write(results, _command(choice, pace))
    sys.exit(0 if is_whole else 1)


def _command(choice: dict[str, object], pace: Pace) -> str:
    """What to say to measure the same again."""
    sizes = choice["sizes"]
    assert isinstance(sizes, tuple)
    what = " ".join(f"--size {size}" for size in sizes) or f"--grid {choice['grid']}"
    paced = f"--latency-ms {pace.latency_seconds * 1000:.0f} --batch-concurrency {pace.batch_concurrency}"
    return f"python -m tests.bench {what} {paced} --repeat {choice['repeat']}"


def _companies(choice: dict[str, object]) -> Sequence[Company]:
    sizes = choice["sizes"]
    assert isinstance(sizes, tuple)
    try:
        return [Company(*map(int, size.split("x", 1))) for size in sizes] or GRIDS[str(choice["grid"])]
    except (TypeError, ValueError) as error:
        raise click.BadParameter("say it like 20x200: mailboxes, then contacts.", param_hint="--size") from error


def _repeated(companies: Sequence[Company], times: int) -> list[Company]:
    """So many rounds of them all, but the largest in the first one only."""
    small = [one for one in companies if one.mailboxes * one.contacts <= _ONCE]
    return [*companies, *small * (times - 1)]


def measure_all(
    companies: Sequence[Company], works: frozenset[Work], pace: Pace, console: Console, *, others: bool
) -> tuple[list[Measured], bool]:
    """All results, and whether nothing failed; what fails is told on the console, and the rest goes on."""
    results: list[Measured] = []
    is_whole = True

    def note(one: Measured) -> None:
        results.append(one)
        numbers = f"{one.cost.wall_seconds:.1f} s, {one.cost.reference_cpu_seconds:.1f} s of CPU"
        console.print(f"{one.client}, {document.size(one)}, {one.work.value}: {numbers}", highlight=False)

    with serving() as server:
        for story in _stories(Bench(server, pace, note), companies, works, others=others):
            try:
                story()
            except (ProcessError, WrongResultError) as error:
                is_whole = False
                console.print(f"Failed, and left out: {error}", style="red", markup=False, highlight=False)
    return results, is_whole


def _stories(
    bench: Bench, companies: Sequence[Company], works: frozenset[Work], *, others: bool
) -> Iterator[Callable[[], object]]:
    yield partial(bench.start_seconds, MIRROR)
    for company in companies:
        yield from _story(bench, company, works)
    if others:
        yield partial(bench.mirror, _BESIDE, works & {Work.FIRST, Work.QUIET, Work.EDIT})
        for client in OTHERS:
            yield partial(bench.start_seconds, client)
            yield partial(bench.other, client, _BESIDE)
    if bench.pace.batch_concurrency != _AT_ONCE and Work.FIRST in works:
        faster = bench.at(Pace(bench.pace.latency_seconds, _AT_ONCE))
        for _ in range(companies.count(companies[0])):
            yield from _story(faster, companies[0], frozenset({Work.FIRST}))


def _story(bench: Bench, company: Company, works: frozenset[Work]) -> Iterator[Callable[[], object]]:
    """The mirror's, and before it, in the same minute, what can be reached where there is a target for it."""
    if Work.FIRST in works and company.mailboxes == targets.MAILBOXES_FILLED:
        yield partial(bench.bare, company)
    yield partial(bench.mirror, company, works)


def _wide() -> Console:
    """A console that is wide enough for the table, also where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_TABLE_WIDTH)


def _tables(results: Sequence[Measured]) -> list[Table]:
    runs = Table("client", *document.COLUMNS, title="Measured")
    for one in results:
        runs.add_row(one.client, *document.row(one))
    kept = Table("target", "allowed", "measured", "", title="What must hold")
    for target in TARGETS:
        if worst := targets.telling(target, results):
            verdict = "[green]holds[/]" if target.holds(worst) else "[red]does not hold[/]"
            kept.add_row(target.name, f"{target.allowed(worst):.1f}", f"{target.actual(worst):.1f}", verdict)
    return [runs, kept]


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else str(value)


if __name__ == "__main__":
    main()
