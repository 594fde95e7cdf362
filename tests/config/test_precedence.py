"""Which place counts: tenant, then top of the JSON, then environment, then the default."""

from dataclasses import fields
from typing import Any

import pytest

from shared.config import PREFIX, SETTINGS, scale_out
from shared.config.model import (
    DeletePolicy,
    FederatedIdentity,
    PairByEmail,
    ScaleOut,
    Tenant,
    VaultCertificate,
    VaultSecret,
)
from tests.config.builders import SINGLE, VAULT, loaded, only, problems, tenant

SHARED = [
    ("UPDATE_EXISTING", "UpdateExisting", "update_existing", [False, True, False], True),
    ("DELETE_POLICY", "DeletePolicy", "delete_policy", ["hub", "everywhere", "hub"], DeletePolicy.RESTORE),
    ("MAX_DELETE_PERCENT", "MaxDeletePercent", "max_delete_percent", [1, 2, 3], 10),
    ("PAIR_BY_EMAIL", "PairByEmail", "pair_by_email", ["names-agree", "always", "names-agree"], PairByEmail.ALWAYS),
    ("EXCLUDE_CATEGORIES", "ExcludeCategories", "exclude_categories", [["a"], ["b"], ["c"]], ()),
    ("EXCLUDE_PRIVATE", "ExcludePrivate", "exclude_private", [False, True, False], True),
    ("FULL_RECONCILE_HOURS", "FullReconcileHours", "full_reconcile_hours", [1, 2, 3], 168),
    ("HISTORY_DAYS", "HistoryDays", "history_days", [1, 2, 3], 90),
    ("CLOUD", "Cloud", "cloud", ["AzureChinaCloud", "AzureUSGovernment", "AzureChinaCloud"], "AzureCloud"),
]


def plain(value: Any) -> Any:
    """A value as the JSON would have it."""
    return (
        list(value) if isinstance(value, tuple) else getattr(value, "name", value) if hasattr(value, "known") else value
    )


@pytest.mark.parametrize(("variable", "key", "attribute", "values", "default"), SHARED)
def test_the_nearest_place_counts(variable: str, key: str, attribute: str, values: list[Any], default: object) -> None:
    """Tenant over top over environment over default, for every setting that can stand in all of them."""
    near, middle, far = values
    text = ",".join(far) if isinstance(far, list) else str(far)
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"CONFIG_JSON": {key: middle, "MicrosoftTenants": [tenant(**{key: near})]}, variable: text}, near),
        ({"CONFIG_JSON": {key: middle, "MicrosoftTenants": [tenant()]}, variable: text}, middle),
        ({"CONFIG_JSON": {key: None, "MicrosoftTenants": [tenant()]}, variable: text}, far),
        ({"CONFIG_JSON": {"MicrosoftTenants": [tenant()]}}, plain(default)),
    ]
    assert [plain(getattr(only(**case), attribute)) for case, _ in cases] == [want for _, want in cases]


def test_every_field_of_a_tenant_is_configurable() -> None:
    """No field of the settings is left that no row of the table fills."""
    filled = {attribute for _, _, attribute, _, _ in SHARED}
    special = {"tenant_id", "client_id", "hub", "auth", "primary_domain", "test_users", "dry_run"}
    assert {field.name for field in fields(Tenant)} == filled | special
    assert {f"{PREFIX}{variable}" for variable, *_ in SHARED} <= {row.variable for row in SETTINGS}


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("middle", [True, False])
@pytest.mark.parametrize("far", [True, False])
def test_a_dry_run_is_on_if_any_place_says_so(near: bool, middle: bool, far: bool) -> None:
    """The one setting whose nearer "false" does not undo a farther "true"."""
    found = only(CONFIG_JSON={"DryRun": middle, "MicrosoftTenants": [tenant(DryRun=near)]}, DRY_RUN=str(far))
    assert found.dry_run == (near or middle or far)


@pytest.mark.parametrize("word", ["true", "TRUE", " Yes ", "y", "1", 1, True])
def test_true_in_all_its_spellings(word: object) -> None:
    """JSON's true, the number 1, and words in any case."""
    assert only(CONFIG_JSON=tenant(DryRun=word)).dry_run


@pytest.mark.parametrize("word", ["false", "False", "NO", "n", "0", 0, False, None, "", []])
def test_false_and_unset_in_all_their_spellings(word: object) -> None:
    """JSON's false, the number 0, words in any case; null and empty mean the default."""
    assert not only(CONFIG_JSON=tenant(DryRun=word)).dry_run


def test_settings_of_the_whole_run_come_from_the_environment() -> None:
    """Schedule, scale-out, state, time budget, identity and vault, each with its default."""
    bare = loaded(**SINGLE)
    assert (bare.schedule, bare.state_url, bare.time_budget_minutes, bare.identity_client_id) == (
        "0 0 * * * *",
        "",
        None,
        "",
    )
    assert bare.scale_out is ScaleOut.INLINE
    full = loaded(
        **SINGLE,
        SCALE_OUT="Durable",
        SCHEDULE=" 0  */15 6-20 * Jan,march MON-Fri ",
        STATE_URL="sqlite:////var/lib/state.db",
        TIME_BUDGET_MINUTES="2.5",
        KEY_VAULT_URL="https://Contoso-Mirror.vault.azure.net/",
        AZURE_CLIENT_ID="00000000-0000-0000-0000-000000000001",
    )
    assert full.schedule == "0 */15 6-20 * Jan,march MON-Fri"
    assert (full.state_url, full.time_budget_minutes, full.vault_url) == ("sqlite:////var/lib/state.db", 2.5, VAULT)
    assert full.identity_client_id.endswith("1")
    assert full.scale_out is ScaleOut.DURABLE


@pytest.mark.parametrize(("value", "room"), [("inline", None), ("durable", 0), ("auto", 2000), ("", None)])
def test_how_much_one_process_takes(value: str, room: int | None) -> None:
    """Any number of mailboxes, none, or as many as it mirrors well within an hour."""
    assert loaded(**SINGLE, SCALE_OUT=value).scale_out.room == room


@pytest.mark.parametrize(
    ("value", "known"), [("auto", ScaleOut.AUTO), ("sideways", ScaleOut.INLINE), (None, ScaleOut.INLINE)]
)
def test_the_app_starts_whatever_scale_out_says(value: str | None, known: ScaleOut) -> None:
    """Which functions there are is decided before anybody can complain: a wrong value is left to the first run."""
    assert scale_out({f"{PREFIX}SCALE_OUT": value} if value else {}) is known


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("memory:", "memory:"),
        ("azurewebjobsstorage", "AzureWebJobsStorage"),
        ("sqlite:///state.db", "sqlite:///state.db"),
        ("https://acct.table.core.windows.net/", "https://acct.table.core.windows.net"),
        ("https://acct.table.core.chinacloudapi.cn", "https://acct.table.core.chinacloudapi.cn"),
    ],
)
def test_places_for_the_state(value: str, kept: str) -> None:
    """File, memory, the app's own storage account, or any account by its address."""
    assert loaded(**SINGLE, STATE_URL=value).state_url == kept


@pytest.mark.parametrize(
    ("name", "graph", "authority"),
    [
        ("azurecloud", "graph.microsoft.com", "login.microsoftonline.com"),
        ("AzureUSGovernment", "graph.microsoft.us", "login.microsoftonline.us"),
        ("AzureUSGovernmentDoD", "dod-graph.microsoft.us", "login.microsoftonline.us"),
        ("AzureChinaCloud", "microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_endpoints(name: str, graph: str, authority: str) -> None:
    """Graph, sign-in and scope belong together."""
    found = only(CONFIG_JSON=tenant(Cloud=name)).cloud
    assert found.graph_url == f"https://{graph}/v1.0"
    assert (found.authority_url, found.scope, found.known) == (
        f"https://{authority}",
        f"https://{graph}/.default",
        True,
    )


def test_another_graph_alone_moves_the_scope_without_its_port() -> None:
    """The token is asked for the host that gets it; Entra refuses a port in a scope."""
    found = loaded(**SINGLE, GRAPH_URL="https://LOCALHOST:8443/v1.0/")
    cloud = found.tenants[0].cloud
    assert (cloud.graph_url, cloud.scope, cloud.known) == (
        "https://localhost:8443/v1.0",
        "https://localhost/.default",
        False,
    )
    assert cloud.authority_url == "https://login.microsoftonline.com"
    assert found.relaxed


def test_another_graph_and_authority_keep_the_clouds_scope() -> None:
    """A stand-in for all of Microsoft 365 answers for the real scope."""
    found = only(**SINGLE, GRAPH_URL="https://[::1]:8443/v1.0", AUTHORITY_URL="https://localhost:8443/")
    assert (found.cloud.authority_url, found.cloud.scope) == (
        "https://localhost:8443",
        "https://graph.microsoft.com/.default",
    )
    assert not found.cloud.known


def test_the_vault_is_only_relaxed_with_endpoints_of_ones_own() -> None:
    """By default the vault's challenge is checked."""
    assert not loaded(**SINGLE, KEY_VAULT_URL=VAULT).relaxed


@pytest.mark.parametrize(
    ("changes", "auth"),
    [
        ({"ClientSecretName": "named"}, VaultSecret("named")),
        ({"ClientCertificateName": "cert"}, VaultCertificate("cert")),
        ({"Auth": "managedidentity"}, FederatedIdentity()),
        ({}, VaultSecret("synccontacts-contoso-onmicrosoft-com")),
    ],
)
def test_the_ways_to_sign_in(changes: dict[str, str], auth: object) -> None:
    """By name of a secret or certificate, by identity, or with the vault's default name."""
    assert only(CONFIG_JSON=tenant(ClientSecret=..., **changes), KEY_VAULT_URL=VAULT).auth == auth


def test_two_ways_to_sign_in_are_a_problem() -> None:
    """Nobody knows which one was meant."""
    (problem,) = problems(CONFIG_JSON=[tenant(ClientSecretName="x")], KEY_VAULT_URL=VAULT)
    assert problem.endswith("ClientSecret and ClientSecretName are given together: keep the one to sign in with.")


def test_a_tenants_own_way_to_sign_in_replaces_the_shared_one() -> None:
    """Two places may differ: the nearer one counts."""
    shared = {"ClientSecret": "shared", "MicrosoftTenants": [tenant(ClientSecret=..., ClientCertificateName="own")]}
    assert only(CONFIG_JSON=shared, KEY_VAULT_URL=VAULT).auth == VaultCertificate("own")


@pytest.mark.parametrize("key", ["ClientSecretName", "ClientCertificateName"])
def test_a_name_in_the_vault_needs_a_vault(key: str) -> None:
    """The message says which variable names the vault."""
    (problem,) = problems(CONFIG_JSON=[tenant(ClientSecret=..., **{key: "x"})])
    assert problem.endswith(f"{key} needs a vault: set {PREFIX}KEY_VAULT_URL.")


def test_without_vault_and_secret_there_is_no_way_to_sign_in() -> None:
    """The message names both ways out."""
    (problem,) = problems(CONFIG_JSON=[tenant(ClientSecret=...)])
    assert "there is no way to sign in: give ClientSecret, or set" in problem


def test_a_domain_too_long_for_a_secrets_name_asks_for_one() -> None:
    """Key Vault takes 127 characters, a domain may have more."""
    long = ".".join(["a" * 60] * 3) + ".com"
    (problem,) = problems(CONFIG_JSON=[tenant(TenantId=long, ClientSecret=...)], KEY_VAULT_URL=VAULT)
    assert problem.endswith("TenantId makes no secret's name: give ClientSecretName.")
