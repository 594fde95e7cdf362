"""How far a mailbox is after a run: when its delta link and its watermark may move on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from shared.sync.operations import CreateContact, Operation
from shared.sync.records import Checkpoint, Quarantined
from shared.sync.replica import Duplicate, Observation
from shared.sync.stamp import SyncId

_A_DAY: Final = timedelta(days=1)

MANY_PENDING: Final = 200
"""With more left undone than this, the watermark stays where it was instead of a long list being kept."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a run did not carry out in a mailbox: to be tried again, or refused for good."""

    pending: frozenset[SyncId] = frozenset()
    refused: tuple[Quarantined, ...] = ()
    settled: frozenset[SyncId] = frozenset()
    """The contacts that were written: what was refused of them before no longer counts."""
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))
    """The cards that were found to be duplicates, by item id."""
    is_open: bool = False
    """Whether something that was read is not settled: the hub lacks it, or its deletion was refused."""


def advanced(
    observation: Observation, known: Checkpoint | None, newest: int, left: Leftovers, now: datetime
) -> Checkpoint:
    """The mailbox's checkpoint after a run whose newest version is `newest`.

    The delta link moves on only when all that it covered is in the hub and in this mailbox, or quarantined: a card
    that lost a conflict and was not yet brought up to date would otherwise not be seen again.
    """
    replica = observation.replica
    before = known or Checkpoint(replica.mailbox, replica.name, enrolled_at=now)
    is_done = not left.pending and not left.is_open
    is_long = len(left.pending) > MANY_PENDING
    return replace(
        before,
        name=replica.name,
        folder=replica.folder,
        delta_link=observation.delta_link if is_done else before.delta_link,
        watermark=before.watermark if is_long else newest,
        pending=() if is_long else tuple(sorted(left.pending)),
        quarantine=_quarantine(() if observation.was_read_whole else before.quarantine, left),
        succeeded_at=now if is_done else before.succeeded_at,
        read_whole_at=now if observation.was_read_whole and is_done else before.read_whole_at,
        duplicates={**observation.unread_duplicates, **left.duplicates},
        newest=newest if replica.is_hub else 0,
    )


def _quarantine(before: Iterable[Quarantined], left: Leftovers) -> tuple[Quarantined, ...]:
    """The newest refusal of each contact that has not been written since."""
    latest = {one.sync_id: one for one in (*before, *left.refused)}
    return tuple(latest[sync_id] for sync_id in sorted(latest.keys() - left.settled))


def refusal_of(operation: Operation, reason: str) -> Quarantined:
    """The quarantine entry of an operation that was refused for good."""
    version = operation.version
    item = None if isinstance(operation, CreateContact) else operation.item
    item_id, marker = (item.item_id, item.change_marker) if item else ("", "")
    return Quarantined(version.sync_id, item_id, marker, version.number, reason)


def is_quarantined(operation: Operation, quarantine: Iterable[Quarantined]) -> bool:
    """Whether the very same operation was refused before: same item, same change marker, same version."""
    return any(replace(refusal_of(operation, one.reason), at=one.at) == one for one in quarantine)


def in_force(quarantine: Iterable[Quarantined], now: datetime) -> tuple[Quarantined, ...]:
    """What is not tried again yet; a day after it was refused, a write is."""
    return tuple(one for one in quarantine if one.at and now - one.at < _A_DAY)


def is_quiet(observations: Iterable[Observation], newest: int) -> bool:
    """Whether nothing has changed anywhere and every replica is up to date: then nothing else has to be read."""
    return all(
        not one.was_read_whole and not one.items and not one.removed and not one.pending and one.watermark >= newest
        for one in observations
    )


def newest_of(checkpoints: Mapping[str, Checkpoint]) -> int:
    """The number of the newest version, as the hub's checkpoint has it."""
    return max((checkpoint.newest for checkpoint in checkpoints.values()), default=0)
