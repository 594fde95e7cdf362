"""Every resource has the properties, types and values that Azure's own libraries know of."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.infra import arm
from tests.infra.template import Body, Resource, made, of_type

# The one type without a library: learn.microsoft.com/azure/templates/microsoft.insights/diagnosticsettings
DIAGNOSTIC_SETTINGS = "Microsoft.Insights/diagnosticSettings"
DIAGNOSTIC_PROPERTIES = {"workspaceId", "logs", "metrics"}
DIAGNOSTIC_LOG = {"category", "categoryGroup", "enabled"}


@pytest.mark.parametrize("resource", made(), ids=lambda resource: resource.place)
def test_every_property_is_one_that_azure_knows(resource: Resource) -> None:
    """No misspelt or read-only property, no wrong type, no word outside an enumeration, nothing required left out."""
    if resource.type == DIAGNOSTIC_SETTINGS:
        assert set(resource.properties) <= DIAGNOSTIC_PROPERTIES
        assert all(set(log) <= DIAGNOSTIC_LOG for log in resource.properties["logs"])
    else:
        assert list(arm.complaints(resource.place, resource.body, arm.model(resource.type))) == []


def _put(*path: str, value: object) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return change


def _take(name: str) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        del body[name]

    return change


@pytest.mark.parametrize(
    ("resource_type", "change", "complaint"),
    [
        ("Microsoft.Web/sites", _put("properties", "httpOnly", value=True), "did you mean httpsOnly?"),
        ("Microsoft.Web/sites", _put("properties", "httpsOnly", value="yes"), "'yes' is of the wrong type"),
        ("Microsoft.Web/sites", _put("properties", "hostNames", value=["a"]), "hostNames is read-only"),
        ("Microsoft.Web/sites", _put("identity", "type", value="Mine"), "'Mine' is none of"),
        ("Microsoft.Web/sites", _take("location"), "location is missing"),
        (
            "Microsoft.Web/sites",
            _put("properties", "functionAppConfig", "scaleAndConcurrency", "instanceMemoryMB", value="2048"),
            "'2048' is of the wrong type",
        ),
        ("Microsoft.Storage/storageAccounts", _put("properties", "minimumTlsVersion", value="TLS12"), "is none of"),
        ("Microsoft.KeyVault/vaults", _put("properties", "sku", "family", value="B"), "'B' is none of"),
        ("Microsoft.Insights/scheduledQueryRules", _put("properties", "severty", value=1), "properties.severity?"),
        (
            "Microsoft.Insights/scheduledQueryRules",
            _put("properties", "criteria", "allOf", value=[{"qery": ""}]),
            "did you mean query?",
        ),
        ("Microsoft.Insights/actionGroups", _put("properties", "groupShortName", value=7), "7 is of the wrong type"),
    ],
)
def test_what_is_wrong_is_found(resource_type: str, change: Callable[[Body], None], complaint: str) -> None:
    """A mistake in a good template does not pass."""
    resource = of_type(resource_type)[0]
    body = deepcopy(resource.body)
    change(body)
    (found,) = arm.complaints(resource.place, body, arm.model(resource_type))
    assert complaint in found


def test_versions_are_released_and_the_same_everywhere() -> None:
    """A type has one version in all files; a preview only where there is nothing else."""
    versions: dict[str, set[str]] = {}
    for resource in made():
        versions.setdefault(resource.type, set()).add(resource.api_version)
    assert {name for name, found in versions.items() if len(found) > 1} == set()
    assert {name for name, found in versions.items() if "preview" in "".join(found)} == {DIAGNOSTIC_SETTINGS}
