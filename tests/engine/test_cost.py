"""What a run costs: a quiet hour asks almost nothing, and one edit no more than its writes."""

import re
from collections import Counter

from tests.emulator import Emulator
from tests.emulator.log import RequestRecord
from tests.engine.office import Office, person, written

USERS = 200
CONTACTS = 10
BATCH = 20
HOUR = 3600


def is_listing(record: RequestRecord) -> bool:
    """Whether a request lists the contacts of a folder; a delta round or one contact by its id is none."""
    return record.method == "GET" and record.path.endswith("/contacts")


def is_contact(record: RequestRecord) -> bool:
    """Whether a request reads one contact."""
    return record.method == "GET" and bool(re.search(r"/contacts/[^/]+$", record.path)) and "/delta" not in record.path


async def settled(emulator: Emulator) -> Office:
    """A company of two hundred after its first run, and one that hears the echo of it."""
    office = Office(emulator, *(f"user{number:03d}" for number in range(USERS)))
    for number in range(CONTACTS):
        office.box("user000").add_contact(person(f"Person {number}", f"{number}@x.org", mobilePhone="1"))
    first = await office.report()
    assert (first.step1.created, first.step2.created) == (CONTACTS, (USERS - 1) * CONTACTS)
    emulator.clock.advance(HOUR)
    assert written(await office.report()) == 0
    emulator.clock.advance(HOUR)
    emulator.log.clear()
    return office


async def test_a_run_costs_what_has_changed(emulator: Emulator) -> None:
    """Quiet, 200 mailboxes are a few batches of delta rounds; one edit is one write in each, and no listing."""
    office = await settled(emulator)
    assert written(await office.report()) == 0
    assert emulator.log.http_requests <= USERS / BATCH + 10
    assert [one.url for one in emulator.log if is_listing(one) or is_contact(one) or one.is_write] == []

    card = office.card("user007", "Person 3")
    office.box("user007").edit_contact(card["id"], {"mobilePhone": "2"})
    emulator.log.clear()
    assert written(await office.report()) == USERS
    assert emulator.log.http_requests <= 3 * USERS / BATCH + 20
    assert [one.url for one in emulator.log if is_listing(one)] == []
    writes = emulator.log.writes()
    assert {one.method for one in writes} == {"PATCH"}
    others = [f"{name}@{office.domain}" for name in ("hub", *office.people) if name != "user007"]
    assert Counter(one.mailbox for one in writes) == Counter(others)
    assert {office.card(name, "Person 3")["mobilePhone"] for name in ("hub", *office.people)} == {"2"}


async def test_a_long_echo_is_heard_once(emulator: Emulator) -> None:
    """The hour after it asks for what came later, although nothing was written."""
    emulator.switches.delta_replays = False  # what is told again by chance is told again every hour
    office = Office(emulator, "ann", "bob")
    for number in range(60):
        office.box("ann").add_contact(person(f"Person {number}", f"{number}@x.org"))
    await office.report()
    asked: list[set[str]] = []
    for _ in range(3):
        emulator.clock.advance(HOUR)
        emulator.log.clear()
        assert written(await office.report()) == 0
        asked.append({one.url for one in emulator.log if "deltatoken" in one.url.lower()})
    after_writes, after_echo, later = asked
    assert len(after_writes) == 3
    assert not after_echo & after_writes
    assert later == after_echo


async def test_small_mailboxes_are_read_together(emulator: Emulator) -> None:
    """The hub has told how little each of them has to tell, so they need not come in by tens."""
    office = Office(emulator, *(f"user{number:03d}" for number in range(40)))
    for number in range(60):
        office.box("user000").add_contact(person(f"Person {number}", f"{number}@x.org"))
    await office.report()
    emulator.clock.advance(HOUR)
    emulator.log.clear()
    assert written(await office.report()) == 0
    assert emulator.log.http_requests <= 40 / BATCH + 10


async def test_what_is_decided_on_a_card_is_written_before_what_is_new(emulator: Emulator) -> None:
    """Between a card's reading and its writing no creates get in, however many there are to be made."""
    office = Office(emulator, "ann", "bob")
    for number in range(6):
        office.box("ann").add_contact(person(f"Person {number}", f"{number}@x.org", mobilePhone="1"))
    await office.run()
    emulator.clock.advance(HOUR)
    for number in range(6):
        office.box("ann").edit_contact(office.card("ann", f"Person {number}")["id"], {"mobilePhone": "2"})
    for number in range(30):
        office.box("ann").add_contact(person(f"New {number}", f"new{number}@x.org"))
    emulator.log.clear()
    await office.run()
    methods = [one.method for one in emulator.log.writes("bob@contoso.com")]
    assert methods == ["PATCH"] * 6 + ["POST"] * 30
