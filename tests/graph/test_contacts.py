"""Writing to mailboxes of the emulator: created once, updated only as read, refused with a reason."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.errors import (
    ItemBusyError,
    ItemChangedError,
    ItemError,
    ItemGoneError,
    ItemRefusedError,
)
from shared.graph.policy import LONGEST_TRY_SECONDS, MANY
from shared.ports import ContactStore, TenantServices
from shared.sync.contact import Contact, Email, FieldValue, PostalAddress, normalise
from shared.sync.replica import Draft, Item, Replica
from shared.sync.stamp import SyncId
from tests.emulator import (
    Answer,
    ApplyThenAnswer,
    ApplyThenDrop,
    Drop,
    Emulator,
    ExpireToken,
    Fault,
    Mailbox,
    Omit,
    Run,
    SpuriousUnauthorized,
    Switches,
    Tenant,
    Throttled,
)
from tests.emulator.faults import Scene
from tests.emulator.replies import Reply
from tests.graph.scene import ANNA, hub, opened, spoke, staffed

GUID = SyncId("0f0e0d0c-0b0a-4908-8706-050403020100")
VARIANTS = [pytest.param(switches, id=name) for name, switches in Switches.variants()]
FULL: dict[str, FieldValue] = {
    "displayName": "Ada Lovelace",
    "givenName": "Ada",
    "surname": "Lovelace",
    "emailAddresses": (Email("ada@example.com", "Ada"), Email("al@example.org", "AL")),
    "businessPhones": ("+44 1", "+44 2"),
    "mobilePhone": "+44 3",
    "homeAddress": PostalAddress(("12 St James's Square", "London", "", "SW1Y", "UK")),
    "birthday": "1815-12-10",
    "categories": frozenset({"Friends", "Mathematics"}),
}


def stored(tenant: Tenant, name: str = ANNA, folder: str | None = None) -> list[dict[str, Any]]:
    return tenant.mailbox(name).contacts(folder)


async def updated(services: TenantServices, replica: Replica, item: Item, draft: Draft) -> Item:
    """Update as the engine does: a conflict means read and decide once more."""
    for _ in range(5):
        try:
            return await services.contacts.update(replica, item, draft)
        except ItemChangedError:
            item = (await services.contacts.read(replica, item.item_id)).item
    raise AssertionError("never written")


@pytest.mark.parametrize("switches", VARIANTS)
async def test_a_card_is_created_and_updated(switches: Switches) -> None:
    """However Graph behaves, what was written is what is observed then, in a spoke and in the hub."""
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            for replica in (await spoke(services), await hub(services)):
                made = await services.contacts.create(replica, Draft(FULL, notes="hello", marker=GUID))
                assert made.contact == Contact(FULL)
                assert made.marker == GUID
                change: dict[str, FieldValue | None] = {"displayName": "Countess", "surname": None, "homeAddress": None}
                change["emailAddresses"] = (Email("new@example.com", "New"),)
                changed = await updated(services, replica, made, Draft(change))
                expected = {name: value for name, value in (FULL | change).items() if value is not None}
                assert changed.contact == Contact(expected)
                assert changed.marker == GUID
                emulator.clock.advance(60)
                (seen,) = (await services.contacts.observe(replica)).items
                assert (seen.contact, seen.marker, seen.item_id) == (Contact(expected), GUID, made.item_id)


TROUBLES: tuple[Any, ...] = (
    ApplyThenAnswer(503, body=b""),
    ApplyThenAnswer(504, body=b"<html>gateway</html>"),
    ApplyThenAnswer(500, "ErrorInternalServerError"),
    ApplyThenAnswer(200, body=b""),
    ApplyThenAnswer(201, body=b'{"id":5}'),
    ApplyThenDrop(),
    Throttled(2, applied=True),
    Throttled(None, applied=True),
    Throttled("2.5"),
    Throttled(-5),
    Throttled("soon"),
    Drop(),
    Answer(503, body=b""),
    SpuriousUnauthorized(),
    ExpireToken(),
    Answer(400, "BadRequest", "IO error during request payload read"),
)


@pytest.mark.parametrize("lag", [0.0, 3.0])
@pytest.mark.parametrize(
    ("action", "batched"), [(Omit(), True), *((action, batched) for action in TROUBLES for batched in (True, False))]
)
async def test_a_create_of_unknown_fate_makes_one_card(action: Any, *, batched: bool, lag: float) -> None:
    """Whatever happens to the request or to its batch, there is one card in the end, and it is ours."""
    async with Emulator(switches=Switches(marker_lookup_lag_seconds=lag)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            path = "contacts$" if batched else r"\$batch"
            emulator.faults.add(Fault(action=action, method="POST", path=path, batched=batched))
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
    (card,) = stored(tenant)
    assert card["id"] == made.item_id
    assert made.contact == Contact(FULL)


async def test_many_creates_under_trouble_make_each_card_once() -> None:
    """Faults strike again and again over many creates side by side; none is lost, none doubled."""
    async with Emulator(switches=Switches(batch_concurrency_enforced=True, batch_throttled_status=424)) as emulator:
        tenant = staffed(emulator)
        actions = (ApplyThenAnswer(503, body=b""), Throttled(1, applied=True), Answer(500), ApplyThenDrop())
        for number, action in enumerate(actions):
            emulator.faults.add(Fault(action=action, method="POST", path="contacts$", every=7 + number, count=6))
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            drafts = [
                Draft({"displayName": f"C{n}"}, marker=SyncId(f"{n:08}-0000-4000-8000-000000000000")) for n in range(60)
            ]
            items = await asyncio.gather(*(services.contacts.create(replica, draft) for draft in drafts))
            assert emulator.most_at_once(replica.mailbox) <= 4
    assert sorted(card["displayName"] for card in stored(tenant)) == sorted(f"C{n}" for n in range(60))
    assert {card["id"] for card in stored(tenant)} == {item.item_id for item in items}


async def test_a_create_without_marker_is_not_repeated_blindly() -> None:
    """Nothing can be looked up, so the doubt is an error and not a second card."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=ApplyThenAnswer(503), method="POST", path="contacts$"))
        async with opened(emulator, tenant) as services:
            with pytest.raises(ItemError) as caught:
                await services.contacts.create(await spoke(services), Draft(FULL))
    assert caught.value.code == "UnknownFate"
    assert len(stored(tenant)) == 1


async def test_a_create_that_never_works_is_refused() -> None:
    """A 500 that stays is the card's fault (a null address gives one): it is given up after a few tries."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=Answer(500), method="POST", path="contacts$", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(ItemRefusedError) as caught:
                await services.contacts.create(await spoke(services), Draft(FULL, marker=GUID))
    assert caught.value.code == "ItemRefused"
    assert stored(tenant) == []
    assert len([record for record in emulator.log.writes(ANNA) if record.method == "POST"]) <= 5


class Blank:
    """Graph creates the card without any of its fields (msgraph-sdk-dotnet#2964)."""

    def __init__(self, box: Mailbox) -> None:
        self.box = box

    def before(self, scene: Scene) -> Reply | None:
        return None

    def after(self, scene: Scene, reply: Reply) -> Reply:
        (card,) = self.box.contacts()
        self.box.edit_contact(card["id"], dict.fromkeys(FULL))
        return Reply(201, {"id": card["id"]})


async def test_a_blank_card_is_noticed() -> None:
    """A success that stored nothing is no success; the card bears our marker, so that the next run fills it."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=Blank(tenant.mailbox(ANNA)), method="POST", path="contacts$"))
        async with opened(emulator, tenant) as services:
            with pytest.raises(ItemError) as caught:
                await services.contacts.create(await spoke(services), Draft(FULL, marker=GUID))
    assert caught.value.code == "BlankCard"
    (card,) = stored(tenant)
    assert GUID in card["extended"].values()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"emailAddresses": tuple(Email(f"a{n}@x.com") for n in range(4))}, "ItemInvalid"),
        ({"businessPhones": ("1", "2", "3")}, "ItemInvalid"),
    ],
)
async def test_a_card_that_exchange_does_not_take_is_refused(fields: dict[str, FieldValue], code: str) -> None:
    """It is that card's outcome; the next one is written."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            with pytest.raises(ItemRefusedError) as caught:
                await services.contacts.create(replica, Draft(fields, marker=GUID))
            assert caught.value.code == code
            made = await services.contacts.create(replica, Draft({"displayName": "Fine"}, marker=GUID))
            with pytest.raises(ItemRefusedError):
                await services.contacts.update(replica, made, Draft(fields))
    assert [card["displayName"] for card in stored(tenant)] == ["Fine"]


async def test_a_card_saved_in_between_is_not_overwritten() -> None:
    """What a person has just typed wins until it was read."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            tenant.mailbox(ANNA).edit_contact(made.item_id, {"title": "Lady"})
            with pytest.raises(ItemChangedError):
                await services.contacts.update(replica, made, Draft({"title": "Dr"}))
    assert stored(tenant)[0]["title"] == "Lady"


async def test_a_card_that_is_gone_is_told() -> None:
    """Deleted cards are neither written nor made again here."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            tenant.mailbox(ANNA).purge_contact(made.item_id)
            with pytest.raises(ItemGoneError):
                await services.contacts.update(replica, made, Draft({"title": "Dr"}))
            with pytest.raises(ItemGoneError):
                await services.contacts.read(replica, made.item_id)


@pytest.mark.parametrize(
    "action", [Answer(503, body=b""), Throttled(3), Drop(), SpuriousUnauthorized(), Throttled(1, status=503)], ids=repr
)
async def test_an_update_is_tried_again(action: Any) -> None:
    """A write that was not carried out is repeated."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            emulator.faults.add(Fault(action=action, method="PATCH"))
            await services.contacts.update(replica, made, Draft({"title": "Dr"}))
    assert stored(tenant)[0]["title"] == "Dr"


LOSSES: tuple[Any, ...] = (ApplyThenDrop(), ApplyThenAnswer(503, body=b""), Throttled(30, applied=True))
HONOURED = pytest.mark.parametrize("honoured", [True, False])


@HONOURED
@pytest.mark.parametrize("action", LOSSES, ids=repr)
async def test_an_update_whose_answer_is_lost_is_found_done(action: Any, *, honoured: bool) -> None:
    """Carried out and lost: the card is read, holds what was written, and is not written again."""
    async with Emulator(switches=Switches(honour_if_match=honoured)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            emulator.faults.add(Fault(action=action, method="PATCH"))
            item = await services.contacts.update(replica, made, Draft({"title": "Dr"}, notes="mine", marker=GUID))
            assert item.contact.text("title") == "Dr"
    assert len([one for one in emulator.log.writes(ANNA) if one.method == "PATCH"]) == 1


@asynccontextmanager
async def typing_while_waiting(
    action: Any, method: str, *, honoured: bool
) -> AsyncIterator[tuple[ContactStore, Replica, Item]]:
    """A card of Anna's that she saves while a write to it, disturbed so, waits; her title is there at the end."""
    async with Emulator(switches=Switches(honour_if_match=honoured)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            emulator.faults.add(Fault(action=action, method=method))
            typing = Run(lambda: tenant.mailbox(ANNA).edit_contact(made.item_id, {"title": "Lady"}))
            emulator.faults.add(Fault(action=typing, method="GET", path=made.item_id))
            yield services.contacts, replica, made
    assert stored(tenant)[0]["title"] == "Lady"


@HONOURED
@pytest.mark.parametrize("action", [*LOSSES, Throttled(30), Answer(503, body=b""), Drop()], ids=repr)
async def test_what_is_saved_while_a_write_waits_is_not_overwritten(action: Any, *, honoured: bool) -> None:
    """A write that has to wait is decided anew after the wait, whether or not Graph honours If-Match."""
    async with typing_while_waiting(action, "PATCH", honoured=honoured) as (contacts, replica, made):
        with pytest.raises(ItemChangedError):
            await contacts.update(replica, made, Draft({"title": "Dr"}))


@HONOURED
@pytest.mark.parametrize("action", [Throttled(30), Answer(503, body=b"")], ids=repr)
async def test_what_is_saved_while_a_deletion_waits_is_not_deleted(action: Any, *, honoured: bool) -> None:
    """An edit beats a deletion that was put off, too."""
    async with typing_while_waiting(action, "DELETE", honoured=honoured) as (contacts, replica, made):
        with pytest.raises(ItemChangedError):
            await contacts.delete(replica, made)


async def test_a_deletion_whose_answer_is_lost_is_found_done() -> None:
    """Carried out and lost: the card is gone, which is what was wanted."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            emulator.faults.add(Fault(action=ApplyThenDrop(), method="DELETE"))
            await services.contacts.delete(replica, made)
    assert stored(tenant) == []


async def test_a_write_that_never_works_ends() -> None:
    """However often the card is looked at in between, the attempts at one write are bounded."""
    async with Emulator(switches=Switches(silent_change_key_bump_seconds=None)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(FULL, marker=GUID))
            began = emulator.clock.monotonic()
            emulator.faults.add(Fault(action=Answer(503, body=b""), method="PATCH", count=None))
            with pytest.raises(ItemBusyError):
                await services.contacts.update(replica, made, Draft({"title": "Dr"}))
    assert len([one for one in emulator.log.writes(ANNA) if one.method == "PATCH"]) <= MANY
    assert emulator.clock.monotonic() - began <= LONGEST_TRY_SECONDS


async def test_a_note_is_read_whole_and_written_to_the_letter() -> None:
    """Reading by id gives all of a note that a listing cuts."""
    note = "\r\n" + "long text " * 100
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        card = tenant.mailbox(ANNA).add_contact({"displayName": "A", "personalNotes": note})
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            read = await services.contacts.read(replica, card)
            assert read.notes == note
            await services.contacts.update(replica, read.item, Draft({}, notes=note + "\r\nmore", marker=GUID))
    assert stored(tenant)[0]["personalNotes"] == note + "\r\nmore"
    assert GUID in stored(tenant)[0]["extended"].values()


async def test_slots_without_address_survive_an_update() -> None:
    """A malformed address stays as it is when another one is written."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        card = tenant.mailbox(ANNA).add_contact({"displayName": "A", "emailAddresses": [{"address": "bad,"}]})
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            (item,) = (await services.contacts.observe(replica)).items
            assert item.unaddressed
            await services.contacts.update(replica, item, Draft({"emailAddresses": (Email("a@x.com"),)}))
            (after,) = (await services.contacts.observe(replica)).items
    assert after.item_id == card
    assert after.unaddressed == item.unaddressed
    assert after.contact.primary_email == "a@x.com"


async def test_the_injected_category_is_not_a_category() -> None:
    """The hub folder's name comes back on each of its items, and must not spread."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await hub(services)
            made = await services.contacts.create(replica, Draft({"displayName": "A"}, marker=GUID))
            (seen,) = (await services.contacts.observe(replica)).items
    assert made.contact.categories == seen.contact.categories == frozenset()


async def test_messages_hold_nothing_of_the_card() -> None:
    """Errors reach logs and reports: no name, address or note may be in them."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            fields: dict[str, FieldValue] = {"displayName": "Secretname", "businessPhones": ("1", "2", "3")}
            with pytest.raises(ItemRefusedError) as caught:
                await services.contacts.create(await spoke(services), Draft(fields, notes="Secretnote", marker=GUID))
    text = repr(caught.value) + str(caught.value) + caught.value.hint
    assert "Secret" not in text
    assert normalise({"displayName": "Secretname"}).text("displayName") not in text
