"""Runs of a tenant never overlap: who finds it held says so and goes, and who loses it stops."""

import asyncio
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

from shared.bootstrap import Means, carry_out
from shared.engine.course import Course
from shared.engine.job import Job
from shared.engine.lease import LOST, Place, alone
from shared.engine.options import RunOptions
from shared.engine.tenant import sync_tenant
from shared.state.memory import MemoryStateStore
from shared.sync.records import Holder
from shared.sync.report import TenantReport
from tests.emulator.clock import EmulatorClock
from tests.engine.office import Office, person

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def somebody(host: str = "build-7", process: int = 42) -> Holder:
    """Another run, holding since just now."""
    return Holder("other-run", host, process, datetime.now(UTC))


def a_dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


async def take(office: Office, holder: Holder) -> None:
    """Let another run have the tenant."""
    assert await office.state.acquire_lease(office.tenant.id, holder, datetime.now(UTC), 60) is None


async def test_a_held_tenant_is_skipped(office: Office) -> None:
    """Nothing is asked of Graph; the report says who holds it since when, and the exit code is 3."""
    await take(office, somebody())
    run = await office.run()
    (report,) = run.tenants
    assert report.error is not None
    assert (run.exit_code, report.outcome, report.error.code) == (3, "skipped", "Held")
    assert all(word in report.error.message for word in ("other-run", "build-7", "42"))
    assert list(office.emulator.log) == []
    assert list(await office.state.runs(office.tenant.id)) == []


async def test_the_other_tenants_run(office: Office) -> None:
    """One held tenant of two is a line, not a failure."""
    other = Office(office.emulator, "dan", domain="fabrikam.com")
    other.box("dan").add_contact(person("Alan"))
    await take(office, somebody())
    run = await office.run()
    assert run.exit_code == 0
    assert other.names("hub") == ["Alan"]


async def test_two_runs_at_once(office: Office) -> None:
    """Of two runs that begin together one works and the other is skipped."""
    office.box("ann").add_contact(person("Grace"))
    runs = await asyncio.gather(office.run(), office.run())
    assert sorted(run.exit_code for run in runs) == [0, 3]
    assert office.names("bob") == ["Grace"]


async def test_a_finished_run_lets_go(office: Office) -> None:
    """Also one that failed."""
    office.tenant.roles = ()
    assert (await office.run()).exit_code == 1
    assert await office.state.acquire_lease(office.tenant.id, somebody(), datetime.now(UTC), 60) is None


async def test_a_dead_holder_of_this_host_loses_it_at_once(office: Office) -> None:
    """A run that was killed does not block the next one on the same machine; one that lives does."""
    await take(office, somebody(socket.gethostname(), a_dead_process()))
    assert (await office.run()).exit_code == 0
    await take(office, somebody(socket.gethostname(), os.getppid()))
    assert (await office.run()).exit_code == 3


async def test_a_dry_run_takes_no_lease_and_leaves_no_record(office: Office) -> None:
    """It writes nothing of any kind, so it may look while another run works."""
    await take(office, somebody())
    office.box("ann").add_contact(person("Grace"))
    assert (await office.run(RunOptions(dry_run=True))).exit_code == 0
    assert list(await office.state.runs(office.tenant.id)) == []


async def test_a_lost_lease_stops_the_run() -> None:
    """When another run has taken it over, no further operation begins, and the other's lease is left alone."""
    state, clock = MemoryStateStore(), EmulatorClock(NOW)
    course, other = Course(clock), somebody()
    async with alone(state, "t", "ours", Place(clock, "here", 1, lambda _: True), course):
        held = await state.acquire_lease("t", other, NOW, 60)
        assert held is not None
        await state.release_lease("t", held)
        await state.acquire_lease("t", other, NOW, 60)
        assert course.goes_on()
        for _ in range(100):
            await asyncio.sleep(0)  # the renewal finds out
    assert course.stop == LOST
    assert await state.acquire_lease("t", held, NOW, 60) == other


async def test_a_run_that_loses_its_lease_is_partial(office: Office) -> None:
    """It ends between two operations with a line and exit code 0; the next run goes on."""
    for number in range(5):
        office.box("ann").add_contact(person(f"Person {number}"))

    async def stolen(job: Job) -> TenantReport:
        job.course.halt(LOST)
        return await sync_tenant(job)

    environ, emulator = office.emulator.environment(), office.emulator
    means = Means(None, emulator.ca_file, emulator.clock, office.state)
    run = await carry_out(environ, RunOptions(), stolen, means)
    (report,) = run.tenants
    assert (run.exit_code, report.outcome, [one.code for one in report.problems]) == (0, "partial", ["LeaseLost"])
    assert office.cards("hub") == []
    await office.run()
    assert len(office.cards("bob")) == 5
