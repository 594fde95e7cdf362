"""What is really written onto a card, decided on the card as it is read just before the write.

A listing may be seconds old and its notes cut. What a person has saved meanwhile is not overwritten: the field is
left to the next run, which gathers it.
"""

from collections.abc import Mapping
from typing import Final

from shared.sync.contact import FieldValue
from shared.sync.operations import CreateContact, DeleteContact, Operation, StampContact, UpdateContact, lacks_stamp
from shared.sync.replica import Card, Draft, Item
from shared.sync.rules import Rules
from shared.sync.stamp import read_stamp, write_stamp

MAX_EMAILS: Final = 3
"""Exchange's slots for e-mail addresses of a contact (microsoft-graph-docs#15276)."""


def new_draft(operation: CreateContact) -> Draft:
    """The body of a new card: the contact, its stamp, its marker."""
    stamp = operation.stamp
    return Draft(operation.version.contact.fields, write_stamp("", stamp), stamp.sync_id)


def draft_for(operation: UpdateContact | StampContact, card: Card, rules: Rules) -> Draft | None:
    """What is left to write of `operation` on the card as it is now; None if nothing is.

    A card that has become private is not touched.
    """
    if rules.withholds(card.item):
        return None
    fields = _still_wanted(operation, card.item) if isinstance(operation, UpdateContact) else {}
    if not fields and not lacks_stamp(card.item, operation.stamp.sync_id):
        return None
    text, _ = read_stamp(card.notes)
    name = card.item.contact.get("displayName")
    if name:
        fields.setdefault("displayName", name)
    return Draft(fields, write_stamp(text, operation.stamp), operation.stamp.sync_id, card.item.unaddressed)


def may_delete(operation: DeleteContact, card: Card, rules: Rules) -> bool:
    """Whether the card, as it is now, is still what was agreed on: an edit beats a deletion, and private is private.

    Undoing takes no card that holds a note of its owner's: nobody has asked for that.
    """
    if rules.withholds(card.item) or (operation.version.is_undone and read_stamp(card.notes)[0].strip()):
        return False
    return not card.item.contact.differing(operation.link.ancestor())


def _still_wanted(operation: UpdateContact, now: Item) -> dict[str, FieldValue | None]:
    planned, contact = operation.item.contact, now.contact
    return {
        name: value
        for name, value in operation.fields.items()
        if contact.get(name) == planned.get(name) and _fits(name, value, now)
    }


def _fits(name: str, value: FieldValue | None, now: Item) -> bool:
    """Whether a write of the field leaves room for what cannot be mirrored: an e-mail slot without an address."""
    if name != "emailAddresses" or not now.unaddressed:
        return True
    return len(now.unaddressed) + (len(value) if isinstance(value, tuple) else 0) <= MAX_EMAILS


def planned_fields(operation: Operation) -> Mapping[str, FieldValue | None]:
    """The fields that an operation is about, for a report."""
    if isinstance(operation, CreateContact):
        return operation.version.contact.fields
    return operation.fields if isinstance(operation, UpdateContact) else {}
