"""What every step of a run in shards is told: ids, numbers and times, never a contact; and how a roster is divided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.errors import StateError
from shared.ports import StateStore
from shared.sync.records import Holder

T = TypeVar("T")

SHARD_SIZE: Final = 100
"""Mailboxes a shard: a quiet one is five batches, and a first distribution to it ends well before a host's timeout."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One tenant's run in shards, in its first or a later `round`.

    A later round is about what broke off in the one before, `only` these shards, all of them when it is empty. With
    `trusts` false nothing that is remembered is trusted. `started_at` is UTC.
    """

    tenant_id: str
    options: RunOptions
    started_at: datetime
    round: int = 1
    trusts: bool = True
    only: tuple[int, ...] = ()
    shard_size: int = SHARD_SIZE

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.options.run_id

    @property
    def holder(self) -> Holder:
        """Who holds the tenant's lease: the run, wherever its steps are."""
        return Holder(self.run_id, "in shards", 0, self.started_at)

    def name(self, what: str, shard: int | None = None) -> str:
        """The name of a parcel of this round."""
        return f"{self.round} {what}" if shard is None else f"{self.round} {what} {shard}"


@dataclass(frozen=True, slots=True)
class Step:
    """An errand, where it is carried out, and the state that its parcels go through."""

    errand: Errand
    state: StateStore
    place: Place

    async def put(self, what: str, data: bytes, shard: int | None = None) -> bool:
        """Hand a parcel of this round to the next step; false if that was done before."""
        errand = self.errand
        return await self.state.put_parcel(errand.tenant_id, errand.run_id, errand.name(what, shard), data)

    def in_round(self, number: int) -> "Step":
        """The step as it was in another round."""
        return replace(self, errand=replace(self.errand, round=number))

    async def taken(self, what: str, shard: int | None = None) -> bytes:
        """A parcel of this round that must be there; raises `StateError` when it is not."""
        found = await self.take(what, shard)
        if found is None:
            message = f"What another step of the run has handed over is gone ({self.errand.name(what, shard)})."
            raise StateError(message, hint="Nothing to do: the next run goes on.")
        return found

    async def take(self, what: str, shard: int | None = None) -> bytes | None:
        """A parcel of this round, None while there is none."""
        errand = self.errand
        return await self.state.parcel(errand.tenant_id, errand.run_id, errand.name(what, shard))


def divided(whole: Sequence[T], size: int) -> list[Sequence[T]]:
    """The whole in shards of this size, the last one smaller."""
    return [whole[start : start + size] for start in range(0, len(whole), size)]
