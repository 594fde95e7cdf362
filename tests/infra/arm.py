"""What Azure Resource Manager takes, as Microsoft's own management libraries for Python have it.

Each library is made from the REST API's specification and carries the names, types, enumerations and read-only marks of
one API version, which need not be the one a template names: it tells a misspelt property or value, and only a
deployment tells the rest.
"""

import difflib
import importlib
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from tests.infra.template import choices, is_expression, taken_off

MODELS: Mapping[str, tuple[str, str]] = {
    "Microsoft.Authorization/roleAssignments": ("authorization.v2022_04_01", "RoleAssignmentCreateParameters"),
    "Microsoft.Insights/actionGroups": ("monitor", "ActionGroupResource"),
    "Microsoft.Insights/components": ("applicationinsights.v2020_02_02", "ApplicationInsightsComponent"),
    "Microsoft.Insights/scheduledQueryRules": ("monitor", "ScheduledQueryRuleResource"),
    "Microsoft.Insights/workbooks": ("applicationinsights.v2023_06_01", "Workbook"),
    "Microsoft.KeyVault/vaults": ("keyvault", "VaultCreateOrUpdateParameters"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("msi.v2024_11_30", "Identity"),
    "Microsoft.Network/networkSecurityGroups": ("network", "NetworkSecurityGroup"),
    "Microsoft.Network/privateDnsZones": ("privatedns", "PrivateZone"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": ("privatedns", "VirtualNetworkLink"),
    "Microsoft.Network/privateEndpoints": ("network", "PrivateEndpoint"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": ("network", "PrivateDnsZoneGroup"),
    "Microsoft.Network/virtualNetworks": ("network", "VirtualNetwork"),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "Workspace"),
    "Microsoft.Storage/storageAccounts": ("storage", "StorageAccountCreateParameters"),
    "Microsoft.Storage/storageAccounts/blobServices": ("storage", "BlobServiceProperties"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("storage", "BlobContainer"),
    "Microsoft.Storage/storageAccounts/queueServices": ("storage", "QueueServiceProperties"),
    "Microsoft.Storage/storageAccounts/queueServices/queues": ("storage", "StorageQueue"),
    "Microsoft.Web/serverfarms": ("web", "AppServicePlan"),
    "Microsoft.Web/sites": ("web", "Site"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": ("web", "CsmPublishingCredentialsPoliciesEntity"),
    "Microsoft.Web/sites/config": ("web", "StringDictionary"),
}
"""The library and the model for each type of resource."""

OF_BICEP = frozenset({"name", "parent", "scope", "dependsOn"})
"""What a resource's body holds beside the model."""

_WORDS = {"str": str, "int": int, "bool": bool, "float": (int, float), "duration": str, "object": object}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its type in the library's own terms, and who may write it."""

    kind: Any
    is_required: bool
    is_read_only: bool


def complaints(where: str, body: Any, model: type) -> Iterator[str]:
    """What is wrong with a resource's body."""
    yield from _object(where, {key: one for key, one in body.items() if key not in OF_BICEP}, model)


def model(resource_type: str) -> type:
    """The library's model of a type of resource."""
    package, name = MODELS[resource_type]
    found = getattr(importlib.import_module(f"azure.mgmt.{package}.models"), name)
    assert isinstance(found, type)
    return found


@cache
def properties(one: type) -> Mapping[str, Property]:
    """The properties of a model by their REST names; nested objects that the library flattens stay flat: `a.b`."""
    return _by_map(one) if hasattr(one, "_attribute_map") else _by_annotations(one)


def _by_annotations(one: type) -> Mapping[str, Property]:
    """As the newer libraries declare them."""
    models = importlib.import_module(one.__module__.rpartition(".")[0])
    hints = typing.get_type_hints(one, vars(importlib.import_module(one.__module__)) | {"_models": models})
    fields = {name: field for base in reversed(one.__mro__) for name, field in vars(base).items() if _is_field(field)}
    return {
        field._rest_name_input or name: Property(
            _without_none(hints[name]), not _takes_none(hints[name]), field._visibility == ["read"]
        )
        for name, field in fields.items()
    }


def _by_map(one: Any) -> Mapping[str, Property]:
    """As the older libraries declare them."""
    rules = one._validation
    return {
        entry["key"]: Property(
            (one, entry["type"]),
            bool(rules.get(name, {}).get("required")),
            bool(rules.get(name, {}).get("readonly")),
        )
        for name, entry in one._attribute_map.items()
    }


def _is_field(value: object) -> bool:
    return type(value).__name__ == "_RestField"


def _takes_none(kind: Any) -> bool:
    return type(None) in typing.get_args(kind)


def _without_none(kind: Any) -> Any:
    left = [one for one in typing.get_args(kind) if one is not type(None)]
    return typing.Union[tuple(left)] if _takes_none(kind) else kind  # noqa: UP007 - made of a list


def _value(where: str, value: Any, kind: Any) -> Iterator[str]:
    for one in choices(taken_off(value)):
        if not is_expression(one):
            yield from _decided(where, one, kind)


def _decided(where: str, value: Any, kind: Any) -> Iterator[str]:
    if isinstance(kind, tuple):
        yield from _as_mapped(where, value, *kind)
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        yield from _list(where, value, arguments[0])
    elif origin is dict:
        yield from _map(where, value, arguments[1])
    elif origin is typing.Union:
        yield from _union(where, value, arguments)
    elif isinstance(kind, type) and _is_model(kind):
        yield from _object(where, value, kind)
    elif isinstance(kind, type) and not issubclass(kind, Enum):
        yield from _scalar(where, value, (int, float) if kind is float else kind)


def _as_mapped(where: str, value: Any, owner: Any, word: str) -> Iterator[str]:
    """A type as the older libraries write it: `str`, `[Name]`, `{Name}`, `Name`."""
    if word.startswith("["):
        yield from _list(where, value, (owner, word[1:-1]))
    elif word.startswith("{"):
        yield from _map(where, value, (owner, word[1:-1]))
    elif word in _WORDS:
        yield from _scalar(where, value, _WORDS[word])
    else:
        models = importlib.import_module(re.sub(r"\._models(_py3)?$", "", owner.__module__))
        yield from _object(where, value, getattr(models, word))


def _is_model(kind: type) -> bool:
    return any(_is_field(one) for base in kind.__mro__ for one in vars(base).values())


def _list(where: str, value: Any, kind: Any) -> Iterator[str]:
    for number, one in enumerate(value if isinstance(value, list) else [value]):
        yield from _value(f"{where}[{number}]", one, kind)


def _map(where: str, value: Any, kind: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    for key, one in value.items():
        yield from _value(f"{where}.{key}", one, kind)


def _union(where: str, value: Any, kinds: tuple[Any, ...]) -> Iterator[str]:
    words = [one.value for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum) for one in kind]
    if words:
        if value not in words:
            yield f"{where}: {value!r} is none of {sorted(words)}"
    elif all(list(_decided(where, value, kind)) for kind in kinds):
        yield f"{where}: {value!r} is of none of the types"


def _scalar(where: str, value: Any, kind: Any) -> Iterator[str]:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
        yield f"{where}: {value!r} is of the wrong type"


def _object(where: str, value: Any, one: type) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    known = properties(one)
    given = dict(_flat(value, {name.rpartition(".")[0] for name in known} - {""}))
    for name, inner in given.items():
        found = known.get(name)
        if found is None:
            near = difflib.get_close_matches(name, known, 1)
            yield f"{where}: no property {name}" + (f", did you mean {near[0]}?" if near else "")
        elif found.is_read_only:
            yield f"{where}.{name} is read-only"
        else:
            yield from _value(f"{where}.{name}", inner, found.kind)
    missing = [name for name, found in known.items() if found.is_required and not found.is_read_only]
    yield from (f"{where}: {name} is missing" for name in missing if name not in given)


def _flat(value: Mapping[str, Any], flattened: set[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """The members, those of objects that the library flattens under their path."""
    for key, one in value.items():
        name = f"{before}{key}"
        if name in flattened and isinstance(one, dict):
            yield from _flat(one, flattened, f"{name}.")
        else:
            yield name, one
