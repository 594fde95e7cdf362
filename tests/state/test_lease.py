"""A tenant's lease while its run goes on, told with a clock that moves only when it is told to."""

import asyncio
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from shared.errors import HeldError, StateError
from shared.state.lease import Lease, Terms, hold, join
from shared.state.memory import MemoryStateStore
from shared.state.processes import is_alive
from shared.sync.records import Holder
from tests.builders import START
from tests.state.builders import holder

MINE, OTHERS = holder("a"), holder("b")


class HandClock:
    """Time that passes when a test says so; whoever sleeps is woken in order."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.passed + seconds, woken))
        await woken

    async def pass_by(self, seconds: float) -> None:
        """Let time go by, and everybody do what they do then."""
        end = self.passed + seconds
        await settle()
        while due := sorted((one for one in self._sleepers if one[0] <= end), key=lambda one: one[0]):
            moment, woken = due[0]
            self.passed = max(self.passed, moment)
            self._sleepers.remove(due[0])
            if not woken.done():
                woken.set_result(None)
            await settle()
        self.passed = end


async def settle() -> None:
    """Let the other tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


class Unreliable(MemoryStateStore):
    """A state that cannot be reached while `is_down`."""

    is_down = False

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        self._check()
        return await super().renew_lease(tenant_id, holder, now, seconds)

    async def release_lease(self, tenant_id: str, holder: Holder) -> None:
        self._check()
        await super().release_lease(tenant_id, holder)

    def _check(self) -> None:
        if self.is_down:
            raise StateError("The state cannot be reached.")


@pytest.fixture
def clock() -> HandClock:
    """The clock of the test."""
    return HandClock()


@pytest.fixture
def store() -> Unreliable:
    """The state that both runs use."""
    return Unreliable()


def lost(lease: Lease) -> bool:
    """What the run is told now."""
    return lease.is_lost


async def is_free(store: MemoryStateStore, clock: HandClock) -> bool:
    """Whether another run gets the lease now."""
    return await store.acquire_lease("t", OTHERS, clock.now(), 60) is None


async def test_a_long_run_keeps_its_lease_and_gives_it_back(store: Unreliable, clock: HandClock) -> None:
    """It is renewed while the work goes on, and free the moment that the work ends."""
    async with hold(store, "t", MINE, clock) as lease:
        for _ in range(10):
            await clock.pass_by(59)
            assert not lost(lease)
            assert not await is_free(store, clock)
    assert await is_free(store, clock)


async def test_a_second_run_is_told_who_holds_it_since_when(store: Unreliable, clock: HandClock) -> None:
    """The first run goes on as if nothing had been asked."""
    async with hold(store, "t", MINE, clock) as lease:
        with pytest.raises(HeldError, match=r"since 2026-01-05 08:00:00 UTC \(run run-a, host host-a, process 1\)"):
            async with hold(store, "t", OTHERS, clock):
                pass
        assert not lost(lease)
        assert not await is_free(store, clock)


async def test_a_killed_run_blocks_the_next_for_a_minute_at_most(store: Unreliable, clock: HandClock) -> None:
    """Its lease, renewed last before it died, expires; so on the same host, if nobody can tell that it is dead."""
    await store.acquire_lease("t", Holder("run-b", MINE.host, 4711, START), clock.now(), 60)
    await clock.pass_by(59)
    with pytest.raises(HeldError):
        async with hold(store, "t", MINE, clock):
            pass
    await clock.pass_by(1)
    async with hold(store, "t", MINE, clock) as lease:
        assert not lost(lease)


async def test_on_the_same_host_a_dead_holder_loses_it_at_once(store: Unreliable, clock: HandClock) -> None:
    """A process that is gone needs no minute; one that lives, or is on another host, keeps it."""
    dead = Holder("run-b", MINE.host, 4711, START)
    await store.acquire_lease("t", dead, clock.now(), 60)
    with pytest.raises(HeldError):
        async with hold(store, "t", MINE, clock, Terms(is_alive=lambda process: process == 4711)):
            pass
    async with hold(store, "t", MINE, clock, Terms(is_alive=lambda process: process != 4711)) as lease:
        assert not lost(lease)
    await store.acquire_lease("t", OTHERS, clock.now(), 60)
    with pytest.raises(HeldError):
        async with hold(store, "t", MINE, clock, Terms(is_alive=lambda process: False)):
            pass


async def test_a_run_that_was_overtaken_finds_out(store: Unreliable, clock: HandClock) -> None:
    """When somebody else has the lease, the run knows at its next renewal, and does not take it back by ending."""
    async with hold(store, "t", MINE, clock) as lease:
        waiting = asyncio.create_task(lease.wait_until_lost())
        await store.release_lease("t", MINE)
        await store.acquire_lease("t", OTHERS, clock.now(), 600)
        await clock.pass_by(19)
        assert not lost(lease)
        assert not waiting.done()
        await clock.pass_by(1)
        assert lost(lease)
        await waiting
    third = holder("c")
    assert await store.acquire_lease("t", third, clock.now(), 60) == OTHERS


async def test_a_state_that_does_not_answer_for_a_while_costs_nothing(store: Unreliable, clock: HandClock) -> None:
    """It is asked again, and the lease holds on when it answers in time."""
    async with hold(store, "t", MINE, clock) as lease:
        store.is_down = True
        await clock.pass_by(45)
        assert not lost(lease)
        store.is_down = False
        await clock.pass_by(30)
        assert not lost(lease)
        assert not await is_free(store, clock)


async def test_a_lease_that_cannot_be_renewed_in_time_is_lost(store: Unreliable, clock: HandClock) -> None:
    """From then on another run could have it; ending is no error even so."""
    async with hold(store, "t", MINE, clock) as lease:
        store.is_down = True
        await clock.pass_by(59)
        assert not lost(lease)
        await clock.pass_by(1)
        assert lost(lease)
        await lease.wait_until_lost()
    store.is_down = False
    assert await is_free(store, clock)


async def test_a_run_that_could_not_run_for_a_minute_knows_it(store: Unreliable, clock: HandClock) -> None:
    """A process that was stopped does not trust its lease before it has been renewed."""
    async with hold(store, "t", MINE, clock) as lease:
        await settle()
        clock.passed += 61
        assert lost(lease)
        await clock.pass_by(0)
        assert not lost(lease)


async def test_a_failing_run_gives_it_back(store: Unreliable, clock: HandClock) -> None:
    """Whatever goes wrong inside, the next run need not wait, and the error stays what it was."""

    async def fail(lease: Lease) -> None:
        assert not lost(lease)
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        async with hold(store, "t", MINE, clock) as lease:
            await fail(lease)
    assert await is_free(store, clock)


def test_processes_of_this_host() -> None:
    """This one lives, one that has ended does not, and a number that is no process's proves nothing."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert is_alive(os.getpid())
    assert is_alive(child.pid) is (os.name == "nt")
    assert is_alive(0)
    assert is_alive(-1)
    assert is_alive(1)


class Counting(MemoryStateStore):
    """Counts how often the lease is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    async def acquire_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> Holder | None:
        self.writes += 1
        return await super().acquire_lease(tenant_id, holder, now, seconds)

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        self.writes += 1
        return await super().renew_lease(tenant_id, holder, now, seconds)


async def test_many_hold_it_together_and_write_it_seldom() -> None:
    """Processes of one run write the row when half of the time is over; it stays theirs when the last one leaves."""
    store, clock = Counting(), HandClock()
    terms = Terms(seconds=900, renew_every=60)
    for _ in range(3):
        async with join(store, "t", MINE, clock, terms), join(store, "t", MINE, clock, terms) as lease:
            await clock.pass_by(120)
            assert not lease.is_lost
    assert store.writes == 1
    async with join(store, "t", MINE, clock, terms) as lease:
        await clock.pass_by(900)
        assert not lease.is_lost
    assert store.writes <= 4
    assert await store.lease_holder("t", clock.now()) == MINE
    with pytest.raises(HeldError):
        async with join(store, "t", OTHERS, clock, terms):
            pass
