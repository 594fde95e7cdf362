"""One replica's part of a run: its operations, and what is only to be remembered, made when they are asked for.

All parts together are as many operations as there are contacts times mailboxes; one part is one mailbox's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from shared.sync.links import link_as_it_is, link_to
from shared.sync.mergebase import Link, Memory, Version
from shared.sync.operations import CreateContact, DeleteContact, Operation, StampContact, UpdateContact, lacks_stamp
from shared.sync.pairing import Cards
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation, Replica
from shared.sync.rules import Rules
from shared.sync.stamp import Stamp, SyncId


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall become of one contact: all replicas hold `version`, or, if that is deleted, none does.

    `cards` are those that were read, by mailbox, `removed_from` the mailboxes where a card of it is gone, `occupied`
    those that are left as they are.
    """

    version: Version
    stamp: Stamp
    cards: Cards
    removed_from: frozenset[str] = frozenset()
    occupied: frozenset[str] = frozenset()

    @property
    def sync_id(self) -> SyncId:
        """The contact's."""
        return self.version.sync_id


@dataclass(frozen=True, slots=True)
class Part:
    """One replica's part. `links` need no write and are only to be remembered, `settled` cards are up to date.

    `forgotten` are contacts whose card there is gone, as it shall be: who remembered it would not give it back one day.
    """

    operations: tuple[Operation, ...] = ()
    links: tuple[StoredLink, ...] = ()
    forgotten: tuple[SyncId, ...] = ()
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Scatter:
    """Turns decisions into parts.

    `links` are those that were found while deciding, by mailbox: of private cards, and of cards kept in the history;
    `linked` are the remembered ones, by mailbox and contact.
    """

    decisions: Sequence[Decision]
    observed: Mapping[str, Observation]
    memory: Memory
    rules: Rules
    links: Mapping[str, tuple[StoredLink, ...]] = field(default_factory=lambda: MappingProxyType({}))
    linked: Mapping[tuple[str, SyncId], Link] = field(default_factory=lambda: MappingProxyType({}))

    def unknown(self, observation: Observation) -> frozenset[SyncId]:
        """The contacts that a part is about without knowing the card: whether there is one has to be asked for first.

        A replica that was read whole shows all that it has.
        """
        mailbox, pending = observation.replica.mailbox, frozenset(observation.pending)
        return frozenset(
            decision.sync_id
            for decision in (() if observation.is_whole else self.decisions)
            if (decision.version.number > observation.watermark or decision.sync_id in pending)
            and mailbox not in decision.cards
            and mailbox not in decision.occupied
            and (mailbox, decision.sync_id) not in self.linked
        )

    def part(self, replica: Replica) -> Part:
        """The replica's part; the same each time that it is asked for."""
        maker = _PartMaker(replica, self)
        for decision in self.decisions:
            if replica.mailbox not in decision.occupied:
                maker.add(decision)
        return Part(tuple(maker.operations), tuple(maker.links), tuple(maker.forgotten), maker.settled)


class _PartMaker:
    """Makes one replica's part, contact by contact."""

    def __init__(self, replica: Replica, scatter: Scatter) -> None:
        self.operations: list[Operation] = []
        self.links = list(scatter.links.get(replica.mailbox, ()))
        self.forgotten: list[SyncId] = []
        self.settled = 0
        self._replica = replica
        self._observed = scatter.observed[replica.mailbox]
        self._pending = frozenset(self._observed.pending)
        self._memory = scatter.memory
        self._linked = scatter.linked
        self._rules = scatter.rules

    def add(self, decision: Decision) -> None:
        link = self._linked.get((self._replica.mailbox, decision.sync_id))
        if decision.version.is_deleted:
            self._delete(decision, link)
        elif self._is_concerned(decision, link):
            operation = self._operation(decision, link)
            self.settled += not isinstance(operation, CreateContact | UpdateContact)
            if operation:
                self.operations.append(operation)

    def _is_concerned(self, decision: Decision, link: Link | None) -> bool:
        """Whether the replica may not hold this version; what it holds unread is remembered."""
        mailbox = self._replica.mailbox
        if link and link.is_withheld and mailbox not in decision.cards:
            return False
        if self._observed.is_whole or decision.version.number > self._observed.watermark:
            return True
        return decision.sync_id in self._pending or mailbox in decision.cards or mailbox in decision.removed_from

    def _operation(self, decision: Decision, link: Link | None) -> Operation | None:
        version, stamp = decision.version, decision.stamp
        card = self._card(decision, link)
        if card is None:
            return CreateContact(self._replica, version, stamp, self._replica.mailbox in decision.removed_from)
        known = self._memory.link(card)
        differing = _differing(card, version, known) if self._rules.update_existing else frozenset()
        if differing:
            fields = {name: version.contact.get(name) for name in sorted(differing)}
            return UpdateContact(self._replica, version, stamp, card, fields, known)
        if not lacks_stamp(card, version.sync_id):
            self._remember(card, version, known)
            return None
        if not self._rules.update_existing and not known:
            # Its marker is forgotten: a stamp that fails is made good when the card is told again.
            self.links.append(replace(link_as_it_is(card, version), change_marker=""))
        return StampContact(self._replica, version, stamp, card, known)

    def _delete(self, decision: Decision, link: Link | None) -> None:
        """Cards that nobody remembers, or that are private, stay; of what was undone, so do the people's own cards."""
        item, version = self._card(decision, link), decision.version
        is_left = link is not None and (link.is_withheld or (version.is_undone and not link.is_ours))
        if item and link and not is_left:
            self.operations.append(DeleteContact(self._replica, version, decision.stamp, item, link))
        elif item is None and self._replica.mailbox in decision.removed_from:
            self.forgotten.append(version.sync_id)

    def _card(self, decision: Decision, link: Link | None) -> Item | None:
        """The contact's card there: as it was read, else as it is remembered, None if there is none."""
        card = decision.cards.get(self._replica.mailbox)
        if card or link is None or self._replica.mailbox in decision.removed_from:
            return card
        return _remembered(link)

    def _remember(self, card: Item, version: Version, link: Link | None) -> None:
        if not self._rules.update_existing:
            if not link:
                self.links.append(link_as_it_is(card, version))
        elif not link or link.is_withheld or _has_moved(link, card, version):
            self.links.append(link_to(card, version, link))


def _has_moved(link: Link, card: Item, version: Version) -> bool:
    return link.base.number != version.number or link.change_marker != card.change_marker


def _remembered(link: Link) -> Item:
    """The card that was not read, because it has not changed since it was agreed on."""
    base = link.base
    return Item(
        mailbox=link.mailbox,
        item_id=link.item_id,
        change_marker=link.change_marker,
        contact=link.ancestor(),
        created_at=base.at,
        modified_at=base.at,
        marker=link.sync_id,
        stamp=Stamp(link.sync_id, base.created_by),
    )


def _differing(card: Item, version: Version, link: Link | None) -> frozenset[str]:
    """The fields to write: those that differ, but for what this server once gave back otherwise and nobody changed."""
    differing = card.contact.differing(version.contact)
    if link is None or not link.residue:
        return differing
    base, residue = link.base.contact, link.residue
    return frozenset(
        name
        for name in differing
        if name not in residue or card.contact.get(name) != residue[name] or version.contact.get(name) != base.get(name)
    )
