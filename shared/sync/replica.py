"""What is read of a replica: its cards as values, or the reason why it could not be read.

A failed read is an `Unreadable`, a type of its own, so that it can never be taken for an empty mailbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from shared.sync.contact import Contact, FieldValue
from shared.sync.stamp import Stamp, SyncId
from shared.sync.value import value


@dataclass(frozen=True, slots=True)
class Replica:
    """One folder that takes part: the hub or a spoke.

    `mailbox` is the user's object id (UPNs change, ids do not), `name` the UPN or what else a person reads.
    """

    mailbox: str
    name: str
    is_hub: bool = False
    folder: str = "contacts"


@value
class Item:
    """One card as it was read: the contact, and what its replica knows of it. Times are UTC."""

    mailbox: str
    item_id: str
    change_marker: str
    contact: Contact
    created_at: datetime
    modified_at: datetime
    marker: SyncId | None = None
    stamp: Stamp | None = None
    private: bool = False
    unaddressed: tuple[str, ...] = ()
    """Names of e-mail slots without an address (contrib#7966): never compared, never dropped by an update."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card read by id: the item, and its whole note, which only this mailbox's own writes may see."""

    item: Item
    notes: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be read or written, for the report; `skipped` when the run can still be fine."""

    code: str
    message: str
    hint: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A further card of a contact in one mailbox: of which contact, and the fingerprint of what it held."""

    sync_id: SyncId
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Observation:
    """A replica that was read to its end: all of it, or (not `is_whole`) all that changed since the last time.

    If it `is_settled` all of it was read too, but what agrees with what is remembered is left out; what is missing is
    `pending`.

    `removed` are the ids of items that are gone since then. `watermark` says up to which version the replica is known
    to be up to date, but for the contacts in `pending`; of a whole reading everything is compared anyway. `duplicates`
    are those that were left aside before, by item id. Of so many `echoes` was told that say nothing new.
    """

    replica: Replica
    items: tuple[Item, ...]
    delta_link: str = field(default="", repr=False)
    removed: tuple[str, ...] = ()
    is_whole: bool = True
    watermark: int = 0
    pending: tuple[SyncId, ...] = ()
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))
    is_settled: bool = False
    echoes: int = 0

    @property
    def was_read_whole(self) -> bool:
        """Whether every card was looked at."""
        return self.is_whole or self.is_settled

    @property
    def unread_duplicates(self) -> Mapping[str, Duplicate]:
        """Those that have not changed since: neither read nor gone."""
        if self.was_read_whole or not self.duplicates:
            return {}
        told = {*(item.item_id for item in self.items), *self.removed}
        return {item_id: one for item_id, one in self.duplicates.items() if item_id not in told}


@dataclass(frozen=True, slots=True)
class Changes:
    """All that changed in a replica since a delta link: items with their flags known, and ids of removed items.

    `echoes` is how many others were told that bear the change marker that is remembered.
    """

    replica: Replica
    items: tuple[Item, ...]
    removed: tuple[str, ...]
    delta_link: str = field(repr=False)
    echoes: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A replica that was not, or not wholly, read: nothing is concluded from what it lacks."""

    replica: Replica
    failure: Failure


@value
class Draft:
    """What a write puts into a card: fields (None clears), the note if it changes, the marker if it is (re)written."""

    fields: Mapping[str, FieldValue | None]
    notes: str | None = field(default=None, repr=False)
    marker: SyncId | None = None
    unaddressed: tuple[str, ...] = ()
