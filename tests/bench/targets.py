"""What must hold, as questions to the measured. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tests.bench.bound import MAILBOX_CONCURRENCY, Work
from tests.bench.scenarios import MIRROR, Measured

MEGABYTE: Final = 1_000_000
MAILBOXES_FILLED: Final = 20
"""The company whose creates a second have a target."""

_BATCH: Final = 20
_MANY_CARDS: Final = 3_000
_CPU_READ: Final = 50e-6
_CPU_CREATE: Final = 250e-6
_START_DIFFERS_SECONDS: Final = 0.09
"""So much a start's CPU differs from one time to the next: standard deviation, reference seconds."""

Question = Callable[[Measured], float]


class Choice(Protocol):
    """How one of many runs is chosen: `max`, `min` or `middle`."""

    def __call__(self, runs: Sequence[Measured], /, *, key: Question) -> Measured:
        """One of the runs, by what the question says of each."""


def middle(runs: Sequence[Measured], /, *, key: Question) -> Measured:
    """The median, the higher one of two."""
    return sorted(runs, key=key)[len(runs) // 2]


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: which runs it is about, what is allowed and what was measured, in `unit`; "" is a count.

    `telling` says which of runs that repeat each other tells.
    """

    name: str
    unit: str
    concerns: Callable[[Measured], bool]
    allowed: Question
    actual: Question
    at_least: bool = False
    telling: Choice = max

    def holds(self, measured: Measured) -> bool:
        """Whether one run keeps it."""
        return self.strain(measured) <= 1.0

    def strain(self, measured: Measured) -> float:
        """How much of what is allowed was used; above 1 it does not hold."""
        allowed, actual = self.allowed(measured), self.actual(measured)
        part, whole = (allowed, actual) if self.at_least else (actual, allowed)
        if part == 0:
            return 0.0
        return part / whole if whole else float("inf")


def concerned(target: Target, results: Iterable[Measured]) -> list[Measured]:
    """The runs of the mirror that a target is about."""
    return [one for one in results if one.client == MIRROR and target.concerns(one)]


def telling(target: Target, results: Iterable[Measured]) -> Measured | None:
    """The run that says whether the target holds: that of the company under most strain."""
    repeated = _repeated(concerned(target, results)).values()
    return max((target.telling(runs, key=target.strain) for runs in repeated), key=target.strain, default=None)


def typical(results: Iterable[Measured]) -> list[Measured]:
    """Of runs that repeat each other the one that took the median of CPU."""
    return [middle(runs, key=lambda one: one.cost.reference_cpu_seconds) for runs in _repeated(results).values()]


def _repeated(results: Iterable[Measured]) -> dict[tuple[object, ...], list[Measured]]:
    """The runs that did the same, in the order of the first of each."""
    runs: dict[tuple[object, ...], list[Measured]] = {}
    for one in results:
        runs.setdefault((one.client, one.work, one.company, one.pace), []).append(one)
    return runs


def _is(work: Work) -> Callable[[Measured], bool]:
    return lambda one: one.work is work


def has_many_cards(one: Measured) -> bool:
    """Whether there are so many cards that beginning and end are no matter."""
    return one.company.mailboxes * one.company.contacts >= _MANY_CARDS


def _tells(work: Work, allowed_seconds: float) -> Callable[[Measured], bool]:
    """Whether there are enough cards to tell CPU for each, to a tenth of what is allowed, from that of a start."""
    enough = _START_DIFFERS_SECONDS / (allowed_seconds / 10)
    return lambda one: one.work is work and one.company.mailboxes * one.company.contacts >= enough


def _any(_: Measured) -> bool:
    return True


def _is_target_company(one: Measured) -> bool:
    is_first = one.work is Work.FIRST and has_many_cards(one)
    return is_first and one.company.mailboxes == MAILBOXES_FILLED and one.pace.latency_seconds > 0


def creates_per_second_by_latency(one: Measured) -> float:
    """What four at a time and mailbox allow where bringing requests and answers takes no time at all."""
    return one.company.mailboxes * MAILBOX_CONCURRENCY / one.pace.latency_seconds


def _has_bare_beside(one: Measured) -> bool:
    return _is_target_company(one) and one.bare_creates_per_second > 0


def _just(number: float) -> Question:
    return lambda _: number


TARGETS: Final[Sequence[Target]] = (
    Target(
        "quiet hour: HTTP requests", "", _is(Work.QUIET),
        allowed=lambda one: one.company.mailboxes / _BATCH + 10, actual=lambda one: one.usage.http_requests,
    ),
    Target("quiet hour: writes", "", _is(Work.QUIET), allowed=_just(0), actual=lambda one: one.usage.writes),
    Target(
        "one edit: HTTP requests", "", _is(Work.EDIT),
        allowed=lambda one: 3 * one.company.mailboxes / _BATCH + 20, actual=lambda one: one.usage.http_requests,
    ),
    Target(
        "one edit: writes", "", _is(Work.EDIT),
        allowed=lambda one: one.company.mailboxes, actual=lambda one: one.usage.writes,
    ),
    Target(
        "first distribution to 20 mailboxes: creates a second", "/s", _is_target_company,
        allowed=lambda one: 0.9 * creates_per_second_by_latency(one), actual=lambda one: one.creates_per_second,
        at_least=True, telling=min,
    ),
    Target(
        "first distribution to 20 mailboxes: creates a second, against a client that only sends", "/s",
        _has_bare_beside,
        allowed=lambda one: 0.9 * one.bare_creates_per_second, actual=lambda one: one.creates_per_second,
        at_least=True, telling=middle,
    ),
    Target(
        "CPU for a contact read and compared", "µs", _tells(Work.LOST, _CPU_READ),
        allowed=_just(_CPU_READ * 1e6), actual=lambda one: one.cpu_per_read * 1e6, telling=middle,
    ),
    Target(
        "CPU for a contact created", "µs", _tells(Work.FIRST, _CPU_CREATE),
        allowed=_just(_CPU_CREATE * 1e6), actual=lambda one: one.cpu_per_create * 1e6, telling=middle,
    ),
    Target(
        "memory: 150 MB and 5 kB a contact", "MB", _any,
        allowed=lambda one: 150 + 0.005 * one.company.contacts, actual=lambda one: one.cost.peak_bytes / MEGABYTE,
    ),
    Target(
        "from start to first request", "s", _any,
        allowed=_just(1), actual=lambda one: one.first_request_seconds, telling=middle,
    ),
)  # fmt: skip
