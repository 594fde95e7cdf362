"""One run makes all replicas equal and the next writes nothing, whatever Graph is like on that day."""

from dataclasses import replace

import pytest

from shared.graph.wire import MARKER
from shared.sync.contact import Contact, normalise
from tests.emulator import Emulator, Switches
from tests.emulator.generator import populate
from tests.engine.office import HUB_FOLDER, Office, person, written

VARIANTS = [("as documented", Switches()), *Switches.variants()]


def mirrored(office: Office, upn: str, folder: str | None = None) -> dict[str, Contact]:
    """The mirrored contacts of a mailbox by SyncId, private cards apart."""
    cards = [card for card in office.tenant.mailbox(upn).contacts(folder=folder) if not card["private"]]
    found = {card["extended"].get(MARKER.lower()) or card["extended"].get(MARKER): card for card in cards}
    return {key: normalise(card, without_categories=[HUB_FOLDER]) for key, card in found.items() if key}


def assert_equal(office: Office, people: list[str]) -> None:
    """All spokes hold what the hub holds."""
    hub = mirrored(office, office.tenant.hub, HUB_FOLDER)
    assert hub
    for upn in people:
        spoke = mirrored(office, upn)
        assert spoke.keys() == hub.keys()
        assert {key: spoke[key].differing(hub[key]) for key in hub if spoke[key].differing(hub[key])} == {}


def settle(office: Office) -> None:
    """Let the server's own afterthoughts happen."""
    office.emulator.clock.advance(3600)


async def run_until_settled(office: Office) -> int:
    """Run once; where Graph reported conflicts of its own making, leave it to the next run as the mirror does."""
    total = 0
    for _ in range(4):
        report = await office.report()
        codes = {problem.code for problem in report.problems} - {"UnlikeNames"}
        total += written(report)
        assert (report.outcome, codes - {"ItemChanged"}) == ("ok", set())
        if not codes:
            break
    return total


@pytest.mark.parametrize("switches", [variant for _, variant in VARIANTS], ids=[name for name, _ in VARIANTS])
async def test_convergence_and_quiescence_whatever_graph_does(switches: Switches) -> None:
    """With every doubt about Graph either way: equal after one run, quiet in the next, edits arrive in the third."""
    async with Emulator(switches=replace(switches)) as emulator:
        office = Office(emulator)
        people = populate(office.tenant, users=3, contacts_per_user=14, overlap=0.4, seed=7)
        await run_until_settled(office)
        assert_equal(office, people)
        settle(office)
        assert written(await office.report()) == 0
        await _an_edit_arrives(office, people)


async def _an_edit_arrives(office: Office, people: list[str]) -> None:
    box = office.tenant.mailbox(people[0])
    card = next(card for card in box.contacts() if not card["private"] and card["displayName"])
    box.edit_contact(card["id"], {"officeLocation": "Room 4711"})
    box.add_contact(person("Somebody New", "new@somewhere.example", birthday="1990-01-31T00:00:00Z"))
    settle(office)
    assert await run_until_settled(office) > 0
    assert_equal(office, people)
    assert "Room 4711" in {one.text("officeLocation") for one in mirrored(office, people[-1]).values()}
    settle(office)
    assert written(await office.report()) == 0


@pytest.mark.parametrize("name", ["as documented", "all"])
async def test_a_first_sync_of_fifty_mailboxes_converges(name: str) -> None:
    """Fifty mailboxes and four hundred contacts: equal after one run, and the second writes nothing."""
    switches = next(variant for key, variant in VARIANTS if key == name)
    async with Emulator(switches=replace(switches)) as emulator:
        office = Office(emulator)
        people = populate(office.tenant, users=50, contacts_per_user=11)
        assert await run_until_settled(office) > 15_000
        assert_equal(office, people)
        assert max(emulator.most_at_once(office.tenant.user(upn).id) for upn in people) <= 4
        settle(office)
        assert written(await office.report()) == 0
