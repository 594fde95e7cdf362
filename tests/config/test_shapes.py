"""Every way to say which tenants there are."""

import json

import pytest

from shared.config import config_secret_needed, load, relaxed
from shared.config.model import ClientSecret, Secret
from shared.errors import ConfigurationError
from tests.config.builders import CLIENT, HUB, SINGLE, VAULT, environ, loaded, only, problems, tenant

FABRIKAM = tenant(TenantId="fabrikam.com", GlobalAddressBookUserId="all@fabrikam.com")


def test_the_pages_own_example_is_understood() -> None:
    """The whole JSON gives tenant, secret, shared mailbox, test users and the dry run written as text."""
    found = only(CONFIG_JSON={"MicrosoftTenants": [tenant(TestUserList=["user1@contoso.com"])], "DryRun": "true"})
    assert (found.tenant_id, found.client_id, found.hub) == ("contoso.onmicrosoft.com", CLIENT, HUB)
    assert found.auth == ClientSecret(Secret("hush"))
    assert found.test_users == ("user1@contoso.com",)
    assert found.dry_run


def test_several_tenants_keep_their_order() -> None:
    """Tenants come in the order in which they are written."""
    found = loaded(CONFIG_JSON={"MicrosoftTenants": [FABRIKAM, tenant()]})
    assert [one.tenant_id for one in found.tenants] == ["fabrikam.com", "contoso.onmicrosoft.com"]


@pytest.mark.parametrize("name", ["CONFIG_JSON", "MICROSOFT_TENANTS_JSON"])
@pytest.mark.parametrize(
    "value", [tenant(), [tenant()], {"MicrosoftTenants": [tenant()]}, {"MicrosoftTenants": tenant()}]
)
def test_either_variable_takes_every_shape(name: str, value: object) -> None:
    """Flat object, bare list, object with a list or with a single tenant: all mean one tenant."""
    assert only(**{name: value}).tenant_id == "contoso.onmicrosoft.com"


def test_the_single_tenant_variables_are_enough() -> None:
    """Four variables configure one tenant, without any JSON."""
    found = only(**SINGLE, DRY_RUN="yes")
    assert (found.tenant_id, found.hub, found.dry_run) == ("contoso.onmicrosoft.com", HUB, True)


def test_the_whole_configuration_may_come_from_the_vault() -> None:
    """With no tenant in the environment, vault and secret are named; what it holds is then loaded."""
    variables = environ(KEY_VAULT_URL=VAULT + "/", CONFIG_SECRET_NAME="mirror-config", DRY_RUN="1")
    assert config_secret_needed(variables) == (VAULT, "mirror-config")
    (found,) = load(variables, vault_json=json.dumps({"MicrosoftTenants": [FABRIKAM]})).tenants
    assert (found.tenant_id, found.dry_run) == ("fabrikam.com", True)


@pytest.mark.parametrize("variables", [{"CONFIG_JSON": tenant()}, {"MICROSOFT_TENANTS_JSON": [tenant()]}, SINGLE])
def test_the_vault_is_not_asked_for_what_the_environment_says(variables: dict[str, object]) -> None:
    """Any tenant in the environment comes before the vault's configuration secret."""
    assert config_secret_needed(environ(KEY_VAULT_URL=VAULT, CONFIG_SECRET_NAME="c", **variables)) is None


def test_a_shared_application_in_the_environment_still_takes_the_tenants_from_the_vault() -> None:
    """ClientId and ClientSecret alone configure no tenant, so the vault is asked; they hold for its tenants."""
    variables = environ(KEY_VAULT_URL=VAULT, CONFIG_SECRET_NAME="c", CLIENT_ID=CLIENT, CLIENT_SECRET="hush")
    assert config_secret_needed(variables) == (VAULT, "c")
    (found,) = load(variables, vault_json=json.dumps([tenant(ClientId=..., ClientSecret=...)])).tenants
    assert found.client_id == CLIENT


def test_the_vault_is_not_contacted_when_the_variables_beside_it_are_wrong() -> None:
    """A broken variable is reported before the configuration secret is asked for."""
    with pytest.raises(ConfigurationError, match="AUTOMATION_SYNCCONTACTS_DRY_RUN must be true or false"):
        config_secret_needed(environ(KEY_VAULT_URL=VAULT, CONFIG_SECRET_NAME="c", DRY_RUN="perhaps"))


def test_a_configuration_secret_without_a_vault_is_a_problem() -> None:
    """The name of the configuration secret alone leads nowhere, and the message says what is missing."""
    assert config_secret_needed(environ(CONFIG_SECRET_NAME="c")) is None
    (problem,) = problems(CONFIG_SECRET_NAME="c")
    assert "AUTOMATION_SYNCCONTACTS_KEY_VAULT_URL is not: name the vault too" in problem


def test_endpoints_of_ones_own_are_known_before_the_settings_are() -> None:
    """The vault may have to be asked for the settings themselves, so this is told from the variables alone."""
    assert not relaxed(environ(**SINGLE))
    assert relaxed(environ(AUTOMATION_SYNCCONACTS_GRAPH_URL="https://localhost:8443/v1.0"))


def test_an_unused_configuration_secret_is_no_problem() -> None:
    """Where the environment names tenants, nothing is said about the vault's secret."""
    assert only(**SINGLE, CONFIG_SECRET_NAME="c").hub == HUB


def test_no_tenant_at_all_says_which_variables_to_set() -> None:
    """An empty environment is one sentence with the ways out."""
    (problem,) = problems()
    assert problem.startswith("No tenant is configured.")
    for name in ("CONFIG_JSON", "MICROSOFT_TENANTS_JSON", "TENANT_ID", "KEY_VAULT_URL"):
        assert f"AUTOMATION_SYNCCONTACTS_{name}" in problem


@pytest.mark.parametrize("value", [{}, [], {"MicrosoftTenants": []}, {"MicrosoftTenants": None, "DryRun": True}])
def test_json_without_tenants_is_no_configuration(value: object) -> None:
    """An empty list of tenants, null, or an empty object configures nobody."""
    assert problems(CONFIG_JSON=value)[0].startswith("No tenant is configured.")


def test_an_empty_configuration_secret_is_named() -> None:
    """The vault's secret that holds no tenant is the thing to mend."""
    (problem,) = problems(KEY_VAULT_URL=VAULT, CONFIG_SECRET_NAME="mirror-config", vault_json="[]")
    assert "the vault's secret mirror-config" in problem


def test_config_json_comes_first_and_says_so() -> None:
    """The whole JSON wins over the list of tenants and the single variables, each with a warning."""
    found = loaded(CONFIG_JSON=FABRIKAM, MICROSOFT_TENANTS_JSON=[tenant()], TENANT_ID="contoso.com")
    assert [one.tenant_id for one in found.tenants] == ["fabrikam.com"]
    assert len([text for text in found.warnings if "is not read, since" in text]) == 2


def test_config_json_may_hold_only_what_all_tenants_share() -> None:
    """Settings for all in the whole JSON apply to tenants that the next place names."""
    found = only(CONFIG_JSON={"DryRun": True, "MaxDeletePercent": 3}, MICROSOFT_TENANTS_JSON=[tenant()])
    assert (found.dry_run, found.max_delete_percent) == (True, 3)


def test_keys_are_taken_in_any_case() -> None:
    """tenantid, TENANTID and TenantID are the same key."""
    assert only(CONFIG_JSON={key.upper(): value for key, value in tenant().items()}).hub == HUB
    assert only(CONFIG_JSON={"microsofttenants": [{key.lower(): value for key, value in tenant().items()}]}).hub == HUB


def test_a_byte_order_mark_before_the_json_does_no_harm() -> None:
    """Editors on Windows put one in front."""
    assert only(CONFIG_JSON="\ufeff" + json.dumps(tenant())).hub == HUB


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRY_RUN", "true"),
        ("CONFIG_JSON", json.dumps({"DryRun": True, **tenant()})),
        ("MICROSOFT_TENANTS_JSON", json.dumps([tenant(DryRun=True)])),
    ],
)
def test_the_names_that_the_page_misspells_work_with_a_warning(name: str, value: str) -> None:
    """SYNCCONACTS is read as SYNCCONTACTS, and the warning names the right one."""
    base = environ(**SINGLE) if name == "DRY_RUN" else {}
    found = load(base | {f"AUTOMATION_SYNCCONACTS_{name}": value})
    assert found.tenants[0].dry_run
    (warning,) = found.warnings
    assert f"AUTOMATION_SYNCCONACTS_{name} is misspelt: it is read as AUTOMATION_SYNCCONTACTS_{name}" in warning


def test_the_right_name_wins_over_the_misspelt_one() -> None:
    """With both set the right one counts, and the other is warned of."""
    found = loaded(CONFIG_JSON=FABRIKAM, AUTOMATION_SYNCCONACTS_CONFIG_JSON=tenant())
    assert found.tenants[0].tenant_id == "fabrikam.com"
    assert "AUTOMATION_SYNCCONACTS_CONFIG_JSON is misspelt and not read" in found.warnings[0]


def test_a_variable_that_is_nearly_ours_is_warned_of() -> None:
    """An unknown name is not read, and the warning names the nearest known one and what it would mean."""
    found = loaded(**SINGLE, DRYRUN="true", AUTOMATION_SYNC_CONTACTS_SCHEDULE="0 0 1 * * *")
    assert [text.split("; did you mean ")[1] for text in found.warnings] == [
        "AUTOMATION_SYNCCONTACTS_DRY_RUN? Without it the run WRITES to the mailboxes.",
        "AUTOMATION_SYNCCONTACTS_SCHEDULE?",
    ]


def test_other_peoples_variables_are_not_ours() -> None:
    """Nothing is said about variables of other programs."""
    assert loaded(**SINGLE, AUTOMATION_SYNCUSERS_DRY_RUN="x", AUTOMATION_OTHER="y").warnings == ()


def test_blank_variables_are_not_set() -> None:
    """An empty or blank variable is as good as none."""
    assert only(**SINGLE, CONFIG_JSON=" ", DRY_RUN="", MAX_DELETE_PERCENT=" ").max_delete_percent == 10
