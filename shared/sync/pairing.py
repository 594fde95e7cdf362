"""Who is who: which items of the replicas are the same contact.

In this order: the link remembered for the item id; our marker, or the SyncId in the note; the primary e-mail; the
display name between contacts without e-mail. One SyncId has at most one item per mailbox. The result does not
depend on the order of replicas or items.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.sync.identity import Key, Keys, derived_sync_id, keys_of, name_of, share_a_word
from shared.sync.mergebase import Memory
from shared.sync.replica import Item
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId

Cards = Mapping[str, Item]
"""The items of one contact, by mailbox."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Every item's place.

    `occupied` are mailboxes where a contact has a card that has become private: what was shared stays there, untouched.
    `unlike` are pairs joined by address although their names share no word.
    """

    contacts: Mapping[SyncId, Cards]
    occupied: Mapping[SyncId, frozenset[str]]
    duplicates: tuple[Item, ...]
    withheld: tuple[Item, ...]
    unlike: tuple[tuple[Item, Item], ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    item: Item
    sync_id: SyncId | None
    linked: bool

    @property
    def age(self) -> tuple[bool, object, str]:
        """Sorts the remembered link first, then the older item."""
        return (not self.linked, self.item.created_at, self.item.item_id)


def pair(items: Iterable[Item], hub: str, rules: Rules, memory: Memory) -> Pairing:
    """Pair the items of all readable replicas; `hub` is the mailbox id of the hub."""
    pairs = _Pairs(hub, rules)
    strangers = pairs.settle_claims([_claim(item, memory) for item in items], set(memory.versions))
    pairs.settle_strangers(strangers)
    return pairs.result()


def _claim(item: Item, memory: Memory) -> _Claim:
    link = memory.link(item)
    if link:
        return _Claim(item, link.sync_id, linked=True)
    return _Claim(item, item.marker or (item.stamp.sync_id if item.stamp else None), linked=False)


class _Pairs:
    """The pairing in the making."""

    def __init__(self, hub: str, rules: Rules) -> None:
        self._hub = hub
        self._rules = rules
        self._cards: dict[SyncId, dict[str, Item]] = {}
        self._occupied: dict[SyncId, set[str]] = defaultdict(set)
        self._by_key: dict[Key, list[SyncId]] = defaultdict(list)
        self._duplicates: list[Item] = []
        self._withheld: list[Item] = []
        self._unlike: list[tuple[Item, Item]] = []
        self._keys = Keys({})

    def result(self) -> Pairing:
        occupied = {sync_id: frozenset(mailboxes) for sync_id, mailboxes in self._occupied.items()}
        duplicates = tuple(sorted(self._duplicates, key=_place_of))
        withheld = tuple(sorted(self._withheld, key=_place_of))
        unlike = tuple(sorted(self._unlike, key=lambda two: (_place_of(two[1]), _place_of(two[0]))))
        return Pairing(self._cards, occupied, duplicates, withheld, unlike)

    def settle_claims(self, claims: list[_Claim], known: set[SyncId]) -> list[Item]:
        """Place what a link, a marker or a stamp identifies; return the strangers, all others that may be paired."""
        visible = [claim for claim in claims if not self._rules.withholds(claim.item)]
        self._withhold(claim for claim in claims if self._rules.withholds(claim.item))
        self._keys = keys_of((claim.item for claim in visible), names_agree=self._rules.names_agree)
        strangers = [claim.item for claim in visible if claim.sync_id is None]
        claimed, copies = self._one_per_mailbox(claim for claim in visible if claim.sync_id is not None)
        known |= {sync_id for sync_id, cards in claimed.items() if self._hub in cards}
        known |= {sync_id for sync_id, mailboxes in self._occupied.items() if self._hub in mailboxes}
        for sync_id in sorted(known & (claimed.keys() | self._occupied.keys())):
            self._place(sync_id, claimed.get(sync_id, {}))
        for sync_id in sorted(claimed.keys() - known):
            self._place(self._namesake(claimed[sync_id]) or sync_id, claimed[sync_id])
        return strangers + copies

    def _withhold(self, claims: Iterable[_Claim]) -> None:
        for claim in claims:
            self._withheld.append(claim.item)
            if claim.sync_id is not None:
                self._occupied[claim.sync_id].add(claim.item.mailbox)

    def _one_per_mailbox(self, claims: Iterable[_Claim]) -> tuple[dict[SyncId, dict[str, Item]], list[Item]]:
        """Of several cards with one SyncId in one mailbox the oldest keeps it; a copy made into another goes free."""
        holders: dict[SyncId, dict[str, Item]] = defaultdict(dict)
        copies: list[Item] = []
        for claim in sorted(claims, key=lambda claim: claim.age):
            sync_id, item = claim.sync_id, claim.item
            if sync_id is None:
                continue
            holder = holders[sync_id].setdefault(item.mailbox, item)
            if holder is not item:
                (copies if _somebody_else(holder, item) else self._duplicates).append(item)
        return holders, copies

    def _namesake(self, cards: Mapping[str, Item]) -> SyncId | None:
        """The contact placed already that these cards also are, if it leaves room for all of them."""
        for key in sorted({self._keys.key(item) for item in cards.values()}):
            for sync_id in self._by_key.get(key, ()):
                if not any(self._is_taken(sync_id, mailbox) for mailbox in cards):
                    return sync_id
        return None

    def _is_taken(self, sync_id: SyncId, mailbox: str) -> bool:
        return mailbox in self._cards[sync_id] or mailbox in self._occupied.get(sync_id, ())

    def _place(self, sync_id: SyncId, cards: Mapping[str, Item]) -> None:
        held = self._cards.setdefault(sync_id, {})
        for mailbox, item in _hub_first(cards, self._hub):
            if self._is_taken(sync_id, mailbox):
                self._duplicates.append(item)
                continue
            self._compare_names(held, item)
            held[mailbox] = item
            known = self._by_key[self._keys.key(item)]
            if sync_id not in known:
                known.append(sync_id)

    def _compare_names(self, held: Mapping[str, Item], item: Item) -> None:
        reference = held.get(self._hub) or next(iter(held.values()), None)
        is_new = item.marker is None and item.stamp is None
        if reference and is_new and not share_a_word(name_of(reference), name_of(item)):
            self._unlike.append((reference, item))

    def settle_strangers(self, strangers: list[Item]) -> None:
        """Place what only its own content identifies, and make new contacts of the rest."""
        cohorts: dict[Key, list[Item]] = defaultdict(list)
        for item in sorted(strangers, key=_place_of):
            derived = derived_sync_id(self._rules.tenant_id, item)
            if derived in self._cards and not self._is_taken(derived, item.mailbox):
                self._place(derived, {item.mailbox: item})
            else:
                cohorts[self._keys.key(item)].append(item)
        for key, items in sorted(cohorts.items()):
            self._settle_cohort(key, items)

    def _settle_cohort(self, key: Key, items: list[Item]) -> None:
        cards: dict[str, Item] = {}
        for item in sorted(items, key=lambda item: (item.created_at, item.item_id)):
            if cards.setdefault(item.mailbox, item) is not item:
                self._duplicates.append(item)
        newcomers: dict[str, Item] = {}
        for mailbox, item in sorted(cards.items()):
            known = list(self._by_key.get(key, ()))
            free = next((sync_id for sync_id in known if not self._is_taken(sync_id, mailbox)), None)
            if free is not None:
                self._place(free, {mailbox: item})
            elif known:
                self._duplicates.append(item)
            else:
                newcomers[mailbox] = item
        if newcomers:
            sync_id = min(derived_sync_id(self._rules.tenant_id, item) for item in newcomers.values())
            self._place(sync_id, newcomers)


def _place_of(item: Item) -> tuple[str, str]:
    return (item.mailbox, item.item_id)


def _hub_first(cards: Mapping[str, Item], hub: str) -> Iterator[tuple[str, Item]]:
    yield from sorted(cards.items(), key=lambda card: (card[0] != hub, card[0]))


def _somebody_else(holder: Item, item: Item) -> bool:
    """Whether a card that bears another's SyncId has become a contact of its own."""
    one, other = holder.contact, item.contact
    if one.primary_email or other.primary_email:
        return one.primary_email != other.primary_email
    return name_of(holder) != name_of(item)
