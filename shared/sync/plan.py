"""From what was observed to what shall be written: the decision table of one tenant's run.

For every contact, in every replica:

    the replica's card          UpdateExisting on            UpdateExisting off
    -------------------------   --------------------------   ------------------
    none                        create                       create
    has become private          leave                        leave
    differs from the merged     update what differs          stamp if it lacks it
    equal, without our stamp    stamp                        stamp
    equal, stamped              leave (skipped)              leave (skipped)

A contact whose hub card has become private is left alone everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.sync.contact import Contact, FieldValue
from shared.sync.merge import Conflict, Merged, merge, voices_of
from shared.sync.mergebase import Memory
from shared.sync.pairing import Cards, Pairing, pair
from shared.sync.replica import Item, Observation, Replica
from shared.sync.rules import Rules
from shared.sync.stamp import Stamp, SyncId


@dataclass(frozen=True, slots=True)
class CreateContact:
    """Put a new card into a replica."""

    replica: Replica
    contact: Contact
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class UpdateContact:
    """Bring these fields of a card (None clears) to their new values, and its stamp up to date."""

    replica: Replica
    item: Item
    fields: Mapping[str, FieldValue | None]
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class StampContact:
    """Write marker and stamp onto a card that lacks them."""

    replica: Replica
    item: Item
    stamp: Stamp


Operation = CreateContact | UpdateContact | StampContact


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one tenant's run shall write, and what it leaves alone.

    `gathered` counts the spokes' cards that the hub already agrees with, `scattered` the spokes' cards up to date.
    """

    hub: tuple[Operation, ...]
    spokes: Mapping[str, tuple[Operation, ...]]
    contacts: Mapping[SyncId, Contact]
    conflicts: tuple[Conflict, ...]
    pairing: Pairing
    gathered: int
    scattered: int


def reconcile(hub: Observation, spokes: Sequence[Observation], rules: Rules, memory: Memory, now: datetime) -> Plan:
    """Plan one tenant's run from complete observations; the same input always gives the same plan."""
    items = [item for observation in (hub, *spokes) for item in observation.items]
    pairing = pair(items, hub.replica.mailbox, rules, memory)
    desk = _Desk(hub.replica, [spoke.replica for spoke in spokes], rules, memory, now)
    for sync_id, cards in sorted(pairing.contacts.items()):
        desk.decide(sync_id, cards, pairing.occupied.get(sync_id, frozenset()))
    return desk.plan(pairing)


class _Desk:
    """Where the plan is drawn up, contact by contact."""

    def __init__(self, hub: Replica, spokes: Iterable[Replica], rules: Rules, memory: Memory, now: datetime) -> None:
        self._hub = hub
        self._spokes = sorted(spokes, key=lambda spoke: spoke.mailbox)
        self._names = {replica.mailbox: replica.name for replica in (hub, *self._spokes)}
        self._rules = rules
        self._memory = memory
        self._now = now
        self._hub_operations: list[Operation] = []
        self._spoke_operations: dict[str, list[Operation]] = {}
        self._contacts: dict[SyncId, Contact] = {}
        self._conflicts: list[Conflict] = []
        self._gathered = 0
        self._scattered = 0

    def plan(self, pairing: Pairing) -> Plan:
        spokes = {mailbox: tuple(operations) for mailbox, operations in self._spoke_operations.items()}
        return Plan(
            tuple(self._hub_operations),
            spokes,
            self._contacts,
            tuple(self._conflicts),
            pairing,
            self._gathered,
            self._scattered,
        )

    def decide(self, sync_id: SyncId, cards: Cards, occupied: frozenset[str]) -> None:
        """Plan one contact for all replicas."""
        hub = self._hub.mailbox
        if hub in occupied or not cards:
            return
        merged = merge(sync_id, voices_of(sync_id, cards, hub, self._memory), self._memory.versions.get(sync_id))
        card = cards.get(hub)
        frozen = card is not None and not self._rules.update_existing
        target = card.contact if card and frozen else merged.contact
        self._contacts[sync_id] = target
        self._conflicts += () if frozen else merged.conflicts
        stamp = self._stamp(sync_id, cards, merged, target)
        hub_operation = self._operation(self._hub, card, target, stamp)
        self._hub_operations += [hub_operation] if hub_operation else []
        if not isinstance(hub_operation, CreateContact | UpdateContact):
            self._gathered += len(cards.keys() - {hub})
        for spoke in self._spokes:
            if spoke.mailbox not in occupied:
                self._decide_spoke(spoke, cards.get(spoke.mailbox), target, stamp)

    def _decide_spoke(self, spoke: Replica, card: Item | None, target: Contact, stamp: Stamp) -> None:
        operation = self._operation(spoke, card, target, stamp)
        if operation:
            self._spoke_operations.setdefault(spoke.mailbox, []).append(operation)
        if not isinstance(operation, CreateContact | UpdateContact):
            self._scattered += 1

    def _operation(self, replica: Replica, card: Item | None, target: Contact, stamp: Stamp) -> Operation | None:
        if card is None:
            return CreateContact(replica, target, stamp)
        differing = card.contact.differing(target) if self._rules.update_existing else frozenset()
        if differing:
            return UpdateContact(replica, card, {name: target.get(name) for name in sorted(differing)}, stamp)
        return StampContact(replica, card, stamp) if lacks_stamp(card, stamp.sync_id) else None

    def _stamp(self, sync_id: SyncId, cards: Cards, merged: Merged, target: Contact) -> Stamp:
        """The tags of this run's writes: the existing ones, unless the hub's contact changes now."""
        card = cards.get(self._hub.mailbox)
        oldest = min(cards.values(), key=lambda item: (item.created_at, item.mailbox, item.item_id))
        known = card.stamp if card else None
        created_by = known.created_by if known and known.created_by else self._creator(oldest)
        changed = target.differing(card.contact) if card else frozenset(merged.words)
        if known and known.updated_at and not changed:
            return Stamp(sync_id, created_by, known.updated_at, known.updated_by)
        words = [merged.words[name] for name in changed if name in merged.words]
        author = self._names.get(max(words).mailbox, self._hub.name) if words else self._hub.name
        return Stamp(sync_id, created_by, self._now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), author)

    def _creator(self, oldest: Item) -> str:
        if oldest.stamp and oldest.stamp.created_by:
            return oldest.stamp.created_by
        return self._names[oldest.mailbox]


def lacks_stamp(item: Item, sync_id: SyncId) -> bool:
    """Whether the card does not bear the contact's marker and stamp."""
    return item.marker != sync_id or item.stamp is None or item.stamp.sync_id != sync_id
