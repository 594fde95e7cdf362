"""The charts of the benchmark."""

from xml.etree import ElementTree as ET

import pytest

from tests.bench.chart import Row, Series, Words, bars, dots, lines

WORDS = Words("Requests & time < bound", "Made up.", "mailboxes", "requests")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str, kind: str) -> list[dict[str, str]]:
    """The attributes of all elements of one kind."""
    return [dict(element.attrib) for element in ET.fromstring(svg).iter(f"{SVG}{kind}")]  # noqa: S314 - our own


def test_a_line_rises_where_its_numbers_do() -> None:
    """Left to right and from the bottom up, in the order of the numbers and not of the points."""
    svg = lines(WORDS, [Series("mirror", [(200, 14), (20, 5), (100, 9)])])
    dots_drawn = [one for one in drawn(svg, "circle") if one["r"] == "4.5"][:3]
    across, down = ([float(one[name]) for one in dots_drawn] for name in ("cx", "cy"))
    assert across == sorted(across)
    assert down == sorted(down, reverse=True)


def test_a_tenth_is_one_step_of_the_logarithmic_scale() -> None:
    """Bars of 20, 200 and 2,000 grow by equal steps."""
    svg = bars(WORDS, ["a", "b", "c"], [Row("read", [20, 200, 2000])])
    widths = [float(one["width"]) for one in drawn(svg, "rect") if one["class"] != "ground"]
    assert widths[2] - widths[1] == pytest.approx(widths[1] - widths[0], abs=0.2)


def test_what_was_not_measured_is_not_drawn() -> None:
    """A missing value leaves its place empty; the legend still names the series."""
    svg = dots(WORDS, ["a", "b"], [Row("quiet hour", [1.5, None])], limit=1.0)
    assert len([one for one in drawn(svg, "circle") if one["r"] == "5"]) == 1
    assert {"a", "b", WORDS.title} <= {element.text for element in ET.fromstring(svg).iter(f"{SVG}text")}  # noqa: S314 - our own
