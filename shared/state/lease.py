"""The lease of a tenant, held while its run goes on: taken, renewed beside the work, given back at the end.

Time comes from the clock alone. A run that is killed blocks the next one until its lease expires, and on the same host
not at all.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from shared.errors import HeldError, StateError, TenantError
from shared.ports import Clock, StateStore
from shared.sync.records import Holder


def _unknown(_process: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lasts and how often it is renewed, in seconds.

    `is_alive` tells whether a process of this host still runs; a lease whose holder does not is taken over at once.
    """

    seconds: float = 60
    renew_every: float = 20
    is_alive: Callable[[int], bool] = _unknown


USUAL: Final = Terms()


class Lease:
    """A lease that is held; ask `is_lost` before each write that another run could make at the same time."""

    def __init__(self, clock: Clock, until: float) -> None:
        self._clock = clock
        self._until = until
        self._lost = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether somebody else has it, or could have taken it because it was not renewed in time."""
        return self._lost.is_set() or self._clock.monotonic() >= self._until

    async def wait_until_lost(self) -> None:
        """Come back when somebody else has it, or it could not be renewed in time."""
        await self._lost.wait()

    async def keep(self, renew: Callable[[], Awaitable[bool]], terms: Terms) -> None:
        """Renew it until it is lost. A state that does not answer is asked again while the lease lasts."""
        while True:
            await self._clock.sleep(terms.renew_every)
            asked = self._clock.monotonic()
            with suppress(StateError):
                if not await renew():
                    break
                self._until = asked + terms.seconds
            if self.is_lost:
                break
        self._lost.set()


@asynccontextmanager
async def hold(
    store: StateStore, tenant_id: str, holder: Holder, clock: Clock, terms: Terms = USUAL
) -> AsyncIterator[Lease]:
    """Hold the tenant's lease; raises `HeldError` when another run has it, `StateError` when it cannot be asked for."""
    asked = clock.monotonic()
    await _acquire(store, tenant_id, holder, clock, terms)
    try:
        lease = Lease(clock, asked + terms.seconds)
        renew = partial(_renew, store, tenant_id, holder, clock, terms)
        async with _renewed(renew, lease, terms):
            yield lease
    finally:
        with suppress(TenantError):  # what cannot be given back expires; the run's own result counts
            await store.release_lease(tenant_id, holder)


@asynccontextmanager
async def join(store: StateStore, tenant_id: str, holder: Holder, clock: Clock, terms: Terms) -> AsyncIterator[Lease]:
    """Hold it like `hold`, and leave it to this holder's other processes, which hold it at the same time or later.

    Only who finds it half used up writes it, for there may be hundreds of them at once, and the row is one.
    """
    half = replace(terms, seconds=terms.seconds / 2)

    async def lasts() -> bool:
        later = clock.now() + timedelta(seconds=half.seconds)
        return await store.lease_holder(tenant_id, later) == holder

    async def renew() -> bool:
        return await lasts() or await store.renew_lease(tenant_id, holder, clock.now(), terms.seconds)

    asked = clock.monotonic()
    if not await lasts():
        await _acquire(store, tenant_id, holder, clock, terms)
    async with _renewed(renew, Lease(clock, asked + half.seconds), half) as lease:
        yield lease


@asynccontextmanager
async def _renewed(renew: Callable[[], Awaitable[bool]], lease: Lease, terms: Terms) -> AsyncIterator[Lease]:
    renewing = asyncio.create_task(lease.keep(renew, terms))
    try:
        yield lease
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(store: StateStore, tenant_id: str, holder: Holder, clock: Clock, terms: Terms) -> bool:
    return await store.renew_lease(tenant_id, holder, clock.now(), terms.seconds)


async def _acquire(store: StateStore, tenant_id: str, holder: Holder, clock: Clock, terms: Terms) -> None:
    other = await store.acquire_lease(tenant_id, holder, clock.now(), terms.seconds)
    if other and other.host == holder.host and not terms.is_alive(other.process):
        await store.release_lease(tenant_id, other)
        other = await store.acquire_lease(tenant_id, holder, clock.now(), terms.seconds)
    if other:
        raise HeldError(
            f"Tenant {tenant_id}: another run holds its lease since {other.since:%Y-%m-%d %H:%M:%S} UTC "
            f"(run {other.run_id}, host {other.host}, process {other.process}).",
            hint=f"Wait until it ends; if it was killed, its lease expires within {terms.seconds:.0f} seconds.",
        )
