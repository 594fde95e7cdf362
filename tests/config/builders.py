"""A sound configuration with one interesting difference."""

import json
from typing import Any

import pytest

from shared.config import PREFIX, load
from shared.config.model import Settings, Tenant
from shared.errors import ConfigurationError

CLIENT = "11111111-2222-3333-4444-555555555555"
VAULT = "https://contoso-mirror.vault.azure.net"
HUB = "shared.contacts@contoso.com"
SINGLE = {
    "TENANT_ID": "contoso.onmicrosoft.com",
    "CLIENT_ID": CLIENT,
    "CLIENT_SECRET": "hush",
    "GLOBAL_ADDRESS_BOOK_USER_ID": HUB,
}


def tenant(**changes: Any) -> dict[str, Any]:
    """One tenant's JSON."""
    sound = {
        "TenantId": "contoso.onmicrosoft.com",
        "ClientId": CLIENT,
        "ClientSecret": "hush",
        "GlobalAddressBookUserId": HUB,
    }
    return {key: value for key, value in (sound | changes).items() if value is not ...}


def environ(**variables: Any) -> dict[str, str]:
    """Variables by their names without our prefix; what is no text becomes JSON."""
    return {
        name if name.startswith(("AUTOMATION_", "AZURE_")) else PREFIX + name: value
        if isinstance(value, str)
        else json.dumps(value)
        for name, value in variables.items()
    }


def loaded(**variables: Any) -> Settings:
    """The settings of these variables."""
    return load(environ(**variables))


def only(**variables: Any) -> Tenant:
    """The only tenant of these variables."""
    (found,) = loaded(**variables).tenants
    return found


def refused(*, vault_json: str | None = None, **variables: Any) -> ConfigurationError:
    """Why these variables cannot be used."""
    with pytest.raises(ConfigurationError) as caught:
        load(environ(**variables), vault_json=vault_json)
    return caught.value


def problems(*, vault_json: str | None = None, **variables: Any) -> tuple[str, ...]:
    """What is wrong with these variables."""
    return refused(vault_json=vault_json, **variables).problems
