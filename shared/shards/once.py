"""A step that writes is done once, however often and to how many processes it is delivered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from uuid import uuid4

from shared.errors import HeldError
from shared.shards.errand import Step
from shared.state.lease import Terms, hold
from shared.sync.records import Holder

_ASK_EVERY_SECONDS: Final = 5.0


class BrokenOffError(Exception):
    """The step was begun and never ended: half of it may be done, so it cannot be done again from what was read."""


async def once(step: Step, what: str, work: Callable[[], Awaitable[bytes]], shard: int | None = None) -> bytes:
    """What came of the work: of this one's, or of the one that was delivered before.

    A second delivery waits for the first. Raises `BrokenOffError` when that was killed on the way.
    """
    async with claimed(step, what, shard):
        if known := await step.take(f"{what} done", shard):
            return known
        if not await step.put(f"{what} begun", b"{}", shard):
            raise BrokenOffError(what)
        done = await work()
        await step.put(f"{what} done", done, shard)
        return done


@asynccontextmanager
async def claimed(step: Step, what: str, shard: int | None = None) -> AsyncIterator[None]:
    """Do a step alone: whoever else it is delivered to waits until this one has ended, or was killed."""
    place, errand, state = step.place, step.errand, step.state
    claim = f"{errand.tenant_id}/{errand.name(what, shard)}"
    # Two deliveries may reach one process at the same moment: they are two holders all the same.
    holder = Holder(str(uuid4()), place.host, place.process, place.clock.now())
    async with AsyncExitStack() as stack:
        while True:
            held = hold(state, claim, holder, place.clock, Terms(is_alive=place.is_alive))
            try:
                await stack.enter_async_context(held)
                break
            except HeldError:
                await place.clock.sleep(_ASK_EVERY_SECONDS)
        yield
