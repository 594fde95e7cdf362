"""Finding and making the hub's folder on the emulator."""

from typing import Any

import pytest

from shared.errors import HubNotFoundError, MailboxError, MirrorError, PrivilegeError
from shared.graph.wire import MARKER
from shared.ports import TenantServices, User
from shared.sync.replica import Draft
from shared.sync.stamp import SyncId
from tests.emulator import Answer, ApplyThenAnswer, ApplyThenDrop, Emulator, Fault, MailboxState, Throttled
from tests.graph.scene import HUB, Says, hub, opened, staffed, user

GUID = SyncId("0f0e0d0c-0b0a-4908-8706-050403020100")


async def mailbox(services: TenantServices) -> User:
    return await user(services, HUB)


async def test_a_hub_is_found_again() -> None:
    """Made once, found by name in any case ever after."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            owner = await mailbox(services)
            assert await services.contacts.find_hub(owner, "All Contacts") is None
            made = await services.contacts.create_hub(owner, "All Contacts")
            assert await services.contacts.find_hub(owner, "All Contacts") == made
            assert made.replica.is_hub
    assert [view.name for view in tenant.mailbox(HUB).folders if not view.is_default] == ["All Contacts"]


@pytest.mark.parametrize(
    "action", [ApplyThenDrop(), ApplyThenAnswer(503, body=b""), Throttled(1, applied=True)], ids=repr
)
async def test_a_hub_of_unknown_fate_is_made_once(action: Any) -> None:
    """The lost answer's folder is found, not made twice."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=action, method="POST", path="contactFolders$"))
        async with opened(emulator, tenant) as services:
            await services.contacts.create_hub(await mailbox(services), "All Contacts")
    assert len(tenant.mailbox(HUB).folders) == 2


async def test_a_race_for_the_hub_ends_with_one() -> None:
    """Somebody else made it between looking and making: the 409 means that it is there."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        folder = tenant.mailbox(HUB).add_folder("All Contacts")
        async with opened(emulator, tenant) as services:
            found = await services.contacts.create_hub(await mailbox(services), "All Contacts")
    assert found.replica.folder == folder


async def test_of_several_hubs_the_one_with_our_cards_is_taken() -> None:
    """Namesakes are counted; the choice is the same each time and follows our markers."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(HUB)
        folders = [box.add_folder("All Contacts") for _ in range(4)]
        async with opened(emulator, tenant) as services:
            owner = await mailbox(services)
            empty = await services.contacts.find_hub(owner, "All Contacts")
            assert empty is not None
            assert (empty.replica.folder, empty.namesakes) == (min(folders), 3)
            ours = max(folders)
            box.add_contact({"displayName": "A"}, folder=ours, extended={MARKER: GUID})
            found = await services.contacts.find_hub(owner, "All Contacts")
    assert found is not None
    assert (found.replica.folder, found.namesakes) == (ours, 3)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (MailboxState.NONE, HubNotFoundError),
        (MailboxState.INACTIVE, HubNotFoundError),
        (MailboxState.ON_PREMISES, HubNotFoundError),
        (MailboxState.BLOCKED, PrivilegeError),
    ],
)
async def test_a_hub_mailbox_that_cannot_be_used_is_the_tenants_failure(
    state: MailboxState, error: type[Exception]
) -> None:
    """The operator reads what to do."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        tenant.user(HUB).state = state
        async with opened(emulator, tenant) as services:
            with pytest.raises(error) as caught:
                await services.contacts.find_hub(await mailbox(services), "All Contacts")
    assert getattr(caught.value, "hint", "")


async def test_a_hub_folder_that_is_gone_is_no_empty_hub() -> None:
    """Reading or writing it fails; nothing is concluded from that."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await hub(services)
            tenant.mailbox(HUB).delete_folder(replica.folder)
            with pytest.raises(MailboxError) as read:
                await services.contacts.observe(replica)
            with pytest.raises(MailboxError) as written:
                await services.contacts.create(replica, Draft({"displayName": "A"}, marker=GUID))
    assert (read.value.code, written.value.code) == ("FolderGone", "FolderGone")


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (Answer(400, "ErrorInvalidRequest"), "GraphError"),
        (Answer(403, "ErrorAccessDenied"), "InsufficientPrivileges"),
        (Answer(403, "ErrorQuotaExceeded"), "MailboxFull"),
        (Answer(503, body=b""), "GraphUnavailable"),
        (Says(b"<html>"), "GraphError"),
    ],
    ids=repr,
)
async def test_a_hub_that_cannot_be_made_is_told(action: Any, code: str) -> None:
    """The folder is not made for ever: a few attempts, each looked up, then the reason."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=action, method="POST", path="contactFolders$", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(MirrorError) as caught:
                await services.contacts.create_hub(await mailbox(services), "All Contacts")
    assert caught.value.code == code
    assert len(emulator.log.writes(HUB)) <= 5
