"""Values of which there are many."""

from dataclasses import field, replace

import pytest

from shared.sync.value import value


@value
class Point:
    """A value."""

    x: int
    name: str = field(default="", repr=False)


def test_a_value_is_equal_to_its_like() -> None:
    """Equal fields are the same value, also as a key, and what is not to be shown is not."""
    assert replace(Point(1, "a"), x=2) == Point(2, "a") != Point(2, "b")
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert repr(Point(1, "secret")).endswith("Point(x=1)")


def test_a_value_has_no_other_fields() -> None:
    """A misspelt name is an error, as it is with every value."""
    with pytest.raises(AttributeError):
        Point(1).y = 2  # type: ignore[attr-defined]


def set_again(point: Point) -> None:
    """Never called: if the type checker let a field be set, it would call the comment here unused."""
    point.x = 2  # type: ignore[misc]
