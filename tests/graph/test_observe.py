"""Reading replicas from the emulator, with every doubt about Graph either way."""

from typing import Any

import pytest

from shared.errors import MailboxError, MailboxSkippedError, PrivilegeError, TenantError
from shared.graph.wire import MARKER
from shared.ports import TenantServices
from shared.sync.replica import Observation, Replica
from shared.sync.stamp import Stamp, SyncId, write_stamp
from tests.emulator import Answer, Conflict, Drop, Emulator, Fault, MailboxState, Run, Switches, Tenant
from tests.graph.scene import ANNA, BEN, Says, hub, opened, spoke, staffed

GUID = "0f0e0d0c-0b0a-4908-8706-050403020100"
VARIANTS = [pytest.param(switches, id=name) for name, switches in Switches.variants()]


def fill(tenant: Tenant, count: int = 30) -> None:
    """Give Anna a folder with a bit of everything."""
    box = tenant.mailbox(ANNA)
    stamp = Stamp(SyncId(GUID), ANNA, "2026-01-01T00:00:00Z", ANNA)
    for number in range(count):
        box.add_contact({"givenName": f"Given{number}", "surname": "Person", "mobilePhone": f"+49 {number}"})
    box.add_contact({"displayName": "Private"}, private=True)
    box.add_contact({"displayName": "Marked"}, extended={MARKER: GUID})
    box.add_contact({"displayName": "Stamped", "personalNotes": write_stamp("\r\n" + "long text " * 60, stamp)})
    box.add_distribution_list("Everybody")


def names(observation: Observation) -> list[str]:
    return sorted(item.contact.text("displayName") for item in observation.items)


@pytest.mark.parametrize("switches", VARIANTS)
async def test_a_replica_is_read_whole(switches: Switches) -> None:
    """However Graph behaves, every card is there once, with flag, marker and stamp, and no distribution list."""
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    items = {item.contact.text("displayName"): item for item in observation.items}
    assert len(observation.items) == 33
    assert [name for name, item in items.items() if item.private] == ["Private"]
    assert [name for name, item in items.items() if item.marker] == ["Marked"]
    assert items["Marked"].marker == GUID
    assert [name for name, item in items.items() if item.stamp] == ["Stamped"]
    assert items["Stamped"].stamp == Stamp(SyncId(GUID), ANNA, "2026-01-01T00:00:00Z", ANNA)
    assert {item["id"] for item in tenant.mailbox(ANNA).contacts()} == {item.item_id for item in observation.items}


async def test_many_pages_are_one_observation() -> None:
    """Seven hundred cards come over several pages, none lost or doubled."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant, 700)
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
            assert len(observation.items) == 703
            assert services.traffic.requests == services.traffic.batches


async def test_an_empty_folder_is_an_empty_observation() -> None:
    """Nothing there is a fact of its own."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            assert (await services.contacts.observe(await spoke(services))).items == ()
            assert (await services.contacts.observe(await hub(services))).items == ()


async def test_a_full_mailbox_is_listed() -> None:
    """Over quota there is no delta; the list tells the same."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        tenant.user(ANNA).state = MailboxState.OVER_QUOTA
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    assert len(observation.items) == 33
    assert sum(item.private for item in observation.items) == 1


@pytest.mark.parametrize("sovereign", [True, False])
async def test_a_card_that_comes_while_pages_are_read_has_its_flag(*, sovereign: bool) -> None:
    """A private card typed in between is either not seen yet, or seen as private."""
    async with Emulator(switches=Switches(national_cloud=sovereign)) as emulator:
        tenant = staffed(emulator)
        fill(tenant, 600)
        box = tenant.mailbox(ANNA)

        def type_in() -> None:
            box.add_contact({"displayName": "Late"}, private=True)

        for nth in (1, 2, 3):
            emulator.faults.add(
                Fault(action=Run(first=type_in), method="GET", path="contacts", mailbox=ANNA, nth=nth + 1)
            )
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    late = [item for item in observation.items if item.contact.text("displayName") == "Late"]
    assert all(item.private for item in late)
    assert len(observation.items) - len(late) == 603


async def test_a_card_deleted_while_it_is_read_is_left_out() -> None:
    """What is gone by the time it is read by id is no error."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        card = box.add_contact({"displayName": "Gone", "personalNotes": "\r\n" + "x" * 400})
        box.add_contact({"displayName": "Here"})
        emulator.faults.add(Fault(action=Run(first=lambda: box.purge_contact(card)), path=rf"contacts/{card[:20]}"))
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    assert names(observation) == ["Here"]


@pytest.mark.parametrize("sovereign", [True, False])
async def test_a_card_that_cannot_be_read_by_id_hides_no_other(*, sovereign: bool) -> None:
    """It is as the listing tells, without the stamp of a note that may be cut; its flags are known all the same."""
    stamp = Stamp(SyncId(GUID), ANNA, "2026-01-01T00:00:00Z", ANNA)
    async with Emulator(switches=Switches(national_cloud=sovereign)) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        card = box.add_contact({"displayName": "Odd", "personalNotes": write_stamp("\r\n" + "long text " * 60, stamp)})
        box.add_contact({"displayName": "Fine"})
        emulator.faults.add(Fault(action=Answer(500, "ErrorCorruptData"), path=rf"contacts/{card}", count=None))
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    assert names(observation) == ["Fine", "Odd"]
    assert [(item.stamp, item.private) for item in observation.items] == [(None, False)] * 2


async def test_a_card_whose_flags_cannot_be_read_counts_as_private() -> None:
    """Saved while it was read, and not given by id: nothing of it may be shared."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        card = box.add_contact({"displayName": "Odd"})
        touch = Run(then=lambda: box.edit_contact(card, {"title": "Dr"}))
        for path in ("contacts/delta", "contacts$"):
            emulator.faults.add(Fault(action=touch, method="GET", path=path, mailbox=ANNA))
        emulator.faults.add(Fault(action=Answer(500, "ErrorCorruptData"), path=rf"contacts/{card}", count=None))
        async with opened(emulator, tenant) as services:
            (item,) = (await services.contacts.observe(await spoke(services))).items
    assert item.private


@pytest.mark.parametrize(
    "form", ["sync_state_not_found", "location", "sync_state_invalid", "resync_required", "parameter"]
)
async def test_an_expired_page_begins_the_round_anew(form: str) -> None:
    """Tokens may go at any page, under any name; the round is read again from its beginning."""
    async with Emulator(switches=Switches(delta_reset=form)) as emulator:
        tenant = staffed(emulator)
        fill(tenant, 600)
        box = tenant.mailbox(ANNA)
        emulator.faults.add(Fault(action=Run(then=box.forget_delta_tokens), path="contacts/delta", nth=2))
        async with opened(emulator, tenant) as services:
            observation = await services.contacts.observe(await spoke(services))
    assert len(observation.items) == 603


async def test_tokens_that_expire_all_the_time_are_a_failed_mailbox() -> None:
    """The rounds are bounded, and half a round is never given."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant, 600)
        box = tenant.mailbox(ANNA)
        emulator.faults.add(Fault(action=Run(then=box.forget_delta_tokens), path="contacts/delta", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(await spoke(services))
    assert caught.value.code == "DeltaRefused"


@pytest.mark.parametrize("path", ["contacts/delta", "contacts$"])
async def test_a_page_that_never_comes_fails_the_mailbox(path: str) -> None:
    """Neither cards without flags nor flags without cards make an observation."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        emulator.faults.add(Fault(action=Answer(503, body=b""), path=path, mailbox=ANNA, count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(await spoke(services))
    assert caught.value.code == "GraphUnavailable"


@pytest.mark.parametrize(
    "body",
    [b"<html>busy</html>", {}, {"value": [{}]}, {"value": 7}, {"value": []}, {"value": [], "@odata.nextLink": 1}],
)
async def test_a_page_that_makes_no_sense_fails_the_mailbox(body: Any) -> None:
    """A success without sense is never taken for an empty folder."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        emulator.faults.add(Fault(action=Says(body), path="contacts/delta", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(await spoke(services))
    assert caught.value.code == "BadAnswer"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (MailboxState.NONE, "NoMailbox"),
        (MailboxState.INACTIVE, "NoMailbox"),
        (MailboxState.ON_PREMISES, "NoMailbox"),
        (MailboxState.NO_SUBSCRIPTION, "NoMailbox"),
        (MailboxState.NO_ADDRESS, "NoMailbox"),
        (MailboxState.BLOCKED, "MailboxRefused"),
    ],
)
@pytest.mark.parametrize(
    "not_found", ["varying", "ErrorInvalidUser", "ResourceNotFound", "MailboxNotEnabledForRESTAPI"]
)
async def test_a_mailbox_that_cannot_take_part_is_skipped(state: MailboxState, code: str, not_found: str) -> None:
    """Each of Graph's answers for no usable mailbox is one outcome, and the neighbour is read all the same."""
    async with Emulator(switches=Switches(not_found_code=not_found)) as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        tenant.user(BEN).state = state
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxSkippedError) as caught:
                await services.contacts.observe(await spoke(services, BEN))
            assert len((await services.contacts.observe(await spoke(services))).items) == 33
    assert caught.value.code == code
    assert caught.value.hint


async def test_a_mailbox_on_the_move_fails_for_this_run() -> None:
    """It is not skipped: it may be fine the next time."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        tenant.user(ANNA).state = MailboxState.MOVING
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(await spoke(services))
    assert caught.value.code == "MailboxUnavailable"


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_healthy_mailbox_called_invalid_is_asked_again(nth: int) -> None:
    """ErrorInvalidUser was seen for healthy mailboxes: it is not believed at once."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        emulator.faults.add(Fault(action=Answer(404, "ErrorInvalidUser"), mailbox=ANNA, path="contact", nth=nth))
        async with opened(emulator, tenant) as services:
            assert len((await services.contacts.observe(await spoke(services))).items) == 33


@pytest.mark.parametrize("path", ["delta", r"contacts/[^/]+$"], ids=["a page", "one card"])
async def test_a_conflict_on_a_read_is_read_again(path: str) -> None:
    """Exchange answers even a GET with 412 when it is at work on the mailbox: asked again, it gives what is there."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            conflict = emulator.faults.add(Fault(action=Conflict(), method="GET", mailbox=ANNA, path=path, count=2))
            observation = await services.contacts.observe(replica)
            await services.contacts.read(replica, observation.items[0].item_id)
    assert (len(observation.items), conflict.happened) == (33, 2)


async def test_a_flapping_mailbox_is_read_whole_or_skipped() -> None:
    """Half of the answers being wrong never makes half an observation."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        tenant.user(ANNA).state = MailboxState.FLAPPING
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            outcomes = {await _count(services, replica) for _ in range(5)}
    assert outcomes <= {33, "NoMailbox"}


async def _count(services: TenantServices, replica: Replica) -> int | str:
    try:
        return len((await services.contacts.observe(replica)).items)
    except MailboxSkippedError as skipped:
        return skipped.code


async def test_an_application_without_roles_is_the_tenants_failure() -> None:
    """A token without roles is issued happily; the message names what to grant."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        tenant.roles = ()
        async with opened(emulator, tenant) as services:
            with pytest.raises(PrivilegeError) as caught:
                await services.directory.licensed_users()
    assert "User.Read.All" in caught.value.hint


async def test_lost_connections_are_survived() -> None:
    """A dropped connection costs a retry and no card."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        emulator.faults.add(Fault(action=Drop(), path=r"\$batch", every=2, count=3))
        async with opened(emulator, tenant) as services:
            assert len((await services.contacts.observe(await spoke(services))).items) == 33
            assert services.traffic.retried > 0


@pytest.mark.parametrize("link", ["https://evil.example/v1.0/users", "/users", "http://localhost/v1.0/users", "x"])
async def test_a_link_to_elsewhere_is_never_followed(link: str) -> None:
    """A forged link fails the mailbox, or the tenant for its users; our token stays at home."""
    body = {"value": [], "@odata.nextLink": link}
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            replica = await spoke(services)
            emulator.faults.add(Fault(action=Says(body), path="contacts/delta|^/users$", count=None))
            with pytest.raises(MailboxError) as mailbox:
                await services.contacts.observe(replica)
            with pytest.raises(TenantError) as directory:
                await services.directory.licensed_users()
    assert (mailbox.value.code, directory.value.code) == ("ForeignLink", "ForeignLink")


@pytest.mark.parametrize("count", [0, 30])
@pytest.mark.parametrize("code", ["ErrorItemNotFound", "UnknownError"])
async def test_the_default_folder_is_found_without_its_alias(count: int, code: str) -> None:
    """The alias is not documented; a card names its folder, and an empty folder is simply listed."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        for number in range(count):
            tenant.mailbox(ANNA).add_contact({"displayName": str(number)})
        emulator.faults.add(Fault(action=Answer(404, code), path="contactFolders/contacts$", count=None))
        async with opened(emulator, tenant) as services:
            assert len((await services.contacts.observe(await spoke(services))).items) == count


async def test_a_listing_that_never_settles_is_a_failed_mailbox() -> None:
    """Pages by offset shift under changes: what two passes do not agree on is not given."""
    async with Emulator(switches=Switches(national_cloud=True)) as emulator:
        tenant = staffed(emulator)
        fill(tenant)
        box = tenant.mailbox(ANNA)
        busy = Run(first=lambda: box.add_contact({"displayName": "Another"}))
        emulator.faults.add(Fault(action=busy, path="/contacts$", method="GET", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(await spoke(services))
    assert caught.value.code == "ListingUnstable"
