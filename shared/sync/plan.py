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
from shared.sync.contact import Contact
from shared.sync.guard import Refusal, guard
from shared.sync.links import link_of_private, link_to
from shared.sync.merge import Conflict
from shared.sync.mergebase import NO_MEMORY, Memory, Version
from shared.sync.operations import CreateContact, Operation, UpdateContact
from shared.sync.pairing import NOBODY, Cards, Pairing
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation, Replica
from shared.sync.rules import Deletions, Rules
from shared.sync.scatter import Decision, Part, Scatter
from shared.sync.stamp import Stamp, SyncId


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan took for not there without knowing, by mailbox: links to contacts, and duplicates of what moves.

    A duplicate may be the contact's card from now on, or a contact of its own. The plan is one to carry out once all of
    this was asked for.
    """

    links: Mapping[str, frozenset[SyncId]]
    items: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one tenant's run shall write, and what it leaves alone.

    `versions` are new and go into the history before anything is written; `hub` is the part of `hub_replica`, `part`
    gives a spoke's; `gathered` counts the spokes' cards that the hub already agrees with. `held` are the mailboxes
    whose deletions were refused: they have to be told again in the next run.
    """

    hub_replica: Replica
    hub: Part
    scattering: Scatter
    replicas: tuple[Replica, ...]
    contacts: Mapping[SyncId, Version]
    versions: tuple[Version, ...]
    conflicts: tuple[Conflict, ...]
    pairing: Pairing
    refusal: Refusal | None
    gathered: int
    wanted: Wanted
    held: frozenset[str] = frozenset()

    def part(self, replica: Replica) -> Part:
        """A spoke's part."""
        return self.scattering.part(replica)

    @property
    def spokes(self) -> Mapping[str, tuple[Operation, ...]]:
        """The operations of all spokes that have any, by mailbox."""
        parts = {replica.mailbox: self.part(replica).operations for replica in self.replicas}
        return {mailbox: operations for mailbox, operations in parts.items() if operations}

    @property
    def scattered(self) -> int:
        """How many of the spokes' cards are up to date."""
        return sum(self.part(replica).settled for replica in self.replicas)

    def about(self, sync_ids: frozenset[SyncId]) -> "Plan":
        """The part of the plan that is about these contacts."""
        decisions = [one for one in self.scattering.decisions if one.sync_id in sync_ids]
        links = {box: _about(links, sync_ids) for box, links in self.scattering.links.items()}
        return replace(
            self,
            hub=replace(
                self.hub,
                operations=tuple(one for one in self.hub.operations if one.version.sync_id in sync_ids),
                links=_about(self.hub.links, sync_ids),
                forgotten=tuple(one for one in self.hub.forgotten if one in sync_ids),
            ),
            scattering=replace(self.scattering, decisions=decisions, links=links),
            versions=tuple(version for version in self.versions if version.sync_id in sync_ids),
            conflicts=tuple(conflict for conflict in self.conflicts if conflict.sync_id in sync_ids),
        )


def _about(links: Iterable[StoredLink], sync_ids: frozenset[SyncId]) -> tuple[StoredLink, ...]:
    return tuple(link for link in links if link.sync_id in sync_ids)


_NOTHING: Final = Scatter((), {}, NO_MEMORY, Rules(""))
NOTHING_TO_DO: Final = Plan(
    Replica("", "", is_hub=True), Part(), _NOTHING, (), {}, (), (), NOBODY, None, 0, Wanted({}, {})
)
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
    held = [case.removed_from for case in findings.cases if refusal and case.sync_id in doomed]
    gone = {case.sync_id for case in findings.cases if case.removed_from}
    return replace(desk.plan(findings.pairing, refusal, gone), held=frozenset[str]().union(*held))


def _may_delete(current: Version, rules: Rules) -> bool:
    return rules.policy is not Deletions.RESTORE or current.is_undone


class _Desk:
    """Where it is decided what becomes of each contact."""

    def __init__(
        self, hub: Observation, spokes: Sequence[Observation], rules: Rules, memory: Memory, now: datetime
    ) -> None:
        self._observed = {one.replica.mailbox: one for one in (hub, *spokes)}
        self._hub = hub.replica
        self._spokes = sorted((spoke.replica for spoke in spokes), key=lambda spoke: spoke.mailbox)
        self._names = {mailbox: one.replica.name for mailbox, one in self._observed.items()}
        self._rules = rules
        self._memory = memory
        self._now = now
        self._remembered = self._number = max((version.number for version in memory.versions.values()), default=0)
        self._decisions: list[Decision] = []
        self._versions: list[Version] = []
        self._links: dict[str, list[StoredLink]] = {}
        self._conflicts: list[Conflict] = []

    def plan(self, pairing: Pairing, refusal: Refusal | None, gone: set[SyncId]) -> Plan:
        links = {mailbox: tuple(links) for mailbox, links in self._links.items()}
        linked = {(link.mailbox, link.sync_id): link for link in self._memory.links.values()}
        scatter = Scatter(self._decisions, self._observed, self._memory, self._rules, links, linked)
        hub = scatter.part(self._hub)
        return Plan(
            hub_replica=self._hub,
            hub=hub,
            scattering=scatter,
            replicas=tuple(self._spokes),
            contacts={one.sync_id: one.version for one in self._decisions},
            versions=tuple(self._versions),
            conflicts=tuple(self._conflicts),
            pairing=pairing,
            refusal=refusal,
            gathered=self._gathered(hub.operations),
            wanted=self._wanted(scatter, gone),
        )

    def _wanted(self, scatter: Scatter, gone: set[SyncId]) -> Wanted:
        moving = gone | {version.sync_id for version in self._versions}
        links = {mailbox: scatter.unknown(one) for mailbox, one in self._observed.items()}
        items = {
            mailbox: frozenset(item_id for item_id, card in one.unread_duplicates.items() if card.sync_id in moving)
            for mailbox, one in self._observed.items()
        }
        return Wanted(links, items)

    def _gathered(self, operations: Iterable[Operation]) -> int:
        """How many spokes' cards of kept contacts the hub agrees with."""
        written = {one.version.sync_id for one in operations if isinstance(one, CreateContact | UpdateContact)}
        kept = (one for one in self._decisions if not one.version.is_deleted)
        return sum(len(one.cards.keys() - {self._hub.mailbox}) for one in kept if one.sync_id not in written)

    def withhold(self, items: Iterable[Item]) -> None:
        """Remember which mirrored cards are private now, for they are not read again until they change."""
        for item in items:
            link = self._memory.link(item)
            if link and not link.is_withheld:
                self._links.setdefault(item.mailbox, []).append(link_of_private(item, link))

    def keep(self, case: Case, occupied: frozenset[str]) -> None:
        """Decide what all replicas shall hold of a contact."""
        card = case.cards.get(self._hub.mailbox)
        is_frozen = card is not None and not self._rules.update_existing
        contact = card.contact if card and is_frozen else case.merged.contact
        is_kept = not is_frozen and self._keep_losers(case, occupied)
        version = self._version(case, contact, is_told_anew=is_kept)
        self._conflicts += () if is_frozen else case.merged.conflicts
        self._decide(case, version, self._stamp(case, version), occupied)

    def delete(self, case: Case, current: Version, occupied: frozenset[str]) -> None:
        """Decide that a contact goes, or is gone."""
        version = current
        if not current.is_deleted:
            by = min(case.removed_from, key=lambda mailbox: (mailbox != self._hub.mailbox, mailbox))
            version = self._next(replace(current, at=self._now, by=by, is_deleted=True))
        self._decide(case, version, Stamp(case.sync_id), occupied)

    def _decide(self, case: Case, version: Version, stamp: Stamp, occupied: frozenset[str]) -> None:
        self._decisions.append(Decision(version, stamp, case.cards, case.removed_from, occupied))

    def _keep_losers(self, case: Case, occupied: frozenset[str]) -> bool:
        """Put cards that lose a value into the history whole, before they are overwritten; whether there were any."""
        losers = [item for item in case.losers if item.mailbox not in occupied]
        for item in losers:
            version = self._next(self._written_by(case, item.contact, item.modified_at, item.mailbox))
            self._links.setdefault(item.mailbox, []).append(link_to(item, version, self._memory.link(item)))
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
