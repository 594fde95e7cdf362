"""Reference seconds."""

import pytest

from tests.bench.process import Cost
from tests.bench.yardstick import Slowness, watched


def test_cpu_of_a_slow_machine_is_less_work() -> None:
    """Three seconds, while the yardstick took twice what it takes on the reference machine, are one and a half."""
    assert Cost(0.0, 4.0, 3.0, 0, slowness=2.0).reference_cpu_seconds == pytest.approx(1.5)


def test_seconds_are_reference_seconds_until_something_is_measured() -> None:
    """A block that is over at once was not watched."""
    with watched() as slowness:
        pass
    assert slowness.factor == 1.0


def test_the_yardstick_is_about_the_same_twice() -> None:
    """It measures this machine, and neither noise nor nothing."""
    slownesses = [Slowness(), Slowness()]
    for _ in range(20):
        for slowness in slownesses:
            slowness.look()
    one, other = (slowness.factor for slowness in slownesses)
    assert 0.01 < one < 100
    assert one == pytest.approx(other, rel=0.5)
