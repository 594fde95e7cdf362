"""What breaks, breaks alone; and nothing that happens between two requests loses or doubles a contact."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.engine.options import RunOptions
from shared.sync.report import MailboxOutcome
from tests.emulator import (
    Answer,
    ApplyThenAnswer,
    ApplyThenDrop,
    Conflict,
    Drop,
    Emulator,
    ExpireToken,
    Fault,
    MailboxState,
    Omit,
    Run,
    SpuriousUnauthorized,
    Switches,
    Throttled,
)
from tests.emulator.faults import Action
from tests.emulator.generator import populate
from tests.engine.office import Office, person, written
from tests.engine.test_convergence import assert_equal

EVERYBODY = ("hub", "ann", "bob", "cem")
HTML = b"<html><body>Bad gateway</body></html>"


def furnish(office: Office) -> None:
    """Ten contacts of three people, one of whom two know."""
    for number in range(4):
        office.box("ann").add_contact(
            person(f"Friend {number}", f"f{number}@x.example", personalNotes=f"note {number}")
        )
        office.box("bob").add_contact(person(f"Pal {number}", f"p{number}@x.example"))
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    office.box("cem").add_contact(person("Grace Hopper", "grace@navy.mil", jobTitle="Adm."))
    office.box("cem").add_contact(person("Ada Lovelace"))


NAMES = sorted(
    ["Ada Lovelace", "Grace Hopper", *(f"{kind} {number}" for kind in ("Friend", "Pal") for number in range(4))]
)


def assert_whole(office: Office) -> None:
    """Everybody has every contact once, and Ann her notes."""
    assert {name: office.names(name) for name in EVERYBODY} == dict.fromkeys(EVERYBODY, NAMES)
    for number in range(4):
        assert office.card("ann", f"Friend {number}")["personalNotes"].startswith(f"note {number}\r\nSyncId=")
    for name in EVERYBODY:
        grace = office.card(name, "Grace Hopper")
        assert (grace["mobilePhone"], grace["jobTitle"]) == ("1", "Adm.")


async def assert_heals(office: Office, *, within: int = 2) -> None:
    """Without the faults a few runs make all equal, and the next writes nothing."""
    office.emulator.faults.clear()
    for _ in range(within):
        office.emulator.clock.advance(3600)
        last = await office.run()
        assert last.exit_code == 0
    assert_whole(office)
    office.emulator.clock.advance(3600)
    assert written(await office.report()) == 0


@pytest.mark.parametrize("status", [400, 500])
async def test_a_card_that_exchange_refuses_holds_up_nothing(office: Office, status: int) -> None:
    """A card of Bob's that can never be written is a problem line; his other cards and everybody else are served."""
    furnish(office)
    await office.run()
    office.emulator.clock.advance(3600)
    poison = office.card("bob", "Grace Hopper")["id"]
    office.box("ann").edit_contact(office.card("ann", "Grace Hopper")["id"], {"mobilePhone": "2"})
    office.box("ann").edit_contact(office.card("ann", "Ada Lovelace")["id"], {"jobTitle": "Countess"})
    office.emulator.faults.add(Fault(action=Answer(status), method="PATCH", path=poison, count=None))
    report = await office.report()
    assert [(problem.mailbox, problem.code) for problem in report.problems] == [
        ("bob@contoso.com", "ItemInvalid" if status == 400 else "ItemRefused")
    ]
    assert (report.outcome, set(report.mailboxes)) == ("ok", {MailboxOutcome.SYNCED})
    phones = [office.card(name, "Grace Hopper")["mobilePhone"] for name in EVERYBODY]
    assert phones == ["2", "2", "1", "2"]
    assert {office.card(name, "Ada Lovelace")["jobTitle"] for name in EVERYBODY} == {"Countess"}


async def test_a_contact_that_the_hub_refuses_goes_nowhere(office: Office) -> None:
    """A contact that the hub does not take stays with its owner until it does; the others are mirrored."""
    office.box("ann").add_contact(person("Poison"))
    furnish(office)
    path = r"contactFolders/.+/contacts$"
    office.emulator.faults.add(
        Fault(action=Answer(400), method="POST", path=path, mailbox="hub@contoso.com", nth=3, count=1)
    )
    report = await office.report()
    assert [problem.mailbox for problem in report.problems] == ["hub@contoso.com"]
    assert len(office.names("hub")) == len(NAMES)
    (missing,) = {*NAMES, "Poison"} - set(office.names("hub"))
    assert sum(missing in office.names(name) for name in ("ann", "bob", "cem")) in (1, 2)
    for _ in range(2):
        assert [problem.code for problem in (await office.report()).problems] == ["Quarantined"]
        assert sum(missing in office.names(name) for name in ("ann", "bob", "cem")) in (1, 2)
    await office.run(RunOptions(full=True))
    assert all(office.names(name) == sorted([*NAMES, "Poison"]) for name in EVERYBODY)


@pytest.mark.parametrize("mailbox", ["hub", "bob"])
async def test_what_was_refused_in_an_outage_is_made_good_a_day_later(office: Office, mailbox: str) -> None:
    """Nobody can tell a poisoned card from a server that failed three times, so it is tried once a day."""
    furnish(office)
    await office.run()
    office.box("ann").add_contact(person("Late"))
    refused = office.emulator.faults.add(
        Fault(action=Answer(500), method="POST", path="contacts$", mailbox=f"{mailbox}@contoso.com", count=3)
    )
    await office.run()
    for hours in (1, 22):
        office.emulator.clock.advance(hours * 3600)
        assert written(await office.report()) == 0
    assert refused.happened == 3
    assert "Late" not in office.names(mailbox)
    office.emulator.clock.advance(2 * 3600)
    await office.run()
    assert all(office.names(name) == sorted([*NAMES, "Late"]) for name in EVERYBODY)
    assert written(await office.report()) == 0


SKIPPED = [
    MailboxState.NONE, MailboxState.INACTIVE, MailboxState.ON_PREMISES, MailboxState.BLOCKED,
    MailboxState.NO_SUBSCRIPTION, MailboxState.NO_ADDRESS,
]  # fmt: skip


@pytest.mark.parametrize("state", [state for state in MailboxState if state is not MailboxState.HEALTHY])
async def test_a_mailbox_in_any_state_changes_nothing_for_the_others(office: Office, state: MailboxState) -> None:
    """The others are equal after the run; the mailbox has a code in the report, and catches up when it is well."""
    furnish(office)
    office.tenant.add_user("dan@contoso.com", state=state)
    report = await office.report()
    assert_whole(office)
    if state is not MailboxState.FLAPPING:
        outcome = MailboxOutcome.SKIPPED if state in SKIPPED else MailboxOutcome.FAILED
        assert report.mailboxes.count(outcome) == 1
        assert [problem.mailbox for problem in report.problems] == ["dan@contoso.com"]
        assert report.outcome == ("ok" if state in SKIPPED else "partial")
        failed = [] if state in SKIPPED else [(office.tenant.user("dan@contoso.com").id, report.problems[0].code)]
        assert [(one.mailbox_id, one.code) for one in report.failed] == failed
    office.tenant.user("dan@contoso.com").state = MailboxState.HEALTHY
    await assert_heals(office, within=1)
    assert office.names("dan") == NAMES


@pytest.mark.parametrize("state", [state for state in MailboxState if state is not MailboxState.HEALTHY])
async def test_a_mailbox_that_breaks_later_is_never_taken_for_empty(office: Office, state: MailboxState) -> None:
    """It cannot be read, and is well again when the run begins to write: what it holds is not made a second time."""
    furnish(office)
    await office.run()
    office.emulator.clock.advance(3600)
    office.tenant.user("bob@contoso.com").state = state
    office.box("ann").edit_contact(office.card("ann", "Ada Lovelace")["id"], {"jobTitle": "Countess"})

    def heal() -> None:
        office.tenant.user("bob@contoso.com").state = MailboxState.HEALTHY

    healing = office.emulator.faults.add(Fault(action=Run(first=heal), method="PATCH", mailbox="hub@contoso.com"))
    await office.run()
    assert healing.happened
    assert office.names("hub") == office.names("cem") == office.names("bob") == NAMES
    assert office.card("cem", "Ada Lovelace")["jobTitle"] == "Countess"
    await assert_heals(office, within=1)
    assert office.card("bob", "Ada Lovelace")["jobTitle"] == "Countess"


async def test_every_mailbox_refused_is_a_missing_permission(office: Office) -> None:
    """If nobody lets the application in, that is no matter of mailboxes: the tenant failed."""
    for name in office.people:
        office.tenant.user(f"{name}@contoso.com").state = MailboxState.BLOCKED
    report = await office.report()
    assert report.error
    assert (report.outcome, report.error.code) == ("failed", "InsufficientPrivileges")


def break_hub(office: Office) -> None:
    """Let the shared mailbox refuse the application."""
    office.tenant.user("hub@contoso.com").state = MailboxState.BLOCKED


def break_roles(office: Office) -> None:
    """Take all permissions away."""
    office.tenant.roles = ()


def break_secret(office: Office) -> None:
    """Let the secret expire."""
    office.tenant.secret_expired = True


@pytest.mark.parametrize(
    ("how", "code"),
    [(break_hub, "InsufficientPrivileges"), (break_roles, "InsufficientPrivileges"), (break_secret, "SignIn")],
)
async def test_a_broken_tenant_changes_nothing_for_the_others(
    office: Office, how: Callable[[Office], None], code: str
) -> None:
    """The tenant fails with an error and a hint, untouched; the other one is mirrored."""
    other = Office(office.emulator, "eve", "fay", domain="fabrikam.com")
    other.box("eve").add_contact(person("Alan Turing"))
    furnish(office)
    how(office)
    run = await office.run()
    mine, theirs = run.tenants
    assert mine.error
    assert (mine.outcome, theirs.outcome, run.exit_code) == ("failed", "ok", 1)
    assert (mine.error.code, bool(mine.error.hint)) == (code, True)
    assert other.names("hub") == other.names("fay") == ["Alan Turing"]
    assert not [one for one in office.emulator.log.writes() if one.mailbox.endswith("@contoso.com")]


STORMS: dict[str, Action] = {
    "429 with seconds": Throttled(2),
    "429 with a date": Throttled(-30),
    "429 without a wait": Throttled(None),
    "429 with rubbish": Throttled("soon"),
    "503": Answer(503, "ServiceUnavailable"),
    "503 without a body": Answer(503, body=b""),
    "502 with HTML": Answer(502, body=HTML),
    "504": Answer(504, "UnknownError"),
    "a spurious 401": SpuriousUnauthorized(),
    "an expired token": ExpireToken(),
    "a 412 out of nowhere": Conflict(),
    "a dropped connection": Drop(),
}


@pytest.mark.parametrize("name", STORMS)
async def test_a_run_in_bad_weather_converges(office: Office, name: str) -> None:
    """Every fourth request fails in the same way, reads and writes; in the end all is there, once."""
    furnish(office)
    action = STORMS[name]
    methods = ["GET", "PATCH"] if name.startswith("a 412") else [""]
    for method in methods:
        office.emulator.faults.add(Fault(action=action, method=method, path="^/(users|.batch)", every=4, count=60))
    await office.run()
    assert office.emulator.faults[0].happened > 0
    await assert_heals(office)


AMBIGUOUS: dict[str, Action] = {
    "applied, then 503": ApplyThenAnswer(503, "ServiceUnavailable"),
    "applied, then 504 without a body": ApplyThenAnswer(504, body=b""),
    "applied, then 500": ApplyThenAnswer(500, "ErrorInternalServerError"),
    "applied, then 502 with HTML": ApplyThenAnswer(502, body=HTML),
    "applied, then an empty 201": ApplyThenAnswer(201, body=b""),
    "applied, then HTML as a success": ApplyThenAnswer(200, body=HTML),
    "applied, then throttled": Throttled(1, applied=True),
    "applied, then dropped": ApplyThenDrop(),
    "applied, left out of the batch": Omit(),
}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_a_write_of_unknown_fate_makes_no_duplicate(office: Office, name: str, every: int) -> None:
    """Graph carries a create out and then says it failed: never is there a second card."""
    furnish(office)
    batched = True if name.endswith("batch") else None
    path = r"\.batch$|contacts$|contacts/" if name.endswith("dropped") else r"contacts$|contacts/"
    for method in ("POST", "PATCH"):
        office.emulator.faults.add(
            Fault(action=AMBIGUOUS[name], method=method, path=path, every=every, batched=batched, count=12)
        )
    await office.run()
    assert sum(fault.happened for fault in office.emulator.faults) > 0
    for mailbox in EVERYBODY:
        assert len(set(office.names(mailbox))) == len(office.names(mailbox))
    await assert_heals(office)


async def test_an_edit_between_our_read_and_our_write_is_not_lost(office: Office) -> None:
    """Bob saves a card just before the mirror patches it: his value stays, and wins as the later one."""
    furnish(office)
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Grace Hopper")["id"], {"mobilePhone": "2", "jobTitle": "Capt."})
    theirs = office.card("bob", "Grace Hopper")["id"]

    def bob_saves() -> None:
        office.emulator.clock.advance(1)
        office.box("bob").edit_contact(theirs, {"mobilePhone": "3", "personalNotes": "call her"})

    office.emulator.faults.add(Fault(action=Run(first=bob_saves), method="PATCH", path=theirs))
    await office.run()
    assert office.card("bob", "Grace Hopper")["mobilePhone"] == "3"
    office.emulator.clock.advance(3600)
    await office.run()
    for name in EVERYBODY:
        grace = office.card(name, "Grace Hopper")
        assert (grace["mobilePhone"], grace["jobTitle"]) == ("3", "Capt.")
    assert office.card("bob", "Grace Hopper")["personalNotes"].startswith("call her")


async def test_a_note_typed_between_our_read_and_our_stamp_is_not_lost(office: Office) -> None:
    """Ann types a note just before her card is stamped: it is there to the letter, above the stamp."""
    card = office.box("ann").add_contact(person("Grace Hopper"))

    def ann_types() -> None:
        office.emulator.clock.advance(1)
        office.box("ann").edit_contact(card, {"personalNotes": "Likes tea.\r\n\r\nNo milk."})

    office.emulator.faults.add(Fault(action=Run(first=ann_types), method="PATCH", path=card))
    await office.run()
    await office.run()
    assert office.card("ann", "Grace Hopper")["personalNotes"].startswith("Likes tea.\r\n\r\nNo milk.\r\nSyncId=")


async def test_a_card_deleted_between_our_read_and_our_write_costs_a_line_at_most(office: Office) -> None:
    """Nobody else notices, and the next run puts the card back."""
    furnish(office)
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Grace Hopper")["id"], {"jobTitle": "Adm."})
    office.box("ann").edit_contact(office.card("ann", "Ada Lovelace")["id"], {"jobTitle": "Countess"})
    theirs = office.card("bob", "Ada Lovelace")["id"]

    def bob_deletes() -> None:
        office.box("bob").delete_contact(theirs)

    office.emulator.faults.add(Fault(action=Run(first=bob_deletes), path=theirs))
    report = await office.report()
    assert {problem.code for problem in report.problems} <= {"ItemGone"}
    assert office.card("cem", "Ada Lovelace")["jobTitle"] == "Countess"
    await assert_heals(office)
    assert office.card("bob", "Ada Lovelace")["jobTitle"] == "Countess"


async def test_contacts_added_and_removed_while_the_run_reads_are_no_trouble(office: Office) -> None:
    """A card typed in during the run comes with the next one; nothing is doubled."""
    furnish(office)

    def cem_types() -> None:
        office.box("cem").add_contact(person("Late Arrival"))

    office.emulator.faults.add(Fault(action=Run(then=cem_types), method="POST", path=r"contacts$", nth=2))
    await office.run()
    office.emulator.clock.advance(3600)
    await office.run()
    assert all(office.names(name) == sorted([*NAMES, "Late Arrival"]) for name in EVERYBODY)
    assert written(await office.report()) == 0


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8, 13, 21, 27, 34, 45])
async def test_crash_safety_whichever_request_is_the_last(office: Office, nth: int) -> None:
    """The run is killed at its n-th request: the next one reaches the same end, without duplicates or lost notes."""
    furnish(office)
    await _crash_at(office, nth)
    assert sum(len(office.names(name)) for name in EVERYBODY) < 4 * len(NAMES)
    await assert_heals(office, within=1)


@pytest.mark.parametrize("nth", [2, 4, 7, 11])
async def test_crash_safety_of_several_crashes_in_a_row(office: Office, nth: int) -> None:
    """Killed again and again, a bit later each time, the mirror never doubles anything."""
    furnish(office)
    for more in range(4):
        await _crash_at(office, nth * (more + 1))
        office.emulator.clock.advance(300)
        for mailbox in EVERYBODY:
            assert len(set(office.names(mailbox))) == len(office.names(mailbox))
    await assert_heals(office, within=1)


async def _crash_at(office: Office, nth: int) -> None:
    """One run whose task is cancelled when Graph has just carried out its n-th request, if it gets so far."""
    task = asyncio.create_task(office.run())
    fault = office.emulator.faults.add(Fault(action=Run(then=task.cancel), path="^/users", nth=nth))
    (end,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError) == bool(fault.happened)
    office.emulator.faults.clear()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_bigger_office_in_mixed_weather_converges(seed: int) -> None:
    """Eight mailboxes under seven kinds of trouble at random: equal in the end, nothing twice."""
    async with Emulator(switches=replace(Switches())) as emulator:
        office = Office(emulator)
        people = populate(office.tenant, users=8, contacts_per_user=12, overlap=0.3, seed=seed)
        for action in (*STORMS.values(), *AMBIGUOUS.values()):
            method = "PATCH" if isinstance(action, Conflict) else ""
            emulator.faults.add(
                Fault(action=action, method=method, path="contact", probability=0.01, seed=seed, count=None)
            )
        for _ in range(3):
            await office.run()
            emulator.clock.advance(3600)
        assert sum(bool(fault.happened) for fault in emulator.faults) > len(emulator.faults) / 2
        emulator.faults.clear()
        for _ in range(2):
            emulator.clock.advance(25 * 3600)  # what was refused three times is tried again after a day
            await office.run()
        assert_equal(office, people)
        assert written(await office.report()) == 0


async def test_isolation_of_options(office: Office) -> None:
    """A run for one user leaves the next full run nothing to repair but what it left out."""
    furnish(office)
    await office.run(RunOptions(users=("ann@contoso.com",)))
    await assert_heals(office, within=1)
