"""Sixteen ways in which an older automation of this kind lost data, and that this one has none of them."""

import logging

import pytest

from shared.engine.options import RunOptions
from tests.emulator import Answer, Fault, MailboxState, Run
from tests.engine.office import Office, person, values, written

SECRET_NOTE = "Owes me lunch.\r\n\r\n  Never before ten."


async def test_01_a_persons_note_survives_the_stamp(office: Office) -> None:
    """The note of a card stays to the letter when the card is mirrored, and goes nowhere else."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", personalNotes=SECRET_NOTE))
    await office.run()
    assert office.card("ann", "Grace Hopper")["personalNotes"].startswith(f"{SECRET_NOTE}\r\nSyncId=")
    for name in ("hub", "bob", "cem"):
        assert "lunch" not in office.card(name, "Grace Hopper")["personalNotes"]


async def test_02_a_failed_read_is_not_an_empty_mailbox(office: Office) -> None:
    """A mailbox whose read fails on a later page is left alone, and its cards are not made again."""
    for number in range(30):
        office.box("ann").add_contact(person(f"Person {number:02d}", f"p{number}@x.org"))
    await office.run()
    office.emulator.faults.add(
        Fault(action=Answer(500, "ErrorInternalServerError"), mailbox="bob@contoso.com", method="GET", count=None)
    )
    office.box("ann").add_contact(person("New One", "new@x.org"))
    report = await office.report()
    assert [problem.mailbox for problem in report.problems] == ["bob@contoso.com"]
    assert len(office.cards("bob")) == 30
    office.emulator.faults.clear()
    await office.run()
    assert len(office.cards("bob")) == 31


async def test_03_the_latest_edit_wins_and_edits_of_different_fields_both_live(office: Office) -> None:
    """Neither the order of users nor a second edit of the same card in the same hour loses what a person typed."""
    office.box("cem").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1", jobTitle="Lt."))
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Grace Hopper")["id"], {"mobilePhone": "2"})
    office.emulator.clock.advance(60)
    office.box("bob").edit_contact(office.card("bob", "Grace Hopper")["id"], {"mobilePhone": "3"})
    office.emulator.clock.advance(60)
    office.box("cem").edit_contact(office.card("cem", "Grace Hopper")["id"], {"jobTitle": "Adm."})
    report = await office.report()
    for name in ("hub", "ann", "bob", "cem"):
        card = office.card(name, "Grace Hopper")
        assert (card["mobilePhone"], card["jobTitle"]) == ("3", "Adm.")
    assert "2" in {str(one.conflict.loser) for one in report.conflicts}


async def test_04_what_is_missing_is_put_back_once(office: Office) -> None:
    """Nothing is ever deleted: a card that vanished anywhere is put back, and not doubled."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil"))
    await office.run()
    office.box("bob").delete_contact(office.card("bob", "Grace Hopper")["id"])
    office.box("hub").delete_contact(office.card("hub", "Grace Hopper")["id"])
    await office.run()
    assert all(office.names(name) == ["Grace Hopper"] for name in ("hub", "ann", "bob", "cem"))
    assert written(await office.report()) == 0


async def test_05_an_absent_value_never_comes_from_a_payload(office: Office) -> None:
    """A value that one person fills in reaches all, also where another's card lacks it."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    office.box("bob").add_contact(person("Grace Hopper", "grace@navy.mil"))
    await office.run()
    assert values((office.card(name, "Grace Hopper") for name in ("hub", "ann", "bob", "cem")), "mobilePhone") == {"1"}


async def test_06_the_whole_card_is_mirrored(office: Office) -> None:
    """Addresses, birthday, names in every script, phones, web page and categories arrive."""
    whole = person(
        "Dr. Hanako Yamada", "hanako@yamada.jp", givenName="Hanako", middleName="M.", surname="Yamada", title="Dr.",
        nickName="Hana", generation="II", yomiGivenName="はなこ", yomiSurname="やまだ", companyName="Yamada",
        businessAddress={"street": "1 Way\n2nd floor", "city": "Tokyo", "postalCode": "1", "countryOrRegion": "JP"},
        birthday="1985-04-12T00:00:00Z", businessHomePage="https://yamada.jp", businessPhones=["1", "2"],
        homePhones=["3"], mobilePhone="4", imAddresses=["sip:h@y.jp"], children=["Taro"], spouseName="Ken",
        manager="Boss", assistantName="Aki", profession="Chef", officeLocation="7", department="Food",
        categories=["Customer", "Tokyo"],
    )  # fmt: skip
    office.box("ann").add_contact(whole)
    await office.run()
    mine, theirs = office.card("ann", "Dr. Hanako Yamada"), office.card("bob", "Dr. Hanako Yamada")
    for field in whole.keys() - {"emailAddresses", "categories"}:
        assert theirs[field] == mine[field], field
    assert sorted(theirs["categories"]) == ["Customer", "Tokyo"]


async def test_07_people_who_share_an_address_or_a_name_stay_apart(office: Office) -> None:
    """Two people behind info@, and a namesake with an address of his own, are three contacts."""
    office.box("ann").add_contact(person("Ann Front", "info@x.org"))
    office.box("ann").add_contact(person("Bo Back", "info@x.org"))
    office.box("bob").add_contact(person("John Smith", "john@x.org"))
    office.box("cem").add_contact(person("John Smith", mobilePhone="1"))
    await office.run()
    for name in ("hub", "ann", "bob", "cem"):
        assert office.names(name) == ["Ann Front", "Bo Back", "John Smith", "John Smith"]


async def test_08_two_cards_with_one_address_do_not_double(office: Office) -> None:
    """Two equal cards in one mailbox become one contact; the second is left alone and counted."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil"))
    office.box("ann").add_contact(person("Grace Hopper", "GRACE@navy.mil"))
    report = await office.report()
    assert report.duplicates == 1
    assert (office.names("hub"), len(office.cards("ann")), len(office.cards("bob"))) == (["Grace Hopper"], 2, 1)


async def test_09_private_cards_stay_private(office: Office) -> None:
    """Outlook's Private flag and an excluded category keep a card in its mailbox."""
    office.box("ann").add_contact(person("Dr. Weber"), private=True)
    office.box("ann").add_contact(person("Mum", categories=["family"]))
    office.box("ann").add_contact(person("Grace Hopper"))
    report = await office.report(ExcludeCategories=["Family"])
    assert report.private == 2
    assert office.names("hub") == office.names("bob") == ["Grace Hopper"]


async def test_10_a_token_that_expires_in_the_run_is_renewed(office: Office) -> None:
    """A run that is longer than a token's life goes on with a new one."""
    office.box("ann").add_contact(person("Grace Hopper"))

    def pass_an_hour() -> None:
        office.emulator.clock.advance(4000)

    office.emulator.faults.add(Fault(action=Run(then=pass_an_hour), path=r"contactFolders$", method="POST"))
    report = await office.report()
    assert report.outcome == "ok"
    assert office.names("cem") == ["Grace Hopper"]


async def test_11_a_broken_tenant_does_not_stop_the_others(office: Office) -> None:
    """A tenant without users, and one with a wrong secret, fail alone."""
    office.box("ann").add_contact(person("Grace Hopper"))
    empty = Office(office.emulator, domain="empty.example")
    hubless = Office(office.emulator, "dan", domain="hubless.example")
    hubless.tenant.remove_user("hub@hubless.example")
    run = await office.run()
    outcomes = {tenant.tenant_id: tenant.outcome.value for tenant in run.tenants}
    assert outcomes == {office.tenant.id: "ok", empty.tenant.id: "failed", hubless.tenant.id: "failed"}
    assert office.names("bob") == ["Grace Hopper"]


async def test_12_a_dry_run_writes_nothing_and_tells_both_steps(office: Office) -> None:
    """Not even the folder is made, and what step 2 would do with step 1's outcome is in the report."""
    office.box("ann").add_contact(person("Grace Hopper"))
    office.emulator.log.clear()
    report = await office.report(RunOptions(dry_run=True))
    assert office.writes() == []
    assert not office.has_hub_folder()
    assert (report.step1.created, report.step2.created) == (1, 2)


async def test_13_logs_hold_no_personal_data(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """No name, address, number or note of a contact is logged at any level."""
    caplog.set_level(logging.DEBUG)
    office.box("ann").add_contact(
        person("Grace Hopper", "grace@navy.mil", mobilePhone="555-0100", personalNotes="lunch")
    )
    await office.run()
    assert caplog.records
    assert not any(word in caplog.text for word in ("Hopper", "grace@", "555-0100", "lunch"))


async def test_14_users_without_a_mailbox_are_skipped(office: Office) -> None:
    """A licensed user without a mailbox costs no write and is no failure."""
    office.tenant.add_user("ghost@contoso.com", state=MailboxState.NONE)
    office.box("ann").add_contact(person("Grace Hopper"))
    report = await office.report()
    assert [outcome.value for outcome in report.mailboxes].count("skipped") == 1
    assert (report.outcome, report.has_failure) == ("ok", False)


async def test_15_blank_lines_and_a_persons_own_tags_stay(office: Office) -> None:
    """Stamping drops neither blank lines nor a sentence that happens to say SyncId."""
    note = "\r\nSyncId is what they call it\r\n\r\nCreatedBy=me\r\n"
    office.box("ann").add_contact(person("Grace Hopper", personalNotes=note))
    await office.run()
    assert office.card("ann", "Grace Hopper")["personalNotes"].startswith(f"{note}\r\nSyncId=")


async def test_16_no_secret_in_report_or_log(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """A refused secret is named by its tenant, never by its value."""
    caplog.set_level(logging.DEBUG)
    run = await office.run(ClientSecret="s3cr3t-value-nobody-may-see")
    assert run.outcome == "failed"
    assert "s3cr3t-value" not in caplog.text + str(run.to_json()) + repr(run)
