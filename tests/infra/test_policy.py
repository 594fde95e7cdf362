"""What must hold of the resources, whatever else changes: no keys, no passwords, no more rights than needed."""

import pytest

from tests.infra.template import Resource, choices, made, of_type, templates
from tests.infra.workspace import alerts

# learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
}
# learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule
WINDOWS = ["PT15M", "PT30M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H", "PT6H", "P1D", "P2D"]
UNTAGGED = {
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/queueServices",
    "Microsoft.Storage/storageAccounts/queueServices/queues",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
}


def _one(resource_type: str) -> Resource:
    (found,) = of_type(resource_type)
    return found


def test_storage_knows_no_keys_and_no_strangers() -> None:
    """By identity only, over TLS 1.2 at least, and no blob is public."""
    account = _one("Microsoft.Storage/storageAccounts").properties
    wanted = {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "defaultToOAuthAuthentication": True,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    }
    assert {name: account[name] for name in wanted} == wanted
    assert _one("Microsoft.Storage/storageAccounts/blobServices/containers").properties == {"publicAccess": "None"}


def test_the_vault_goes_by_roles_and_forgets_nothing() -> None:
    """No access policies; what is deleted can be had back for 90 days, and nobody can purge it."""
    vault = _one("Microsoft.KeyVault/vaults").properties
    assert vault["enableRbacAuthorization"] is True
    assert vault["enablePurgeProtection"] is True
    assert (vault["enableSoftDelete"], vault["softDeleteRetentionInDays"]) == (True, 90)
    assert not any(vault[name] for name in vault if name.startswith("enabledFor"))


def test_the_app_has_one_identity_and_uses_it_for_everything() -> None:
    """Its own host storage, its package, its telemetry, its vault references."""
    app = _one("Microsoft.Web/sites")
    assert app.body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"${identity.id}": {}}}
    package = app.properties["functionAppConfig"]["deployment"]["storage"]["authentication"]
    assert package["type"] == "UserAssignedIdentity"
    settings = templates()["app.bicep"].text
    assert "AzureWebJobsStorage__credential: 'managedidentity'" in settings
    assert "Authorization=AAD" in settings
    assert not [one.place for one in made() if "SystemAssigned" in str(one.body.get("identity", ""))]


def test_the_app_speaks_tls_and_takes_no_password() -> None:
    """HTTPS only, TLS 1.2 at least, no FTP, and publishing by Entra identity."""
    app = _one("Microsoft.Web/sites").properties
    assert app["httpsOnly"] is True
    site = app["siteConfig"]
    assert (site["minTlsVersion"], site["scmMinTlsVersion"], site["ftpsState"]) == ("1.2", "1.2", "Disabled")
    assert site["remoteDebuggingEnabled"] is False
    policies = of_type("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {one.body["name"]: one.properties["allow"] for one in policies} == {"ftp": False, "scm": False}


def test_telemetry_is_taken_by_identity_only() -> None:
    """Whoever knows the connection string can write nothing with it."""
    assert _one("Microsoft.Insights/components").properties["DisableLocalAuth"] is True
    assert _one("Microsoft.OperationalInsights/workspaces").properties["features"]["disableLocalAuth"] is True


def test_rights_are_few_and_on_single_resources() -> None:
    """Six roles for data, none for management; each on one resource, never on the group."""
    roles = templates()["roles.bicep"]
    assert set(roles.variable("roleIds").values()) == set(ROLES)
    given = {
        one.symbol: (one.body["scope"], one.properties["principalId"]) for one in roles.resources if not one.is_existing
    }
    assert {symbol: str(scope) for symbol, (scope, _) in given.items()} == {
        "storageAccess": "storage",
        "vaultAccess": "vault",
        "telemetryAccess": "insights",
        "operatorAccess": "vault",
    }
    assert str(given["operatorAccess"][1]) == "operatorPrincipalId"
    assert {one.type for one in made() if one.file != "roles.bicep"} & {
        "Microsoft.Authorization/roleAssignments"
    } == set()


def test_the_app_may_read_secrets_and_not_write_them() -> None:
    """Only the operator gets the officer's role."""
    text = templates()["roles.bicep"].text
    assert text.count("roleIds.keyVaultSecretsOfficer") == 2
    assert "resource operatorAccess" in text.partition("roleIds.keyVaultSecretsOfficer")[0]


def test_isolation_closes_storage_and_vault() -> None:
    """One parameter: no public address, and a private endpoint for each service that the app uses."""
    for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        properties = _one(kind).properties
        assert choices(properties["publicNetworkAccess"]) == ["Disabled", "Enabled"]
        assert choices(properties["networkAcls"]["defaultAction"]) == ["Deny", "Allow"]
        assert properties["networkAcls"]["bypass"] == "None"
    links = templates()["network.bicep"].variable("links")
    assert [link["name"] for link in links] == ["blob", "queue", "table", "vault"]
    assert "if (isNetworkIsolated)" in templates()["main.bicep"].text


def test_who_touches_secrets_is_on_record() -> None:
    """The vault's audit log and the queues' writes go to the workspace."""
    found = {
        (one.file, str(one.body["scope"])): [
            log.get("categoryGroup") or log.get("category") for log in one.properties["logs"]
        ]
        for one in of_type("Microsoft.Insights/diagnosticSettings")
        if all(log["enabled"] for log in one.properties["logs"])
    }
    assert found == {("vault.bicep", "vault"): ["audit"], ("storage.bicep", "queueService"): ["StorageWrite"]}


def test_everything_is_tagged() -> None:
    """Whoever pays for it finds out what it is."""
    assert [one.place for one in made() if "tags" not in one.body and one.type not in UNTAGGED] == []


def test_there_is_an_alert_for_everything_that_matters() -> None:
    """For what went wrong, and for what did not happen."""
    wanted = {"run-failed", "run-missing", "deletions-refused", "throttled", "secret-expiring", "card-refused"}
    assert wanted | {"message-poisoned"} <= set(alerts())


@pytest.mark.parametrize("name", sorted(alerts()))
def test_alerts_are_rules_that_azure_takes(name: str) -> None:
    """A window and a frequency out of Azure's lists, and no window shorter than the time between two looks."""
    rule = alerts()[name]
    assert rule["window"] in WINDOWS
    assert rule["frequency"] in WINDOWS
    assert WINDOWS.index(rule["frequency"]) <= WINDOWS.index(rule["window"])
    assert rule["severity"] in {1, 2, 3}


def test_alerts_reach_people_and_end_by_themselves() -> None:
    """One row is enough; the action group hears of it; what is over is closed."""
    rules = _one("Microsoft.Insights/scheduledQueryRules").properties
    (condition,) = rules["criteria"]["allOf"]
    assert (condition["timeAggregation"], condition["operator"], condition["threshold"]) == ("Count", "GreaterThan", 0)
    assert (rules["enabled"], rules["autoMitigate"]) == (True, True)
    assert "people.id" in templates()["alerts.bicep"].text
    people = _one("Microsoft.Insights/actionGroups").properties
    assert people["enabled"] is True
    assert len(people["groupShortName"]) <= 12
