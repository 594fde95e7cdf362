"""The bound that latency and limits set."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.bound import WINDOW_REQUESTS, WINDOW_SECONDS, Step, Work, bound_seconds, steps

LATENCY = 0.05
STEPS = st.builds(Step, spoke=st.integers(0, 3000), hub=st.integers(0, 3000), depth=st.integers(0, 20))
works = pytest.mark.parametrize("work", Work, ids=lambda work: work.name.lower())


@pytest.mark.parametrize(
    ("step", "rounds"),
    [
        (Step(), 1),
        (Step(spoke=4), 1),
        (Step(spoke=5), 2),
        (Step(hub=400), 100),
        (Step(spoke=400, hub=8), 100),
        (Step(spoke=4, depth=3), 3),
        (Step(depth=0), 0),
    ],
)
def test_a_step_takes_as_many_rounds_as_four_at_a_time_allow(step: Step, rounds: int) -> None:
    """The busiest mailbox counts, and what has to wait for each other."""
    assert bound_seconds([step], LATENCY) == pytest.approx(rounds * LATENCY)


@given(st.lists(STEPS, max_size=5))
def test_twice_the_latency_is_twice_the_time(plan: list[Step]) -> None:
    """As long as the limit of ten minutes is far."""
    plan = [replace(step, spoke=step.spoke % 100, hub=step.hub % 100) for step in plan]
    assert bound_seconds(plan, 2 * LATENCY) == pytest.approx(2 * bound_seconds(plan, LATENCY))


@given(st.lists(STEPS, min_size=1, max_size=5))
def test_less_to_do_never_takes_longer(plan: list[Step]) -> None:
    """Whichever step is left out."""
    assert all(
        bound_seconds(plan[:at] + plan[at + 1 :], LATENCY) <= bound_seconds(plan, LATENCY) for at in range(len(plan))
    )


def test_ten_thousand_requests_to_a_mailbox_take_ten_minutes() -> None:
    """However fast each of them is answered; the next one waits for the window."""
    assert bound_seconds([Step(hub=WINDOW_REQUESTS)], 0.0) == 0.0
    assert bound_seconds([Step(hub=WINDOW_REQUESTS), Step(hub=1)], 0.0) == WINDOW_SECONDS
    assert bound_seconds([Step(spoke=WINDOW_REQUESTS), Step(hub=WINDOW_REQUESTS)], 0.0) == 0.0


@works
def test_more_mailboxes_take_no_longer(work: Work) -> None:
    """They do not limit each other: the bound of any work but reading the roster grows with the contacts alone."""
    bounds = [bound_seconds(steps(work, mailboxes, 600), LATENCY) for mailboxes in (200, 400, 800)]
    assert bounds == sorted(bounds, reverse=True) or max(bounds) - min(bounds) <= 2 * LATENCY


def test_a_first_distribution_is_bound_by_the_hub_and_then_by_the_spokes() -> None:
    """Four creates at a time: a thousand contacts are 12.5 seconds for the hub, and as many for each spoke."""
    seconds = bound_seconds(steps(Work.FIRST, 20, 1000), LATENCY)
    assert seconds == pytest.approx(LATENCY * (1 + 2 + ceil(1000 / 4) + ceil((950 + 100) / 4)))
