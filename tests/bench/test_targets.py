"""The promises about cost that do not depend on how fast this machine is: counts and ratios."""

import gc
import json
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.bootstrap import sync
from shared.engine.options import RunOptions
from tests.bench.bound import Work
from tests.bench.process import Cost, measure
from tests.bench.scenarios import MIRROR, Bench, Measured
from tests.bench.server import Company, MeteredEmulator, Pace, Stage, Usage, serving
from tests.bench.targets import TARGETS, concerned, telling

FAST = Pace(latency_seconds=0.0)
COMPANY = Company(mailboxes=100, contacts=10)
COUNTED = [target for target in TARGETS if not target.unit]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """A server in a process of its own."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def results(server: Any) -> list[Measured]:
    """One company's story; that a quiet hour writes nothing and everybody holds everything is checked as it is told.

    At Graph's pace, as in `make bench`: who shares a batch depends on how long an answer takes.
    """
    bench = Bench(server, Pace(), note=lambda _: None)
    return bench.mirror(COMPANY, frozenset({Work.FIRST, Work.QUIET, Work.EDIT}))


@pytest.mark.parametrize("target", COUNTED, ids=lambda target: target.name)
def test_what_is_counted_holds(target: Any, results: list[Measured]) -> None:
    """A quiet hour asks almost nothing, and one edit no more than its writes."""
    runs = concerned(target, results)
    assert runs
    assert [(one.work, target.actual(one), target.allowed(one)) for one in runs if not target.holds(one)] == []


def measured(company: Company, cpu_seconds: float, http_requests: int) -> Measured:
    """A quiet hour, or the reading after the state was lost, that took so much."""
    work = Work.LOST if cpu_seconds else Work.QUIET
    cost = Cost(0.0, 1.0, cpu_seconds, 0)
    return Measured(MIRROR, work, company, FAST, cost, Usage(http_requests=http_requests))


def test_others_on_the_machine_do_not_break_a_promise_and_repeating_does_not_keep_one() -> None:
    """The median of repeated runs says what CPU a company takes; of requests, and of companies, the worst counts."""
    small, large = Company(100, 200), Company(200, 200)
    runs = [(small, 0.9, 0), (small, 0.5, 0), (small, 0.6, 0), (large, 9.0, 0), (large, 1.0, 0), (large, 0.3, 0)]
    results = [measured(*run) for run in [*runs, (large, 0.0, 18), (large, 0.0, 25)]]
    cpu, requests = (next(target for target in TARGETS if name in target.name) for name in ("read", "HTTP requests"))
    assert telling(cpu, results) == results[2]
    assert telling(requests, results) == results[7]


@pytest.mark.parametrize(
    ("bare", "reached", "verdicts"),
    [
        (1_500, 1_441, [True, True]),
        (1_500, 1_439, [False, True]),
        (1_500, 1_349, [False, False]),
        (1_700, 1_441, [True, False]),
        (0, 1_439, [False]),
    ],
)
def test_a_slow_machine_does_not_lower_what_must_hold(bare: float, reached: float, verdicts: list[bool]) -> None:
    """Creates a second are held against latency alone and, apart from that, against a client that only sends."""
    usage = Usage(spoke_creates=round(reached), spoke_creates_seconds=1.0)
    run = Measured(
        MIRROR, Work.FIRST, Company(20, 200), Pace(), Cost(0.0, 1.0, 1.0, 0), usage, bare_creates_per_second=bare
    )
    concerned_by = [target for target in TARGETS if target.unit == "/s" and concerned(target, [run])]
    assert [target.holds(run) for target in concerned_by] == verdicts


def test_every_mailbox_gets_every_contact_once(results: list[Measured]) -> None:
    """A first distribution creates each contact in each mailbox that lacked it, and in the hub."""
    (first,) = [one for one in results if one.work is Work.FIRST]
    assert first.usage.creates == COMPANY.contacts * COMPANY.mailboxes
    assert first.usage.throttled == 0


def test_creates_leave_as_fast_as_mailboxes_take_them(server: Any) -> None:
    """Twenty mailboxes get four fifths of what four at a time allow, and of what a client gets that only sends.

    Slower than `make bench`, where it is nine tenths: a machine that runs other tests beside this one has to keep up.
    """
    bench, company = Bench(server, Pace(latency_seconds=0.1), note=lambda _: None), Company(mailboxes=20, contacts=160)
    bench.bare(company)
    (first,) = bench.mirror(company, frozenset({Work.FIRST}))
    assert first.creates_per_second >= 0.8 * 20 * 4 / 0.1
    assert first.bare_creates_per_second > 0
    assert first.creates_per_second >= 0.8 * first.bare_creates_per_second


def test_memory_does_not_follow_the_number_of_mailboxes(server: Any) -> None:
    """Four times as many mailboxes, read whole because the state is lost, take a little more memory, not four times."""
    few, many = (peak_of_a_whole_reading(server, Company(mailboxes, 100)) for mailboxes in (20, 80))
    assert many / few <= 1.4


def peak_of_a_whole_reading(server: Any, company: Company) -> int:
    """Peak memory, bytes, of a run that reads every card of mailboxes that are all equal, and writes none."""
    environment = server.furnish_mirrored(company, FAST)
    server.begin()
    cost = measure("shared", ["sync", "--json"], environment)
    assert (cost.output["outcome"], server.usage().writes) == ("ok", 0)
    return cost.peak_bytes


async def test_a_contact_costs_a_fraction_of_what_it_costs_as_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the CPU that the Graph SDK's models take to read and compare a contact, the mirror takes a tenth at most."""
    from tests.bench import models

    async def mirror(company: Company) -> Reading:
        environment = stage.furnish_mirrored(company, FAST)
        dry = RunOptions(dry_run=True)
        seconds = await cpu_seconds(sync(environment, dry, trust=environment["SSL_CERT_FILE"]))
        return Reading(company.contacts * (company.mailboxes + 1), seconds)

    async def as_models(company: Company) -> Reading:
        for name, value in stage.furnish_mirrored(company, FAST).items():
            monkeypatch.setenv(name, value)
        seconds = await cpu_seconds(models.main())
        return Reading(int(json.loads(capsys.readouterr().out)["read"]), seconds)

    with MeteredEmulator() as emulator:
        stage = Stage(emulator)
        for loading in (mirror, as_models):
            await loading(Company(1, 1))
        ours = (await mirror(Company(4, 1))).more(await mirror(Company(4, 200)))
        theirs = (await as_models(Company(2, 1))).more(await as_models(Company(2, 12)))
    assert ours.cost_of_one <= 0.1 * theirs.cost_of_one


@dataclass(frozen=True, slots=True)
class Reading:
    """So many cards were read and compared in so much CPU, in seconds."""

    cards: int
    seconds: float

    def more(self, other: "Reading") -> "Reading":
        """What the other took beyond this one: what is loaded and opened but once is left out."""
        return Reading(other.cards - self.cards, other.seconds - self.seconds)

    @property
    def cost_of_one(self) -> float:
        """CPU for a card, in seconds."""
        return self.seconds / self.cards


async def cpu_seconds(work: Awaitable[object]) -> float:
    """CPU of this thread alone, as the server has one of its own, and without looking through what other tests left."""
    gc.collect()
    gc.freeze()
    before = time.thread_time()
    try:
        await work
        return time.thread_time() - before
    finally:
        gc.unfreeze()
