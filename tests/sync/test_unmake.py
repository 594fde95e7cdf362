"""Which cards are the mirror's copies when no link says so, as a rule on values."""

from dataclasses import replace

import pytest

from shared.sync.identity import derived_sync_id
from shared.sync.mergebase import UNDO, Version
from shared.sync.records import StoredLink
from shared.sync.replica import Item
from shared.sync.unmake import Presumed, Unmade, in_doubt
from tests.builders import RULES, at, card, contact, guid

GRACE = contact("Grace", "grace@x.org", mobilePhone="1")
COPY = card("cem", GRACE, hours=1, sync_id=guid(1), item_id="copy")
SOURCE = card("cem", GRACE, hours=-9, item_id="source")
LINK = StoredLink("cem", "copy", guid(1), "marker-1", 1)


def judged(*items: Item, links: tuple[StoredLink, ...] = ()) -> Presumed:
    """What Cem's cards are taken for when a run of an hour is undone."""
    sync_ids = {guid(1), derived_sync_id(RULES.tenant_id, SOURCE)}
    versions = {one: Version(9, one, GRACE, at(2), UNDO, "undo", is_deleted=True) for one in sync_ids}
    return Unmade(versions, at(1)).presume(items, links, RULES)


def owners(presumed: Presumed) -> list[tuple[str, bool]]:
    """What is remembered anew: the card, and whether it is the mirror's."""
    return [(link.item_id, link.is_ours) for link in presumed.links]


def test_a_card_as_the_run_made_it_is_a_copy() -> None:
    """Marked, equal, made in one go since the run began: it may go."""
    presumed = judged(COPY)
    assert (owners(presumed), presumed.left) == ([("copy", True)], ())


@pytest.mark.parametrize("is_marked", [True, False])
def test_the_card_that_the_sync_id_came_from_is_its_owners(is_marked: bool) -> None:
    """It stays, and nobody has to be told."""
    item = replace(SOURCE, marker=derived_sync_id(RULES.tenant_id, SOURCE) if is_marked else None)
    presumed = judged(item)
    assert (owners(presumed), presumed.left) == ([("source", False)], ())


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(replace(COPY, created_at=at(0)), id="older than the run"),
        pytest.param(replace(COPY, modified_at=at(2)), id="changed since it was made"),
        pytest.param(replace(COPY, marker=None), id="stamped only"),
        pytest.param(replace(COPY, private=True), id="private"),
        pytest.param(replace(COPY, contact=contact("Grace", "grace@x.org", mobilePhone="2")), id="edited"),
    ],
)
def test_what_may_be_somebodys_own_stays_and_is_told(item: Item) -> None:
    """Any doubt keeps the card, remembered as it is so that it says nothing new."""
    presumed = judged(item)
    assert (owners(presumed), presumed.left) == ([("copy", False)], (guid(1),))
    assert presumed.links[0].is_withheld == item.private


def test_of_two_marked_cards_none_is_a_copy() -> None:
    """Somebody has copied a card: which one, nobody knows."""
    presumed = judged(replace(COPY, item_id="other", created_at=at(3)), COPY)
    assert (owners(presumed), presumed.left) == ([("copy", False)], (guid(1),))


def test_beside_a_linked_card_a_marked_one_is_left() -> None:
    """The linked one is the mirror's; the link stays with it."""
    presumed = judged(COPY, replace(COPY, item_id="other"), links=(replace(LINK, is_ours=True),))
    assert (owners(presumed), presumed.left) == ([], (guid(1),))


def test_a_link_of_a_card_that_is_gone_says_nothing() -> None:
    """The card that is there is judged as if there were no link."""
    assert owners(judged(COPY, links=(replace(LINK, item_id="gone"),))) == [("copy", True)]


def test_a_linked_card_older_than_the_run_is_its_owners() -> None:
    """No link says that the mirror made it, and this run did not."""
    presumed = judged(replace(COPY, created_at=at(0)), links=(LINK,))
    assert (owners(presumed), presumed.left) == ([("copy", False)], ())


def test_an_edit_of_a_linked_card_is_still_news() -> None:
    """Its link is left as it was: the next run sees the edit."""
    item = replace(COPY, contact=contact("Grace", "grace@x.org", mobilePhone="2"))
    assert owners(judged(item, links=(LINK,))) == []


def test_a_card_that_the_run_has_read_is_own_and_a_newer_one_is_news() -> None:
    """Of unmarked cards that only their content pairs, those changed since the run speak."""
    old, new = card("cem", GRACE, hours=0, item_id="old"), card("cem", GRACE, hours=2, item_id="new")
    unmade = Unmade({guid(1): Version(9, guid(1), GRACE, at(2), UNDO, is_deleted=True)}, at(1))
    assert [link.item_id for link in unmade.own(guid(1), [old, new])] == ["old"]


def test_the_line_names_a_few_contacts() -> None:
    """Of many it is enough to know how many they are."""
    message = in_doubt("cem", [guid(number) for number in range(9)]).message
    assert message.startswith(f"9 contacts stay ({guid(0)}, ")
    assert guid(5) not in message
