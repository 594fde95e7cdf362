"""The decision table, row by row as docs/sync-rules.md and the module's docstring have it, and what a stamp says."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

import shared.sync.plan
from shared.sync.contact import Contact
from shared.sync.mergebase import NO_MEMORY, Link, Memory
from shared.sync.operations import CreateContact, Operation, StampContact, UpdateContact
from shared.sync.plan import Plan, reconcile
from shared.sync.replica import Item, Observation
from shared.sync.stamp import Stamp
from tests.builders import HUB, RULES, at, card, contact, guid, plan, spoke, version

S = guid(1)
ANNA = contact("Anna Meier", "anna@x.org", mobilePhone="1")
NEWER = contact("Anna Meier", "anna@x.org", mobilePhone="2")
ONLY_ADDING = replace(RULES, update_existing=False)
NOW = "2026-02-16T00:00:00Z"

SITUATIONS: Mapping[str, Mapping[str, object] | None] = {
    "none": None,
    "has become private": {"sync_id": S, "private": True},
    "differs from the merged": {"sync_id": S},
    "equal, without our stamp": {"sync_id": None},
    "equal, stamped": {"sync_id": S},
}
OUTCOMES: Mapping[str, type[Operation] | None] = {
    "create": CreateContact,
    "leave": None,
    "leave (skipped)": None,
    "update what differs": UpdateContact,
    "stamp": StampContact,
}
Row = tuple[str, str, str]
TABLE: list[Row] = [
    ("none", "create", "create"),
    ("has become private", "leave", "leave"),
    ("differs from the merged", "update what differs", "stamp if it lacks it"),
    ("equal, without our stamp", "stamp", "stamp"),
    ("equal, stamped", "leave (skipped)", "leave (skipped)"),
]


def operation_on(mailbox: str, found: Plan) -> Operation | None:
    """The one operation planned for a replica."""
    operations = found.hub.operations if mailbox == "hub" else found.spokes.get(mailbox, ())
    assert len(operations) <= 1
    return operations[0] if operations else None


def situation(row: str, content: Contact, update_existing: bool) -> Plan:
    """A plan where ann's card is as the row says, and the hub's and ben's cards are in order."""
    values = SITUATIONS[row]
    rules = RULES if update_existing else ONLY_ADDING
    ann = [card("ann", content, **values)] if values is not None else []  # type: ignore[arg-type]
    hub = card("hub", NEWER, sync_id=S, hours=2)
    return plan([hub], ("ann", ann), ("ben", [card("ben", NEWER, sync_id=S, hours=2)]), rules=rules)


@pytest.mark.parametrize("update_existing", [True, False], ids=["UpdateExisting on", "UpdateExisting off"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_decision_table(row: Row, update_existing: bool) -> None:
    """Each row and column: what happens to a spoke's card of a contact."""
    found = situation(row[0], ANNA if row[0].startswith("differs") else NEWER, update_existing)
    decision = row[1] if update_existing else row[2]
    operation = operation_on("ann", found)
    if decision == "stamp if it lacks it":
        assert operation is None
    else:
        assert type(operation) is (OUTCOMES[decision] or type(None))
    assert found.hub.operations == ()
    assert operation_on("ben", found) is None
    assert found.scattered == (1 if decision in {"create", "update what differs"} or "private" in row[0] else 2)


def test_with_update_existing_off_a_differing_card_is_stamped() -> None:
    """It is known from then on, but what stands on it stays."""
    ann = card("ann", ANNA)
    found = plan([card("hub", NEWER, sync_id=S)], ("ann", [ann]), rules=ONLY_ADDING)
    assert type(operation_on("ann", found)) is StampContact
    assert found.conflicts == ()


@pytest.mark.parametrize("rules", [RULES, ONLY_ADDING], ids=["UpdateExisting on", "UpdateExisting off"])
def test_the_table_holds_for_the_hub_as_well(rules: object) -> None:
    """None, equal without stamp, equal and stamped: the hub is a replica like any other."""
    ann = ("ann", [card("ann", ANNA, sync_id=S)])
    assert type(operation_on("hub", plan([], ann, rules=rules))) is CreateContact  # type: ignore[arg-type]
    bare = card("hub", ANNA, sync_id=S, stamp=None)
    assert type(operation_on("hub", plan([bare], ann, rules=rules))) is StampContact  # type: ignore[arg-type]
    assert operation_on("hub", plan([card("hub", ANNA, sync_id=S)], ann, rules=rules)) is None  # type: ignore[arg-type]


def test_the_hub_is_updated_with_what_a_spoke_changed() -> None:
    """Exactly the field that differs, and None where it was cleared."""
    hub, ann = card("hub", ANNA, sync_id=S), card("ann", NEWER, sync_id=S, hours=5)
    found = plan([hub], ("ann", [ann]), ("ben", [card("ben", ANNA, sync_id=S)]))
    update = operation_on("hub", found)
    assert isinstance(update, UpdateContact)
    assert update.fields == {"mobilePhone": "2"}
    assert operation_on("ann", found) is None


def test_with_update_existing_off_the_hubs_card_is_what_newcomers_get() -> None:
    """A frozen hub card is the contact: nobody's newer card goes around it."""
    ann = card("ann", NEWER, sync_id=S, hours=5)
    found = plan([card("hub", ANNA, sync_id=S)], ("ann", [ann]), ("ben", []), rules=ONLY_ADDING)
    create = operation_on("ben", found)
    assert isinstance(create, CreateContact)
    assert create.version.contact == ANNA


def test_a_private_hub_card_leaves_the_contact_alone_everywhere() -> None:
    """What was shared stays, and nobody's edit of it goes anywhere."""
    hub = card("hub", ANNA, sync_id=S, private=True)
    found = plan([hub], ("ann", [card("ann", NEWER, sync_id=S)]), ("ben", []))
    assert (found.hub.operations, found.spokes, found.contacts) == ((), {}, {})


def test_a_contact_of_which_only_private_cards_are_left_is_left_alone() -> None:
    """Its copies, which are duplicates of the private card, are given to nobody."""
    private, copy = card("ann", ANNA, sync_id=S, private=True), card("ann", ANNA, sync_id=S)
    found = plan([], ("ann", [private, copy]), ("ben", []))
    assert (found.hub.operations, found.spokes) == ((), {})


def test_what_is_gathered_and_scattered_is_counted() -> None:
    """Skipped is, in step 1, a spoke's card that the hub agrees with; in step 2, one that is up to date."""
    hub = [card("hub", ANNA, sync_id=S)]
    ann, ben = ("ann", [card("ann", ANNA, sync_id=S)]), ("ben", [card("ben", ANNA, sync_id=S)])
    assert (plan(hub, ann, ben).gathered, plan(hub, ann, ben).scattered) == (2, 2)
    assert (plan(hub, ann, ("ben", [])).gathered, plan(hub, ann, ("ben", [])).scattered) == (1, 1)
    assert (plan([], ann, ben).gathered, plan([], ann, ben).scattered) == (0, 2)


def stamp_of(found: Plan, mailbox: str) -> Stamp:
    """The stamp that is about to be written."""
    operation = operation_on(mailbox, found)
    assert operation
    return operation.stamp


def stamped(mailbox: str, content: Contact, stamp: Stamp, hours: float = 0) -> Item:
    """A card with this very stamp."""
    return card(mailbox, content, sync_id=S, stamp=stamp, hours=hours)


def test_a_new_contacts_stamp_names_who_made_it() -> None:
    """CreatedBy is whose card is the oldest; LastUpdatedBy whose word is the newest, LastUpdatedAt this run."""
    found = plan([], ("ann", [card("ann", ANNA, hours=1)]), ("ben", [card("ben", NEWER, hours=2)]))
    stamp = stamp_of(found, "hub")
    assert (stamp.created_by, stamp.updated_at, stamp.updated_by) == ("ann@contoso.com", NOW, "ben@contoso.com")
    assert stamp_of(found, "ann") == stamp_of(found, "ben") == stamp


def test_created_by_is_kept_from_the_hub() -> None:
    """Whatever the spokes' stamps say."""
    kept = Stamp(S, "first@contoso.com", "2025-01-01T00:00:00Z", "first@contoso.com")
    hub, ann = stamped("hub", ANNA, kept), card("ann", NEWER, sync_id=S, hours=5)
    stamp = stamp_of(plan([hub], ("ann", [ann])), "hub")
    assert (stamp.created_by, stamp.updated_at, stamp.updated_by) == ("first@contoso.com", NOW, "ann@contoso.com")


def test_created_by_is_kept_from_the_oldest_card_without_a_hub_card() -> None:
    """A hub card that was deleted comes back under its maker's name."""
    old = stamped("ann", ANNA, Stamp(S, "first@contoso.com"), hours=1)
    found = plan([], ("ann", [old]), ("ben", [card("ben", ANNA, sync_id=S, hours=2)]))
    assert stamp_of(found, "hub").created_by == "first@contoso.com"


def test_an_empty_created_by_is_filled_in() -> None:
    """A stamp with a SyncId alone, as people leave it, gets its other tags."""
    hub = stamped("hub", ANNA, Stamp(S), hours=1)
    stamp = stamp_of(plan([hub], ("ann", [])), "ann")
    assert stamp == Stamp(S, "hub@contoso.com", NOW, "hub@contoso.com")


def test_what_changes_nothing_keeps_the_times() -> None:
    """Bringing a spoke up to date is no update of the contact."""
    kept = Stamp(S, "first@contoso.com", "2025-01-01T00:00:00Z", "last@contoso.com")
    found = plan([stamped("hub", NEWER, kept, hours=5)], ("ann", [card("ann", ANNA, sync_id=S)]), ("ben", []))
    assert stamp_of(found, "ann") == stamp_of(found, "ben") == kept


def test_a_time_is_utc_whatever_zone_the_clock_has() -> None:
    """LastUpdatedAt is ISO 8601 in UTC, to the second."""
    now = at(1000).astimezone(timezone(timedelta(hours=5)))
    ann = Observation(spoke("ann"), (card("ann", ANNA),))
    found = reconcile(Observation(HUB, ()), [ann], RULES, NO_MEMORY, now)
    assert stamp_of(found, "hub").updated_at == NOW


def _rows_of_the_docstring() -> list[Row]:
    lines = (shared.sync.plan.__doc__ or "").split("-----\n")[1].split("\n\n")[0].splitlines()
    return [_row(re.split(r"\s{2,}", line.strip())) for line in lines]


def _rows_of_the_document() -> list[Row]:
    text = (Path(__file__).parents[2] / "docs/sync-rules.md").read_text(encoding="utf-8")
    table = text.split("| the replica's card |")[1].split("\n\n")[0]
    return [_row([cell.strip() for cell in line.strip("|").split("|")]) for line in table.splitlines()[2:]]


def _row(cells: list[str]) -> Row:
    card_is, on, off = cells
    return card_is, on, off


def test_the_documents_have_the_same_table() -> None:
    """What is tested here is what docs/sync-rules.md and the planner say."""
    assert _rows_of_the_docstring() == TABLE
    assert _rows_of_the_document() == TABLE


def test_residue_is_written_over_only_when_the_contact_moves() -> None:
    """What the server once gave back otherwise stays, until somebody changes that field of the contact."""
    old, new = version(ANNA, S, 1), version(Contact({**ANNA.fields, "mobilePhone": "9"}), S, 2)
    trimmed = card("ann", Contact({**ANNA.fields, "mobilePhone": "+1"}), sync_id=S, item_id="a")
    hub = card("hub", ANNA, sync_id=S, item_id="h")
    for current, fields in ((old, None), (new, {"mobilePhone": "9"})):
        links = {
            ("ann", "a"): Link("ann", "a", S, "marker-1", old, {"mobilePhone": "+1"}),
            ("hub", "h"): Link("hub", "h", S, "marker-1", old),
        }
        found = operation_on("ann", plan([hub], ("ann", [trimmed]), memory=Memory({S: current}, links)))
        assert getattr(found, "fields", None) == fields
