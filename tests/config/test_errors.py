"""What an operator can get wrong ends in a sentence that names variable, tenant and key."""

import json
from typing import Any

import pytest

from shared.config import PREFIX, config_secret_needed
from shared.errors import ConfigurationError
from tests.config.builders import CLIENT, HUB, SINGLE, VAULT, environ, loaded, only, problems, refused, tenant

WHERE = f"{PREFIX}CONFIG_JSON, tenant contoso.onmicrosoft.com: "


def wrong(**changes: Any) -> str:
    """The only problem of a tenant with these changes."""
    (problem,) = problems(CONFIG_JSON={"MicrosoftTenants": [tenant(**changes)]})
    assert problem.startswith(WHERE)
    return problem.removeprefix(WHERE)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("DryRun", "maybe", 'DryRun must be true or false (or yes, no, 1, 0), not "maybe".'),
        ("UpdateExisting", 2, "UpdateExisting must be true or false (or yes, no, 1, 0), not 2."),
        ("ExcludePrivate", {"a": 1}, "ExcludePrivate must be true or false (or yes, no, 1, 0), not an object."),
        ("MaxDeletePercent", 101, "MaxDeletePercent must be a whole number from 0 to 100, not 101."),
        ("MaxDeletePercent", 2.5, "MaxDeletePercent must be a whole number from 0 to 100, not 2.5."),
        ("MaxDeletePercent", True, "MaxDeletePercent must be a number, not true."),
        ("FullReconcileHours", 0, "FullReconcileHours must be a whole number from 1 to 87600, not 0."),
        ("FullReconcileHours", "soon", 'FullReconcileHours must be a number, not "soon".'),
        ("DeletePolicy", "all", 'DeletePolicy must be one of restore, hub, everywhere, not "all".'),
        ("PairByEmail", "never", 'PairByEmail must be one of always, names-agree, not "never".'),
        ("ClientId", 7, "ClientId must be text in quotation marks, not 7."),
        ("ClientId", ["x"], "ClientId must be text in quotation marks, not a list."),
        ("ClientSecret", 7, "ClientSecret must be text in quotation marks."),
        (
            "GlobalAddressBookUserId",
            "All Contacts",
            "GlobalAddressBookUserId must be a user principal name, an e-mail address or an object id (GUID).",
        ),
        ("PrimaryDomain", "contoso", "PrimaryDomain must be a domain such as contoso.onmicrosoft.com."),
        ("TestUserList", 5, "TestUserList must be a list, or text with commas between, not 5."),
        (
            "TestUserList",
            ["a@b.com", "bob"],
            (
                "TestUserList has a wrong entry (number 2): it must be a user principal name, an e-mail address or an "
                "object id (GUID)."
            ),
        ),
        (
            "Cloud",
            "Germany",
            'Cloud must be one of AzureCloud, AzureUSGovernment, AzureUSGovernmentDoD, AzureChinaCloud, not "Germany".',
        ),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object, sentence: str) -> None:
    """Variable, tenant and key begin the sentence; then it says what would be right."""
    assert wrong(**{key: value}) == sentence


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SCHEDULE", "0 * * * *", 'must have six fields: put the second in front, "0 0 * * * *" is every hour.'),
        (
            "SCHEDULE",
            "hourly",
            'must have six fields from second to day of the week, not 1: "0 0 * * * *" is every hour.',
        ),
        ("SCHEDULE", "0 60 * * * *", 'has "60" where the minute belongs: "0 0 * * * *" is every hour.'),
        ("SCHEDULE", "0 0 * * * 7", 'has "7" where the day of the week belongs: "0 0 * * * *" is every hour.'),
        ("SCHEDULE", "0 */0 * * * *", 'has "*/0" where the minute belongs: "0 0 * * * *" is every hour.'),
        ("SCHEDULE", "0 0 0 1-x * *", 'has "1-x" where the day belongs: "0 0 * * * *" is every hour.'),
        ("SCALE_OUT", "shards", 'must be one of inline, auto, durable, not "shards".'),
        ("SCALE_OUT", "true", 'must be one of inline, auto, durable, not "true".'),
        ("TIME_BUDGET_MINUTES", "0", 'must be a number of minutes above 0 and up to 1440, not "0".'),
        ("TIME_BUDGET_MINUTES", "-3", 'must be a number of minutes above 0 and up to 1440, not "-3".'),
        ("GRAPH_URL", "http://localhost:8443/v1.0", "must begin with https://, as in https://localhost:8443/v1.0."),
        ("GRAPH_URL", "https://localhost:8443", "must end with the version, as in https://localhost:8443/v1.0."),
        ("GRAPH_URL", "https://[::1/v1.0", "must be an address such as https://localhost:8443/v1.0."),
        ("GRAPH_URL", "https://localhost:99999/v1.0", "must be an address such as https://localhost:8443/v1.0."),
        ("AUTHORITY_URL", "https://me:pass@login", "must be an address such as https://localhost:8443."),
        ("AUTHORITY_URL", "login.example.com", "must begin with https://, as in https://localhost:8443."),
        ("KEY_VAULT_URL", f"{VAULT}/secrets/x", "must be the vault's address alone, without the path of a secret."),
        ("CONFIG_SECRET_NAME", "a b", "must be a name of 1 to 127 letters, digits and hyphens, as Key Vault demands."),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, sentence: str) -> None:
    """A variable's own name begins the sentence."""
    variables = {"KEY_VAULT_URL": VAULT, **SINGLE, name: value}
    assert problems(**variables) == (f"{PREFIX}{name} {sentence}",)


@pytest.mark.parametrize(
    "value",
    [
        "0 0 * * *",
        "state.db",
        "sqlite://state.db",
        "sqlite:////",
        "http://acct.table.core.windows.net",
        "https://evil.com",
        "https://acct.table.core.windows.net?sv=1&sig=abc",
        "https://acct.table.core.windows.net/x",
    ],
)
def test_a_wrong_place_for_the_state_lists_the_right_ones(value: str) -> None:
    """A state address that no adapter knows is refused; a signature in it is, too."""
    (problem,) = problems(**SINGLE, STATE_URL=value)
    assert problem.startswith(f"{PREFIX}STATE_URL must be sqlite:///relative.db")
    assert "abc" not in problem


def test_a_vault_that_is_no_key_vault_is_refused() -> None:
    """Another host than Azure's would be handed the app's token, so it needs endpoints of one's own."""
    variables = {**SINGLE, "KEY_VAULT_URL": "https://localhost:8443"}
    (problem,) = problems(**variables)
    assert problem.startswith(f"{PREFIX}KEY_VAULT_URL is no address of a Key Vault")
    assert loaded(**variables, AUTHORITY_URL="https://localhost:8443").vault_url == "https://localhost:8443"


def test_broken_json_is_located_and_not_shown() -> None:
    """Variable, line and column, and nothing of the text, which may hold secrets."""
    (problem,) = problems(CONFIG_JSON='{"ClientSecret": "s3cr3t",\n  "DryRun": maybe}')
    assert problem == f"{PREFIX}CONFIG_JSON is no valid JSON: Expecting value in line 2, column 13."


@pytest.mark.parametrize("name", ["MICROSOFT_TENANTS_JSON", "TEST_USER_LIST_BY_TENANT_JSON"])
def test_each_json_variable_is_named_when_it_is_broken(name: str) -> None:
    """The message says which of the variables cannot be parsed."""
    base = {} if name == "MICROSOFT_TENANTS_JSON" else SINGLE
    assert problems(**base, **{name: "[1,"})[0].startswith(f"{PREFIX}{name} is no valid JSON: ")


@pytest.mark.parametrize("value", ["[" * 100_000, "1" * 10_000])
def test_absurd_json_is_a_problem_too(value: str) -> None:
    """Nesting without end and numbers of thousands of digits are refused, not tripped over."""
    assert problems(CONFIG_JSON=value)[0].startswith(f"{PREFIX}CONFIG_JSON is no usable JSON")


@pytest.mark.parametrize(("value", "kind"), [("5", "5"), ('"x"', '"x"'), ("true", "true")])
def test_json_of_another_kind_is_refused(value: str, kind: str) -> None:
    """A number or a text configures nobody."""
    assert problems(CONFIG_JSON=value) == (
        f"{PREFIX}CONFIG_JSON must hold a JSON object or a list of tenants, not {kind}.",
    )


def test_a_tenant_that_is_no_object_is_named_by_its_place() -> None:
    """An entry that is text is counted, not shown: it might be a secret."""
    (problem,) = problems(CONFIG_JSON=[tenant(), "s3cr3t"])
    assert problem == f"{PREFIX}CONFIG_JSON: MicrosoftTenants must list objects, but entry 2 is text."


def test_a_key_twice_is_a_problem() -> None:
    """JSON itself lets the last one win in silence."""
    text = json.dumps(tenant(DryRun=True)).replace("}", ', "dryRun": false}')
    assert f'{PREFIX}CONFIG_JSON gives the key "dryRun" twice in one object.' in problems(CONFIG_JSON=text)


@pytest.mark.parametrize("key", ["TenantId", "ClientId", "GlobalAddressBookUserId"])
@pytest.mark.parametrize("empty", [..., None, "", " ", []])
def test_a_missing_required_key_is_named(key: str, empty: object) -> None:
    """Absent, null and blank are all missing."""
    found = problems(
        CONFIG_JSON=[tenant(), tenant(TenantId="fabrikam.com", **{key: empty})]
        if key != "TenantId"
        else [tenant(TenantId=empty)]
    )
    who = "tenant number 1" if key == "TenantId" else "tenant fabrikam.com"
    assert found == (f"{PREFIX}CONFIG_JSON, {who}: {key} is missing.",)


def test_missing_single_variables_are_named_as_variables() -> None:
    """Who uses variables is told variables."""
    assert problems(TENANT_ID="contoso.com") == (
        f"{PREFIX}CLIENT_ID is missing.",
        f"{PREFIX}GLOBAL_ADDRESS_BOOK_USER_ID is missing.",
        f"{PREFIX}CLIENT_SECRET is missing (or keep the secret in a vault: {PREFIX}KEY_VAULT_URL).",
    )


@pytest.mark.parametrize("value", ["common", "contoso", "tenant-id-or-domain", "contoso.com/x", "a@b.com", "1.2.3.4"])
def test_a_tenant_is_a_guid_or_a_domain(value: str) -> None:
    """Anything else would only be refused by Entra later."""
    (problem,) = problems(CONFIG_JSON=[tenant(TenantId=value)])
    assert problem.startswith(f"{PREFIX}CONFIG_JSON, tenant number 1: TenantId must be the tenant's GUID or one of")


@pytest.mark.parametrize(
    "second",
    [{"TenantId": "CONTOSO.onmicrosoft.com"}, {"TenantId": CLIENT, "PrimaryDomain": "contoso.onmicrosoft.com"}],
)
def test_the_same_tenant_twice_is_a_problem(second: dict[str, str]) -> None:
    """By id in any case, or by a domain that the other one goes by."""
    found = problems(CONFIG_JSON=[tenant(), tenant(**second)])
    assert found[-1].endswith(f"the tenant {second['TenantId']} is configured twice.")


def test_all_problems_come_together() -> None:
    """The operator mends everything in one go: environment, top of the JSON and each tenant."""
    found = problems(
        CONFIG_JSON={
            "DryRun": "x",
            "MicrosoftTenants": [tenant(ClientId=...), tenant(TenantId="fabrikam.com", MaxDeletePercent=-1)],
        },
        SCHEDULE="0",
        TEST_USER_LIST_BY_TENANT_JSON="[]x",
    )
    assert len(found) == 5


def test_a_problem_for_all_tenants_is_told_once() -> None:
    """A broken shared setting is one sentence, however many tenants there are."""
    assert len(problems(CONFIG_JSON=[tenant(), tenant(TenantId="fabrikam.com")], MAX_DELETE_PERCENT="lots")) == 1


def test_long_values_are_not_repeated() -> None:
    """A secret in the wrong place is not shown: only its length is."""
    secret = "Abc8Q~" + "x" * 34
    assert wrong(DeletePolicy=secret).endswith("not a text of 40 characters.")


@pytest.mark.parametrize(
    ("key", "guess"), [("MaxDeletePercentage", "MaxDeletePercent"), ("Client_Secret_Name", "ClientSecretName")]
)
def test_an_unknown_key_is_a_warning_with_the_nearest_name(key: str, guess: str) -> None:
    """It changes nothing, but it is said."""
    (warning,) = loaded(CONFIG_JSON=[tenant(**{key: 5})]).warnings
    assert warning == f'{WHERE}the key "{key}" is not known and not read; did you mean {guess}?'


@pytest.mark.parametrize(
    ("key", "misspelt"),
    [
        ("GlobalAddressBookUserId", "GlobalAdressBookUserId"),
        ("ClientId", "ClientID_"),
        ("TenantId", "TennantId"),
    ],
)
def test_a_misspelt_required_key_is_told_with_what_is_missing(key: str, misspelt: str) -> None:
    """That it is missing alone would puzzle whoever sees it standing there."""
    error = refused(CONFIG_JSON=[tenant(**{key: ..., misspelt: tenant()[key]})])
    assert error.problems[0].endswith(f"{key} is missing.")
    assert any(text.endswith(f'"{misspelt}" is not known and not read; did you mean {key}?') for text in error.warnings)
    assert all(text in str(error) for text in (*error.problems, *error.warnings))


def test_a_misspelt_variable_is_told_with_what_is_missing() -> None:
    """For variables as for keys."""
    right = "GLOBAL_ADDRESS_BOOK_USER_ID"
    error = refused(**{name: value for name, value in SINGLE.items() if name != right}, GLOBAL_ADRESS_BOOK_USER=HUB)
    assert error.problems == (f"{PREFIX}{right} is missing.",)
    assert error.warnings == (
        f'The variable "{PREFIX}GLOBAL_ADRESS_BOOK_USER" is not known and not read; did you mean {PREFIX}{right}?',
    )


def test_a_wrong_vault_is_told_with_the_warnings() -> None:
    """Where the vault is refused before it is asked for the configuration, nothing is left out either."""
    with pytest.raises(ConfigurationError) as caught:
        config_secret_needed(environ(KEY_VAULT_URL="https://x.example", CONFIG_SECRET_NAME="c", DRYRUNN="true"))
    assert any("did you mean" in text for text in caught.value.warnings)


def test_overlooking_test_users_or_the_dry_run_is_told_with_its_consequence() -> None:
    """Those two make the difference between a trial and the real thing."""
    found = loaded(CONFIG_JSON=tenant(TestUsers=["a@b.com"], DryRunn=True)).warnings
    assert any("did you mean TestUserList? Without it ALL licensed users are mirrored." in text for text in found)
    assert any("did you mean DryRun? Without it the run WRITES to the mailboxes." in text for text in found)


def test_keys_of_the_environment_are_pointed_there() -> None:
    """The schedule is no JSON key; the warning names its variable."""
    (warning,) = loaded(CONFIG_JSON=tenant(Schedule="0 0 * * * *")).warnings
    assert warning.endswith(f"is it the environment variable {PREFIX}SCHEDULE?")


def test_keys_in_the_wrong_place_are_warned_of() -> None:
    """A tenant's own key beside the list, and a key for all inside a tenant, are not read."""
    found = loaded(
        CONFIG_JSON={"TenantId": "x.com", "MicrosoftTenants": [tenant(TestUserListByTenant={"a.com": ["a@b.com"]})]}
    ).warnings
    assert any("TenantId belongs inside a tenant" in text for text in found)
    assert any("TestUserListByTenant belongs at the top" in text for text in found)


def test_odd_key_names_are_not_repeated() -> None:
    """What is no name may be anything, a secret too."""
    (warning,) = loaded(CONFIG_JSON=tenant(**{"x y\n": 1})).warnings
    assert "a key with an odd name" in warning


def test_a_client_id_that_is_no_guid_is_warned_of() -> None:
    """Entra's application ids are GUIDs; a name there is a slip."""
    (warning,) = loaded(CONFIG_JSON=tenant(ClientId="contacts-mirror")).warnings
    assert warning.startswith(f"{WHERE}ClientId is no GUID")


def test_a_secret_that_looks_like_an_id_is_warned_of() -> None:
    """The classic slip: the secret's id instead of its value."""
    (warning,) = loaded(CONFIG_JSON=tenant(ClientSecret=CLIENT)).warnings
    assert warning.startswith(f"{WHERE}ClientSecret looks like a secret's id")
    assert CLIENT not in warning


def test_warnings_do_not_stop_a_run() -> None:
    """Settings with warnings are settings."""
    assert only(CONFIG_JSON=tenant(Foo=1)).hub
