"""Which contacts a run is concerned with, and what is known of each before anything is decided."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.sync.contact import Contact
from shared.sync.guard import counts_as_deletion, removals
from shared.sync.merge import Merged, merge, voices_of
from shared.sync.mergebase import Link, Memory, Removals, Version
from shared.sync.pairing import Cards, Pairing, pair
from shared.sync.replica import Item, Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId


@dataclass(frozen=True, slots=True)
class Case:
    """One contact: its cards that were read, what they say together, and where a card of it is gone.

    `is_put_back` if somebody holds a card of it that nobody remembers: were it deleted, this card brings it back;
    `losers` are cards of which a value is overwritten that is not in the history yet: they go there whole.
    """

    sync_id: SyncId
    cards: Cards
    merged: Merged
    current: Version | None
    removed_from: frozenset[str]
    is_put_back: bool = False
    losers: tuple[Item, ...] = ()

    @property
    def is_spoken_for(self) -> bool:
        """Whether somebody has said something of it since the base: an edit beats a deletion."""
        return bool(self.merged.words) or self.is_put_back

    @property
    def stays_deleted(self) -> bool:
        """Whether it was deleted before and nobody has said anything since."""
        return self.current is not None and self.current.is_deleted and not self.is_spoken_for

    def is_deleted_now(self, hub: str, rules: Rules) -> bool:
        """Whether the policy takes what happened since for the contact's deletion; `hub` is the hub's mailbox id."""
        if self.current is None or self.current.is_deleted or self.is_spoken_for:
            return False
        return counts_as_deletion(self.removed_from, hub, rules)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the observations and the memory tell together."""

    pairing: Pairing
    gone: Removals
    cases: tuple[Case, ...]


def examine(hub: Observation, spokes: Sequence[Observation], rules: Rules, memory: Memory) -> Findings:
    """The findings; contacts whose hub card has become private are left out, they are left alone everywhere."""
    observations = (hub, *spokes)
    gone = removals(memory, observations)
    items = [item for observation in observations for item in observation.items]
    aside = {(one.replica.mailbox, item_id): card for one in observations for item_id, card in one.duplicates.items()}
    pairing = pair(items, hub.replica.mailbox, rules, memory, gone, aside)
    concerned = pairing.contacts.keys() | gone.keys() | _behind(observations, memory)
    frozen = {sync_id for sync_id, boxes in pairing.occupied.items() if hub.replica.mailbox in boxes}
    withheld = (link for link in memory.links.values() if link.is_withheld and link.mailbox == hub.replica.mailbox)
    frozen |= {link.sync_id for link in withheld if link.mailbox not in pairing.contacts.get(link.sync_id, {})}
    cases = _cases(sorted(concerned - frozen), Findings(pairing, gone, ()), hub.replica.mailbox, memory)
    return Findings(pairing, gone, tuple(cases))


def _behind(observations: Iterable[Observation], memory: Memory) -> set[SyncId]:
    """The contacts that some replica may not hold as they are."""
    pending = {sync_id for observation in observations for sync_id in observation.pending}
    oldest = min(0 if observation.is_whole else observation.watermark + 1 for observation in observations)
    newer = {sync_id for sync_id, version in memory.versions.items() if version.number >= oldest}
    return newer | pending & memory.versions.keys()


def _cases(sync_ids: Iterable[SyncId], findings: Findings, hub: str, memory: Memory) -> Iterator[Case]:
    for sync_id in sync_ids:
        cards, current = findings.pairing.contacts.get(sync_id, {}), memory.versions.get(sync_id)
        if not cards and current is None:
            continue
        merged = merge(sync_id, voices_of(sync_id, cards, hub, memory), current)
        put_back = any(not memory.link(item) for item in cards.values())
        losers = tuple(
            item for _, item in sorted(cards.items()) if _loses(item.contact, merged.contact, memory.link(item))
        )
        # Where another card of the contact has taken the place of the one that is gone, nothing was deleted.
        gone = findings.gone.get(sync_id, frozenset()) - cards.keys()
        yield Case(sync_id, cards, merged, current, gone, put_back, losers)


def _loses(card: Contact, contact: Contact, link: Link | None) -> bool:
    """Whether a value is overwritten that nobody remembers: any, or of a card with a base what differs from that."""
    told = card.differing(link.ancestor()) if link else card.fields.keys()
    return any(name in told and contact.get(name) != value for name, value in card.fields.items())
