"""A hundred hours of edits and faults: at the end everybody agrees, nothing is lost, and memory is as it was."""

import gc
import random
import tracemalloc
from pathlib import Path

from shared.state.sqlite import SqliteStateStore
from tests.emulator import Answer, ApplyThenDrop, Drop, Emulator, Fault, Throttled
from tests.engine.office import Office, person, written

PEOPLE = ("ann", "bob", "cem", "dan", "eve")
EVERYBODY = ("hub", *PEOPLE)
FIELDS = ("mobilePhone", "jobTitle", "companyName", "officeLocation")
TROUBLE = (Answer(503), Answer(500), Answer(429), Drop(), ApplyThenDrop(), Throttled(2), Throttled(None))
HOURS = 100
WARM = 20
SPARE_BYTES = 1_000_000


async def test_a_hundred_runs_with_faults_and_edits(emulator: Emulator, tmp_path: Path) -> None:
    """Each hour somebody types while requests fail at random; two calm runs later all is equal and in the history."""
    office = Office(emulator, *PEOPLE)
    state = office.state = SqliteStateStore(tmp_path / "state.db")
    dice = random.Random(4)
    for number in range(20):
        office.box(dice.choice(PEOPLE)).add_contact(person(f"Person {number}", f"{number}@x.org", mobilePhone="0"))
    await office.run()
    typed: dict[tuple[str, str, str], str] = {}
    for hour in range(HOURS):
        if hour == WARM:
            tracemalloc.start()
        type_something(office, dice, typed, hour)
        for _ in range(dice.randrange(4)):
            fault = Fault(
                action=dice.choice(TROUBLE), path="contact", nth=dice.randint(1, 60), count=dice.randint(1, 3)
            )
            emulator.faults.add(fault)
        await office.run()
        emulator.faults.clear()
        emulator.log.clear()
        emulator.clock.advance(3600)
    grown = held_by("*/shared/*")
    tracemalloc.stop()

    assert grown < SPARE_BYTES
    reports = [await office.report() for _ in range(3)]
    assert [report.outcome for report in reports] == ["ok"] * 3
    assert written(reports[-1]) == 0
    for name in PEOPLE:
        for card in office.cards(name):
            hub = office.card("hub", card["displayName"])
            assert {field: card[field] for field in FIELDS} == {field: hub[field] for field in FIELDS}
        assert len(office.cards(name)) == len(office.cards("hub")) == 20
    versions = await state.versions_since(office.tenant.id, 1)
    kept = {(one.contact.text("displayName"), field, one.contact.get(field)) for one in versions for field in FIELDS}
    assert [(*place, value) for place, value in typed.items() if (place[1], place[2], value) not in kept] == []
    await state.close()


def type_something(office: Office, dice: random.Random, typed: dict[tuple[str, str, str], str], hour: int) -> None:
    """A few people save a field of a card each."""
    for number in range(dice.randrange(4)):
        who = dice.choice(EVERYBODY)
        cards = sorted(office.cards(who), key=lambda card: card["id"])
        if cards:
            card, field = dice.choice(cards), dice.choice(FIELDS)
            value = f"{hour}-{number}"
            office.box(who).edit_contact(card["id"], {field: value})
            office.emulator.clock.advance(60)
            typed[who, card["displayName"], field] = value


def held_by(pattern: str) -> int:
    """Bytes that files of this pattern have allocated since tracing began, and still hold."""
    gc.collect()
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(inclusive=True, filename_pattern=pattern)])
    return sum(one.size for one in held.statistics("filename"))
