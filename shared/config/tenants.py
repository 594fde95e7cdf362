"""One tenant out of its layers: required settings, the way to sign in, the cloud."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.config import table
from shared.config.clouds import cloud
from shared.config.layers import Findings, Layer, dry_run, resolve
from shared.config.model import (
    Auth,
    ClientSecret,
    Cloud,
    FederatedIdentity,
    Secret,
    Tenant,
    VaultCertificate,
    VaultSecret,
)
from shared.config.setting import Setting
from shared.config.test_users import TestUserMap
from shared.config.values import GUID, is_unset

_SIGN_IN = (table.CLIENT_SECRET, table.CLIENT_SECRET_NAME, table.CLIENT_CERTIFICATE_NAME, table.AUTH)
_REQUIRED = (table.TENANT_ID, table.CLIENT_ID, table.HUB)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all tenants share: the layers beneath them, the last of which is the environment, and the maps."""

    layers: tuple[Layer, ...]
    maps: tuple[TestUserMap, ...]

    @property
    def environment(self) -> Layer:
        """The environment's own layer."""
        return self.layers[-1]


def build(own: Layer, around: Surroundings, findings: Findings) -> tuple[Tenant, frozenset[str]]:
    """The tenant, and all names it goes by in lower case; what is wrong with it is in the findings."""
    layers = (own, *around.layers)
    for row in _REQUIRED:
        if not any(layer.says(row) for layer in layers):
            findings.problem(f"{own.where}{row.key if own.where else row.variable} is missing.")
    tenant_id = own.get(table.TENANT_ID)
    names = [name for name in (tenant_id, own.get(table.PRIMARY_DOMAIN), own.get(table.TENANT_DOMAIN)) if name]
    tenant = Tenant(
        tenant_id=tenant_id,
        client_id=_client_id(own, layers, findings),
        hub=own.get(table.HUB),
        auth=_auth(own, layers, findings),
        cloud=_cloud(layers, around.environment),
        primary_domain=own.get(table.PRIMARY_DOMAIN) or own.get(table.TENANT_DOMAIN),
        test_users=_test_users(own, names, around),
        dry_run=dry_run(layers),
        update_existing=resolve(table.UPDATE_EXISTING, layers),
        delete_policy=resolve(table.DELETE_POLICY, layers),
        max_delete_percent=resolve(table.MAX_DELETE_PERCENT, layers),
        pair_by_email=resolve(table.PAIR_BY_EMAIL, layers),
        exclude_categories=resolve(table.EXCLUDE_CATEGORIES, layers),
        exclude_private=resolve(table.EXCLUDE_PRIVATE, layers),
        full_reconcile_hours=resolve(table.FULL_RECONCILE_HOURS, layers),
        history_days=resolve(table.HISTORY_DAYS, layers),
    )
    return tenant, frozenset(name.casefold() for name in names)


def _client_id(own: Layer, layers: Sequence[Layer], findings: Findings) -> str:
    client_id = resolve(table.CLIENT_ID, layers)
    if client_id and not GUID.fullmatch(client_id):
        findings.warn(f"{own.where}{table.CLIENT_ID.key} is no GUID: Entra will hardly know this application.")
    return client_id


def _cloud(layers: Sequence[Layer], environment: Layer) -> Cloud:
    return cloud(
        resolve(table.CLOUD, layers),
        graph_url=environment.get(table.GRAPH_URL),
        authority_url=environment.get(table.AUTHORITY_URL),
    )


def _test_users(own: Layer, names: Sequence[str], around: Surroundings) -> tuple[str, ...]:
    """The tenant's own list, else its entry in a map, else the list for all tenants; none means everybody."""
    mapped = [one.find(names) for one in around.maps]
    lists = (own.get(table.TEST_USERS), *mapped, resolve(table.TEST_USERS, around.layers))
    return next((users for users in lists if users), ())


def _auth(own: Layer, layers: Sequence[Layer], findings: Findings) -> Auth:
    """The one way to sign in that the nearest layer gives; the vault's default name when none gives any."""
    for layer in layers:
        given = [row for row in _SIGN_IN if layer.says(row)]
        if len(given) > 1:
            names = " and ".join(row.key for row in given)
            findings.problem(f"{layer.where}{names} are given together: keep the one to sign in with.")
        if given:
            return _given_auth(layer, given[0], layers[-1], findings)
    return _default_auth(own, layers[-1], findings)


def _given_auth(layer: Layer, row: Setting[Any], environment: Layer, findings: Findings) -> Auth:
    if row is table.AUTH:
        return FederatedIdentity()
    if row is table.CLIENT_SECRET:
        return ClientSecret(_literal_secret(layer, findings))
    if not environment.says(table.KEY_VAULT_URL):
        findings.problem(f"{layer.where}{row.key} needs a vault: set {table.KEY_VAULT_URL.variable}.")
    if row is table.CLIENT_SECRET_NAME:
        return VaultSecret(layer.get(table.CLIENT_SECRET_NAME))
    return VaultCertificate(layer.get(table.CLIENT_CERTIFICATE_NAME))


def _literal_secret(layer: Layer, findings: Findings) -> Secret:
    found = layer.get(table.CLIENT_SECRET)
    if GUID.fullmatch(found):
        name = table.CLIENT_SECRET.key if layer.where else table.CLIENT_SECRET.variable
        findings.warn(f"{layer.where}{name} looks like a secret's id; Entra wants the secret's value.")
    return found


def _default_auth(own: Layer, environment: Layer, findings: Findings) -> Auth:
    if not environment.says(table.KEY_VAULT_URL):
        findings.problem(
            f"{own.where}there is no way to sign in: give {table.CLIENT_SECRET.key}, or set "
            f"{table.KEY_VAULT_URL.variable} and keep the secret in that vault."
            if own.where
            else f"{table.CLIENT_SECRET.variable} is missing (or keep the secret in a vault: "
            f"{table.KEY_VAULT_URL.variable})."
        )
    name = default_secret_name(own.get(table.TENANT_ID))
    if is_unset(name) or len(name) > 127:
        findings.problem(f"{own.where}{table.TENANT_ID.key} makes no secret's name: give ClientSecretName.")
    return VaultSecret(name)


def default_secret_name(tenant_id: str) -> str:
    """The vault's secret for a tenant that names none."""
    return "synccontacts-" + re.sub("[^A-Za-z0-9]", "-", tenant_id)
