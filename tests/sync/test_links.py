"""What is remembered of a card after a write: whose each difference is."""

from dataclasses import replace

from shared.sync.contact import Contact
from shared.sync.links import Written, link_after, link_as_it_is, link_of_new, link_of_private, link_to
from shared.sync.mergebase import Link
from shared.sync.replica import Draft, Item
from tests.builders import card, contact, guid, version

S = guid(1)
ANNA = contact("Anna Meier", "anna@x.org", mobilePhone="1", jobTitle="CTO")
OLD, NEW = version(ANNA, S, 1), version(Contact({**ANNA.fields, "mobilePhone": "2"}), S, 2)
SEEN = card("ann", ANNA, sync_id=S, item_id="a")
LINK = Link("ann", "a", S, "marker-0", OLD, is_ours=True)
DRAFT = Draft({"mobilePhone": "2", "displayName": "Anna Meier"})


def after(**fields: str) -> Item:
    """The card as the server gave it back."""
    return replace(SEEN, contact=Contact({**NEW.contact.fields, **fields}), change_marker="marker-2")


def test_a_write_that_was_kept_agrees_with_the_version() -> None:
    """The base moves on, and the marker is remembered, so that the echo is known."""
    link = link_after(Written(NEW, SEEN, DRAFT, after(), LINK))
    assert (link.base, link.change_marker, dict(link.residue), link.is_ours) == (2, "marker-2", {}, True)


def test_what_the_server_gives_back_otherwise_is_residue() -> None:
    """A field of our own request is nobody's edit."""
    link = link_after(Written(NEW, SEEN, DRAFT, after(mobilePhone="+2"), LINK))
    assert (link.base, link.change_marker, dict(link.residue)) == (2, "marker-2", {"mobilePhone": "+2"})


def test_of_a_new_card_everything_is_ours() -> None:
    """Whatever a created card looks like, nobody has edited it yet."""
    link = link_of_new(after(jobTitle="cto"), NEW)
    assert (link.is_ours, dict(link.residue), link.change_marker) == (True, {"jobTitle": "cto"}, "marker-2")


def test_a_field_that_moved_while_we_wrote_is_a_persons_edit() -> None:
    """It is not as it was read just before: the base stays, and the next run looks again."""
    link = link_after(Written(NEW, SEEN, DRAFT, after(jobTitle="CEO"), LINK))
    assert (link.base, link.change_marker) == (1, "")


def test_a_field_that_was_saved_before_we_read_is_looked_at_again() -> None:
    """It differs from the version and was not written: the marker is forgotten."""
    now = replace(SEEN, contact=Contact({**ANNA.fields, "jobTitle": "CEO"}))
    link = link_after(Written(NEW, now, DRAFT, after(jobTitle="CEO"), LINK))
    assert (link.base, link.change_marker) == (2, "")


def test_a_card_without_a_link_gets_one() -> None:
    """A person's own card is not ours."""
    link = link_after(Written(NEW, SEEN, DRAFT, after(jobTitle="CEO")))
    assert (link.base, link.change_marker, link.is_ours) == (2, "", False)


def test_residue_lasts_as_long_as_the_card_holds_it() -> None:
    """What the card no longer holds is no residue any more."""
    held = replace(LINK, residue={"mobilePhone": "1", "jobTitle": "gone"})
    assert dict(link_to(SEEN, OLD, held).residue) == {"mobilePhone": "1"}


def test_a_card_left_as_it_is_owes_nobody_an_edit() -> None:
    """All that differs is residue."""
    assert dict(link_as_it_is(SEEN, NEW).residue) == {"mobilePhone": "1"}


def test_a_private_card_keeps_its_base() -> None:
    """Open again, it is compared with what it last agreed on."""
    link = link_of_private(SEEN, LINK)
    assert (link.base, link.is_withheld, link.is_ours) == (1, True, True)
