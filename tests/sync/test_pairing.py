"""Who is who: the order of the signs, copies of cards, shared addresses, namesakes, private cards."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from shared.sync.contact import Contact, fingerprint
from shared.sync.identity import derived_sync_id
from shared.sync.mergebase import NO_MEMORY, Link, Memory, Version
from shared.sync.pairing import Pairing, pair
from shared.sync.replica import Duplicate, Item
from shared.sync.rules import Rules
from shared.sync.stamp import Stamp, SyncId
from tests.builders import RULES, at, card, contact, guid

ANNA = contact("Anna Meier", "anna@x.org")
BEN = contact("Ben Ito", "ben@x.org")
STRICT = replace(RULES, names_agree=True)
ONLY_ADDING = replace(RULES, update_existing=False)


def pairing(*items: Item, rules: Rules = RULES, memory: Memory = NO_MEMORY) -> Pairing:
    """The pairing, which is the same whichever way round the items are read."""
    found = pair(items, "hub", rules, memory)
    assert pair(items[::-1], "hub", rules, memory) == found
    return found


def groups(found: Pairing) -> list[list[Item]]:
    """The items of each contact."""
    return [sorted(cards.values(), key=lambda item: item.mailbox) for cards in found.contacts.values()]


def together(found: Pairing, *items: Item) -> bool:
    """Whether exactly these items are one contact."""
    return sorted(items, key=lambda item: item.mailbox) in groups(found)


def remembered(item: Item, sync_id: SyncId) -> Memory:
    """A memory of one link."""
    version = Version(1, sync_id, item.contact, at(0), "hub")
    link = Link(item.mailbox, item.item_id, sync_id, item.change_marker, version)
    return Memory({sync_id: version}, {(item.mailbox, item.item_id): link})


def deleted(memory: Memory) -> Memory:
    """The same memory after its contacts were deleted."""
    versions = {sync_id: replace(version, is_deleted=True) for sync_id, version in memory.versions.items()}
    return replace(memory, versions=versions)


def test_the_same_syncid_joins_whatever_the_cards_say() -> None:
    """A contact whose name and address were changed stays the same contact."""
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", BEN, sync_id=guid(1))
    assert together(pairing(hub, ann), hub, ann)


def test_the_link_beats_the_marker() -> None:
    """What we remember of an item id counts more than what stands on the card."""
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", BEN, sync_id=guid(2))
    assert together(pairing(hub, ann, memory=remembered(ann, guid(1))), hub, ann)


def test_the_marker_beats_a_foreign_stamp_in_the_note() -> None:
    """Somebody's stamp, pasted into another's note, makes nobody somebody else."""
    foreign = Stamp(guid(2))
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", ANNA, sync_id=guid(1), stamp=foreign)
    other = card("hub", BEN, sync_id=guid(2))
    found = pairing(hub, ann, other)
    assert together(found, hub, ann)
    assert together(found, other)


def test_the_stamp_alone_is_enough() -> None:
    """Cards of the older automation bear a stamp and no marker."""
    hub, ann = card("hub", ANNA, sync_id=guid(1), marker=None), card("ann", BEN, sync_id=guid(1), marker=None)
    assert together(pairing(hub, ann), hub, ann)


def test_the_marker_alone_is_enough() -> None:
    """A person who wipes the note does not lose the contact."""
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", BEN, sync_id=guid(1), stamp=None)
    assert together(pairing(hub, ann), hub, ann)


def test_an_equal_address_joins() -> None:
    """Trimmed and in any case."""
    hub, ann = card("hub", contact("Anna Meier", "Anna@X.org ")), card("ann", contact("Anna M.", "anna@x.org"))
    found = pairing(hub, ann)
    assert together(found, hub, ann)
    assert found.unlike == ()


def test_only_the_first_address_joins() -> None:
    """A second address that two people share makes them nobody else."""
    one = contact(emailAddresses=[{"address": "anna@x.org"}, {"address": "office@x.org"}])
    other = contact(emailAddresses=[{"address": "ben@x.org"}, {"address": "office@x.org"}])
    assert len(groups(pairing(card("hub", one), card("ann", other)))) == 2


def test_equal_names_join_cards_without_address() -> None:
    """In any case and with any blanks, but only if neither card has an address."""
    hub, ann = card("hub", contact("Anna  Meier")), card("ann", contact("anna meier"))
    assert together(pairing(hub, ann), hub, ann)


def test_an_equal_name_joins_no_card_with_an_address() -> None:
    """A namesake with an address of his own may be somebody else."""
    assert len(groups(pairing(card("hub", contact("Anna Meier")), card("ann", ANNA)))) == 2


def test_two_people_without_address_and_with_other_names_stay_apart() -> None:
    """No name and no address in common: two contacts."""
    assert len(groups(pairing(card("hub", contact("Anna Meier")), card("ann", contact("Ben Ito"))))) == 2


def test_a_name_that_only_repeats_the_address_is_no_name() -> None:
    """Exchange puts the address where no name is given: that contradicts nobody."""
    hub, ann = card("hub", ANNA), card("ann", contact("anna@x.org", "anna@x.org"))
    found = pairing(hub, ann)
    assert together(found, hub, ann)
    assert found.unlike == ()


def test_cards_without_name_and_address_join_by_their_whole_content() -> None:
    """A number without a name is a contact too; another number is another one."""
    hub, ann = card("hub", contact(mobilePhone="1")), card("ann", contact(mobilePhone="1"))
    ben = card("ben", contact(mobilePhone="2"))
    found = pairing(hub, ann, ben)
    assert together(found, hub, ann)
    assert together(found, ben)


def test_blank_cards_are_only_themselves() -> None:
    """Two cards on which nothing stands have nothing in common."""
    assert len(groups(pairing(card("ann", contact()), card("ben", contact())))) == 2


def test_a_shared_address_alone_joins_nobody() -> None:
    """Where one mailbox holds info@ for two names, address and name together join."""
    front, back = card("ann", contact("Ann Front", "info@x.org")), card("ann", contact("Bo Back", "info@x.org"))
    hub, other = card("hub", contact("bo back", "INFO@x.org")), card("ben", contact("Cy Third", "info@x.org"))
    found = pairing(front, back, hub, other)
    assert together(found, front)
    assert together(found, back, hub)
    assert together(found, other)
    assert found.unlike == ()


def test_a_shared_address_is_seen_among_mirrored_cards_too() -> None:
    """A newcomer with info@ is not taken for one of the two people that the hub knows behind it."""
    front = card("hub", contact("Ann Front", "info@x.org"), sync_id=guid(1))
    back = card("hub", contact("Bo Back", "info@x.org"), sync_id=guid(2))
    new = card("ann", contact("Cy Third", "info@x.org"))
    assert together(pairing(front, back, new), new)


def test_a_duplicate_shows_a_shared_address_too() -> None:
    """Where a mailbox holds the address twice, another name behind it is another contact, now and in the next run."""
    hub = card("hub", ANNA, sync_id=guid(9))
    held = card("ben", contact("Anna Ito", "anna@x.org"), sync_id=guid(1))
    copy = card("ben", contact("Anna Ito", "anna@x.org"), sync_id=guid(1), hours=1)
    found = pairing(hub, held, copy)
    assert together(found, hub)
    assert together(found, held)
    assert found.duplicates == (copy,)


def test_unlike_names_are_joined_and_reported() -> None:
    """By default an equal address is the same contact, and names without a common word are worth a look."""
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", contact("Zoë Ünal", "anna@x.org"))
    found = pairing(hub, ann)
    assert together(found, hub, ann)
    assert found.unlike == ((hub, ann),)


def test_unlike_names_are_reported_once() -> None:
    """A card that is mirrored already was looked at before."""
    hub = card("hub", ANNA, sync_id=guid(1))
    ann = card("ann", contact("Zoë Ünal", "anna@x.org"), sync_id=guid(1))
    assert pairing(hub, ann).unlike == ()


def test_names_agree_keeps_unlike_names_apart() -> None:
    """With `names-agree` an equal address joins only names with a common word."""
    hub, ann = card("hub", ANNA), card("ann", contact("Zoë Ünal", "anna@x.org"))
    ben = card("ben", contact("Anna Berg", "anna@x.org"))
    found = pairing(hub, ann, ben, rules=STRICT)
    assert together(found, hub, ben)
    assert together(found, ann)
    assert found.unlike == ()


def test_names_agree_through_a_third() -> None:
    """Whom a third name joins to both belongs to them, so that the order of cards cannot matter."""
    cards = [card(box, contact(name, "x@x.org")) for box, name in
             [("hub", "Anna Meier"), ("ann", "Meier Ito"), ("ben", "Ben Ito")]]  # fmt: skip
    assert together(pairing(*cards, rules=STRICT), *cards)


def test_names_agree_with_no_name() -> None:
    """A card without a name joins the only circle of names there is, and none if there are several."""
    hub, ann = card("hub", ANNA), card("ann", contact("", "anna@x.org"))
    ben = card("ben", contact("Zoë Ünal", "anna@x.org"))
    third = card("cem", contact("Anna Berg", "anna@x.org"))
    assert together(pairing(hub, ann, third, rules=STRICT), hub, ann, third)
    assert together(pairing(hub, ann, ben, rules=STRICT), ann)


def test_a_newcomer_joins_a_contact_whose_cards_bear_two_names() -> None:
    """With UpdateExisting off a contact may keep two names; that makes its address no shared one."""
    hub = card("hub", ANNA, sync_id=guid(1))
    ann = card("ann", contact("Anna Berg", "anna@x.org"), sync_id=guid(1))
    new = card("ben", contact("A. Meier", "anna@x.org"))
    assert together(pairing(hub, ann, new, rules=ONLY_ADDING), hub, ann, new)


def test_an_equal_copy_is_a_duplicate() -> None:
    """Of several cards with one SyncId in a mailbox the older one is the contact, the copy is left alone."""
    hub = card("hub", ANNA, sync_id=guid(1))
    old, new = card("ann", ANNA, sync_id=guid(1), hours=1), card("ann", ANNA, sync_id=guid(1), hours=2)
    found = pairing(new, hub, old)
    assert together(found, hub, old)
    assert found.duplicates == (new,)


def test_the_remembered_card_beats_the_older_copy() -> None:
    """The link says which of two copies is the contact's card."""
    old, new = card("ann", ANNA, sync_id=guid(1), hours=1), card("ann", ANNA, sync_id=guid(1), hours=2)
    found = pairing(old, new, memory=remembered(new, guid(1)))
    assert together(found, new)
    assert found.duplicates == (old,)


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        (ANNA, contact("Anna Meier", "ben@x.org")),
        (ANNA, contact("Anna Meier")),
        (contact("Anna Meier"), contact("Ben Ito")),
        (contact("Anna Meier"), ANNA),
    ],
    ids=["other address", "address taken away", "no address, other name", "address added"],
)  # fmt: skip
def test_a_copy_made_into_somebody_else_is_a_contact_of_its_own(original: Contact, copy: Contact) -> None:
    """People copy a card and overtype it: with another address, or another name where there is none, it is new."""
    hub = card("hub", original, sync_id=guid(1))
    old = card("ann", original, sync_id=guid(1), hours=1)
    new = card("ann", copy, sync_id=guid(1), hours=2)
    found = pairing(hub, old, new)
    assert together(found, hub, old)
    assert found.contacts[derived_sync_id("tenant", new)] == {"ann": new}
    assert found.duplicates == ()


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        (ANNA, contact("Anna Berg", "anna@x.org")),
        (contact("Anna Meier"), contact("anna meier", mobilePhone="1")),
    ],
    ids=["other name, same address", "other number, same name"],
)  # fmt: skip
def test_a_copy_with_another_number_is_still_a_duplicate(original: Contact, copy: Contact) -> None:
    """What tells contacts apart is the address, or the name where there is none."""
    old = card("ann", original, sync_id=guid(1), hours=1)
    new = card("ann", copy, sync_id=guid(1), hours=2)
    assert pairing(old, new).duplicates == (new,)


def test_a_copy_is_judged_by_what_the_contact_will_be() -> None:
    """Somebody else's newer edit of the address does not make the copy of the same edit a stranger."""
    edited = contact("Anna Meier", "anna@new.org")
    hub, old = card("hub", ANNA, sync_id=guid(1)), card("ann", ANNA, sync_id=guid(1), hours=1)
    ben = card("ben", edited, sync_id=guid(1), hours=9)
    copy = card("ann", edited, sync_id=guid(1), hours=2)
    assert pairing(hub, old, ben, copy).duplicates == (copy,)


def test_two_first_cards_in_one_mailbox_are_one_contact_and_a_duplicate() -> None:
    """A mailbox that holds somebody twice gives him once."""
    old, new = card("ann", ANNA, hours=1), card("ann", ANNA, hours=2)
    found = pairing(new, old)
    assert together(found, old)
    assert found.duplicates == (new,)


def test_a_second_card_of_a_known_contact_is_a_duplicate() -> None:
    """What the mailbox holds already is not adopted a second time."""
    hub, ann = card("hub", ANNA, sync_id=guid(1)), card("ann", ANNA, sync_id=guid(1))
    second = card("ann", contact("Anna Meier", "anna@x.org", mobilePhone="1"))
    found = pairing(hub, ann, second)
    assert together(found, hub, ann)
    assert found.duplicates == (second,)


def test_a_fitting_card_is_adopted() -> None:
    """Before a copy is created, the mailbox's own card of the contact takes its place."""
    hub, own = card("hub", ANNA, sync_id=guid(1)), card("ann", contact("Anna", "ANNA@x.org"))
    assert pairing(hub, own).contacts == {guid(1): {"hub": hub, "ann": own}}


def test_namesakes_in_the_hub_take_one_card_each() -> None:
    """Where the hub knows two contacts by one key, a mailbox's two cards fill both places."""
    hub = [card("hub", contact("Info"), sync_id=guid(number)) for number in (1, 2)]
    own = [card("ann", contact("Info"), hours=number) for number in (1, 2)]
    found = pairing(*hub, *own)
    assert found.contacts == {guid(1): {"hub": hub[0], "ann": own[0]}, guid(2): {"hub": hub[1], "ann": own[1]}}


def test_a_syncid_that_only_spokes_know_joins_the_hubs_contact() -> None:
    """Two cards of one person that got two ids, in two runs that did not see each other, become one."""
    hub, ann = card("hub", ANNA, sync_id=guid(9)), card("ann", ANNA, sync_id=guid(1))
    assert pairing(hub, ann).contacts == {guid(9): {"hub": hub, "ann": ann}}


def test_two_syncids_in_the_hub_stay_two_contacts() -> None:
    """The hub's own doubles are for a person to join: nothing is ever deleted."""
    one, other = card("hub", ANNA, sync_id=guid(1)), card("hub", ANNA, sync_id=guid(2))
    assert pairing(one, other).contacts == {guid(1): {"hub": one}, guid(2): {"hub": other}}


def test_a_spokes_syncid_finds_no_room() -> None:
    """Where the mailbox holds the hub's contact already, the other id's card is a duplicate, not a new contact."""
    hub, ann = card("hub", ANNA, sync_id=guid(9)), card("ann", ANNA, sync_id=guid(9))
    double, free = card("ann", ANNA, sync_id=guid(1)), card("ben", ANNA, sync_id=guid(1))
    found = pairing(hub, ann, double, free)
    assert found.contacts == {guid(9): {"hub": hub, "ann": ann, "ben": free}}
    assert found.duplicates == (double,)


def test_cards_that_would_part_again_stay_together() -> None:
    """An edit made a spoke's contact like the hub's; as its other cards have no room there, it stays itself."""
    hub, ann, ben = (card(box, ANNA, sync_id=guid(9)) for box in ("hub", "ann", "ben"))
    edited = card("cem", ANNA, sync_id=guid(1), hours=9)
    others = [card(box, contact("Anna Meier"), sync_id=guid(1)) for box in ("ann", "ben")]
    found = pairing(hub, ann, ben, edited, *others)
    assert together(found, hub, ann, ben)
    assert together(found, edited, *others)


def test_of_two_namesakes_the_one_with_room_is_joined() -> None:
    """A spoke's id joins the contact that its mailbox lacks."""
    one, other = card("hub", ANNA, sync_id=guid(8)), card("hub", ANNA, sync_id=guid(9))
    held, new = card("ann", ANNA, sync_id=guid(8)), card("ann", ANNA, sync_id=guid(1))
    assert pairing(one, other, held, new).contacts[guid(9)] == {"hub": other, "ann": new}


def test_what_the_memory_knows_is_not_joined_to_another() -> None:
    """A contact that had a version is itself, although its hub card is missing."""
    ann = card("ann", ANNA, sync_id=guid(1))
    hub = card("hub", ANNA, sync_id=guid(9))
    found = pairing(hub, ann, memory=remembered(ann, guid(1)))
    assert found.contacts == {guid(9): {"hub": hub}, guid(1): {"ann": ann}}


def test_an_unread_card_of_a_deleted_contact_keeps_its_place() -> None:
    """A copy of it beside it is a duplicate, as it would be if both had been read."""
    unread, copy = card("ann", ANNA, sync_id=guid(1)), card("ann", ANNA, sync_id=guid(1))
    found = pairing(copy, memory=deleted(remembered(unread, guid(1))))
    assert found.contacts == {}
    assert found.duplicates == (copy,)


def test_a_duplicate_left_of_a_deleted_contact_becomes_its_card_when_the_contact_comes_back() -> None:
    """As long as nobody brings it back, nothing is made of the duplicate; after that, the mailbox needs no other."""
    memory = deleted(remembered(card("ann", ANNA, item_id="deleted"), guid(1)))
    left, second = (card("ben", ANNA, sync_id=guid(1), item_id=item_id) for item_id in ("1", "2"))
    aside = {(item.mailbox, item.item_id): Duplicate(guid(1), fingerprint(ANNA)) for item in (left, second)}
    everywhere = {guid(1): frozenset({"hub", "ann", "ben"})}
    assert pair([left, second], "hub", RULES, memory, everywhere, aside).contacts == {}
    restored = card("ann", ANNA, sync_id=guid(1))
    found = pair([left, second, restored], "hub", RULES, memory, everywhere, aside)
    assert found.contacts == {guid(1): {"ann": restored, "ben": left}}
    assert found.duplicates == (second,)


def test_an_edit_that_beats_a_deletion_brings_the_contact_back_to_a_duplicate_too() -> None:
    """Ann's card outlived the deletion; untouched it brings nothing back, edited it does."""
    there = card("ann", ANNA, sync_id=guid(1))
    memory = deleted(remembered(there, guid(1)))
    left = card("ben", ANNA, sync_id=guid(1))
    aside = {("ben", left.item_id): Duplicate(guid(1), fingerprint(ANNA))}
    for content, holders in ((ANNA, {"ann"}), (contact("Anna Meier", "anna@x.org", mobilePhone="1"), {"ann", "ben"})):
        ann = replace(there, contact=content, change_marker="marker-2")
        found = pair([ann, left], "hub", RULES, memory, {guid(1): frozenset({"hub", "ben"})}, aside)
        assert found.contacts[guid(1)].keys() == holders


def test_a_new_contact_gets_the_smallest_derived_syncid() -> None:
    """The id depends on tenant, mailbox and item alone, in any order of the cards."""
    ann, ben = card("ann", ANNA), card("ben", ANNA)
    (sync_id,) = pairing(ann, ben).contacts
    assert sync_id == min(derived_sync_id("tenant", ann), derived_sync_id("tenant", ben))


def test_a_derived_syncid_is_the_tenants_own() -> None:
    """Another tenant, mailbox or item gives another id; the tenant's case does not."""
    item, others = card("ann", ANNA, item_id="1"), [card("ben", ANNA, item_id="1"), card("ann", ANNA, item_id="2")]
    ids = {derived_sync_id("tenant", item), derived_sync_id("other", item)}
    ids |= {derived_sync_id("tenant", other) for other in others}
    assert len(ids) == 4
    assert derived_sync_id("TENANT", item) == derived_sync_id("tenant", item)


def test_a_first_card_finds_the_copies_that_a_cut_off_run_made_of_it() -> None:
    """Even if it has been renamed since: the id was derived from it."""
    first = card("ann", contact("Anna Berg", "anna@new.org"))
    hub = card("hub", ANNA, sync_id=derived_sync_id("tenant", first))
    assert together(pairing(first, hub), first, hub)


def test_a_derived_syncid_that_a_copy_holds_is_not_given_twice() -> None:
    """The first card lost its marks and became somebody else while its copy lives on: it gets the next id."""
    first = card("ann", BEN, hours=0)
    copy = card("ann", ANNA, hours=1, sync_id=derived_sync_id("tenant", first))
    hub = card("hub", ANNA, sync_id=derived_sync_id("tenant", first))
    found = pairing(first, copy, hub)
    assert together(found, copy, hub)
    assert together(found, first)


def test_a_private_card_is_nobodys() -> None:
    """It neither joins nor is joined."""
    private, hub = card("ann", ANNA, private=True), card("hub", ANNA, sync_id=guid(1))
    found = pairing(private, hub)
    assert found.contacts == {guid(1): {"hub": hub}}
    assert found.withheld == (private,)
    assert found.occupied == {}


@pytest.mark.parametrize("marks", [{"marker": None}, {"stamp": None}, {}], ids=["stamp", "marker", "both"])
def test_a_card_that_became_private_keeps_its_place(marks: dict[str, Any]) -> None:
    """What was shared stays: the mailbox gets no second copy, and its other cards do not slip in."""
    hub = card("hub", ANNA, sync_id=guid(1))
    private = card("ann", ANNA, sync_id=guid(1), private=True, **marks)
    own = card("ann", ANNA)
    found = pairing(hub, private, own)
    assert found.contacts == {guid(1): {"hub": hub}}
    assert found.occupied == {guid(1): frozenset({"ann"})}
    assert found.duplicates == (own,)


def test_a_private_hub_card_keeps_the_contact_known() -> None:
    """Its spokes' cards do not slip away to a namesake."""
    private, other = card("hub", ANNA, sync_id=guid(1), private=True), card("hub", ANNA, sync_id=guid(2))
    ann = card("ann", ANNA, sync_id=guid(1))
    assert pairing(private, other, ann).contacts == {guid(1): {"ann": ann}, guid(2): {"hub": other}}


@pytest.mark.parametrize(("category", "is_withheld"), [("FAMILY", True), ("Family ", True), ("Families", False)])
def test_an_excluded_category_withholds_a_card(category: str, is_withheld: bool) -> None:
    """Categories of the setting count in any case."""
    rules = replace(RULES, exclude_categories=frozenset({"family"}))
    item = card("ann", contact("Anna", categories=["Friends", category]))
    assert (pairing(item, rules=rules).withheld == (item,)) is is_withheld


def test_the_private_flag_can_be_ignored() -> None:
    """With ExcludePrivate off a private card is a card like any other."""
    item = card("ann", ANNA, private=True)
    assert together(pairing(item, rules=replace(RULES, exclude_private=False)), item)


def _every_item(found: Pairing) -> Iterable[Item]:
    yield from (item for cards in found.contacts.values() for item in cards.values())
    yield from (*found.duplicates, *found.withheld)


def test_every_item_has_exactly_one_place() -> None:
    """Contact, duplicate or withheld: nothing is forgotten and nothing counted twice."""
    kinds = product(("hub", "ann"), (ANNA, BEN), (None, guid(1)), (False, True))
    items = [card(box, content, sync_id=mark, private=private) for box, content, mark, private in kinds]
    assert sorted(item.item_id for item in _every_item(pairing(*items))) == sorted(item.item_id for item in items)
