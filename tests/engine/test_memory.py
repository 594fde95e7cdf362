"""What the memory between runs adds: clears, honest conflicts, deletions by policy, and a life without it."""

import pytest

from shared.engine.options import RunOptions
from shared.state.memory import MemoryStateStore
from shared.sync.stamp import read_stamp
from tests.emulator import Answer, Emulator, Fault
from tests.emulator.generator import populate
from tests.engine.office import Office, person, written

EVERYBODY = ("hub", "ann", "bob", "cem")
HOUR = 3600


async def company_of(office: Office, *names: str) -> None:
    """Ann brings these contacts, and a first run spreads them."""
    for name in names:
        office.box("ann").add_contact(person(name, f"{name.lower()}@x.org", mobilePhone="1", jobTitle="CEO"))
    await office.run()
    office.emulator.clock.advance(HOUR)


def edit(office: Office, who: str, name: str, **fields: object) -> None:
    """Somebody saves a card; a minute passes."""
    office.box(who).edit_contact(office.card(who, name)["id"], fields)
    office.emulator.clock.advance(60)


def delete(office: Office, who: str, *names: str) -> None:
    """Somebody deletes cards."""
    for name in names:
        office.box(who).delete_contact(office.card(who, name)["id"])


@pytest.mark.parametrize("who", EVERYBODY)
async def test_clearing_a_field_reaches_everybody(office: Office, who: str) -> None:
    """A number that anybody removes, in the hub too, is gone everywhere after one run, and stays gone."""
    await company_of(office, "Grace")
    edit(office, who, "Grace", mobilePhone=None)
    report = await office.report()
    assert [office.card(name, "Grace")["mobilePhone"] for name in EVERYBODY] == [None] * 4
    assert report.disagreements == 0
    assert written(await office.report()) == 0


async def test_a_plain_edit_is_no_conflict(office: Office) -> None:
    """One person's change of a mirrored card replaces the old value without a word."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2")
    report = await office.report()
    assert report.conflicts == ()
    assert {office.card(name, "Grace")["mobilePhone"] for name in EVERYBODY} == {"2"}


async def test_a_true_conflict_names_both_values(office: Office) -> None:
    """Two changes of one field in one hour: the later counts, the earlier is in the report and in the history."""
    await company_of(office, "Grace")
    edit(office, "ann", "Grace", mobilePhone="2")
    edit(office, "bob", "Grace", mobilePhone=None)
    (reported,) = (await office.report()).conflicts
    assert (reported.conflict.winner, reported.conflict.loser) == (None, "2")
    history = await office.state.versions_since(office.tenant.id, 1)
    assert [version.contact.get("mobilePhone") for version in history] == ["1", "2", None]
    assert {office.card(name, "Grace")["mobilePhone"] for name in EVERYBODY} == {None}


async def test_a_deleted_card_comes_back_by_default(office: Office) -> None:
    """Nothing is ever deleted: the card is put back, and counted as restored."""
    await company_of(office, "Grace", "Ada")
    delete(office, "bob", "Grace")
    delete(office, "hub", "Ada")
    report = await office.report()
    assert report.restored == 2
    assert all(office.names(name) == ["Ada", "Grace"] for name in EVERYBODY)


async def test_a_card_that_everybody_deleted_comes_back_from_memory(office: Office) -> None:
    """A contact that stands nowhere any more is put back from its last version."""
    await company_of(office, "Grace")
    for name in EVERYBODY:
        delete(office, name, "Grace")
    await office.run()
    assert all(office.card(name, "Grace")["jobTitle"] == "CEO" for name in EVERYBODY)


async def test_the_hub_decides_on_deletions(office: Office) -> None:
    """With `hub`, what is deleted there goes everywhere, what a user deletes comes back, and neither returns."""
    await company_of(office, "Grace", "Ada")
    delete(office, "hub", "Grace")
    delete(office, "bob", "Ada")
    report = await office.report(DeletePolicy="hub")
    assert (report.deleted, report.restored) == (3, 1)
    assert all(office.names(name) == ["Ada"] for name in EVERYBODY)
    assert written(await office.report(DeletePolicy="hub")) == 0


async def test_a_deletion_anywhere_counts_with_everywhere(office: Office) -> None:
    """With `everywhere`, a card that one user deletes goes from all mailboxes and the hub."""
    await company_of(office, "Grace", "Ada")
    delete(office, "bob", "Ada")
    await office.run(DeletePolicy="everywhere")
    assert all(office.names(name) == ["Grace"] for name in EVERYBODY)


async def test_an_edit_beats_a_deletion(office: Office) -> None:
    """A contact deleted in the hub and edited by a user in the same hour stays, with the edit."""
    await company_of(office, "Grace")
    delete(office, "hub", "Grace")
    edit(office, "bob", "Grace", mobilePhone="2")
    await office.run(DeletePolicy="hub")
    assert {office.card(name, "Grace")["mobilePhone"] for name in EVERYBODY} == {"2"}


async def test_a_deleted_card_that_somebody_restores_lives_again(office: Office) -> None:
    """Taken back from Deleted Items, a contact is everybody's again."""
    await company_of(office, "Grace")
    card = office.card("bob", "Grace")["id"]
    delete(office, "hub", "Grace")
    await office.run(DeletePolicy="hub")
    office.box("bob").restore_contact(card)
    await office.run(DeletePolicy="hub")
    assert all(office.names(name) == ["Grace"] for name in EVERYBODY)


async def test_the_guard_refuses_a_mass_deletion(office: Office) -> None:
    """More deletions than plausible: none is carried out, the rest of the run is, and both ways out are named."""
    names = [f"Person{number:02d}" for number in range(15)]
    await company_of(office, *names)
    delete(office, "hub", *names[:12])
    edit(office, "bob", names[14], mobilePhone="2")
    report = await office.report(DeletePolicy="hub")
    assert (report.outcome, report.deleted, report.restored) == ("failed", 0, 0)
    assert report.error is not None
    assert "--allow-deletes 12" in report.error.hint
    assert "--restore-deletes" in report.error.hint
    assert office.card("cem", names[14])["mobilePhone"] == "2"
    assert (len(office.cards("hub")), len(office.cards("bob"))) == (3, 15)
    assert written(await office.report(DeletePolicy="hub")) == 0


async def test_a_dozen_deletions_of_many_are_plausible(office: Office) -> None:
    """Twelve of a hundred and thirty are less than a tenth, and no mailbox looks emptied by them."""
    names = [f"Person{number:03d}" for number in range(130)]
    await company_of(office, *names)
    await office.run(DeletePolicy="hub")
    delete(office, "hub", *names[:12])
    report = await office.report(DeletePolicy="hub")
    assert (report.outcome, report.deleted) == ("ok", 36)


async def test_a_refused_deletion_can_be_released(office: Office) -> None:
    """With `--allow-deletes` and the number, the pending deletions are carried out."""
    names = [f"Person{number:02d}" for number in range(15)]
    await company_of(office, *names)
    delete(office, "hub", *names[:12])
    await office.run(DeletePolicy="hub")
    report = await office.report(RunOptions(allowed_deletes=12), DeletePolicy="hub")
    assert (report.outcome, report.deleted) == ("ok", 36)
    assert all(office.names(name) == names[12:] for name in EVERYBODY)


async def test_a_refused_deletion_can_be_put_back(office: Office) -> None:
    """With `--restore-deletes` what is missing is put back."""
    names = [f"Person{number:02d}" for number in range(15)]
    await company_of(office, *names)
    delete(office, "hub", *names[:12])
    await office.run(DeletePolicy="hub")
    report = await office.report(RunOptions(restores_deletes=True), DeletePolicy="hub")
    assert (report.outcome, report.restored) == ("ok", 12)
    assert all(office.names(name) == names for name in EVERYBODY)


@pytest.mark.parametrize("policy", ["restore", "hub", "everywhere"])
async def test_a_hub_folder_that_is_gone_is_refilled(office: Office, policy: str) -> None:
    """A deleted hub folder is no deletion of contacts under any policy: it is made again and refilled."""
    names = [f"Person{number:02d}" for number in range(15)]
    await company_of(office, *names)
    box = office.box("hub")
    folder = next(folder for folder in box.folders if folder.name == "All Contacts")
    box.delete_folder(folder.id)
    report = await office.report(DeletePolicy=policy)
    assert report.outcome == "ok"
    assert all(office.names(name) == names for name in EVERYBODY)


async def test_an_emptied_mailbox_is_no_deletion(office: Office) -> None:
    """Under `everywhere`, a mailbox of ten or more that is suddenly empty trips the guard."""
    names = [f"Person{number:02d}" for number in range(10)]
    await company_of(office, *names)
    delete(office, "bob", *names)
    report = await office.report(DeletePolicy="everywhere")
    assert report.outcome == "failed"
    assert len(office.cards("ann")) == 10


async def test_lost_state_costs_nothing_but_reading(office: Office) -> None:
    """Without its memory a run writes nothing that is not needed, and remembers again."""
    await company_of(office, "Grace", "Ada")
    office.state = MemoryStateStore()
    assert written(await office.report()) == 0
    office.emulator.clock.advance(HOUR)
    edit(office, "cem", "Ada", mobilePhone=None)
    await office.run()
    assert {office.card(name, "Ada")["mobilePhone"] for name in EVERYBODY} == {None}


async def test_no_note_and_no_secret_is_remembered(office: Office) -> None:
    """The state holds contacts, and neither notes nor secrets."""
    office.box("ann").add_contact(person("Grace", personalNotes="owes me lunch"))
    await office.run()
    text, _ = read_stamp(office.card("ann", "Grace")["personalNotes"])
    kept = repr(
        (await office.state.current_versions(office.tenant.id), await office.state.checkpoints(office.tenant.id))
    )
    assert text == "owes me lunch"
    assert "lunch" not in kept
    assert office.tenant.client_secret not in kept


async def test_what_the_server_changes_is_no_edit(emulator: Emulator) -> None:
    """A field that Exchange gives back otherwise than it was written is not taken for somebody's change."""
    emulator.switches.trim_strings = True
    emulator.switches.max_string_length = None
    office = Office(emulator)
    populate(office.tenant, users=3, contacts_per_user=10, overlap=0.4)
    await office.run()
    emulator.clock.advance(HOUR)
    report = await office.report()
    assert (written(report), report.conflicts) == (0, ())


async def test_old_deletions_neither_count_again_nor_come_back(office: Office) -> None:
    """What was deleted long ago does not trip the guard, and a change of policy does not bring it back."""
    names = [f"Person{number:02d}" for number in range(30)]
    await company_of(office, *names)
    for start in (0, 8):
        delete(office, "hub", *names[start : start + 8])
        assert (await office.report(DeletePolicy="hub")).outcome == "ok"
    assert written(await office.report(DeletePolicy="restore")) == 0
    assert len(office.cards("cem")) == 14


async def test_a_card_made_private_keeps_out_until_it_is_open_again(office: Office) -> None:
    """A shared card that its owner makes private neither gives nor takes in the hours after, and joins in again."""
    await company_of(office, "Grace")
    box, card = office.box("bob"), office.card("bob", "Grace")["id"]
    box.edit_contact(card, {"mobilePhone": "secret"}, private=True)
    await office.run()
    office.emulator.clock.advance(HOUR)
    edit(office, "ann", "Grace", jobTitle="CTO")
    assert (await office.report()).outcome == "ok"
    assert office.card("bob", "Grace")["jobTitle"] == "CEO"
    assert "secret" not in {office.card(name, "Grace")["mobilePhone"] for name in ("hub", "ann", "cem")}
    office.emulator.clock.advance(HOUR)
    box.edit_contact(card, {"mobilePhone": "9"}, private=False)
    await office.run()
    assert {(one["mobilePhone"], one["jobTitle"]) for one in (office.card(n, "Grace") for n in EVERYBODY)} == {
        ("9", "CTO")
    }
    assert written(await office.report()) == 0


async def test_a_private_hub_card_leaves_the_contact_alone(office: Office) -> None:
    """While the hub's card is private, nobody's change of the contact goes anywhere, in the hours after either."""
    await company_of(office, "Grace")
    office.box("hub").edit_contact(office.card("hub", "Grace")["id"], {}, private=True)
    for _ in range(2):
        edit(office, "ann", "Grace", jobTitle="CTO")
        assert written(await office.report()) == 0
    assert office.card("cem", "Grace")["jobTitle"] == "CEO"


async def test_with_update_existing_off_only_newcomers_are_written(office: Office) -> None:
    """Existing cards and what is remembered of them stay; what was edited meanwhile arrives when it is on again."""
    await company_of(office, "Grace")
    edit(office, "ann", "Grace", jobTitle="CTO")
    assert written(await office.report(UpdateExisting=False)) == 0
    await office.run(RunOptions(full=True))
    assert {office.card(name, "Grace")["jobTitle"] for name in EVERYBODY} == {"CTO"}


async def test_a_known_user_whom_the_filter_misses_stays(office: Office) -> None:
    """The licence index has lost Bob for an hour: he is asked for by id, and gets his contact all the same."""
    await company_of(office, "Grace")
    office.tenant.user("bob@contoso.com").indexed = False
    edit(office, "ann", "Grace", jobTitle="CTO")
    report = await office.report()
    assert (len(report.mailboxes), office.card("bob", "Grace")["jobTitle"]) == (3, "CTO")


async def test_a_user_who_lost_the_licence_leaves(office: Office) -> None:
    """Without a licence, or gone from the directory, somebody is no spoke any more, and no failure."""
    await company_of(office, "Grace")
    office.tenant.user("bob@contoso.com").set_licensed(False)
    office.tenant.remove_user("cem@contoso.com")
    report = await office.report()
    assert (report.outcome, len(report.mailboxes)) == ("ok", 1)


async def test_an_old_card_of_a_newcomer_doubles_nothing(office: Office) -> None:
    """Cem joins with an old card of a remembered contact: it is brought up to date, and nobody gets a second one."""
    cem = office.tenant.user("cem@contoso.com")
    cem.set_licensed(False)
    office.box("cem").add_contact(person("Grace", "grace@x.org", mobilePhone="0"))
    office.emulator.clock.advance(HOUR)
    await company_of(office, "Grace")
    await office.run()
    office.emulator.clock.advance(HOUR)
    cem.set_licensed(True)
    await office.run()
    office.emulator.clock.advance(HOUR)
    assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4
    assert {office.card(name, "Grace")["mobilePhone"] for name in EVERYBODY} == {"1"}
    assert written(await office.report()) == 0


async def test_a_duplicate_takes_the_place_of_the_card_that_is_deleted(office: Office) -> None:
    """Ann had the contact twice and tidies up: under `everywhere` too, nobody loses it, and nobody gets a third."""
    await company_of(office, "Grace")
    office.box("ann").copy_contact(office.card("ann", "Grace")["id"])
    for _ in range(2):
        assert (await office.report(DeletePolicy="everywhere")).duplicates == 1
        office.emulator.clock.advance(HOUR)
    first = min(office.cards("ann"), key=lambda card: card["createdDateTime"])
    office.box("ann").delete_contact(first["id"])
    report = await office.report(DeletePolicy="everywhere")
    assert (report.outcome, report.deleted, report.duplicates) == ("ok", 0, 0)
    assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4


async def test_an_old_duplicate_brings_no_deleted_contact_back(office: Office) -> None:
    """Deleted in the hub, the contact goes; Ann's second card of it stays with her, until she edits it."""
    await company_of(office, "Grace")
    copy = office.box("ann").copy_contact(office.card("ann", "Grace")["id"])
    await office.run(DeletePolicy="hub")
    delete(office, "hub", "Grace")
    for full in (False, True, False):
        await office.run(RunOptions(full=full), DeletePolicy="hub")
        office.emulator.clock.advance(HOUR)
    assert [office.names(name) for name in EVERYBODY] == [[], ["Grace"], [], []]
    office.box("ann").edit_contact(copy, {"mobilePhone": "2"})
    await office.run(DeletePolicy="hub")
    assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4


async def test_with_update_existing_off_nobody_gets_a_second_card(office: Office) -> None:
    """The hub's card is the contact, even where a later word says what was current: no quiet mailbox is doubled."""
    await company_of(office, "Grace")
    await office.run()
    edit(office, "hub", "Grace", mobilePhone="2")
    for _ in range(2):
        await office.run(UpdateExisting=False)
        office.emulator.clock.advance(HOUR)
    edit(office, "hub", "Grace", mobilePhone=None)
    edit(office, "bob", "Grace", mobilePhone="2")
    assert written(await office.report(UpdateExisting=False)) == 0
    assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4


async def test_a_stamp_that_failed_is_made_good_by_the_next_run(office: Office) -> None:
    """A card of the hub's own that could not be stamped is told again, and not taken for an echo."""
    await company_of(office, "Grace")
    await office.run()
    office.box("hub").add_contact(person("Ada", "ada@x.org"), folder="All Contacts")
    office.emulator.faults.add(Fault(action=Answer(412), method="PATCH", mailbox="hub@contoso.com", count=2))
    await office.run()
    office.emulator.clock.advance(HOUR)
    await office.run()
    assert all(office.names(name) == ["Ada", "Grace"] for name in EVERYBODY)
    assert read_stamp(office.card("hub", "Ada")["personalNotes"])[1] is not None


async def test_a_contact_that_comes_back_comes_back_to_whoever_deleted_it(office: Office) -> None:
    """Bob's deletion went everywhere; Ann takes her card out of Deleted Items, and Bob has it again as well."""
    office.emulator.switches.delta_replays = False
    await company_of(office, "Grace")
    await office.run()
    lost = office.card("ann", "Grace")["id"]
    delete(office, "bob", "Grace")
    for _ in range(2):
        office.emulator.clock.advance(HOUR)
        await office.run(DeletePolicy="everywhere")
    assert [office.names(name) for name in EVERYBODY] == [[]] * 4
    office.box("ann").restore_contact(lost)
    for full in (False, False, True):
        office.emulator.clock.advance(HOUR)
        await office.run(RunOptions(full=full), DeletePolicy="everywhere")
        assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4


async def test_a_copy_is_judged_by_what_its_contact_becomes(office: Office) -> None:
    """Copied in the hub in the hour in which Ann gives the contact an address, the copy is somebody else at once."""
    await company_of(office, "Grace")
    await office.run()
    office.emulator.clock.advance(HOUR)
    await office.run()
    office.box("hub").copy_contact(office.card("hub", "Grace")["id"], folder="All Contacts")
    edit(office, "ann", "Grace", emailAddresses=[{"address": "g@other.org", "name": "Grace"}])
    office.emulator.clock.advance(HOUR)
    await office.run()
    assert [office.names(name) for name in EVERYBODY] == [["Grace", "Grace"]] * 4
    office.emulator.clock.advance(HOUR)
    assert written(await office.report(RunOptions(full=True))) == 0


@pytest.mark.parametrize("policy", ["hub", "everywhere"])
async def test_a_card_that_is_typed_anew_brings_its_contact_back(office: Office, policy: str) -> None:
    """Deleted in the hub while Ann deletes hers and types it again: she has spoken for it, so nobody loses it."""
    await company_of(office, "Grace")
    await office.run()
    typed = {
        key: office.card("ann", "Grace")[key] for key in ("displayName", "emailAddresses", "mobilePhone", "jobTitle")
    }
    delete(office, "hub", "Grace")
    delete(office, "ann", "Grace")
    office.box("ann").add_contact(typed)
    for _ in range(2):
        office.emulator.clock.advance(HOUR)
        await office.run(DeletePolicy=policy)
        assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4
    office.emulator.clock.advance(HOUR)
    assert written(await office.report(RunOptions(full=True), DeletePolicy=policy)) == 0


async def test_an_old_duplicate_is_the_card_of_a_contact_that_comes_back(office: Office) -> None:
    """Bob's second card stayed when the contact went; Ann brings it back, and Bob is not given a further one."""
    await company_of(office, "Grace")
    office.box("bob").copy_contact(office.card("bob", "Grace")["id"])
    await office.run(DeletePolicy="hub")
    lost = office.card("ann", "Grace")["id"]
    delete(office, "hub", "Grace")
    for _ in range(2):
        office.emulator.clock.advance(HOUR)
        await office.run(DeletePolicy="hub")
    assert [office.names(name) for name in EVERYBODY] == [[], [], ["Grace"], []]
    office.box("ann").restore_contact(lost)
    for full in (False, True):
        office.emulator.clock.advance(HOUR)
        await office.run(RunOptions(full=full), DeletePolicy="hub")
        assert [office.names(name) for name in EVERYBODY] == [["Grace"]] * 4
