"""What is remembered between runs: versions and the links that say which of them a spoke's item last agreed with."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.sync.contact import Contact, FieldValue
from shared.sync.replica import Item
from shared.sync.stamp import SyncId

UNDO: Final = "undo"
"""Who speaks where a run is undone."""


@dataclass(frozen=True, slots=True)
class Version:
    """A value that a hub contact has had; `number` rises over the whole tenant, `by` is a mailbox's id or "undo".

    `created_by` is the stamp's tag of that name. A deletion is a version too (a tombstone): `is_deleted`, with the
    content that was deleted, to be undone from. `is_new` if the hub had no card of the contact before: a first
    version without it only says that nothing is remembered from before.
    """

    number: int
    sync_id: SyncId
    contact: Contact
    at: datetime
    by: str
    run_id: str = ""
    is_deleted: bool = False
    created_by: str = ""
    is_new: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether its creation was undone: the mirror's copies go, under any policy, and a person's own card stays."""
        return self.is_deleted and self.by == UNDO


@dataclass(frozen=True, slots=True)
class Link:
    """Joins a replica's item to a contact: the version it last agreed with, and its change marker at that time.

    `residue` holds what the server gave back otherwise than it was written: such a value is no person's edit.
    """

    mailbox: str
    item_id: str
    sync_id: SyncId
    change_marker: str
    base: Version
    residue: Mapping[str, FieldValue | None] = field(default_factory=lambda: MappingProxyType({}))
    is_ours: bool = False
    is_withheld: bool = False

    def ancestor(self) -> Contact:
        """The content that the item had when it last agreed: the base, as this server gives it back."""
        return self.base.contact.bent_by(self.residue)


Versions = Mapping[SyncId, Version]
"""The newest version of every contact, deletions included."""


@dataclass(frozen=True, slots=True)
class Held:
    """The contacts of which a mailbox has a card that was not read: `contacts` but those it is `without`.

    Nearly every mailbox holds nearly every contact, so one set of them all does for all mailboxes.
    """

    contacts: Set[SyncId]
    without: Set[SyncId] = frozenset()

    def __contains__(self, sync_id: object) -> bool:
        return sync_id in self.contacts and sync_id not in self.without

    def __bool__(self) -> bool:
        return not self.contacts <= self.without


NOTHING_HELD: Final = Held(frozenset())


def held_of(contacts: Set[SyncId], alive: Set[SyncId]) -> Held:
    """These contacts, by what they lack of all that are `alive` where that is less to keep."""
    without = alive - contacts
    return Held(alive, without) if contacts <= alive and len(without) < len(contacts) else Held(contacts)


def living(versions: Versions) -> frozenset[SyncId]:
    """The contacts that are not deleted."""
    return frozenset(sync_id for sync_id, version in versions.items() if not version.is_deleted)


@dataclass(frozen=True, slots=True)
class Memory:
    """A tenant's current versions by SyncId, and its links by mailbox and item id. Lost, it is `NO_MEMORY`.

    `held` are, by mailbox, contacts that are known to have a card there which was not read, links or no links.
    """

    versions: Versions
    links: Mapping[tuple[str, str], Link]
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))

    def link(self, item: Item) -> Link | None:
        """The link of this item, None when it is not remembered."""
        return self.links.get((item.mailbox, item.item_id))


NO_MEMORY: Final = Memory(MappingProxyType({}), MappingProxyType({}))

Removals = Mapping[SyncId, frozenset[str]]
"""By contact, the mailboxes whose complete reading proves that the remembered card is gone."""

NOTHING_GONE: Final[Removals] = MappingProxyType({})
