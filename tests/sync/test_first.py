"""Where nothing is remembered, the hub is what everybody last agreed on; cards that hold it are linked at once."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact
from shared.sync.first import links_to_agreeing, versions_of
from shared.sync.replica import Item, Observation
from tests.builders import HUB, RULES, at, card, contact, guid, spoke

GRACE = contact("Grace", "grace@x.org", mobilePhone="1")
REMEMBERED = versions_of(Observation(HUB, (card("hub", GRACE, sync_id=guid(1)),)), RULES)
changes = st.sampled_from(["equal", "edited", "private", "bare", "unmarked", "twice", "unknown"])


def changed(item: Item, change: str) -> list[Item]:
    """What has become of an agreeing card."""
    edited = Contact({**item.contact.fields, "mobilePhone": "2"})
    cards = {
        "equal": [item],
        "edited": [replace(item, contact=edited)],
        "private": [replace(item, private=True)],
        "bare": [replace(item, stamp=None)],
        "unmarked": [replace(item, marker=None, stamp=None)],
        "twice": [item, replace(item, item_id="copy")],
        "unknown": [replace(item, marker=guid(9))],
    }
    return cards[change]


def test_the_hubs_open_and_mirrored_contacts_are_the_first_versions() -> None:
    """With the hub's time and creator; what is private, not mirrored or there twice is left to pairing."""
    mirrored, private, twin = (card("hub", GRACE, sync_id=guid(number), hours=number) for number in (1, 2, 3))
    items = (mirrored, replace(private, private=True), twin, replace(twin, item_id="copy"), card("hub", GRACE))
    (version,) = versions_of(Observation(HUB, items), RULES).values()
    assert (version.number, version.sync_id, version.contact) == (1, guid(1), GRACE)
    assert (version.at, version.by, version.created_by) == (at(1), "hub", "maker@contoso.com")
    assert not version.is_new


def test_numbers_go_on_from_the_last_that_is_known() -> None:
    """Links may have outlived the versions that they name."""
    items = [card("hub", GRACE, sync_id=guid(number)) for number in (1, 2)]
    versions = versions_of(Observation(HUB, tuple(items)), RULES, last=7)
    assert [version.number for version in versions.values()] == [8, 9]


@given(changes)
def test_only_a_card_that_surely_agrees_is_linked(change: str) -> None:
    """One that is open, stamped, alone and equal: nobody's edit is taken for agreed."""
    items = changed(card("ann", GRACE, sync_id=guid(1), item_id="item"), change)
    links = links_to_agreeing(Observation(spoke("ann"), tuple(items)), REMEMBERED, RULES)
    assert [(link.item_id, link.sync_id, link.base) for link in links] == (
        [("item", guid(1), 1)] if change == "equal" else []
    )


def test_a_card_of_a_deleted_contact_is_linked_to_nothing() -> None:
    """What was deleted is for the plan to judge."""
    observation = Observation(spoke("ann"), (card("ann", GRACE, sync_id=guid(1)),))
    tombstone = replace(REMEMBERED[guid(1)], is_deleted=True)
    assert links_to_agreeing(observation, {guid(1): tombstone}, RULES) == []
