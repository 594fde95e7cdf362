"""Charts as SVG, legible on light and dark ground. Pure: numbers in, text out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_WIDTH: Final = 720
_LEFT: Final = 64
_RIGHT: Final = 34
_TOP: Final = 78
_PLOT_HEIGHT: Final = 250
_ROW: Final = 30
_LABELS: Final = 176
_LETTER: Final = 7.2
_STYLE: Final = """
svg { color-scheme: light dark; font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.ground { fill: #ffffff; } .text { fill: #24292f; } .quiet { fill: #57606a; font-size: 12px; }
.title { fill: #24292f; font-size: 16px; font-weight: 600; } .grid { stroke: #d8dee4; } .limit { stroke: #57606a; }
.f0 { fill: #0969da; } .f1 { fill: #bc4c00; } .f2 { fill: #1a7f37; } .f3 { fill: #8250df; }
.s0 { stroke: #0969da; } .s1 { stroke: #bc4c00; } .s2 { stroke: #1a7f37; } .s3 { stroke: #8250df; }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117; } .text { fill: #e6edf3; } .quiet { fill: #9198a1; }
.title { fill: #e6edf3; } .grid { stroke: #30363d; } .limit { stroke: #9198a1; }
.f0 { fill: #58a6ff; } .f1 { fill: #f0883e; } .f2 { fill: #3fb950; } .f3 { fill: #bc8cff; }
.s0 { stroke: #58a6ff; } .s1 { stroke: #f0883e; } .s2 { stroke: #3fb950; } .s3 { stroke: #bc8cff; }
}
"""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one sort; joined by a line if `is_joined`, and dashed without points if it `is_limit`."""

    name: str
    points: Sequence[Point]
    is_joined: bool = True
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart of rows: what it is about, and a value for each series, None where there is none."""

    label: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Words:
    """What is written on a chart; `value` writes a number at an axis or a bar."""

    title: str
    subtitle: str
    across: str
    up: str = ""
    value: Callable[[float], str] = field(default=lambda number: f"{number:,.10g}".replace(",", "\u202f"))


def lines(words: Words, series: Sequence[Series]) -> str:
    """A chart of series over a number; both axes begin at 0."""
    points = [point for one in series for point in one.points]
    across = _Linear(max(x for x, _ in points), _LEFT, _WIDTH - _RIGHT)
    up = _Linear(max(y for _, y in points), _TOP + _PLOT_HEIGHT, _TOP)
    parts = [_tick_across(across, value, words, (_TOP, _TOP + _PLOT_HEIGHT)) for value in across.ticks]
    parts += [_tick_up(up, value, words) for value in up.ticks]
    parts.append(_text(_LEFT - 8, _TOP - 10, words.up, "quiet", "start"))
    parts += [_curve(number, one, across, up) for number, one in enumerate(series)]
    return _whole(words, [one.name for one in series], parts, _TOP + _PLOT_HEIGHT, [one.is_limit for one in series])


def dots(words: Words, names: Sequence[str], rows: Sequence[Row], limit: float) -> str:
    """A row of dots for each label; `limit` is marked."""
    values = [value for row in rows for value in row.values if value is not None]
    across = _Linear(max([*values, limit]), _LABELS, _WIDTH - _RIGHT)
    bottom = _TOP + _ROW * len(rows)
    parts = [_tick_across(across, value, words, (_TOP, bottom)) for value in across.ticks]
    parts.append(_line((across(limit), _TOP), (across(limit), bottom), "limit", "stroke-dasharray='5 4'"))
    for at, row in enumerate(rows):
        y = _TOP + _ROW * (at + 0.5)
        parts.append(_text(_LABELS - 12, y + 4, row.label, "text", "end"))
        parts += [
            f"<circle cx='{across(value):.1f}' cy='{y:.1f}' r='5' class='f{number}' fill-opacity='0.85'/>"
            for number, value in enumerate(row.values)
            if value is not None
        ]
    return _whole(words, names, parts, bottom)


def bars(words: Words, names: Sequence[str], rows: Sequence[Row]) -> str:
    """Groups of bars over a scale of powers of ten."""
    values = [value for row in rows for value in row.values if value]
    across = _Logarithmic(min(values), max(values), _LABELS, _WIDTH - 90)
    high = 22 * len(names) + 14
    bottom = _TOP + high * len(rows)
    parts = [_tick_across(across, value, words, (_TOP, bottom)) for value in across.ticks]
    for at, row in enumerate(rows):
        top = _TOP + high * at + 7
        parts.append(_text(_LABELS - 12, top + 11 * len(names) + 4, row.label, "text", "end"))
        parts += [
            _bar(across, value, (number, top + 22 * number), words) for number, value in enumerate(row.values) if value
        ]
    return _whole(words, names, parts, bottom)


@dataclass(frozen=True, slots=True)
class _Linear:
    """A scale from 0 to a round number, in about five steps."""

    most: float
    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        rough = (self.most or 1.0) / 5
        magnitude = 10.0 ** math.floor(math.log10(rough))
        step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough * 0.999)
        return [step * number for number in range(math.ceil((self.most or 1.0) / step * 0.999) + 1)]

    def __call__(self, value: float) -> float:
        return self.low + (self.high - self.low) * value / self.ticks[-1]


@dataclass(frozen=True, slots=True)
class _Logarithmic:
    """A scale of whole powers of ten."""

    least: float
    most: float
    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        first, last = math.floor(math.log10(0.8 * self.least)), math.ceil(math.log10(self.most))
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]

    def __call__(self, value: float) -> float:
        first, last = (math.log10(self.ticks[at]) for at in (0, -1))
        return self.low + (self.high - self.low) * (math.log10(value) - first) / (last - first)


_Scale = _Linear | _Logarithmic


def _curve(number: int, series: Series, across: _Scale, up: _Scale) -> str:
    places = [(across(x), up(y)) for x, y in sorted(series.points)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    if series.is_limit:
        return f"<polyline points='{path}' fill='none' class='limit' stroke-dasharray='5 4' stroke-width='1.5'/>"
    joined = f"<polyline points='{path}' fill='none' class='s{number}' stroke-width='2'/>" if series.is_joined else ""
    return joined + "".join(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' class='f{number}'/>" for x, y in places)


def _bar(across: _Scale, value: float, place: tuple[int, float], words: Words) -> str:
    number, y = place
    end = across(value)
    rectangle = (
        f"<rect x='{_LABELS}' y='{y:.1f}' width='{max(1.0, end - _LABELS):.1f}' height='18' rx='2' class='f{number}'/>"
    )
    return rectangle + _text(end + 6, y + 13, words.value(value), "quiet", "start")


def _tick_across(scale: _Scale, value: float, words: Words, ends: tuple[float, float]) -> str:
    top, bottom = ends
    x = scale(value)
    return _line((x, top), (x, bottom), "grid") + _text(x, bottom + 18, words.value(value), "quiet", "middle")


def _tick_up(scale: _Scale, value: float, words: Words) -> str:
    y = scale(value)
    line = _line((_LEFT, y), (_WIDTH - _RIGHT, y), "grid")
    return line + _text(_LEFT - 8, y + 4, words.value(value), "quiet", "end")


def _line(start: Point, end: Point, kind: str, more: str = "") -> str:
    (x1, y1), (x2, y2) = start, end
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' class='{kind}' {more}/>"


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' class='{kind}' text-anchor='{anchor}'>{escape(text)}</text>"


def _legend(names: Sequence[str], limits: Sequence[bool], y: float) -> str:
    parts, x = [], 24.0
    for number, name in enumerate(names):
        if limits and limits[number]:
            parts.append(_line((x - 4, y - 4), (x + 12, y - 4), "limit", "stroke-dasharray='5 4' stroke-width='1.5'"))
        else:
            parts.append(f"<circle cx='{x + 4:.1f}' cy='{y - 4:.1f}' r='4.5' class='f{number}'/>")
        parts.append(_text(x + 16, y, name, "text", "start"))
        x += 16 + _LETTER * len(name) + 22
    return "".join(parts)


def _whole(words: Words, names: Sequence[str], parts: Sequence[str], bottom: float, limits: Sequence[bool] = ()) -> str:
    height = bottom + 76
    title = escape(words.title)
    return "\n".join(
        [
            f"<svg xmlns='{_NAMESPACE}' viewBox='0 0 {_WIDTH} {height:.0f}' role='img' aria-label='{title}'>",
            f"<title>{title}</title><style>{_STYLE}</style>",
            f"<rect class='ground' width='{_WIDTH}' height='{height:.0f}' rx='6'/>",
            _text(24, 30, words.title, "title", "start"),
            _text(24, 49, words.subtitle, "quiet", "start"),
            *parts,
            _text(_WIDTH - _RIGHT, bottom + 38, words.across, "quiet", "end"),
            _legend(names, limits, height - 18),
            "</svg>",
            "",
        ]
    )
