"""A run holds its tenant alone: what to do when another has it, and when it is lost on the way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.engine.course import Course
from shared.errors import StateDamagedError
from shared.ports import Clock, StateStore
from shared.state.lease import Lease, Terms, hold, join
from shared.sync.records import Holder
from shared.sync.report import Problem
from shared.telemetry import log_event

_LOG = logging.getLogger(__name__)

LOST: Final = Problem(
    "",
    "LeaseLost",
    "Another run has taken the tenant over, or the state did not answer for a minute: the run stopped between two "
    "operations, with everything it did remembered.",
    "Nothing to do: the other run, or the next one, goes on.",
)


_SHARED: Final = Terms(seconds=900, renew_every=60)
"""Between two steps of a run in shards nobody renews it, and the next step may have to wait for a free place."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process runs: its host, its number, which others of the host are alive, and the real time.

    The lease goes by a clock of its own, because it is about processes of this world: in a test, the run's clock
    leaps whenever somebody waits.
    """

    clock: Clock
    host: str
    process: int
    is_alive: Callable[[int], bool]


@asynccontextmanager
async def alone(state: StateStore, tenant_id: str, run_id: str, place: Place, course: Course) -> AsyncIterator[None]:
    """Hold the tenant's lease; once it is lost, `course` says stop.

    Raises `HeldError` when another run has it, `StateError` when it cannot be asked for.
    """
    holder = Holder(run_id, place.host, place.process, place.clock.now())
    held = partial(hold, state, tenant_id, holder, place.clock, Terms(is_alive=place.is_alive))
    async with _watched(held, holder, tenant_id, course):
        yield


@asynccontextmanager
async def together(
    state: StateStore, tenant_id: str, holder: Holder, place: Place, course: Course
) -> AsyncIterator[None]:
    """Hold the lease with the run's other processes; the run gives it back at its end. Raises like `alone`."""
    held = partial(join, state, tenant_id, holder, place.clock, _SHARED)
    async with _watched(held, holder, tenant_id, course):
        yield


@asynccontextmanager
async def _watched(
    held: Callable[[], AbstractAsyncContextManager[Lease]], holder: Holder, tenant_id: str, course: Course
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        try:
            lease = await stack.enter_async_context(held())
        except StateDamagedError as error:
            # A store that finds itself damaged begins anew, and is asked once more.
            where = {"run_id": holder.run_id, "tenant_id": tenant_id}
            log_event(_LOG, logging.WARNING, "state_damaged", **where, code=error.code)
            course.remark(error)
            lease = await stack.enter_async_context(held())
        watching = asyncio.create_task(_watch(lease, course))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _watch(lease: Lease, course: Course) -> None:
    await lease.wait_until_lost()
    course.halt(LOST)
