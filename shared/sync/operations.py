"""What may be written to a replica: one operation for one card."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.sync.contact import FieldValue
from shared.sync.mergebase import Link, Version
from shared.sync.replica import Item, Replica
from shared.sync.stamp import Stamp, SyncId
from shared.sync.value import value


@value
class CreateContact:
    """Put a new card into a replica; `is_restored` if one was there before."""

    replica: Replica
    version: Version
    stamp: Stamp
    is_restored: bool = False


@dataclass(frozen=True, slots=True)
class UpdateContact:
    """Bring these fields of a card (None clears) to their new values, and its stamp up to date."""

    replica: Replica
    version: Version
    stamp: Stamp
    item: Item
    fields: Mapping[str, FieldValue | None]
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class StampContact:
    """Write marker and stamp onto a card that lacks them."""

    replica: Replica
    version: Version
    stamp: Stamp
    item: Item
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class DeleteContact:
    """Take a card away, unless somebody has edited it since it was last agreed on."""

    replica: Replica
    version: Version
    stamp: Stamp
    item: Item
    link: Link


Operation = CreateContact | UpdateContact | StampContact | DeleteContact


def lacks_stamp(item: Item, sync_id: SyncId) -> bool:
    """Whether the card does not bear the contact's marker and stamp."""
    return item.marker != sync_id or item.stamp is None or item.stamp.sync_id != sync_id
