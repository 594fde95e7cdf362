"""The mirror's own limit of requests to one mailbox."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.graph.budget import MOST_REQUESTS, WINDOW_SECONDS, Budget, Budgets

GAPS = st.lists(st.floats(0, 200), min_size=1, max_size=200)


def sent(budget: Budget, gaps: list[float]) -> list[float]:
    """The moments at which requests go out that come with these gaps between them, each when it may."""
    now, moments = 1_000_000.0, []
    for gap in gaps:
        now = budget.opens_at(now + gap)
        assert budget.opens_at(now) == now
        budget.spend(now)
        moments.append(now)
    return moments


@given(GAPS, st.integers(1, 20))
def test_no_ten_minutes_hold_more_than_the_budget(gaps: list[float], most: int) -> None:
    """Wherever Graph's window begins, and whether it slides or starts anew, it never sees more."""
    moments = sent(Budget(most), gaps)
    for first, after in zip(moments, moments[most:], strict=False):
        assert after - first >= WINDOW_SECONDS


@given(GAPS, st.integers(1, 20))
def test_nobody_waits_for_longer_than_the_window_needs(gaps: list[float], most: int) -> None:
    """A request waits for the one so many before it to leave the window, and at most a slot longer."""
    moments = sent(Budget(most), gaps)
    for number, (before, moment) in enumerate(pairwise(moments), start=1):
        if moment > before + gaps[number]:
            assert moment <= moments[number - most] + WINDOW_SECONDS + 10


def test_the_margin_is_for_requests_that_arrive_late() -> None:
    """Graph counts 10,000 by its own clock; we stop before."""
    assert MOST_REQUESTS <= 9_600


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 400)), max_size=200), st.integers(1, 5))
def test_each_mailbox_has_a_budget_of_its_own(requests: list[tuple[str, float]], most: int) -> None:
    """Side by side they open as each would alone, whoever is forgotten meanwhile."""
    budgets, alone, now = Budgets(most), {name: Budget(most) for name in "abc"}, 1_000_000.0
    for mailbox, gap in requests:
        now += gap
        opens_at = budgets.opens_at(mailbox, now)
        assert opens_at == alone[mailbox].opens_at(now)
        if opens_at == now:
            budgets.spend(mailbox, now)
            alone[mailbox].spend(now)


def test_who_was_sent_nothing_for_ten_minutes_is_forgotten() -> None:
    """A process that lives for weeks remembers those of the last windows, and no more."""
    budgets = Budgets()
    for number in range(5000):
        budgets.spend(f"m{number}", float(number))
        budgets.spend("hub", float(number))
        assert len(budgets) <= 2 * WINDOW_SECONDS + 20
    budgets.spend("last", 10_000.0)
    assert len(budgets) == 1
