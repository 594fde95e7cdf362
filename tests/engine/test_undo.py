"""A run is undone by a run of its own: hub and spokes go back, people's own cards and later edits stay."""

from unittest.mock import ANY

import pytest

from shared import bootstrap
from shared.bootstrap import Means
from shared.engine.options import RunOptions
from shared.engine.undo import Undoing, read_plan
from shared.errors import StateError
from shared.sync.report import RunReport, TenantReport
from shared.sync.undo import UndoPlan
from tests.engine.office import Office, person, written
from tests.engine.test_memory import EVERYBODY, HOUR, company_of, delete, edit

POLICIES = ["restore", "hub", "everywhere"]


async def plan_of(office: Office, run_id: str) -> UndoPlan:
    """What undoing the run would mean now."""
    plan = await read_plan(office.state, office.tenant.id, run_id)
    assert plan is not None
    return plan


async def carry_out(office: Office, plan: UndoPlan, run_id: str = "") -> RunReport:
    """Undo as planned."""
    environ, clock = office.emulator.environment(), office.emulator.clock
    work, trust = Undoing({office.tenant.id: plan}), office.emulator.ca_file
    clock.advance(HOUR)
    report = await bootstrap.carry_out(environ, RunOptions(run_id), work, Means(None, trust, clock, office.state))
    clock.advance(HOUR)
    return report


async def undo(office: Office, run_id: str, as_run: str = "") -> TenantReport:
    """Undo a run, in a run of that id."""
    (report,) = (await carry_out(office, await plan_of(office, run_id), as_run)).tenants
    assert (report.outcome, report.problems) == ("ok", ())
    return report


async def the_run(office: Office, run_id: str, **settings: object) -> TenantReport:
    """A run of that id; an hour passes."""
    report = await office.report(RunOptions(run_id), **settings)
    office.emulator.clock.advance(HOUR)
    return report


def phones(office: Office, name: str = "Grace") -> set[str]:
    """The number that each replica has."""
    return {office.card(who, name)["mobilePhone"] for who in EVERYBODY}


async def test_an_edit_goes_back_everywhere(office: Office) -> None:
    """Hub and spokes have the value from before the run again, and the next run writes nothing."""
    await company_of(office, "Grace", "Ada")
    edit(office, "bob", "Grace", mobilePhone="2", jobTitle=None)
    await the_run(office, "monday")
    report = await undo(office, "monday")
    assert phones(office) == {"1"}
    assert {office.card(who, "Grace")["jobTitle"] for who in EVERYBODY} == {"CEO"}
    assert (report.step1.updated, report.step2.updated) == (1, 3)
    assert written(await office.report()) == 0


async def test_an_undo_can_be_undone(office: Office) -> None:
    """It is a run like any other, on record under its own id."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2")
    await the_run(office, "monday")
    await undo(office, "monday", "tuesday")
    await undo(office, "tuesday", "wednesday")
    assert phones(office) == {"2"}
    runs = [record.run_id for record in await office.state.runs(office.tenant.id)]
    assert runs == ["wednesday", "tuesday", "monday", ANY]
    assert written(await office.report()) == 0


async def test_a_later_edit_stays(office: Office) -> None:
    """A field that somebody has changed since keeps that value; the plan says so."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2", jobTitle="CTO")
    await the_run(office, "monday")
    edit(office, "cem", "Grace", mobilePhone="3")
    await the_run(office, "tuesday")
    (step,) = (await plan_of(office, "monday")).steps
    assert step.kept == ("mobilePhone",)
    await undo(office, "monday")
    assert phones(office) == {"3"}
    assert {office.card(who, "Grace")["jobTitle"] for who in EVERYBODY} == {"CEO"}


async def test_an_edit_that_no_run_has_seen_is_not_lost(office: Office) -> None:
    """What somebody has typed since the last run wins over what goes back."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2", jobTitle="CTO")
    await the_run(office, "monday")
    plan = await plan_of(office, "monday")
    office.emulator.clock.advance(2 * HOUR)
    edit(office, "cem", "Grace", department="Navy")
    await carry_out(office, plan)
    await office.run()
    assert {office.card(who, "Grace")["department"] for who in EVERYBODY} == {"Navy"}
    assert phones(office) == {"1"}


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_created_contact_goes_and_its_owners_card_stays(office: Office, policy: str) -> None:
    """The mirror's copies are removed for good under every policy; the card that cem made stays his."""
    await company_of(office, "Grace")
    office.box("cem").add_contact(person("Alan", "alan@x.org", personalNotes="my doctor"))
    await the_run(office, "monday", DeletePolicy=policy)
    assert office.names("bob") == ["Alan", "Grace"]
    report = await undo(office, "monday")
    assert report.deleted == 3
    for _ in range(2):
        await the_run(office, "", DeletePolicy=policy)
        assert [office.names(who) for who in EVERYBODY] == [["Grace"], ["Grace"], ["Grace"], ["Alan", "Grace"]]
    assert written(await office.report(DeletePolicy=policy)) == 0


async def test_the_owners_next_edit_shares_it_again(office: Office) -> None:
    """Withdrawn is not forbidden: who edits the card wants it shared."""
    office.box("cem").add_contact(person("Alan", "alan@x.org"))
    await the_run(office, "monday")
    await undo(office, "monday")
    edit(office, "cem", "Alan", mobilePhone="5")
    await office.run()
    assert phones(office, "Alan") == {"5"}


async def test_a_copy_that_somebody_has_edited_stays(office: Office) -> None:
    """An edit beats the removal, also one that no run has seen yet: the undo says so, and the next run shares it."""
    office.box("cem").add_contact(person("Alan", "alan@x.org"))
    await the_run(office, "monday")
    edit(office, "bob", "Alan", mobilePhone="5")
    before = len(office.writes())
    (report,) = (await carry_out(office, await plan_of(office, "monday"))).tenants
    assert (report.outcome, [problem.code for problem in report.problems]) == ("partial", ["NotRemoved"])
    assert len(office.writes()) == before
    await office.run()
    assert phones(office, "Alan") == {"5"}


async def test_undoing_the_undo_of_a_creation_shares_it_again(office: Office) -> None:
    """The contact is everybody's again, each card once."""
    office.box("cem").add_contact(person("Alan", "alan@x.org"))
    await the_run(office, "monday")
    await undo(office, "monday", "tuesday")
    await undo(office, "tuesday")
    assert all(office.names(who) == ["Alan"] for who in EVERYBODY)
    assert written(await office.report()) == 0


@pytest.mark.parametrize("policy", ["hub", "everywhere"])
async def test_a_deletion_is_undone(office: Office, policy: str) -> None:
    """What a run deleted comes back everywhere, and stays."""
    await company_of(office, "Grace", "Ada")
    delete(office, "hub", "Grace")
    await the_run(office, "monday", DeletePolicy=policy)
    assert office.names("bob") == ["Ada"]
    await undo(office, "monday", "tuesday")
    for _ in range(2):
        assert all(office.names(who) == ["Ada", "Grace"] for who in EVERYBODY)
        assert written(await the_run(office, "", DeletePolicy=policy)) == 0
    await undo(office, "tuesday")
    assert office.names("hub") == office.names("bob") == ["Ada"]


async def test_nothing_else_is_written(office: Office) -> None:
    """What people have typed elsewhere waits for the next run, and is then not lost."""
    await company_of(office, "Grace", "Ada")
    edit(office, "bob", "Grace", mobilePhone="2")
    await the_run(office, "monday")
    edit(office, "cem", "Ada", mobilePhone="7")
    delete(office, "ann", "Ada")
    office.box("bob").add_contact(person("Alan", "alan@x.org"))
    await undo(office, "monday")
    assert office.card("hub", "Ada")["mobilePhone"] == "1"
    assert (office.names("hub"), office.names("ann")) == (["Ada", "Grace"], ["Grace"])
    await office.run()
    assert phones(office, "Ada") == {"7"}
    assert all(office.names(who) == ["Ada", "Alan", "Grace"] for who in EVERYBODY)


async def test_an_undo_that_is_cut_off_is_finished_by_the_next_run(office: Office) -> None:
    """The old values are the newest before the first card is written: a mailbox that was missed catches up."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2")
    await the_run(office, "monday")
    office.tenant.user("cem@contoso.com").set_licensed(False)
    await undo(office, "monday")
    assert office.card("cem", "Grace")["mobilePhone"] == "2"
    office.tenant.user("cem@contoso.com").set_licensed(True)
    await office.run()
    assert phones(office) == {"1"}


async def test_a_plan_that_is_no_longer_true_is_not_carried_out(office: Office) -> None:
    """When another run has written since it was shown, nothing is undone."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2", jobTitle="CTO")
    await the_run(office, "monday")
    plan = await plan_of(office, "monday")
    edit(office, "cem", "Grace", mobilePhone="3")
    await the_run(office, "tuesday")
    (report,) = (await carry_out(office, plan)).tenants
    assert report.error is not None
    assert (report.error.code, phones(office)) == (StateError.code, {"3"})


async def test_a_first_run_over_an_existing_address_book_creates_nothing_to_undo(office: Office) -> None:
    """Contacts that the hub had before anything was remembered are not taken for the run's own."""
    await company_of(office, "Grace")
    await office.state.forget_tenant(office.tenant.id)
    await the_run(office, "again")
    assert (await plan_of(office, "again")).moving == ()
