"""The results as `docs/performance.md` tells them: tables and charts; the prose around the tables is kept."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.bench import chart, targets
from tests.bench.bound import Work
from tests.bench.process import ROOT
from tests.bench.scenarios import MIRROR, MODELS, SEQUENTIAL, Measured
from tests.bench.targets import MEGABYTE, TARGETS

DOCUMENT: Final = ROOT / "docs" / "performance.md"
CHARTS: Final = ROOT / "docs" / "performance"
_BEGIN: Final = "<!-- measured: begin -->"
_END: Final = "<!-- measured: end -->"
COLUMNS: Final = (
    "work", "mailboxes × contacts", "HTTP requests", "requests in them", "writes", "MB", "seconds", "at Graph", "bound",
    "times the bound", "CPU s", "peak MB", "slowness",
)  # fmt: skip
_NAMES: Final = {MIRROR: "the mirror", SEQUENTIAL: "sequential client", MODELS: "SDK's models"}
_Results = Sequence[Measured]


def size(measured: Measured) -> str:
    """The company's size as it is written everywhere."""
    return f"{measured.company.mailboxes} × {_number(measured.company.contacts)}"


def row(one: Measured) -> tuple[str, ...]:
    """One run in the order of `COLUMNS`."""
    usage, cost = one.usage, one.cost
    return (
        one.work.value, size(one), _number(usage.http_requests), _number(usage.sub_requests), _number(usage.writes),
        f"{usage.transferred_bytes / MEGABYTE:.1f}", f"{cost.wall_seconds:.1f}", f"{one.graph_seconds:.2f}",
        f"{one.bound_seconds:.2f}" if one.client == MIRROR else "–", ratio(one), f"{cost.reference_cpu_seconds:.2f}",
        f"{cost.peak_bytes / MEGABYTE:.0f}", f"{cost.slowness:.1f}",
    )  # fmt: skip


def ratio(one: Measured) -> str:
    """Time at Graph against the bound; a dash without latency, and for clients that work in another way."""
    return f"{one.graph_seconds / one.bound_seconds:.1f}" if one.bound_seconds and one.client == MIRROR else "–"


def write(results: _Results, command: str, document: Path = DOCUMENT, charts: Path = CHARTS) -> None:
    """Put the results into the document and draw the charts."""
    charts.mkdir(parents=True, exist_ok=True)
    for name, drawing in drawings(targets.typical(results)).items():
        (charts / f"{name}.svg").write_text(drawing, encoding="utf-8")
    before, _, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    document.write_text(f"{before}{_BEGIN}\n{tables(results, command)}\n{_END}{after}", encoding="utf-8")


def tables(results: _Results, command: str) -> str:
    """All tables, in Markdown."""
    pace, typical = results[0].pace, targets.typical(results)
    ours = [one for one in typical if one.client == MIRROR and one.pace == pace]
    theirs = [one for one in typical if one.client != MIRROR]
    sizes = {one.company for one in theirs}
    beside = [one for one in ours if one.company in sizes and one.work in {other.work for other in theirs}]
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {platform.system()}"
    paced = f"{pace.latency_seconds * 1000:.0f} ms for each request, {pace.batch_concurrency} of a batch at a time"
    parts = [
        f"Measured with `{command}` on {machine}; {paced}. CPU in reference seconds.",
        "### What must hold\n\n" + _table(("", "allowed", "measured", "at", ""), _targets(results)),
        "### The mirror\n\n" + _table(COLUMNS, (row(one) for one in ours if one not in beside or not theirs)),
    ]
    if theirs:
        both = sorted([*beside, *theirs], key=lambda one: [*Work].index(one.work))
        parts.append("### Beside it\n\n" + _table(_BESIDE, map(_beside, both)))
    faster = [one for one in typical if one.client == MIRROR and one.pace != pace]
    if faster:
        same = [one for one in ours if (one.work, one.company) in {(two.work, two.company) for two in faster}]
        parts.append(
            "### Batches carried out four at a time, and at once\n\n" + _table(_PACES, map(_paced, same + faster))
        )
    return "\n\n".join(parts) + "\n"


_BESIDE: Final = (
    "work", "mailboxes × contacts", "client", "HTTP requests", "seconds", "CPU s", "CPU s of its start", "µs a contact",
    "peak MB",
)  # fmt: skip


def _beside(one: Measured) -> tuple[str, ...]:
    cost = one.cost
    per_contact = {Work.FIRST: one.cpu_per_create, Work.QUIET: one.cpu_per_read}.get(one.work)
    is_told = per_contact is not None and one.client != MIRROR  # whose cost is told where there are enough contacts
    return (
        one.work.value, size(one), _NAMES[one.client], _number(one.usage.http_requests), f"{cost.wall_seconds:.1f}",
        f"{cost.reference_cpu_seconds:.2f}", f"{one.start_cpu_seconds:.2f}",
        _number((per_contact or 0) * 1e6) if is_told else "–", f"{cost.peak_bytes / MEGABYTE:.0f}",
    )  # fmt: skip


_PACES: Final = (
    "work", "mailboxes × contacts", "of a batch at a time", "creates a second", "of a client that only sends",
    "by latency alone", "at Graph", "bound",
)  # fmt: skip


def _paced(one: Measured) -> tuple[str, ...]:
    creates = (one.creates_per_second, one.bare_creates_per_second, targets.creates_per_second_by_latency(one))
    return (
        one.work.value, size(one), str(one.pace.batch_concurrency), *map(_number, creates), f"{one.graph_seconds:.2f}",
        f"{one.bound_seconds:.2f}",
    )  # fmt: skip


def _targets(results: _Results) -> Iterable[tuple[str, ...]]:
    for target in TARGETS:
        one = targets.telling(target, results)
        if one:
            allowed, actual = _amount(target.allowed(one), target.unit), _amount(target.actual(one), target.unit)
            sign = "≥ " if target.at_least else "≤ "
            at = f"{one.work.value}, {size(one)}"
            yield target.name, sign + allowed, actual, at, "holds" if target.holds(one) else "**does not hold**"


def _amount(value: float, unit: str) -> str:
    text = f"{value:.2f}" if unit == "s" else _number(value)
    return f"{text} {unit}".strip() if unit != "/s" else f"{text}/s"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\u202f")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def drawings(results: _Results) -> dict[str, str]:
    """The charts by name."""
    ours = [one for one in results if one.client == MIRROR and one.pace == results[0].pace]
    beside = {one.company for one in results if one.client != MIRROR}
    grid = [one for one in ours if one.company not in beside] or ours
    charts = {"quiet-hour": _quiet(results, ours), "bound": _bound(grid), "memory": _memory(grid)}
    if any(one.client != MIRROR for one in results):
        charts["cpu"] = _cpu(results, ours)
    return charts


def _quiet(results: _Results, ours: _Results) -> str:
    quiet = [one for one in ours if one.work is Work.QUIET]
    by_client = {
        client: [_requests(one) for one in results if one.client == client and one.work is Work.QUIET]
        for client in (SEQUENTIAL, MODELS)
    }
    most = max((one.company.mailboxes for one in quiet), default=1)
    series = [
        chart.Series(_NAMES[MIRROR], [*{_requests(one) for one in quiet}]),
        *(chart.Series(_NAMES[client], points, is_joined=False) for client, points in by_client.items() if points),
        chart.Series("target: mailboxes / 20 + 10", [(0, 10), (most, most / 20 + 10)], is_limit=True),
    ]
    words = chart.Words("HTTP requests of a quiet hour", "Nothing has changed in any mailbox.", "mailboxes", "requests")
    return chart.lines(words, series)


def _requests(one: Measured) -> chart.Point:
    return one.company.mailboxes, one.usage.http_requests


def _bound(ours: _Results) -> str:
    sizes = list(dict.fromkeys(size(one) for one in ours))[:4]
    found = {(one.work, size(one)): one.graph_seconds / (one.bound_seconds or 1) for one in ours}
    works = [work for work in Work if any(one.work is work for one in ours)]
    rows = [chart.Row(work.value, [found.get((work, each)) for each in sizes]) for work in works]
    words = chart.Words(
        "Time at Graph against the bound",
        "1 is what latency and four requests at a time and mailbox allow. Colours: mailboxes × contacts.",
        "times the bound",
    )
    return chart.dots(words, sizes, rows, 1.0)


def _cpu(results: _Results, ours: _Results) -> str:
    names = [client for client in _NAMES if any(one.client == client for one in results)]
    large = [one for one in ours if targets.has_many_cards(one)] or ours
    read = [_mean(one.cpu_per_read for one in large if one.work is Work.LOST)]
    created = [_mean(one.cpu_per_create for one in large if one.work is Work.FIRST)]
    for client in names[1:]:
        theirs = [one for one in results if one.client == client]
        read.append(_mean(one.cpu_per_read for one in theirs if one.work is Work.QUIET))
        created.append(_mean(one.cpu_per_create for one in theirs if one.work is Work.FIRST))
    words = chart.Words(
        "CPU for each contact", "Without what a start costs; a scale of powers of ten.", "microseconds", value=_number
    )
    rows = [chart.Row("read and compared", read), chart.Row("created", created)]
    return chart.bars(words, [_NAMES[name] for name in names], rows)


def _mean(values: Iterable[float]) -> float | None:
    given = list(values)
    return sum(given) / len(given) * 1e6 if given else None


def _memory(ours: _Results) -> str:
    counts = sorted({one.company.contacts for one in ours})[:3]
    peaks: dict[int, dict[int, float]] = {count: {} for count in counts}
    for one in ours:
        if one.company.contacts in peaks:
            by_mailboxes = peaks[one.company.contacts]
            peak = one.cost.peak_bytes / MEGABYTE
            by_mailboxes[one.company.mailboxes] = max(peak, by_mailboxes.get(one.company.mailboxes, 0.0))
    series = [chart.Series(f"{_number(count)} contacts", [*points.items()]) for count, points in peaks.items()]
    most = max(one.company.mailboxes for one in ours)
    allowed = 150 + 0.005 * counts[0]
    series.append(chart.Series(f"target for {_number(counts[0])}", [(0, allowed), (most, allowed)], is_limit=True))
    words = chart.Words("Peak memory of a run", "The highest of all works.", "mailboxes", "MB")
    return chart.lines(words, series)
