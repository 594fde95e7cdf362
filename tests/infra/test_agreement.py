"""Templates, code, example and documents say the same: settings, names, times, parameters."""

import json
import re
import tomllib
from typing import Any

import pytest

import function_app
from shared import config
from shared.config import SETTINGS, table
from shared.config.clouds import CloudName
from shared.config.model import ScaleOut
from shared.shards.message import SHARDS_QUEUE
from shared.state.opening import app_storage
from tests.infra.template import Body, choices, is_expression, is_name, templates
from tests.infra.workspace import alerts, queries
from tests.test_architecture import ROOT
from tests.test_docs import text

MAIN = templates()["main.bicep"]
PARAMETERS = MAIN.part("parameters")
GUID = "00000000-0000-4000-8000-000000000000"

# What the host reads: learn.microsoft.com/azure/azure-functions/functions-identity-based-connections-tutorial and
# …/functions-app-settings, "APPLICATIONINSIGHTS_AUTHENTICATION_STRING".
HOST = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
}
# Flex Consumption refuses or ignores them: learn.microsoft.com/azure/azure-functions/functions-app-settings
NOT_ON_FLEX = {
    "AzureWebJobsStorage",
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_LOAD_CERTIFICATES",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_TIME_ZONE",
}


def _settings() -> Body:
    """The app settings that the templates make."""
    (found,) = [one for one in templates()["app.bicep"].resources if one.symbol == "settings"]
    made, more = found.properties["function"]["parameters"].values()
    assert str(more) == "extraSettings"
    assert isinstance(made, dict)
    return made


def _json(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def _table(document: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading: the other cells by the word in code of the first."""
    _, _, below = text(document).partition(f"\n{heading}\n")
    section = re.split(r"\n#+ ", below)[0]
    rows = [
        [cell.strip() for cell in row.strip("|").split(" | ")] for row in section.splitlines() if row.startswith("| `")
    ]
    return {cells[0].strip("` "): cells[1:] for cells in rows}


def _minutes(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    assert seconds == 0
    return hours * 60 + minutes


HOST_MINUTES = _minutes(_json("host.json")["functionTimeout"])


def test_every_setting_is_one_that_somebody_reads() -> None:
    """Each is the mirror's or the host's, and none is one that Flex Consumption does not take."""
    made = set(_settings())
    assert made - {row.variable for row in SETTINGS} == HOST
    assert made & NOT_ON_FLEX == set()


def test_the_settings_are_a_configuration() -> None:
    """With nothing but defaults: the configuration is a secret of the vault, and the dry run is on."""
    environ = {name: value for name, one in _settings().items() if isinstance(value := _default(one), str)}
    environ |= {config.PREFIX + "KEY_VAULT_URL": "https://kv-mirror.vault.azure.net/"}
    assert config.config_secret_needed(environ) == ("https://kv-mirror.vault.azure.net", "synccontacts-config")
    tenant = {
        "TenantId": "contoso.com",
        "ClientId": GUID,
        "Auth": "ManagedIdentity",
        "GlobalAddressBookUserId": "a@b.c",
    }
    settings = config.load(environ, vault_json=json.dumps({"MicrosoftTenants": [tenant]}))
    assert [one.dry_run for one in settings.tenants] == [True]
    assert settings.time_budget_minutes == PARAMETERS["timeBudgetMinutes"]["default"]
    assert settings.warnings == ()


def _default(value: Any) -> Any:
    """The value with main.bicep's defaults; both words of a condition on a switch follow that switch."""
    if isinstance(value, dict) and value.get("function", {}).get("type") == "string":
        return str(PARAMETERS[value["function"]["parameters"]["value_to_convert"]]["default"])
    options = choices(value)
    if len(options) == 2:
        switch = value["operator"]["operands"]["condition"]
        return options[0] if PARAMETERS[switch]["default"] else options[1]
    return PARAMETERS[value]["default"] if is_name(value) else value


def test_the_state_is_found_in_the_apps_own_storage() -> None:
    """The tables' address that the templates set is the one that the state is opened with."""
    name = "AzureWebJobsStorage__tableServiceUri"
    assert name in _settings()
    assert app_storage({name: "https://account.table.core.windows.net/"}) == "https://account.table.core.windows.net/"


def test_azures_names_of_its_clouds_are_ours() -> None:
    """`environment().name` is a value of the setting (learn.microsoft.com/azure/azure-resource-manager/bicep)."""
    assert {"AzureCloud", "AzureUSGovernment", "AzureChinaCloud"} <= {cloud.value for cloud in CloudName}
    assert "AUTOMATION_SYNCCONTACTS_CLOUD: environment().name" in templates()["app.bicep"].text


def test_the_example_has_every_setting() -> None:
    """What a developer copies is complete, and holds nothing that nobody reads."""
    named = set(_json("local.settings.example.json")["Values"])
    assert named - {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"} == {row.variable for row in SETTINGS} - {""}


def test_the_deployment_page_has_every_setting() -> None:
    """The table of docs/deploy.md is that of the templates."""
    assert set(_table("docs/deploy.md", "## App settings")) == set(_settings())


def test_the_deployment_page_has_every_parameter() -> None:
    """Each with its default."""
    rows = _table("docs/deploy.md", "## Parameters")
    shown = {name: cells[0].strip("`") for name, cells in rows.items()}
    assert shown == {name: _shown(one.get("default")) for name, one in PARAMETERS.items()}


def _shown(default: Any) -> str:
    if isinstance(default, dict) and is_expression(default):
        return "the resource group's"
    words = {"None": "required", "True": "true", "False": "false", "": "empty", "{}": "none"}
    return words.get(str(default), str(default))


def test_azd_fills_in_parameters_that_exist() -> None:
    """Each placeholder is one of azd's own, or explained in docs/deploy.md."""
    given = _json("infra/main.parameters.json")["parameters"]
    assert set(given) <= set(PARAMETERS)
    for name, one in given.items():
        for variable, default in re.findall(r"^\$\{(MIRROR_\w+)=(.*)\}$", one["value"]):
            assert f"`{variable}`" in " ".join(_table("docs/deploy.md", "## Parameters")[name])
            assert default == str(PARAMETERS[name]["default"]).replace("True", "true").replace("False", "false")


def test_azd_finds_the_app() -> None:
    """The service's name is the tag of the Function app, its module is there, and nothing is built remotely."""
    azd = text("azure.yaml")
    (service,) = re.findall(r"^services:\n  (\w+):", azd, re.MULTILINE)
    assert f"'azd-service-name': '{service}'" in templates()["app.bicep"].text
    assert "remoteBuild: false" in azd
    assert re.findall(r"--requirement (\S+)", azd) == ["requirements.txt"]


def test_one_python_everywhere() -> None:
    """The version that the app runs on is the one it is built for, and one that the project allows."""
    (version,) = re.findall(r"name: 'python'\s+version: '([\d.]+)'", templates()["app.bicep"].text)
    assert f"--python-version {version} " in text("azure.yaml")
    allowed = tomllib.loads(text("pyproject.toml"))["project"]["requires-python"]
    least, below = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", allowed).groups()  # type: ignore[union-attr]
    assert int(least) <= int(version.removeprefix("3.")) < int(below)


QUEUES = (function_app.RUN_QUEUE, SHARDS_QUEUE)


def test_queues_are_made_and_their_poison_is_watched() -> None:
    """The queues that the code names, and those that the host sets messages aside in."""
    wanted = [name for queue in QUEUES for name in (queue, f"{queue}-poison")]
    assert templates()["storage.bicep"].variable("queueNames") == wanted
    assert all(f'"{queue}-poison"' in queries()["alerts/message-poisoned.kql"] for queue in QUEUES)


def test_every_way_to_scale_out_can_be_chosen() -> None:
    """The templates take the words that the setting takes, and begin with its default."""
    words = next(one["argument"] for one in PARAMETERS["scaleOut"]["decorators"] if one["type"] == "allowed")
    assert set(words) == set(ScaleOut)
    assert PARAMETERS["scaleOut"]["default"] == table.SCALE_OUT.default


def test_a_run_ends_before_the_host_ends_it() -> None:
    """The greatest time budget leaves minutes for the writes under way, and the queries know the host's timeout."""
    budget = next(
        one["argument"] for one in PARAMETERS["timeBudgetMinutes"]["decorators"] if one["type"] == "max_value"
    )
    assert budget <= HOST_MINUTES - 3
    assert f"/ {HOST_MINUTES}," in queries()["workbook/limits.kql"]
    assert f"{HOST_MINUTES} minutes" in queries()["alerts/run-unfinished.kql"]


@pytest.mark.parametrize("name", sorted(alerts()))
def test_the_runbook_has_every_alert(name: str) -> None:
    """Whoever is called finds what it means and what to do."""
    assert re.search(rf"^\| {name} \| \d \| .+ \| .+ \|$", text("docs/operations.md"), re.MULTILINE)
    (severity,) = re.findall(rf"^\| {name} \| (\d) ", text("docs/operations.md"), re.MULTILINE)
    assert int(severity) == alerts()[name]["severity"]


def test_the_cost_of_alerts_is_counted_right() -> None:
    """How many rules look how often is what a bill goes by."""
    looks = [rule["frequency"] for rule in alerts().values()]
    said = re.search(
        r"twelve, each by how often it looks: (\d) × 15 min, (\d) × 30 min, (\d) × 1 h", text("docs/deploy.md")
    )
    assert said
    assert [int(number) for number in said.groups()] == [looks.count(one) for one in ("PT15M", "PT30M", "PT1H")]
    assert len(looks) == 12
