"""Deleting cards of the emulator: softly, once, and only as they were read."""

from typing import Any

import pytest

from shared.errors import ItemChangedError, ItemGoneError
from shared.sync.contact import FieldValue
from shared.sync.replica import Draft
from shared.sync.stamp import SyncId
from tests.emulator import (
    Answer,
    ApplyThenAnswer,
    ApplyThenDrop,
    Drop,
    Emulator,
    Fault,
    Omit,
    SpuriousUnauthorized,
    Switches,
    Throttled,
)
from tests.graph.scene import ANNA, opened, spoke, staffed

GUID = SyncId("0f0e0d0c-0b0a-4908-8706-050403020100")
VARIANTS = [pytest.param(switches, id=name) for name, switches in Switches.variants()]
ADA: dict[str, FieldValue] = {"displayName": "Ada Lovelace"}


@pytest.mark.parametrize("switches", VARIANTS)
async def test_a_deleted_card_lies_in_deleted_items(switches: Switches) -> None:
    """However Graph behaves, a deletion is soft: the owner can put the card back."""
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(ADA, marker=GUID))
            await services.contacts.delete(replica, made)
            assert (await services.contacts.observe(replica)).items == ()
    assert tenant.mailbox(ANNA).contacts() == []
    assert [card["displayName"] for card in box.deleted_contacts()] == ["Ada Lovelace"]


@pytest.mark.parametrize("honoured", [True, False])
async def test_a_card_saved_in_between_is_not_deleted(*, honoured: bool) -> None:
    """Edit beats delete where Exchange honours If-Match; where it does not, the deletion is soft all the same."""
    async with Emulator(switches=Switches(honour_if_match=honoured)) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(ADA, marker=GUID))
            box.edit_contact(made.item_id, {"title": "Lady"})
            if honoured:
                with pytest.raises(ItemChangedError):
                    await services.contacts.delete(replica, made)
            else:
                await services.contacts.delete(replica, made)
    (kept,) = tenant.mailbox(ANNA).contacts() if honoured else box.deleted_contacts()
    assert kept["title"] == "Lady"


async def test_deleting_what_is_gone_is_told() -> None:
    """Somebody was faster; the caller may take it as done."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(ADA, marker=GUID))
            tenant.mailbox(ANNA).delete_contact(made.item_id)
            with pytest.raises(ItemGoneError):
                await services.contacts.delete(replica, made)


@pytest.mark.parametrize(
    "action", [ApplyThenDrop(), ApplyThenAnswer(503, body=b""), Throttled(1, applied=True), Omit()], ids=repr
)
async def test_a_deletion_of_unknown_fate_is_done_when_the_card_is_gone(action: Any) -> None:
    """Carried out and its answer lost: it counts as done, and nothing else is deleted."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(ADA, marker=GUID))
            other = await services.contacts.create(replica, Draft(ADA, marker=SyncId(GUID[::-1])))
            emulator.faults.add(Fault(action=action, method="DELETE"))
            await services.contacts.delete(replica, made)
    assert [card["id"] for card in tenant.mailbox(ANNA).contacts()] == [other.item_id]
    assert [card["id"] for card in tenant.mailbox(ANNA).deleted_contacts()] == [made.item_id]


@pytest.mark.parametrize("action", [Answer(503, body=b""), Throttled(3), Drop(), SpuriousUnauthorized()], ids=repr)
async def test_a_deletion_is_tried_again(action: Any) -> None:
    """A deletion that was not carried out is repeated."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            made = await services.contacts.create(replica, Draft(ADA, marker=GUID))
            emulator.faults.add(Fault(action=action, method="DELETE"))
            await services.contacts.delete(replica, made)
    assert tenant.mailbox(ANNA).contacts() == []
