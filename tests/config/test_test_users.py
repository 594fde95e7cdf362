"""Test users: from the tenant, from a map, or nobody, which means everybody."""

import json

import pytest

from tests.config.builders import CLIENT, SINGLE, loaded, only, problems, tenant

USERS = ("user1@contoso.com", "user2@contoso.com")
MAP = {"contoso.onmicrosoft.com": list(USERS)}


@pytest.mark.parametrize(
    "value",
    [list(USERS), ",".join(USERS), " ; ".join(USERS) + ";", [*USERS, None, "", USERS[0].upper()]],
)
def test_a_list_or_one_text(value: object) -> None:
    """A list, or text with commas or semicolons; blanks and repetitions are dropped."""
    assert only(CONFIG_JSON=tenant(TestUserList=value)).test_users == USERS
    assert only(**SINGLE, TEST_USER_LIST_BY_TENANT_JSON={"contoso.onmicrosoft.com": value}).test_users == USERS


@pytest.mark.parametrize("value", [None, [], "", [""], " , "])
def test_an_empty_list_means_everybody(value: object) -> None:
    """Nobody listed is no restriction."""
    assert only(CONFIG_JSON=tenant(TestUserList=value)).test_users == ()


@pytest.mark.parametrize(
    "variables",
    [
        SINGLE,
        {"CONFIG_JSON": tenant()},
        {"CONFIG_JSON": {"MicrosoftTenants": [tenant()]}},
        {"MICROSOFT_TENANTS_JSON": [tenant()]},
    ],
)
def test_the_map_works_with_every_shape(variables: dict[str, object]) -> None:
    """Whatever names the tenants, the map's variable applies."""
    assert only(**variables, TEST_USER_LIST_BY_TENANT_JSON=MAP).test_users == USERS


@pytest.mark.parametrize("key", [CLIENT, "PRIMARY.example.com", "other.example.com"])
def test_a_tenant_is_found_by_each_of_its_names(key: str) -> None:
    """TenantId, PrimaryDomain and TenantDomain, in any case."""
    one = tenant(TenantId=CLIENT, PrimaryDomain="primary.example.com", TenantDomain="other.example.com")
    found = loaded(CONFIG_JSON=[one], TEST_USER_LIST_BY_TENANT_JSON={key: USERS[0]})
    assert found.tenants[0].test_users == USERS[:1]
    assert found.warnings == ()


def test_the_map_may_stand_in_the_json() -> None:
    """TestUserListByTenant in the whole JSON comes before the variable; each covers what the other lacks."""
    found = loaded(
        CONFIG_JSON={"MicrosoftTenants": [tenant(), tenant(TenantId="fabrikam.com")], "TestUserListByTenant": MAP},
        TEST_USER_LIST_BY_TENANT_JSON={"contoso.onmicrosoft.com": "x@contoso.com", "fabrikam.com": "y@fabrikam.com"},
    )
    assert [one.test_users for one in found.tenants] == [USERS, ("y@fabrikam.com",)]


def test_a_tenants_own_list_comes_before_the_map() -> None:
    """The nearest list counts, in the flat shape too."""
    own = tenant(TestUserList=["own@contoso.com"])
    for value in (own, [own]):
        assert only(CONFIG_JSON=value, TEST_USER_LIST_BY_TENANT_JSON=MAP).test_users == ("own@contoso.com",)


def test_a_list_for_all_tenants_is_the_last_resort() -> None:
    """A list at the top restricts every tenant that has none: nobody runs by mistake."""
    found = loaded(
        CONFIG_JSON={"MicrosoftTenants": [tenant(), tenant(TenantId="fabrikam.com")], "TestUserList": "a@fabrikam.com"},
        TEST_USER_LIST_BY_TENANT_JSON=MAP,
    )
    assert [one.test_users for one in found.tenants] == [USERS, ("a@fabrikam.com",)]


def test_a_key_that_fits_no_tenant_is_a_loud_warning() -> None:
    """It says that all users would run, for whom, and which name was probably meant."""
    (warning,) = loaded(**SINGLE, TEST_USER_LIST_BY_TENANT_JSON={"contoso.onmicrosft.com": USERS[0]}).warnings
    assert warning == (
        "WARNING: AUTOMATION_SYNCCONTACTS_TEST_USER_LIST_BY_TENANT_JSON: "
        'the key "contoso.onmicrosft.com" fits no tenant '
        "(did you mean contoso.onmicrosoft.com?), so its test users are not used. "
        "ALL licensed users would run for: contoso.onmicrosoft.com."
    )


def test_the_warning_does_not_claim_more_than_is_true() -> None:
    """Where every tenant has test users of its own, nobody else runs."""
    (warning,) = loaded(
        CONFIG_JSON=tenant(TestUserList=USERS[0]), TEST_USER_LIST_BY_TENANT_JSON={"x.com": "a@x.com"}
    ).warnings
    assert warning.endswith("so its test users are not used.")


@pytest.mark.parametrize(("value", "kind"), [('["a@b.com"]', "a list"), ('"a@b.com"', '"a@b.com"'), ("7", "7")])
def test_a_map_is_an_object(value: str, kind: str) -> None:
    """A list without tenants is no map."""
    (problem,) = problems(**SINGLE, TEST_USER_LIST_BY_TENANT_JSON=value)
    assert problem.endswith(f"must be an object with tenants as keys and lists of users, not {kind}.")


def test_a_wrong_user_in_the_map_is_named_by_tenant() -> None:
    """Variable, tenant and position."""
    (problem,) = problems(**SINGLE, TEST_USER_LIST_BY_TENANT_JSON=json.dumps({"contoso.onmicrosoft.com": ["bob"]}))
    assert problem.startswith(
        "AUTOMATION_SYNCCONTACTS_TEST_USER_LIST_BY_TENANT_JSON, "
        'the entry "contoso.onmicrosoft.com" has a wrong entry (number 1)'
    )
