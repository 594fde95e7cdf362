"""What happens on the server while it is measured: the same story for the mirror and for the clients beside it."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.bound import Work, bound_seconds, edits, steps
from tests.bench.process import Cost, measure
from tests.bench.server import Company, Pace, Usage

_STATE: Final = "AUTOMATION_SYNCCONTACTS_STATE_URL"
MIRROR: Final = "mirror"
SEQUENTIAL: Final = "sequential"
MODELS: Final = "models"
BARE: Final = "bare"
OTHERS: Final = (SEQUENTIAL, MODELS)
_SMALLEST: Final = Company(mailboxes=1, contacts=1)
_STARTS: Final = 7
"""So often a start is measured; the median counts."""


class WrongResultError(RuntimeError):
    """What was measured did not do its work; the time it took means nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured run of one client; `start_cpu_seconds` is what its program takes when there is nothing to do.

    CPU, and the start that is nothing else, are in reference seconds (`tests/bench/yardstick.py`).
    `bare_creates_per_second` is what a client that only sends had reached shortly before, 0 if that was not measured.
    """

    client: str
    work: Work
    company: Company
    pace: Pace
    cost: Cost
    usage: Usage
    start_cpu_seconds: float = 0.0
    bound_seconds: float = 0.0
    bare_creates_per_second: float = 0.0

    @property
    def graph_seconds(self) -> float:
        """From the first request to the last answer."""
        return self.usage.last_at - self.usage.first_at

    @property
    def first_request_seconds(self) -> float:
        """From the start of the process to its first request."""
        return (self.usage.first_at - self.cost.began_at) / self.cost.slowness

    @property
    def work_cpu_seconds(self) -> float:
        """CPU without what a start costs."""
        return max(0.0, self.cost.reference_cpu_seconds - self.start_cpu_seconds)

    @property
    def cards_read(self) -> int:
        """How many cards were read and compared, when everything was read."""
        read = self.cost.output.get("read")
        return read if isinstance(read, int) else (self.company.mailboxes + 1) * self.company.contacts

    @property
    def cpu_per_read(self) -> float:
        """Seconds of CPU for each card that was read and compared."""
        return self.work_cpu_seconds / max(1, self.cards_read)

    @property
    def cpu_per_create(self) -> float:
        """Seconds of CPU for each contact that was created."""
        return self.work_cpu_seconds / max(1, self.usage.creates)

    @property
    def creates_per_second(self) -> float:
        """How many contacts a second were created in the spokes."""
        return self.usage.spoke_creates_per_second


Note = Callable[[Measured], None]


class Bench:
    """Measures on one server; `note` hears of each result as it comes."""

    def __init__(self, server: Any, pace: Pace, note: Note, starts: dict[str, float] | None = None) -> None:
        """`starts` are the reference seconds of CPU of starts that have been measured, by client."""
        self._server, self._pace, self._note = server, pace, note
        self._starts = {} if starts is None else starts
        self._bare: dict[Company, float] = {}

    def mirror(self, company: Company, works: frozenset[Work] = frozenset(Work)) -> list[Measured]:
        """The whole story of the mirror, so far as it is needed for these works."""
        with tempfile.TemporaryDirectory() as folder:
            story = _Story(self, company, Path(folder) / "state.db").tell()
            wanted: list[Measured] = []
            while len(wanted) < len(works):
                one = next(story)
                if one.work in works:
                    wanted.append(one)
                    self._note(one)
            return wanted

    def other(self, client: str, company: Company) -> list[Measured]:
        """The story of a client that has no memory: what has no meaning for it is left out."""
        environment = self._server.furnish(company, self._pace)
        first = self.run(client, Work.FIRST, company, environment)
        self.check(company)
        self._note(first)
        quiet = self.run(client, Work.QUIET, company, environment)
        self._note(quiet)
        self._server.edit(1)
        edited = self.run(client, Work.EDIT, company, environment)
        self._note(edited)
        return [first, quiet, edited]

    def bare(self, company: Company) -> None:
        """See how many creates a second a client reaches that does nothing but send them."""
        environment = self._server.furnish(company, self._pace)
        self._server.begin()
        created, usage = self._measure(BARE, environment).output["created"], self._server.usage()
        if (usage.writes, usage.spoke_creates) != (created, created):
            raise WrongResultError(f"{BARE}: {usage.spoke_creates} creates instead of {created}")
        self._bare[company] = usage.spoke_creates_per_second

    def at(self, pace: Pace) -> "Bench":
        """The same with a server of another pace."""
        return Bench(self._server, pace, self._note, self._starts)

    def start_seconds(self, client: str) -> float:
        """CPU of a run that finds one contact in one mailbox, all done, and remembers nothing."""
        if client not in self._starts:
            environment = self._server.furnish(_SMALLEST, Pace(0.0))
            self._start(client, environment)
            costs = [self._start(client, environment) for _ in range(_STARTS)]
            self._starts[client] = statistics.median(cost.reference_cpu_seconds for cost in costs)
        return self._starts[client]

    def _start(self, client: str, environment: Mapping[str, str]) -> Cost:
        with tempfile.TemporaryDirectory() as folder:
            return self._measure(client, {**environment, _STATE: f"sqlite:///{Path(folder) / 'state.db'}"})

    def run(self, client: str, work: Work, company: Company, environment: Mapping[str, str]) -> Measured:
        """Measure one run, and let an hour pass after it."""
        self._server.begin()
        cost = self._measure(client, environment)
        usage = self._server.usage()
        self._server.pass_an_hour()
        least = bound_seconds(steps(work, company.mailboxes, company.contacts), self._pace.latency_seconds)
        start, bare = self._starts.get(client, 0.0), self._bare.get(company, 0.0)
        return Measured(client, work, company, self._pace, cost, usage, start, least, bare)

    def settle(self, client: str, environment: Mapping[str, str]) -> None:
        """Let a run that is not measured hear the echo of what was written."""
        self._measure(client, environment)
        self._server.pass_an_hour()

    def check(self, company: Company) -> None:
        """Every mailbox has to hold every contact now."""
        wrong = {count for count in self._server.cards() if count != company.contacts}
        if wrong:
            raise WrongResultError(f"{company}: mailboxes hold {sorted(wrong)} contacts")

    @property
    def server(self) -> Any:
        """What is measured on."""
        return self._server

    @property
    def pace(self) -> Pace:
        """How fast the server is."""
        return self._pace

    def _measure(self, client: str, environment: Mapping[str, str]) -> Cost:
        if client == MIRROR:
            return measure("shared", ["sync", "--json"], environment)
        return measure(f"tests.bench.{client}", [], environment)


class _Story:
    """One company's hours with the mirror."""

    def __init__(self, bench: Bench, company: Company, state: Path) -> None:
        self._bench, self._company, self._state = bench, company, state
        self._environment = bench.server.furnish(company, bench.pace) | {_STATE: f"sqlite:///{state}"}

    def tell(self) -> Iterator[Measured]:
        yield self._run(Work.FIRST)
        self._bench.check(self._company)
        yield self._run(Work.ECHO, writes=0)
        yield self._run(Work.QUIET, writes=0)
        yield self._edited(Work.EDIT, 1)
        self._bench.settle(MIRROR, self._environment)
        yield self._edited(Work.EDITS, edits(self._company.contacts))
        self._bench.settle(MIRROR, self._environment)
        for file in self._state.parent.iterdir():
            file.unlink()
        yield self._run(Work.LOST, writes=0)

    def _edited(self, work: Work, count: int) -> Measured:
        self._bench.server.edit(count)
        return self._run(work, writes=count * self._company.mailboxes)

    def _run(self, work: Work, writes: int | None = None) -> Measured:
        measured = self._bench.run(MIRROR, work, self._company, self._environment)
        _check_writes(measured, writes)
        return measured


def _check_writes(measured: Measured, writes: int | None) -> None:
    outcome = measured.cost.output["outcome"]
    if (
        outcome != "ok"
        or (writes is not None and measured.usage.writes < writes)
        or (writes == 0 and measured.usage.writes)
    ):
        wrong = f"{measured.work.value}: outcome {outcome}, {measured.usage.writes} writes instead of {writes}"
        raise WrongResultError(wrong)
