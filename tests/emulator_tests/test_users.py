"""Users (point 17) and the states of their mailboxes (point 18)."""

import pytest

from tests.emulator import MailboxState
from tests.emulator_tests.client import ANNA, EVENTUAL, HUB, Scene

LICENSED = "/users?$filter=assignedLicenses/$count ne 0&$count=true&$select=id,userPrincipalName&$top={top}"
E3 = "6fd2c87f-b296-42f0-b197-1e91e994b900"


async def test_licensed_users_by_the_documented_query(scene: Scene) -> None:
    """It needs the header and $count; a shared mailbox is not among them."""
    answer = await scene.client.get(LICENSED.format(top=999), **EVENTUAL)
    assert [row["userPrincipalName"] for row in answer.rows] == ["anna@contoso.com", "ben@contoso.com"]
    assert answer.json["@odata.count"] == 2
    assert (await scene.client.get(LICENSED.format(top=999))).code == "Request_UnsupportedQuery"
    without_count = LICENSED.format(top=999).replace("&$count=true", "")
    assert (await scene.client.get(without_count, **EVENTUAL)).json["error"]["message"] == "Unsupported Query."


async def test_other_filters(scene: Scene) -> None:
    """`skuId eq` needs no header, `skuId ne null` is not supported, `$count` alone is not either."""
    by_sku = await scene.client.get(f"/users?$filter=assignedLicenses/any(x:x/skuId eq {E3})")
    by_address = await scene.client.get(
        "/users?$filter=proxyAddresses/any(p:p eq 'smtp:ben@contoso.com')&$select=id,mail"
    )
    by_id = await scene.client.get(f"/users?$filter=id in ('{by_address.rows[0]['id']}')&$select=mail")
    never = await scene.client.get("/users?$filter=assignedLicenses/any(x:x/skuId ne null)&$count=true", **EVENTUAL)
    assert len(by_sku.rows) == 2
    assert [row["mail"] for row in by_id.rows] == ["ben@contoso.com"]
    assert never.code == "Request_UnsupportedQuery"
    assert (await scene.client.get("/users/$count")).code == "Request_BadRequest"
    assert (await scene.client.get("/users/$count", **EVENTUAL)).raw == b"3"
    scene.emulator.switches.licence_filter_sku_ne_null_supported = True
    served = await scene.client.get("/users?$filter=assignedLicenses/any(x:x/skuId ne null)", **EVENTUAL)
    assert len(served.rows) == 2


async def test_pages_of_users(scene: Scene) -> None:
    """A hundred by default, 999 at most; the header is needed on every page, and a page token ages."""
    for number in range(120):
        scene.tenant.add_user(f"user{number}@contoso.com")
    assert len((await scene.client.get("/users")).rows) == 100
    too_many = (await scene.client.get("/users?$top=1000")).json["error"]["message"]
    assert too_many == "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."
    first = await scene.client.get(LICENSED.format(top=100), **EVENTUAL)
    following = first.json["@odata.nextLink"]
    assert "$skiptoken=" in following
    second = await scene.client.get(following, **EVENTUAL)
    assert (len(second.rows), "@odata.count" in second.json) == (22, False)
    assert (await scene.client.get(following)).code == "Request_UnsupportedQuery"
    scene.emulator.clock.advance(700)
    assert (await scene.client.get(following, **EVENTUAL)).code == "Directory_ExpiredPageToken"


async def test_the_index_lags(scene: Scene) -> None:
    """A new user, a new licence and a user it has lost are missing from advanced queries, not from a plain list."""
    scene.emulator.switches.index_lag_seconds = 60
    scene.emulator.clock.advance(61)
    scene.tenant.add_user("new@contoso.com")
    scene.tenant.user("ben@contoso.com").indexed = False
    scene.tenant.user("hub@contoso.com").set_licensed(True)
    missing = await scene.client.get(LICENSED.format(top=999), **EVENTUAL)
    plain = await scene.client.get("/users?$select=id,userPrincipalName,assignedLicenses")
    assert [row["userPrincipalName"] for row in missing.rows] == ["anna@contoso.com"]
    assert sum(bool(row["assignedLicenses"]) for row in plain.rows) == 4
    scene.emulator.clock.advance(61)
    assert len((await scene.client.get(LICENSED.format(top=999), **EVENTUAL)).rows) == 3


async def test_a_user_by_id_or_name(scene: Scene) -> None:
    """In any case of letters; assignedLicenses only when selected; unknown ones are a 404 of the directory."""
    user = scene.tenant.user("anna@contoso.com")
    by_name = await scene.client.get("/users/ANNA@contoso.com")
    by_id = await scene.client.get(f"/users/{user.id}?$select=assignedLicenses,userType")
    assert by_name.json["id"] == user.id
    assert "assignedLicenses" not in by_name.json
    assert by_id.json["userType"] == "Member"
    assert (await scene.client.get("/users/nobody@contoso.com")).code == "Request_ResourceNotFound"
    assert (await scene.client.get("/users/nobody@contoso.com/contacts")).code == "Request_ResourceNotFound"


async def test_guests_rooms_and_shared_mailboxes(scene: Scene) -> None:
    """They are told apart by userType and by the purpose of the mailbox, which takes a permission of its own."""
    scene.tenant.roles = (*scene.tenant.roles, "MailboxSettings.Read")
    await scene.client.sign_in()
    scene.tenant.add_user("guest#ext#@contoso.com", user_type="Guest")
    scene.tenant.add_user("room@contoso.com", licensed=False, purpose="room")
    guest = await scene.client.get("/users/guest%23ext%23@contoso.com?$select=userType")
    room = await scene.client.get("/users/room@contoso.com/mailboxSettings/userPurpose")
    shared = await scene.client.get(f"{HUB}/mailboxSettings")
    assert (guest.json["userType"], room.json["value"], shared.json["userPurpose"]) == ("Guest", "room", "shared")


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (MailboxState.INACTIVE, 404, "MailboxNotEnabledForRESTAPI"),
        (MailboxState.ON_PREMISES, 404, "ResourceNotFound"),
        (MailboxState.NONE, 404, "ErrorInvalidUser"),
        (MailboxState.BLOCKED, 403, "ErrorAccessDenied"),
        (MailboxState.MOVING, 503, "ErrorMailboxMoveInProgress"),
        (MailboxState.NO_SUBSCRIPTION, 401, "UnknownError"),
        (MailboxState.NO_ADDRESS, 400, "ErrorMissingEmailAddress"),
    ],
)
async def test_mailboxes_that_cannot_be_used(scene: Scene, state: MailboxState, status: int, code: str) -> None:
    """Each in its way; the user is in the directory all the same."""
    scene.tenant.user("anna@contoso.com").state = state
    answer = await scene.client.get(f"{ANNA}/contacts")
    assert (answer.status, answer.code) == (status, code)
    assert (await scene.client.get(ANNA)).status == 200


async def test_no_mailbox_has_three_codes(scene: Scene) -> None:
    """That vary from answer to answer, unless a switch names one."""
    scene.tenant.user("anna@contoso.com").state = MailboxState.NONE
    codes = {(await scene.client.get(f"{ANNA}/contacts")).code for _ in range(3)}
    assert codes == {"MailboxNotEnabledForRESTAPI", "ResourceNotFound", "ErrorInvalidUser"}
    scene.emulator.switches.not_found_code = "ResourceNotFound"
    assert (await scene.client.get(f"{ANNA}/contacts")).code == "ResourceNotFound"


async def test_a_healthy_mailbox_can_flap(scene: Scene) -> None:
    """Every second answer is ErrorInvalidUser."""
    scene.tenant.user("anna@contoso.com").state = MailboxState.FLAPPING
    assert [(await scene.client.get(f"{ANNA}/contacts")).status for _ in range(4)] == [404, 200, 404, 200]
