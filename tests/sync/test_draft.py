"""What is really written, decided on the card as it is just before the write."""

from dataclasses import replace

import pytest

from shared.sync.contact import Contact, FieldValue, normalise
from shared.sync.draft import draft_for, new_draft, planned_fields
from shared.sync.operations import CreateContact, StampContact, UpdateContact
from shared.sync.replica import Card, Draft, Item
from shared.sync.stamp import Stamp
from tests.builders import RULES, card, contact, guid, spoke, version

S = guid(1)
ANN = spoke("ann")
STAMP = Stamp(S, "ann@contoso.com", "2026-01-05T08:00:00Z", "ben@contoso.com")
OLD_NOTE = f"Likes tea\r\n\r\nat 5\r\nSyncId={guid(2)};CreatedBy=x"
ANNA = contact("Anna Meier", "anna@x.org", mobilePhone="1", jobTitle="CTO")
SEEN = card("ann", ANNA, sync_id=S)


def update(**fields: FieldValue | None) -> UpdateContact:
    """An update planned on the card as it was seen."""
    return UpdateContact(ANN, version(ANNA), STAMP, SEEN, fields)


def now(item: Item = SEEN, note: str = OLD_NOTE, **fields: object) -> Card:
    """The card as it is read by id; `fields` are what a person has saved meanwhile."""
    saved = normalise(fields).fields
    kept = {name: value for name, value in item.contact.fields.items() if name not in fields}
    return Card(replace(item, contact=Contact({**kept, **saved})), note)


def draft(operation: UpdateContact | StampContact, found: Card) -> Draft:
    """The draft, which is not nothing."""
    result = draft_for(operation, found, RULES)
    assert result
    return result


def test_a_new_card_holds_contact_stamp_and_marker() -> None:
    """Created in one write, so that a cut-off run cannot leave it unmarked."""
    found = new_draft(CreateContact(ANN, version(ANNA), STAMP))
    assert (found.fields, found.notes, found.marker) == (ANNA.fields, STAMP.line(), S)


def test_an_update_writes_its_fields_and_the_stamp() -> None:
    """The person's text stays to the letter, the old stamp is replaced."""
    found = draft(update(mobilePhone="2", jobTitle=None), now())
    assert found.fields == {"mobilePhone": "2", "jobTitle": None, "displayName": "Anna Meier"}
    assert found.notes == f"Likes tea\r\n\r\nat 5\r\n{STAMP.line()}"
    assert found.marker == S


def test_what_a_person_saved_meanwhile_is_not_overwritten() -> None:
    """The field is left to the next run, which gathers it; the others are written."""
    found = draft(update(mobilePhone="2", jobTitle="CEO"), now(mobilePhone="3"))
    assert found.fields == {"jobTitle": "CEO", "displayName": "Anna Meier"}


@pytest.mark.parametrize("typed", ["2", "3", ""], ids=["the same", "another", "cleared"])
def test_nothing_is_left_to_write(typed: str) -> None:
    """A person has typed the value, another one, or cleared it: the card is not touched."""
    assert draft_for(update(mobilePhone="2"), now(mobilePhone=typed), RULES) is None


def test_the_name_a_person_saved_meanwhile_is_the_one_sent() -> None:
    """The display name goes with every write, as it is now: Exchange would make one of its own."""
    assert draft(update(mobilePhone="2"), now(displayName="Anna Berg")).fields["displayName"] == "Anna Berg"


def test_a_planned_name_is_the_one_sent() -> None:
    """A new display name is not replaced by the old one."""
    assert draft(update(displayName="Anna Berg"), now()).fields == {"displayName": "Anna Berg"}


def test_a_card_without_a_name_is_not_given_one() -> None:
    """With UpdateExisting off a nameless card is stamped and nothing else."""
    nameless = card("ann", contact(mobilePhone="1"))
    assert draft(StampContact(ANN, version(ANNA), STAMP, nameless), Card(nameless, "")).fields == {}


def test_a_stamp_is_written_where_it_is_missing() -> None:
    """Onto whatever note there is now, with the display name and no other field."""
    found = draft(StampContact(ANN, version(ANNA), STAMP, SEEN), now(replace(SEEN, stamp=None), "Tea"))
    assert found == Draft({"displayName": "Anna Meier"}, f"Tea\r\n{STAMP.line()}", S)


def test_a_stamp_that_has_come_meanwhile_is_not_written_again() -> None:
    """Another run was faster."""
    assert draft_for(StampContact(ANN, version(ANNA), STAMP, SEEN), now(), RULES) is None


def test_a_lost_stamp_is_written_even_if_all_fields_are_taken() -> None:
    """A person saved the field and wiped the note: the contact stays known."""
    found = draft(update(mobilePhone="2"), now(replace(SEEN, stamp=None), "", mobilePhone="3"))
    assert (found.fields, found.notes) == ({"displayName": "Anna Meier"}, STAMP.line())


@pytest.mark.parametrize(
    "hidden", [replace(SEEN, private=True), replace(SEEN, contact=contact("Anna Meier", categories=["Mine"]))],
    ids=["flag", "category"],
)  # fmt: skip
def test_a_card_that_has_become_private_is_not_touched(hidden: Item) -> None:
    """Not even with a stamp."""
    rules = replace(RULES, exclude_categories=frozenset({"mine"}))
    assert draft_for(update(mobilePhone="2"), Card(hidden, ""), rules) is None
    assert (
        draft_for(StampContact(ANN, version(ANNA), STAMP, SEEN), Card(replace(hidden, marker=None), ""), rules) is None
    )


def emails(*addresses: str) -> FieldValue | None:
    """A value of e-mail addresses."""
    return normalise({"emailAddresses": [{"address": address} for address in addresses]}).get("emailAddresses")


def test_slots_without_an_address_go_with_every_write() -> None:
    """Exchange keeps a name whose address it could not read in a slot: it is a person's, and an update keeps it."""
    odd = replace(SEEN, unaddressed=("Anna at home",))
    found = draft(update(emailAddresses=emails("a@x.org", "b@x.org")), Card(odd, ""))
    assert found.unaddressed == ("Anna at home",)
    assert found.fields["emailAddresses"] == emails("a@x.org", "b@x.org")


@pytest.mark.parametrize(("names", "is_written"), [((), True), (("Anna at home",), False)])
def test_addresses_that_leave_no_room_for_such_a_slot_are_not_written(names: tuple[str, ...], is_written: bool) -> None:
    """Of three slots one is taken by what cannot be mirrored: three addresses do not fit, and the rest is written."""
    odd = replace(SEEN, unaddressed=names)
    found = draft(update(emailAddresses=emails("a@x.org", "b@x.org", "c@x.org"), mobilePhone="2"), Card(odd, ""))
    assert ("emailAddresses" in found.fields) is is_written
    assert found.fields["mobilePhone"] == "2"


def test_clearing_the_addresses_leaves_such_a_slot() -> None:
    """No address needs no room."""
    odd = replace(SEEN, unaddressed=("Anna at home",))
    found = draft(update(emailAddresses=None), Card(odd, ""))
    assert (found.fields["emailAddresses"], found.unaddressed) == (None, ("Anna at home",))


def test_the_report_names_the_fields_of_an_operation() -> None:
    """All of a new card, those of an update, none of a stamp."""
    assert planned_fields(CreateContact(ANN, version(ANNA), STAMP)) == ANNA.fields
    assert planned_fields(update(mobilePhone="2")) == {"mobilePhone": "2"}
    assert planned_fields(StampContact(ANN, version(ANNA), STAMP, SEEN)) == {}


def test_notes_show_in_no_repr() -> None:
    """A note is private: it does not reach a log by accident."""
    assert "tea" not in repr(now())
    assert "tea" not in repr(draft(update(mobilePhone="2"), now()))
