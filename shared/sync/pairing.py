"""Who is who: which items of the replicas are the same contact.

In this order: the link remembered for the item id; our marker, or the SyncId in the note; the primary e-mail; the
display name between contacts without e-mail. One SyncId has at most one item per mailbox. The result does not
depend on the order of replicas or items.

What a link, marker or stamp identifies is merged before anything else is compared with it: strangers and copies are
judged by what the contact will be after this run, so that the next run judges them alike.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from shared.sync.contact import Contact, fingerprint
from shared.sync.identity import Key, Keys, derived_sync_id, keys_of, name_of, next_sync_id, share_a_word
from shared.sync.merge import merge, voices_of
from shared.sync.mergebase import NOTHING_GONE, Memory, Removals
from shared.sync.replica import Duplicate, Item
from shared.sync.reserved import Reserved, reserve
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId

Cards = Mapping[str, Item]
"""The items of one contact, by mailbox."""

NOTHING_ASIDE: Final[Mapping[tuple[str, str], Duplicate]] = MappingProxyType({})
"""No duplicate is remembered."""

Faces = Mapping[SyncId, Mapping[str, Contact]]
"""What the cards of a contact will be after this run, by mailbox."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Every item's place.

    `occupied` are mailboxes where a contact has a card that has become private: what was shared stays there, untouched.
    `aside` says of each duplicate, by mailbox and item id, which contact it is once more.
    `unlike` are pairs joined by address although their names share no word.
    """

    contacts: Mapping[SyncId, Cards]
    occupied: Mapping[SyncId, frozenset[str]]
    duplicates: tuple[Item, ...]
    withheld: tuple[Item, ...]
    unlike: tuple[tuple[Item, Item], ...]
    aside: Mapping[tuple[str, str], Duplicate]


NOBODY: Final = Pairing({}, {}, (), (), (), {})
"""The pairing of no items."""


class _By(IntEnum):
    """What gives an item its SyncId, the surest first."""

    LINK = 0
    MARK = 1
    ORIGIN = 2
    """The SyncId was derived from this very item, and others bear it: the run that made it was cut off."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """An item, the SyncId that it has a claim to, and by what."""

    item: Item
    sync_id: SyncId
    by: _By

    @property
    def age(self) -> tuple[_By, datetime, str]:
        """Sorts the surest claim first, then the older item."""
        return (self.by, self.item.created_at, self.item.item_id)


def pair(
    items: Iterable[Item],
    hub: str,
    rules: Rules,
    memory: Memory,
    gone: Removals = NOTHING_GONE,
    aside: Mapping[tuple[str, str], Duplicate] = NOTHING_ASIDE,
) -> Pairing:
    """Pair the items that were read; `hub` is the mailbox id of the hub.

    A remembered card that was not read, and is not `gone`, keeps its place. What was left `aside` as a duplicate of a
    contact that has been deleted since stays aside, unless another card brings the contact back: no old copy does.
    """
    visible: list[Item] = []
    withheld: list[Item] = []
    for item in sorted(items, key=_place_of):
        (withheld if rules.withholds(item) else visible).append(item)
    pairs = _Pairs(hub, rules, memory, reserve(memory, {_place_of(item) for item in (*visible, *withheld)}, gone))
    pairs.withhold(withheld)
    strangers = pairs.settle_claims(pairs.keep_aside(visible, aside))
    pairs.take_back()
    pairs.settle_strangers(strangers)
    return pairs.result(withheld)


class _Pairs:
    """The pairing in the making."""

    def __init__(self, hub: str, rules: Rules, memory: Memory, reserved: Reserved) -> None:
        self._hub = hub
        self._rules = rules
        self._memory = memory
        self._cards: dict[SyncId, dict[str, Item]] = {}
        self._occupied: dict[SyncId, set[str]] = defaultdict(set)
        self._by_key: dict[Key, list[SyncId]] = defaultdict(list)
        self._duplicates: dict[tuple[str, str], tuple[Item, SyncId]] = {}
        self._spare: dict[SyncId, dict[str, Item]] = defaultdict(dict)
        self._left: list[tuple[Item, SyncId]] = []
        self._unlike: list[tuple[Item, Item]] = []
        self._keys = Keys({})
        self._reserved = reserved

    def result(self, withheld: Iterable[Item]) -> Pairing:
        occupied = {sync_id: frozenset(mailboxes) for sync_id, mailboxes in self._occupied.items()}
        duplicates = tuple(item for _, (item, _) in sorted(self._duplicates.items()))
        aside = {
            place: Duplicate(sync_id, fingerprint(item.contact)) for place, (item, sync_id) in self._duplicates.items()
        }
        unlike = tuple(sorted(self._unlike, key=lambda two: (_place_of(two[1]), _place_of(two[0]))))
        return Pairing(self._cards, occupied, duplicates, tuple(withheld), unlike, aside)

    def withhold(self, items: Iterable[Item]) -> None:
        """Keep the places of cards that were shared before they became private."""
        for item in items:
            claim = self._claim(item)
            if claim:
                self._occupied[claim.sync_id].add(item.mailbox)

    def keep_aside(self, items: Iterable[Item], aside: Mapping[tuple[str, str], Duplicate]) -> Iterator[Item]:
        """Leave unedited duplicates of deleted contacts where they are; give the other items."""
        for item in items:
            known = aside.get(_place_of(item))
            version = self._memory.versions.get(known.sync_id) if known else None
            if known and version and version.is_deleted and fingerprint(item.contact) == known.fingerprint:
                self._set_aside(item, known.sync_id)
                self._left.append((item, known.sync_id))
            else:
                yield item

    def take_back(self) -> None:
        """Where somebody brings a deleted contact back, a duplicate that was left of it is its card again."""
        coming = {sync_id for _, sync_id in self._left if any(map(self._says, self._cards.get(sync_id, {}).values()))}
        for item, sync_id in self._left:
            if sync_id in coming and not self._is_taken(sync_id, item.mailbox):
                del self._duplicates[_place_of(item)]
                self._place(sync_id, {item.mailbox: item})

    def _says(self, item: Item) -> bool:
        """Whether the card tells what nobody remembers: it is new, or somebody has edited it."""
        link = self._memory.link(item)
        return link is None or bool(item.contact.differing(link.ancestor()))

    def _claim(self, item: Item) -> _Claim | None:
        link = self._memory.link(item)
        if link:
            return _Claim(item, link.sync_id, _By.LINK)
        sync_id = item.marker or (item.stamp.sync_id if item.stamp else None)
        return _Claim(item, sync_id, _By.MARK) if sync_id else None

    def settle_claims(self, items: Iterable[Item]) -> list[Item]:
        """Place what a link, a marker or a stamp identifies; return the strangers, which only their content does."""
        claims, strangers = self._claims(items)
        holders, spare = _one_per_mailbox(claims, self._reserved)
        faces = {sync_id: dict(self._faces_of(sync_id, cards)) for sync_id, cards in holders.items()}
        self._add_remembered(faces, [*strangers, *(claim.item for claim in spare)])
        strangers += self._copies(spare, faces)
        self._keys = self._agree_on_keys(faces, strangers)
        self._place_all(holders, faces)
        return strangers

    def _claims(self, items: Iterable[Item]) -> tuple[list[_Claim], list[Item]]:
        claims: list[_Claim] = []
        others: list[_Claim] = []
        for item in items:
            claim = self._claim(item)
            if claim:
                claims.append(claim)
            else:
                others.append(_Claim(item, derived_sync_id(self._rules.tenant_id, item), _By.ORIGIN))
        known = {claim.sync_id for claim in claims} | self._memory.versions.keys()
        claims += [other for other in others if other.sync_id in known]
        return claims, [other.item for other in others if other.sync_id not in known]

    def _faces_of(self, sync_id: SyncId, cards: Cards) -> Mapping[str, Contact]:
        if not self._rules.update_existing:
            return {mailbox: item.contact for mailbox, item in cards.items()}
        voices = voices_of(sync_id, cards, self._hub, self._memory)
        merged = merge(sync_id, voices, self._memory.versions.get(sync_id))
        return dict.fromkeys(cards, merged.contact)

    def _add_remembered(self, faces: dict[SyncId, dict[str, Contact]], others: Iterable[Item]) -> None:
        """The hub's face of every living contact, also of those of which no card was read, and of unread cards.

        `others` are the cards that were read and have no face of their own.
        """
        for sync_id, version in self._memory.versions.items():
            if not version.is_deleted:
                theirs = faces.setdefault(sync_id, {})
                theirs.setdefault(self._hub, next(iter(theirs.values()), version.contact))
        unread = {(link.sync_id, link.mailbox): link.ancestor() for link in self._memory.links.values()}
        at_hub = {sync_id: theirs[self._hub] for sync_id, theirs in faces.items() if self._hub in theirs}
        for sync_id, mailbox in self._reserved.linked:
            if sync_id in at_hub:
                face = at_hub[sync_id] if self._rules.update_existing else unread[sync_id, mailbox]
                faces[sync_id].setdefault(mailbox, face)
        read = [face for theirs in faces.values() for face in theirs.items()]
        read += [(item.mailbox, item.contact) for item in others]
        for sync_id, mailbox in self._reserved.beside(read, at_hub):
            faces[sync_id].setdefault(mailbox, at_hub[sync_id])

    def _copies(self, spare: Iterable[_Claim], faces: Faces) -> Iterator[Item]:
        """People copy cards: a copy made into somebody else goes free, any other is a duplicate."""
        for claim in spare:
            theirs = faces.get(claim.sync_id, {}).values()
            if theirs and all(_is_somebody_else(face, claim.item.contact) for face in theirs):
                yield claim.item
            else:
                self._set_aside(claim.item, claim.sync_id)
                self._spare[claim.sync_id].setdefault(claim.item.mailbox, claim.item)

    def _agree_on_keys(self, faces: Faces, strangers: Iterable[Item]) -> Keys:
        claimed = [face for by_mailbox in faces.values() for face in by_mailbox.items()]
        others = [
            (item.mailbox, item.contact) for item in (*strangers, *(item for item, _ in self._duplicates.values()))
        ]
        return keys_of(claimed + others, names_agree=self._rules.names_agree)

    def _place_all(self, holders: Mapping[SyncId, Cards], faces: Faces) -> None:
        """First the contacts that the hub or the memory knows; ids that only spokes know may join one of those."""
        known = {sync_id for sync_id, cards in holders.items() if self._hub in cards}
        known |= {sync_id for sync_id, mailboxes in self._occupied.items() if self._hub in mailboxes}
        known |= self._memory.versions.keys()
        for sync_id in sorted(holders.keys() | faces.keys(), key=lambda sync_id: (sync_id not in known, sync_id)):
            cards, keys = holders.get(sync_id, {}), self._keys_of(faces[sync_id])
            other = None if sync_id in known else self._namesake(sync_id, cards, keys)
            if cards:
                self._place(other or sync_id, cards)
            for key in keys:
                self._by_key[key].append(other or sync_id)

    def _keys_of(self, faces: Mapping[str, Contact]) -> list[Key]:
        different = {id(face): face for face in faces.values()}  # most mailboxes hold the very same value
        return sorted({self._keys.key(face) for face in different.values()})

    def _namesake(self, sync_id: SyncId, cards: Cards, keys: Iterable[Key]) -> SyncId | None:
        """The contact placed already that these cards also are; of several, the one with the most room for them.

        A card that finds no room keeps its SyncId. If it would not be the same contact by itself, in the next run, the
        cards stay together.
        """
        namesakes = dict.fromkeys(other for key in keys for other in self._by_key.get(key, ()))
        for other in sorted(namesakes, key=lambda other: sum(self._is_taken(other, box) for box in cards)):
            left = self._spare[sync_id] | {box: card for box, card in cards.items() if self._is_taken(other, box)}
            left_keys = self._keys_of(self._faces_of(sync_id, left))
            if not left or any(other in self._by_key.get(key, ()) for key in left_keys):
                return other
        return None

    def _is_taken(self, sync_id: SyncId, mailbox: str) -> bool:
        if mailbox in self._occupied.get(sync_id, ()) or self._reserved.has(sync_id, mailbox):
            return True
        return mailbox in self._cards.get(sync_id, ())

    def _place(self, sync_id: SyncId, cards: Cards) -> None:
        held = self._cards.setdefault(sync_id, {})
        for mailbox, item in sorted(cards.items(), key=lambda one: (one[0] != self._hub, one[0])):
            if self._is_taken(sync_id, mailbox):
                self._set_aside(item, sync_id)
            else:
                self._compare_names(held, item)
                held[mailbox] = item

    def _compare_names(self, held: Cards, item: Item) -> None:
        reference = held.get(self._hub) or next(iter(held.values()), None)
        is_new = item.marker is None and item.stamp is None
        if reference and is_new and not share_a_word(name_of(reference.contact), name_of(item.contact)):
            self._unlike.append((reference, item))

    def settle_strangers(self, strangers: Iterable[Item]) -> None:
        """Place what only its own content identifies, and make new contacts of the rest."""
        cohorts: dict[Key, list[Item]] = defaultdict(list)
        for item in sorted(strangers, key=_place_of):
            cohorts[self._cohort(item)].append(item)
        for key, items in sorted(cohorts.items()):
            self._settle_cohort(key, items)

    def _cohort(self, item: Item) -> Key:
        """Strangers with one key are one contact; an entirely blank card is only itself."""
        key = self._keys.key(item.contact)
        return key if item.contact.fields else (*key, item.mailbox, item.item_id)

    def _settle_cohort(self, key: Key, items: list[Item]) -> None:
        by_age = sorted(items, key=lambda item: (item.created_at, item.item_id))
        known = self._by_key.get(key, [])
        if not known:
            self._found(by_age)
        for item in by_age if known else ():
            room = next((sync_id for sync_id in known if not self._is_taken(sync_id, item.mailbox)), known[0])
            self._place(room, {item.mailbox: item})

    def _found(self, by_age: Iterable[Item]) -> None:
        """Make a new contact of these cards, of each mailbox's the oldest; the others are its duplicates."""
        newcomers: dict[str, Item] = {}
        others = [item for item in by_age if newcomers.setdefault(item.mailbox, item) is not item]
        sync_id = self._new_sync_id(newcomers.values())
        self._place(sync_id, newcomers)
        for item in others:
            self._set_aside(item, sync_id)

    def _set_aside(self, item: Item, sync_id: SyncId) -> None:
        self._duplicates[_place_of(item)] = (item, sync_id)

    def _new_sync_id(self, items: Iterable[Item]) -> SyncId:
        """The smallest derived one; if a copy of one of these cards holds that already, the next one."""
        sync_id = min(derived_sync_id(self._rules.tenant_id, item) for item in items)
        while sync_id in self._cards:
            sync_id = next_sync_id(sync_id)
        return sync_id


def _one_per_mailbox(
    claims: Iterable[_Claim], reserved: Reserved
) -> tuple[dict[SyncId, dict[str, Item]], list[_Claim]]:
    """Of several cards with one SyncId in one mailbox the linked one keeps it, also unread, else the oldest."""
    holders: dict[SyncId, dict[str, Item]] = defaultdict(dict)
    spare: list[_Claim] = []
    for claim in sorted(claims, key=lambda claim: claim.age):
        sync_id, item = claim.sync_id, claim.item
        if reserved.has(sync_id, item.mailbox) or holders[sync_id].setdefault(item.mailbox, item) is not item:
            spare.append(claim)
    return holders, spare


def _is_somebody_else(face: Contact, copy: Contact) -> bool:
    """Whether a card that bears another's SyncId has become a contact of its own."""
    if face.primary_email or copy.primary_email:
        return face.primary_email != copy.primary_email
    return name_of(face) != name_of(copy)


def _place_of(item: Item) -> tuple[str, str]:
    return (item.mailbox, item.item_id)
