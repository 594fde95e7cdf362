"""A run is undone although no link says which cards it made: copies go, whatever may be somebody's own card stays."""

import asyncio
from collections.abc import Mapping

import pytest

from shared.engine.options import RunOptions
from shared.sync.report import TenantReport
from shared.sync.undo import Fate
from tests.emulator import Fault, Run
from tests.engine.office import Office, person, written
from tests.engine.test_memory import EVERYBODY, HOUR, edit
from tests.engine.test_undo import carry_out, plan_of, the_run

OWN = {"hub": [], "ann": ["Ada", "Grace", "Mary"], "bob": ["Alan", "Edsger"], "cem": []}
WHOLE = sorted(name for names in OWN.values() for name in names)


def furnish(office: Office) -> None:
    """Everybody's own cards, an hour before the run."""
    for who, names in OWN.items():
        for name in names:
            office.box(who).add_contact(person(name, f"{name.lower()}@x.org", mobilePhone="1"))
    office.emulator.clock.advance(HOUR)


def held(office: Office) -> Mapping[str, list[str]]:
    """The names in every replica."""
    return {who: office.names(who) for who in EVERYBODY}


def creates(office: Office) -> int:
    """How many cards the mirror has created or changed so far."""
    return sum(one.method in ("POST", "PATCH") for one in office.writes())


async def killed(office: Office, mailbox: str, nth: int) -> None:
    """The run "monday", killed when this mailbox has just got its nth card."""
    task = asyncio.create_task(office.report(RunOptions("monday")))
    path = r"contacts$"
    fault = Fault(action=Run(then=task.cancel), method="POST", path=path, mailbox=f"{mailbox}@contoso.com", nth=nth)
    office.emulator.faults.add(fault)
    await asyncio.gather(task, return_exceptions=True)
    assert fault.happened
    office.emulator.faults.clear()
    office.emulator.clock.advance(HOUR)


async def lose_links(office: Office) -> None:
    """Nothing says any more which card is which contact's."""
    for who in EVERYBODY:
        mailbox = office.tenant.user(f"{who}@contoso.com").id
        links = await office.state.links(office.tenant.id, mailbox)
        await office.state.save_links(office.tenant.id, mailbox, (), [link.sync_id for link in links])


async def undo(office: Office) -> TenantReport:
    """Undo "monday"; nothing is created or changed."""
    before = creates(office)
    (report,) = (await carry_out(office, await plan_of(office, "monday"))).tenants
    assert (creates(office), written(report)) == (before, 0)
    return report


async def assert_undone(office: Office) -> None:
    """The undo removes all that it said it would, and the next runs leave it at that."""
    copies = sum(map(len, held(office).values())) - len(WHOLE)
    plan = await plan_of(office, "monday")
    assert [step.fate for step in plan.steps] == [Fate.REMOVED] * len(WHOLE)
    report = await undo(office)
    assert (report.outcome, report.problems, report.deleted) == ("ok", (), copies)
    for _ in range(2):
        assert held(office) == OWN
        assert written(await the_run(office, "")) == 0


@pytest.mark.parametrize("nth", [1, 3, 5])
async def test_a_run_killed_in_the_hub_is_undone(office: Office, nth: int) -> None:
    """The cards that the hub has got go, and nobody gets any."""
    furnish(office)
    await killed(office, "hub", nth)
    await assert_undone(office)


@pytest.mark.parametrize("nth", [1, 3, 5])
async def test_a_run_killed_in_the_spokes_is_undone(office: Office, nth: int) -> None:
    """What the spokes have got goes, in the hub too, and the rest is not given to them."""
    furnish(office)
    await killed(office, "cem", nth)
    await assert_undone(office)


async def test_a_whole_run_is_undone_without_any_link(office: Office) -> None:
    """All links lost: every copy goes by its marker."""
    furnish(office)
    await the_run(office, "monday")
    await lose_links(office)
    await assert_undone(office)


async def test_a_killed_run_that_the_next_one_finished_is_undone(office: Office) -> None:
    """Copies that the next run found by their marker are copies still."""
    furnish(office)
    await killed(office, "cem", 3)
    await the_run(office, "tuesday")
    assert held(office) == dict.fromkeys(EVERYBODY, WHOLE)
    await assert_undone(office)


@pytest.mark.parametrize(("mailbox", "nth"), [("hub", 5), ("bob", 2)])
async def test_two_peoples_own_cards_of_one_contact_stay(office: Office, mailbox: str, nth: int) -> None:
    """Cem had another Grace: both keep what they had, and neither card brings the contact back."""
    furnish(office)
    office.box("cem").add_contact(person("Grace", "grace@x.org", jobTitle="Adm."))
    office.emulator.clock.advance(HOUR)
    await killed(office, mailbox, nth)
    report = await undo(office)
    assert {problem.code for problem in report.problems} <= {"NotRemoved"}  # where the run has marked Cem's card
    for _ in range(2):
        assert held(office) == {**OWN, "cem": ["Grace"]}
        assert written(await the_run(office, "")) == 0


async def test_a_card_that_may_be_somebodys_own_stays(office: Office) -> None:
    """Cem had Grace, too: without a link his card could be a copy, so it stays, is told, and is not shared again."""
    furnish(office)
    office.box("cem").add_contact(person("Grace", "grace@x.org", mobilePhone="1"))
    office.emulator.clock.advance(HOUR)
    await the_run(office, "monday")
    await lose_links(office)
    report = await undo(office)
    assert report.outcome == "partial"
    assert [problem.code for problem in report.problems] == ["NotRemoved"]
    stays = [office.names(who) for who in ("ann", "cem")]
    assert sorted(stays) == sorted([OWN["ann"], ["Grace"]])
    await the_run(office, "")
    assert (office.names("hub"), office.names("cem"), office.names("bob")) == ([], ["Grace"], OWN["bob"])


@pytest.mark.parametrize("field", ["mobilePhone", "personalNotes"])
@pytest.mark.parametrize("is_linked", [True, False])
async def test_what_somebody_typed_on_a_copy_stays(office: Office, field: str, is_linked: bool) -> None:
    """A copy on which somebody has typed, and be it a note that nobody else sees, stays and is told."""
    furnish(office)
    await the_run(office, "monday")
    typed = office.card("cem", "Alan")["personalNotes"].join(["typed\r\n", ""]) if field == "personalNotes" else "typed"
    edit(office, "cem", "Alan", **{field: typed})
    if not is_linked:
        await lose_links(office)
    report = await undo(office)
    assert (report.outcome, [problem.code for problem in report.problems]) == ("partial", ["NotRemoved"])
    assert office.card("cem", "Alan")[field].startswith("typed")
    assert "Ada" not in office.names("cem")
    assert office.names("ann") in (OWN["ann"], sorted([*OWN["ann"], "Alan"]))
    await the_run(office, "")
    assert office.card("cem", "Alan")[field].startswith("typed")
    assert written(await the_run(office, "")) == 0


async def test_a_card_made_since_the_run_shares_the_contact(office: Office) -> None:
    """Who types it anew after the run wants it shared: the undo says that it stays, the next run gives it to all."""
    furnish(office)
    await killed(office, "hub", 5)
    office.box("cem").add_contact(person("Ada", "ada@x.org", jobTitle="Countess"))
    office.emulator.clock.advance(HOUR)
    report = await undo(office)
    assert (report.outcome, [problem.code for problem in report.problems]) == ("partial", ["NotRemoved"])
    await the_run(office, "")
    assert {office.card(who, "Ada")["jobTitle"] for who in EVERYBODY} == {"Countess"}


async def test_a_copy_of_a_copy_stays(office: Office) -> None:
    """Of two cards with one marker in a mailbox nobody can say which the mirror made: both stay."""
    furnish(office)
    await the_run(office, "monday")
    office.box("cem").copy_contact(office.card("cem", "Alan")["id"])
    await lose_links(office)
    report = await undo(office)
    assert (report.outcome, office.names("cem")) == ("partial", ["Alan", "Alan"])
