"""From what was observed to what shall be written: the decision table of one tenant's run.

For every contact, in every replica:

    the replica's card          UpdateExisting on            UpdateExisting off
    -------------------------   --------------------------   ------------------
    none                        create                       create
    has become private          leave                        leave
    differs from the merged     update what differs          stamp if it lacks it
    equal, without our stamp    stamp                        stamp
    equal, stamped              leave (skipped)              leave (skipped)

A contact whose hub card has become private is left alone everywhere. A contact that was deleted, as far as the policy
counts it and the guard lets it, is deleted from every replica where nobody has edited it since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from shared.sync.cases import Case, examine
from shared.sync.contact import Contact, FieldValue
from shared.sync.guard import Refusal, guard
from shared.sync.links import link_as_it_is, link_of_private, link_to
from shared.sync.merge import Conflict
from shared.sync.mergebase import Link, Memory, Version
from shared.sync.pairing import Cards, Pairing
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation, Replica
from shared.sync.rules import Deletions, Rules
from shared.sync.stamp import Stamp, SyncId


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one tenant's run shall write, and what it leaves alone.

    `versions` are new and go into the history before anything is written; `links` are what needs no write and is only
    to be remembered; `gathered` counts the spokes' cards that the hub already agrees with, `scattered` the spokes'
    cards up to date.
    """

    hub: tuple[Operation, ...]
    spokes: Mapping[str, tuple[Operation, ...]]
    contacts: Mapping[SyncId, Version]
    versions: tuple[Version, ...]
    links: Mapping[str, tuple[StoredLink, ...]]
    conflicts: tuple[Conflict, ...]
    pairing: Pairing
    refusal: Refusal | None
    gathered: int
    scattered: int
    held: frozenset[str] = frozenset()
    """The mailboxes whose deletions were refused: they have to be told again in the next run."""


NOTHING_TO_DO: Final = Plan((), {}, {}, (), {}, (), Pairing({}, {}, (), (), (), {}), None, 0, 0)
"""The plan of a quiet run."""


def reconcile(hub: Observation, spokes: Sequence[Observation], rules: Rules, memory: Memory, now: datetime) -> Plan:
    """Plan one tenant's run from complete observations; the same input always gives the same plan."""
    findings = examine(hub, spokes, rules, memory)
    mailbox = hub.replica.mailbox
    doomed = {case.sync_id for case in findings.cases if case.is_deleted_now(mailbox, rules)}
    refusal = guard(doomed, mailbox, memory, findings.gone, rules)
    desk = _Desk(hub, spokes, rules, memory, now)
    desk.withhold(findings.pairing.withheld)
    for case in findings.cases:
        occupied = findings.pairing.occupied.get(case.sync_id, frozenset())
        if not case.stays_deleted and case.sync_id not in doomed:
            desk.keep(case, occupied)
        elif case.current and refusal is None and _may_delete(case.current, rules):
            desk.delete(case, case.current, occupied)
    plan = desk.plan(findings.pairing, refusal)
    held = [case.removed_from for case in findings.cases if refusal and case.sync_id in doomed]
    return replace(plan, held=frozenset[str]().union(*held))


def _may_delete(current: Version, rules: Rules) -> bool:
    return rules.policy is not Deletions.RESTORE or current.is_undone


class _Desk:
    """Where the plan is drawn up, contact by contact."""

    def __init__(
        self, hub: Observation, spokes: Sequence[Observation], rules: Rules, memory: Memory, now: datetime
    ) -> None:
        self._observed = {one.replica.mailbox: one for one in (hub, *spokes)}
        self._hub = hub.replica
        self._spokes = sorted((spoke.replica for spoke in spokes), key=lambda spoke: spoke.mailbox)
        self._names = {mailbox: one.replica.name for mailbox, one in self._observed.items()}
        self._linked = {(link.mailbox, link.sync_id): link for link in memory.links.values()}
        self._rules = rules
        self._memory = memory
        self._now = now
        self._remembered = self._number = max((version.number for version in memory.versions.values()), default=0)
        self._hub_operations: list[Operation] = []
        self._spoke_operations: dict[str, list[Operation]] = {}
        self._contacts: dict[SyncId, Version] = {}
        self._versions: list[Version] = []
        self._links: dict[str, list[StoredLink]] = {}
        self._conflicts: list[Conflict] = []
        self._gathered = 0
        self._scattered = 0

    def plan(self, pairing: Pairing, refusal: Refusal | None) -> Plan:
        return Plan(
            hub=tuple(self._hub_operations),
            spokes={mailbox: tuple(operations) for mailbox, operations in self._spoke_operations.items()},
            contacts=self._contacts,
            versions=tuple(self._versions),
            links={mailbox: tuple(links) for mailbox, links in self._links.items()},
            conflicts=tuple(self._conflicts),
            pairing=pairing,
            refusal=refusal,
            gathered=self._gathered,
            scattered=self._scattered,
        )

    def withhold(self, items: Iterable[Item]) -> None:
        """Remember which mirrored cards are private now, for they are not read again until they change."""
        for item in items:
            link = self._memory.link(item)
            if link and not link.is_withheld:
                self._links.setdefault(item.mailbox, []).append(link_of_private(item, link))

    def keep(self, case: Case, occupied: frozenset[str]) -> None:
        """Plan one contact for all replicas."""
        card = case.cards.get(self._hub.mailbox)
        is_frozen = card is not None and not self._rules.update_existing
        contact = card.contact if card and is_frozen else case.merged.contact
        is_kept = not is_frozen and self._keep_losers(case, contact, occupied)
        version = self._version(case, contact, is_told_anew=is_kept)
        self._contacts[case.sync_id] = version
        self._conflicts += () if is_frozen else case.merged.conflicts
        stamp = self._stamp(case, version)
        self._gathered += len(case.cards.keys() - {self._hub.mailbox})
        for replica in (self._hub, *self._spokes):
            if replica.mailbox not in occupied and self._is_concerned(replica, case, version):
                self._keep_in(replica, case, version, stamp)

    def _is_concerned(self, replica: Replica, case: Case, version: Version) -> bool:
        """Whether the replica may not hold this version; what it holds unread is remembered."""
        mailbox, observed = replica.mailbox, self._observed[replica.mailbox]
        link = self._linked.get((mailbox, case.sync_id))
        if link and link.is_withheld and mailbox not in case.cards:
            return False
        if observed.is_whole or version.number > observed.watermark or case.sync_id in observed.pending:
            return True
        return mailbox in case.cards or mailbox in case.removed_from

    def _keep_in(self, replica: Replica, case: Case, version: Version, stamp: Stamp) -> None:
        operation = self._operation(replica, case, version, stamp)
        if operation:
            self._queue(replica).append(operation)
        is_written = isinstance(operation, CreateContact | UpdateContact)
        if not replica.is_hub:
            self._scattered += not is_written
        elif is_written:
            self._gathered -= len(case.cards.keys() - {replica.mailbox})

    def delete(self, case: Case, current: Version, occupied: frozenset[str]) -> None:
        """Plan a contact's deletion; cards that nobody remembers, or that are private, stay.

        Of a contact whose creation was undone, so do the people's own cards: they only are no longer shared.
        """
        version = current
        if not current.is_deleted:
            by = min(case.removed_from, key=lambda mailbox: (mailbox != self._hub.mailbox, mailbox))
            version = self._next(replace(current, at=self._now, by=by, is_deleted=True))
        self._contacts[case.sync_id] = version
        stamp = Stamp(case.sync_id)
        for replica in (self._hub, *self._spokes):
            item = self._card(replica, case)
            link = self._linked.get((replica.mailbox, case.sync_id))
            is_left = link is not None and (link.is_withheld or (version.is_undone and not link.is_ours))
            if item and link and replica.mailbox not in occupied and not is_left:
                self._queue(replica).append(DeleteContact(replica, version, stamp, item, link))

    def _card(self, replica: Replica, case: Case) -> Item | None:
        """The contact's card there: as it was read, else as it is remembered, None if there is none."""
        card = case.cards.get(replica.mailbox)
        link = self._linked.get((replica.mailbox, case.sync_id))
        if card or link is None or replica.mailbox in case.removed_from:
            return card
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

    def _queue(self, replica: Replica) -> list[Operation]:
        return self._hub_operations if replica.is_hub else self._spoke_operations.setdefault(replica.mailbox, [])

    def _keep_losers(self, case: Case, contact: Contact, occupied: frozenset[str]) -> bool:
        """Put cards that nobody remembers, and that lose a value, into the history whole; whether there were any."""
        losers = [
            item
            for mailbox, item in sorted(case.cards.items())
            if mailbox not in occupied and not self._memory.link(item) and _loses(item.contact, contact)
        ]
        for item in losers:
            version = self._next(self._written_by(case, item.contact, item.modified_at, item.mailbox))
            self._links.setdefault(item.mailbox, []).append(link_to(item, version, None))
        return bool(losers)

    def _version(self, case: Case, contact: Contact, *, is_told_anew: bool) -> Version:
        """The contact's version that all replicas shall hold: the current one, or a new one if it changed."""
        current = case.current
        if current and not current.is_deleted and not is_told_anew and not contact.differing(current.contact):
            return current
        word = max(case.merged.words.values(), default=None)
        at, by = (word.at, word.mailbox) if word else (self._now, self._hub.mailbox)
        return self._next(self._written_by(case, contact, at, by))

    def _written_by(self, case: Case, contact: Contact, at: datetime, by: str) -> Version:
        current = case.current
        return Version(
            number=0,
            sync_id=case.sync_id,
            contact=contact,
            at=at,
            by=by,
            created_by=(current.created_by if current else "") or self._creator(case.cards),
            is_new=current is None and self._hub.mailbox not in case.cards,
        )

    def _next(self, version: Version) -> Version:
        self._number += 1
        numbered = replace(version, number=self._number)
        self._versions.append(numbered)
        return numbered

    def _operation(self, replica: Replica, case: Case, version: Version, stamp: Stamp) -> Operation | None:
        card = self._card(replica, case)
        if card is None:
            return CreateContact(replica, version, stamp, is_restored=replica.mailbox in case.removed_from)
        link = self._memory.link(card)
        differing = _differing(card, version, link) if self._rules.update_existing else frozenset()
        if differing:
            fields = {name: version.contact.get(name) for name in sorted(differing)}
            return UpdateContact(replica, version, stamp, card, fields, link)
        self._remember(card, version, link)
        return StampContact(replica, version, stamp, card, link) if lacks_stamp(card, version.sync_id) else None

    def _remember(self, card: Item, version: Version, link: Link | None) -> None:
        if self._rules.update_existing:
            if (
                not link
                or link.is_withheld
                or (link.base.number, link.change_marker)
                != (
                    version.number,
                    card.change_marker,
                )
            ):
                self._links.setdefault(card.mailbox, []).append(link_to(card, version, link))
        elif not link:
            self._links.setdefault(card.mailbox, []).append(link_as_it_is(card, version))

    def _stamp(self, case: Case, version: Version) -> Stamp:
        """The tags of this run's writes: the hub's, unless the contact has changed since they were written."""
        card = case.cards.get(self._hub.mailbox)
        known = card.stamp if card else None
        if card and known and known.updated_at and not version.contact.differing(card.contact):
            return Stamp(case.sync_id, known.created_by or version.created_by, known.updated_at, known.updated_by)
        at = self._now if version.number > self._remembered else version.at
        at_utc = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Stamp(case.sync_id, version.created_by, at_utc, self._names.get(version.by, self._hub.name))

    def _creator(self, cards: Cards) -> str:
        hub = cards.get(self._hub.mailbox)
        if hub and hub.stamp and hub.stamp.created_by:
            return hub.stamp.created_by
        oldest = min(cards.values(), key=lambda item: (item.created_at, item.mailbox, item.item_id))
        if oldest.stamp and oldest.stamp.created_by:
            return oldest.stamp.created_by
        return self._names[oldest.mailbox]


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


def _loses(card: Contact, contact: Contact) -> bool:
    """Whether a value of the card is overwritten."""
    return any(contact.get(name) != value for name, value in card.fields.items())


def lacks_stamp(item: Item, sync_id: SyncId) -> bool:
    """Whether the card does not bear the contact's marker and stamp."""
    return item.marker != sync_id or item.stamp is None or item.stamp.sync_id != sync_id
