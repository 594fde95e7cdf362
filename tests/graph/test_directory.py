"""Users of the emulator's directory."""

import pytest

from shared.errors import PrivilegeError, TenantError
from tests.emulator import Answer, Emulator, Fault, Switches, Tenant
from tests.graph.scene import ANNA, BEN, HUB, opened, staffed

VARIANTS = [pytest.param(switches, id=name) for name, switches in Switches.variants()]
GUEST = "o'neil_x.com#EXT#@contoso.com"


def crowd(tenant: Tenant, count: int) -> None:
    for number in range(count):
        tenant.add_user(f"user{number}@contoso.com", licensed=number % 2 == 0)


@pytest.mark.parametrize("switches", VARIANTS)
async def test_everybody_with_a_licence_is_listed_once(switches: Switches) -> None:
    """Whether the directory takes the filter or not; guests and disabled accounts too, the shared mailbox not."""
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        crowd(tenant, 20)
        tenant.add_user(GUEST, user_type="Guest")
        tenant.add_user("left@contoso.com", account_enabled=False)
        async with opened(emulator, tenant) as services:
            users = await services.directory.licensed_users()
    names = [user.user_principal_name for user in users]
    assert sorted(names) == sorted(
        [ANNA, BEN, GUEST, "left@contoso.com", *(f"user{n}@contoso.com" for n in range(0, 20, 2))]
    )
    assert len({user.user_id for user in users}) == len(users)


@pytest.mark.parametrize("filtered", [True, False])
async def test_a_large_directory_comes_in_pages(*, filtered: bool) -> None:
    """ConsistencyLevel goes with every page, or the second one would be a 400."""
    async with Emulator(switches=Switches(licence_filter_count_supported=filtered)) as emulator:
        tenant = staffed(emulator)
        crowd(tenant, 2400)
        async with opened(emulator, tenant) as services:
            assert len(await services.directory.licensed_users()) == 1202
    pages = [record for record in emulator.log if record.path.endswith("/users") and record.status == 200]
    assert len(pages) >= 2


async def test_an_expired_page_begins_the_listing_anew() -> None:
    """Directory pages expire; nobody is lost by that."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        crowd(tenant, 2400)
        emulator.faults.add(Fault(action=Answer(400, "Directory_ExpiredPageToken"), path="^/users$", nth=2))
        async with opened(emulator, tenant) as services:
            assert len(await services.directory.licensed_users()) == 1202


async def test_a_user_is_found_by_any_name() -> None:
    """UPN in any case, object id, address, alias; guests with their odd names too."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        anna = tenant.user(ANNA)
        anna.mail = "anna.berg@contoso.com"
        anna.aliases = ("a.berg@contoso.com",)
        guest = tenant.add_user(GUEST)
        async with opened(emulator, tenant) as services:
            find = services.directory.find_user
            for name in (ANNA, ANNA.upper(), f" {ANNA} ", anna.id, "anna.berg@contoso.com", "A.Berg@contoso.com"):
                found = await find(name)
                assert found is not None, name
                assert found.user_id == anna.id
            found = await find(GUEST)
            assert found is not None
            assert found.user_id == guest.id
            hub = await find(HUB)
            assert hub is not None
            assert hub.mail == HUB


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "nobody@contoso.com", "nobody", "a/b", "o'x@y.z", "x\ny", "' or 1 eq 1", "$x", "a?b#c", "%41"],
)
async def test_nobody_is_nobody(name: str) -> None:
    """Unknown and odd names are no users, and no errors."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            assert await services.directory.find_user(name) is None


async def test_missing_permission_is_named() -> None:
    """The operator reads which one."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        tenant.roles = ("Contacts.ReadWrite",)
        async with opened(emulator, tenant) as services:
            with pytest.raises(PrivilegeError) as caught:
                await services.directory.find_user(ANNA)
    assert "User.Read.All" in caught.value.hint


async def test_a_directory_that_is_down_fails_the_tenant() -> None:
    """It is never taken for a tenant without users."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        emulator.faults.add(Fault(action=Answer(503, body=b""), path="^/users", count=None))
        async with opened(emulator, tenant) as services:
            with pytest.raises(TenantError):
                await services.directory.licensed_users()
            with pytest.raises(TenantError):
                await services.directory.find_user(ANNA)


async def test_a_throttled_directory_is_waited_for() -> None:
    """Resource units come back after ten seconds."""
    async with Emulator(switches=Switches(identity_units=3)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            for _ in range(5):
                assert len(await services.directory.licensed_users()) == 2
            assert services.traffic.throttled > 0
