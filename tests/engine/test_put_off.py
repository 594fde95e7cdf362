"""A card whose write Graph puts off for ever is that card's matter, unless its whole mailbox fares no better."""

import pytest

from shared.sync.report import MailboxOutcome, TenantReport
from tests.emulator import Answer, Fault, Throttled
from tests.emulator.faults import Action
from tests.engine.office import Office, person, written

ALL = ("hub", "ann", "bob", "cem")
NAMES = [f"Friend {number}" for number in range(9)]
PUT_OFF: dict[str, Action] = {
    "429": Throttled(1),
    "503": Answer(503, body=b""),
    "503 with a wait": Throttled(20, status=503),
    "504": Answer(504, "UnknownError"),
}
HOW = pytest.mark.parametrize("how", PUT_OFF)
WHERE = pytest.mark.parametrize("where", ["hub", "ann"])


async def furnish(office: Office) -> None:
    """Everybody has nine contacts, and the mirror is at rest."""
    for name in NAMES:
        office.box("cem").add_contact(person(name))
    for _ in range(3):
        await office.run()
        office.emulator.clock.advance(3600)


def in_turn(office: Office) -> list[str]:
    """The contacts in the order in which they are written: by their sync ids."""
    notes = {card["displayName"]: card["personalNotes"] for card in office.cards("hub")}
    return sorted(NAMES, key=lambda name: notes[name].partition("SyncId=")[2])


def edit(office: Office, names: list[str]) -> None:
    """Bob gives these contacts a title."""
    for name in names:
        office.box("bob").edit_contact(office.card("bob", name)["id"], {"jobTitle": "Dr"})


def put_off(office: Office, where: str, name: str, how: str) -> Fault:
    """Whatever is to be changed of this card, Graph has no time for it."""
    card = office.card(where, name)["id"]
    fault = Fault(action=PUT_OFF[how], method="PATCH", path=card, count=None)
    office.emulator.faults.add(fault)
    return fault


def titled(office: Office, where: str) -> list[str]:
    """Who has the title there."""
    return sorted(card["displayName"] for card in office.cards(where) if card["jobTitle"] == "Dr")


def lines(report: TenantReport) -> list[tuple[str, str]]:
    """Mailbox and code of each problem."""
    return [(problem.mailbox, problem.code) for problem in report.problems]


async def assert_heals(office: Office, names: list[str], *, after_hours: int) -> None:
    """Without the fault everybody has the edits at that time, and the mirror is at rest."""
    office.emulator.faults.clear()
    office.emulator.clock.advance(after_hours * 3600)
    await office.run()
    assert {where: titled(office, where) for where in ALL} == dict.fromkeys(ALL, names)
    office.emulator.clock.advance(3600)
    assert written(await office.report()) == 0


@HOW
@WHERE
async def test_a_card_that_is_always_put_off_holds_up_nothing(office: Office, where: str, how: str) -> None:
    """It is quarantined and reported, as others of its mailbox are written; it comes to no harm, and is made good."""
    await furnish(office)
    edit(office, NAMES)
    first, *others = in_turn(office)
    poison = put_off(office, where, first, how)
    report = await office.report()
    assert (report.outcome, set(report.mailboxes)) == ("ok", {MailboxOutcome.SYNCED})
    assert lines(report) == [(f"{where}@contoso.com", "ItemRefused")]
    for name in ALL:
        lacks = name == where or (where == "hub" and name != "bob")
        assert titled(office, name) == (sorted(others) if lacks else NAMES)
    tried = poison.happened
    office.emulator.clock.advance(3600)
    assert lines(await office.report()) == [(f"{where}@contoso.com", "Quarantined")]
    assert poison.happened == tried
    await assert_heals(office, NAMES, after_hours=25)


@WHERE
async def test_four_such_cards_at_once_hold_up_nothing(office: Office, where: str) -> None:
    """They keep all who write the mailbox busy for minutes; the first that is written after them speaks for it."""
    await furnish(office)
    edit(office, NAMES)
    first, others = in_turn(office)[:4], in_turn(office)[4:]
    for name in first:
        put_off(office, where, name, "503")
    report = await office.report()
    assert (report.outcome, lines(report)) == ("ok", [(f"{where}@contoso.com", "ItemRefused")] * 4)
    assert titled(office, where) == sorted(others)
    await assert_heals(office, NAMES, after_hours=25)


@HOW
@WHERE
async def test_the_only_write_of_a_mailbox_waits_for_the_next_run(office: Office, where: str, how: str) -> None:
    """Card or mailbox, nobody can tell: the card is reported and soon tried again, and the tenant goes on."""
    await furnish(office)
    edit(office, NAMES[:1])
    put_off(office, where, NAMES[0], how)
    office.tenant.add_user("dan@contoso.com")
    report = await office.report()
    assert (report.outcome, set(report.mailboxes)) == ("ok", {MailboxOutcome.SYNCED})
    code = "Throttled" if how == "429" else "GraphUnavailable"
    assert lines(report) == [(f"{where}@contoso.com", code)]
    assert set(NAMES[1:]) <= set(office.names("dan"))
    await assert_heals(office, NAMES[:1], after_hours=1)


@WHERE
async def test_a_mailbox_that_takes_no_write_has_failed(office: Office, where: str) -> None:
    """Where all writes are put off it is no card's matter: none is quarantined, and the next run writes all."""
    await furnish(office)
    edit(office, NAMES)
    for name in NAMES:
        put_off(office, where, name, "503")
    report = await office.report()
    assert report.outcome == ("failed" if where == "hub" else "partial")
    codes = [report.error.code] if report.error else [code for _, code in lines(report)]
    assert codes == ["GraphUnavailable"]
    assert titled(office, where) == []
    await assert_heals(office, NAMES, after_hours=1)
