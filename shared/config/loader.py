"""From the environment's variables to `Settings`: one pass, every problem found, nothing contacted.

`load` picks where the tenants come from (whole JSON, list of tenants, single-tenant variables, the vault's secret),
reads each place once into a layer, builds the tenants out of their layers, and raises everything wrong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.config import table
from shared.config.documents import Document, read_document, rows
from shared.config.layers import Findings, Layer, environment, environment_layer, read_layer
from shared.config.model import ScaleOut, Settings, Tenant
from shared.config.setting import Setting
from shared.config.tenants import Surroundings, build
from shared.config.test_users import read_maps, warn_of_unused
from shared.config.values import BadValueError, is_azure_vault
from shared.errors import ConfigurationError

_SINGLE = (table.TENANT_ID, table.HUB)
_HINT = "docs/configuration.md explains every setting."


@dataclass(frozen=True, slots=True)
class _Sources:
    """All places read: the documents that count, and a layer for each tenant."""

    documents: tuple[Document, ...]
    tenants: tuple[Layer, ...]


def load(environ: Mapping[str, str], *, vault_json: str | None = None) -> Settings:
    """Make the settings of the given variables, and of the vault's configuration secret where one is needed.

    Raises:
        ConfigurationError: with every problem found, a sentence each; no sentence shows a secret.
    """
    findings = Findings()
    found = environment(environ, findings)
    base = environment_layer(found, findings)
    before = len(findings.problems)
    sources = _sources(found, vault_json, base, findings)
    if not sources.tenants and len(findings.problems) == before:
        findings.problem(_no_tenants(base))
    maps = read_maps(sources.documents, found.get(table.TEST_USERS_BY_TENANT.variable), findings)
    around = Surroundings((*_tops(sources, findings), base), tuple(maps))
    built = [build(own, around, findings) for own in sources.tenants]
    tenants = tuple(tenant for tenant, _ in built)
    _find_doubles(built, sources.tenants, findings)
    _check_vault(base, findings)
    warn_of_unused(maps, tenants, findings)
    if findings.problems:
        raise ConfigurationError(findings.problems, hint=_HINT, warnings=findings.warnings)
    return _settings(base, tenants, findings)


def config_secret_needed(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Vault and name of the secret to hand to `load`, None when the environment itself configures tenants.

    Raises:
        ConfigurationError: when the variables beside it are wrong, so that the vault is not contacted in vain.
    """
    findings = Findings()
    found = environment(environ, findings)
    base = environment_layer(found, findings)
    named = base.says(table.CONFIG_SECRET_NAME) and base.says(table.KEY_VAULT_URL)
    if _configures_tenants(found) or not named:
        return None
    _check_vault(base, findings)
    if findings.problems:
        raise ConfigurationError(findings.problems, hint=_HINT, warnings=findings.warnings)
    return base.get(table.KEY_VAULT_URL), base.get(table.CONFIG_SECRET_NAME)


def scale_out(environ: Mapping[str, str]) -> ScaleOut:
    """How tenants are mirrored, for an app that has to know before it can complain; what is wrong is left to `load`."""
    try:
        return table.SCALE_OUT.parse(environ[table.SCALE_OUT.variable])
    except (KeyError, BadValueError):
        return table.SCALE_OUT.default


def relaxed(environ: Mapping[str, str]) -> bool:
    """Whether an operator gave endpoints of their own, as `Settings.relaxed` says once the settings are loaded."""
    found = environment(environ, Findings())
    return _is_relaxed(environment_layer(found, Findings()))


def _is_relaxed(base: Layer) -> bool:
    return base.says(table.GRAPH_URL) or base.says(table.AUTHORITY_URL)


def _configures_tenants(found: Mapping[str, str]) -> bool:
    names: list[Setting[Any]] = [table.CONFIG_JSON, table.TENANTS, *_SINGLE]
    if table.CONFIG_SECRET_NAME.variable not in found:
        names += [table.CLIENT_ID, table.CLIENT_SECRET]
    return any(row.variable in found for row in names)


def _sources(found: Mapping[str, str], vault_json: str | None, base: Layer, findings: Findings) -> _Sources:
    """The documents in their order of precedence, up to and with the first that has tenants."""
    documents: list[Document] = []
    for row in (table.CONFIG_JSON, table.TENANTS):
        if row.variable in found:
            document = read_document(row.variable, found[row.variable], findings)
            documents += [document] if document else []
            if document is None or document.tenants:
                _warn_of_shadowed(row, found, findings)
                return _Sources(tuple(reversed(documents)), _layers(document, findings))
    if _configures_tenants(found) and (not documents or any(row.variable in found for row in _SINGLE)):
        return _Sources(tuple(documents), (_single(found, findings),))
    if not documents and vault_json is not None:
        document = read_document(f"The vault's secret {base.get(table.CONFIG_SECRET_NAME)}", vault_json, findings)
        return _Sources((document,) if document else (), _layers(document, findings))
    return _Sources(tuple(documents), ())


def _layers(document: Document | None, findings: Findings) -> tuple[Layer, ...]:
    if document is None:
        return ()
    return tuple(
        read_layer(tenant.where, [row for row in rows(tenant.pairs) if row[0].in_tenant], findings)
        for tenant in document.tenants
    )


def _single(found: Mapping[str, str], findings: Findings) -> Layer:
    return read_layer("", [(row, row.variable, found.get(row.variable)) for row in _SINGLE], findings)


def _warn_of_shadowed(used: Setting[object], found: Mapping[str, str], findings: Findings) -> None:
    """Say which other variables name tenants in vain."""
    for row in (table.TENANTS, *_SINGLE):
        if row is not used and row.variable in found:
            findings.warn(f"{row.variable} is not read, since {used.variable} names the tenants.")


def _tops(sources: _Sources, findings: Findings) -> list[Layer]:
    return [
        read_layer(f"{document.where}: ", [row for row in rows(document.top) if row[0].on_top], findings)
        for document in sources.documents
    ]


def _find_doubles(built: Sequence[tuple[Tenant, frozenset[str]]], layers: Sequence[Layer], findings: Findings) -> None:
    seen: set[str] = set()
    for (tenant, names), layer in zip(built, layers, strict=True):
        if names & seen:
            findings.problem(f"{layer.where}the tenant {tenant.tenant_id} is configured twice.")
        seen |= names


def _check_vault(base: Layer, findings: Findings) -> None:
    url = base.get(table.KEY_VAULT_URL)
    if url and not _is_relaxed(base) and not is_azure_vault(url):
        findings.problem(
            f"{table.KEY_VAULT_URL.variable} is no address of a Key Vault: it looks like {table.KEY_VAULT_URL.example}."
        )


def _no_tenants(base: Layer) -> str:
    if base.says(table.CONFIG_SECRET_NAME) and not base.says(table.KEY_VAULT_URL):
        return (
            f"No tenant is configured: {table.CONFIG_SECRET_NAME.variable} is set, but {table.KEY_VAULT_URL.variable} "
            "is not: name the vault too."
        )
    if base.says(table.CONFIG_SECRET_NAME):
        return (
            f"No tenant is configured: the vault's secret {base.get(table.CONFIG_SECRET_NAME)} that "
            f"{table.CONFIG_SECRET_NAME.variable} names holds none, or was not read."
        )
    return (
        f"No tenant is configured. Set {table.CONFIG_JSON.variable} (preferred), or {table.TENANTS.variable}, or "
        f"{table.TENANT_ID.variable}, {table.CLIENT_ID.variable}, {table.CLIENT_SECRET.variable} and "
        f"{table.HUB.variable}, or {table.KEY_VAULT_URL.variable} with {table.CONFIG_SECRET_NAME.variable}."
    )


def _settings(base: Layer, tenants: tuple[Tenant, ...], findings: Findings) -> Settings:
    return Settings(
        tenants=tenants,
        vault_url=base.get(table.KEY_VAULT_URL),
        state_url=base.get(table.STATE_URL),
        schedule=base.get(table.SCHEDULE),
        scale_out=base.get(table.SCALE_OUT),
        time_budget_minutes=base.get(table.TIME_BUDGET_MINUTES),
        identity_client_id=base.get(table.IDENTITY_CLIENT_ID),
        relaxed=_is_relaxed(base),
        warnings=tuple(findings.warnings),
    )
