"""Drives a run in shards in this process as a host would: steps side by side, repeated when they break off."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from shared.config.model import Settings
from shared.engine.run import World
from shared.ports import Clock
from shared.shards.ending import End
from shared.shards.errand import Errand
from shared.shards.steps import carry_out, close
from shared.shards.workflow import Call, Done, StepName, workflow
from shared.sync.report import RunReport

ATTEMPTS = 3
SOON = 10
CarryOut = Callable[[Call], Awaitable[Done]]
Delivery = Callable[[Call, Sequence[Call], CarryOut], Awaitable[Done]]
"""Delivers a step, given also all that were delivered before it, as often as it likes."""


async def once(call: Call, _before: Sequence[Call], carry_out: CarryOut) -> Done:
    """As a host does on a good day."""
    return await carry_out(call)


async def twice(call: Call, _before: Sequence[Call], carry_out: CarryOut) -> Done:
    """To two processes at the same time, of which the first answers."""
    done, _ = await asyncio.gather(carry_out(call), carry_out(call))
    return done


async def late(call: Call, before: Sequence[Call], carry_out: CarryOut) -> Done:
    """Together with another step that was over long ago."""
    again = [carry_out(before[len(before) // 2])] if before else []
    done, *_ = await asyncio.gather(carry_out(call), *again)
    return done


class PlaceClock:
    """The run's clock for its leases: nobody renews one while a test goes on, and who looks again does so at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        if seconds > SOON:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


class Conductor:
    """One world in which runs go on in shards; `kill` lets all steps die that are under way."""

    def __init__(self, settings: Settings, world: World, deliver: Delivery = once) -> None:
        self.settings = settings
        self.world = world
        self.calls: list[Call] = []
        self._deliver = deliver
        self._under_way: set[asyncio.Task[Done]] = set()

    def kill(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def run(self, errand: Errand) -> RunReport | None:
        """The run's report."""
        steps = workflow(errand)
        calls = next(steps)
        while not calls or calls[0].step is not StepName.CONCLUDE:
            done = await asyncio.gather(*map(self._repeated, calls))
            self.calls += calls
            calls = steps.send(done)
        return await close(calls[0], self.settings, self.world)

    async def _repeated(self, call: Call) -> Done:
        for _ in range(ATTEMPTS):
            try:
                return await self._deliver(call, self.calls, self._once)
            except asyncio.CancelledError:
                if (mine := asyncio.current_task()) and mine.cancelling():
                    raise
        return Done(end=End.BROKEN_OFF)

    async def _once(self, call: Call) -> Done:
        task = asyncio.ensure_future(carry_out(call, self.settings, self.world))
        self._under_way.add(task)
        try:
            return await task
        finally:
            self._under_way.discard(task)
