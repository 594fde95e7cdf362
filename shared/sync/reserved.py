"""The places of cards that are known to be there although they were not read, because nothing about them has changed.

They are as many as there are contacts times mailboxes, so they are asked for and never listed.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.sync.contact import Contact
from shared.sync.mergebase import NOTHING_HELD, Memory, Removals
from shared.sync.stamp import SyncId

Place = tuple[SyncId, str]
"""A contact, and a mailbox where it may have a card."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """The reserved places: those in `linked`, and what mailboxes hold by the memory and is not `gone`."""

    linked: frozenset[Place]
    memory: Memory
    gone: Removals

    def has(self, sync_id: SyncId, mailbox: str) -> bool:
        """Whether the mailbox has an unread card of the contact."""
        return (sync_id, mailbox) in self.linked or self._is_held(sync_id, mailbox)

    def _is_held(self, sync_id: SyncId, mailbox: str) -> bool:
        is_held = sync_id in self.memory.held.get(mailbox, NOTHING_HELD)
        return is_held and mailbox not in self.gone.get(sync_id, ())

    def beside(self, read: Iterable[tuple[str, Contact]], at_hub: Mapping[SyncId, Contact]) -> Iterator[Place]:
        """The held places whose contact shares its address with one that was `read` in the same mailbox.

        `at_hub` is what the hub holds of each contact. No other held card says anything that the hub does not say: it
        is like the hub's, and so is whatever stands beside it.
        """
        addresses: dict[str, set[str]] = defaultdict(set)
        for mailbox, contact in read:
            if mailbox in self.memory.held and contact.primary_email:
                addresses[mailbox].add(contact.primary_email)
        namesakes: dict[str, list[SyncId]] = defaultdict(list)
        for sync_id, contact in at_hub.items() if addresses else ():
            namesakes[contact.primary_email].append(sync_id)
        for mailbox, theirs in addresses.items():
            contacts = (sync_id for address in theirs for sync_id in namesakes.get(address, ()))
            yield from ((sync_id, mailbox) for sync_id in contacts if self._is_held(sync_id, mailbox))


def reserve(memory: Memory, read: Container[tuple[str, str]], gone: Removals) -> Reserved:
    """The places of all remembered cards but those that were `read`, by mailbox and item id, or are `gone`."""
    linked = frozenset(
        (link.sync_id, link.mailbox)
        for place, link in memory.links.items()
        if place not in read and link.mailbox not in gone.get(link.sync_id, ())
    )
    return Reserved(linked, memory, gone)
