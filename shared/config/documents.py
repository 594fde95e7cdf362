"""The JSON that configures tenants, in all its shapes, taken apart into the top and one object a tenant.

Three shapes are understood wherever JSON is read: an object with MicrosoftTenants (a list, or a single tenant), a bare
list of tenants, and the older flat object of one tenant. Keys are compared in any case.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.config.layers import Findings, consequence, nearest, shown_name
from shared.config.setting import Setting
from shared.config.table import SETTINGS, TENANT_ID, TENANTS
from shared.config.values import BadValueError, is_unset, shown

_KEYS = {row.key.casefold(): row for row in SETTINGS if row.key}
_ENVIRONMENT_ONLY = [row.variable for row in SETTINGS if row.variable and not row.key]

Pairs = Mapping[str, tuple[str, object]]
"""An object's keys in lower case, each with the key as written and its value."""


@dataclass(frozen=True, slots=True)
class TenantPairs:
    """One tenant's object; `where` begins its sentences, and calls it by its id where that is sound."""

    where: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON: `where` names its source, `top` holds for all tenants."""

    where: str
    top: Pairs
    tenants: tuple[TenantPairs, ...] = ()


def rows(pairs: Pairs) -> list[tuple[Setting[object], str, object]]:
    """The known settings in an object, each with its key as written and its raw value."""
    return [(_KEYS[folded], key, value) for folded, (key, value) in pairs.items() if folded in _KEYS]


def parse_json(where: str, source: str, findings: Findings) -> object:
    """The JSON's value, None when it cannot be read: then the problem names variable, line and column.

    The text itself is never shown, nor kept in an exception: it may hold secrets.
    """
    twice: list[str] = []

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        seen: set[str] = set()
        for key, _ in found:
            if key.casefold() in seen:
                twice.append(key)
            seen.add(key.casefold())
        return dict(found)

    try:
        value: object = json.loads(source.removeprefix("\ufeff"), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        findings.problem(f"{where} is no valid JSON: {error.msg} in line {error.lineno}, column {error.colno}.")
        return None
    except (ValueError, RecursionError):
        findings.problem(f"{where} is no usable JSON: it holds a number of absurd length, or is nested without end.")
        return None
    for key in twice:
        findings.problem(f"{where} gives the key {shown_name(key)} twice in one object.")
    return value


def read_document(where: str, source: str, findings: Findings) -> Document | None:
    """The document, None when it cannot be read; what is wrong is in the findings."""
    problems = len(findings.problems)
    value = parse_json(where, source, findings)
    if isinstance(value, list):
        value = {TENANTS.key: value}
    if isinstance(value, dict):
        return _document(where, folded(value), findings)
    if len(findings.problems) == problems:
        findings.problem(f"{where} must hold a JSON object or a list of tenants, not {shown(value)}.")
    return None


def _document(where: str, pairs: Pairs, findings: Findings) -> Document:
    listed = pairs.get(TENANTS.key.casefold(), ("", None))[1]
    if is_unset(listed):
        return _flat(where, pairs, findings)
    for folded_key, (key, _) in pairs.items():
        row = _KEYS.get(folded_key)
        if row is not None and not row.on_top:
            findings.warn(f"{where}: {key} belongs inside a tenant and is not read beside {TENANTS.key}.")
    _warn_of_unknown(f"{where}: ", pairs, [row for row in SETTINGS if row.on_top], findings)
    return Document(where, pairs, _tenants(where, listed, findings))


def _flat(where: str, pairs: Pairs, findings: Findings) -> Document:
    """One tenant, its keys among those that hold for all; without any key of its own there is no tenant."""
    _warn_of_unknown(f"{where}: ", pairs, [row for row in SETTINGS if row.key], findings)
    if not any(row.in_tenant and not row.on_top and not is_unset(value) for row, _, value in rows(pairs)):
        return Document(where, pairs)
    own = {row.key.casefold() for row in SETTINGS if row.in_tenant}
    tenant = {key: pair for key, pair in pairs.items() if key in own}
    top = {key: pair for key, pair in pairs.items() if key not in own}
    return Document(where, top, (TenantPairs(_label(where, tenant), tenant),))


def _label(where: str, pairs: Pairs, position: int = 0) -> str:
    """How sentences about a tenant begin: with its id, or its position when that is no use."""
    try:
        return f"{where}, tenant {TENANT_ID.parse(pairs.get(TENANT_ID.key.casefold(), ('', None))[1])}: "
    except BadValueError:
        return f"{where}, tenant number {position}: " if position else f"{where}: "


def _tenants(where: str, listed: object, findings: Findings) -> tuple[TenantPairs, ...]:
    entries = listed if isinstance(listed, list) else [listed]
    known = [row for row in SETTINGS if row.in_tenant]
    found = []
    for position, entry in enumerate(entries, start=1):
        if isinstance(entry, dict):
            pairs = folded(entry)
            found.append(TenantPairs(_label(where, pairs, position), pairs))
            _warn_of_unknown(found[-1].where, pairs, known, findings)
        else:
            findings.problem(f"{where}: {TENANTS.key} must list objects, but entry {position} is {_kind(entry)}.")
    return tuple(found)


def _kind(entry: object) -> str:
    """What stands there, without its text: a secret may have slipped here."""
    return "text" if isinstance(entry, str) else "null" if entry is None else shown(entry)


def folded(pairs: Mapping[str, object]) -> Pairs:
    """The object's keys in lower case."""
    return {key.casefold(): (key, value) for key, value in pairs.items()}


def _warn_of_unknown(where: str, pairs: Pairs, known: list[Setting[object]], findings: Findings) -> None:
    names = [row.key for row in known]
    for folded_key, (key, _) in pairs.items():
        if folded_key not in _KEYS:
            findings.warn(f"{where}the key {shown_name(key)} is not known and not read{_hint(key, names)}")
        elif _KEYS[folded_key] not in known and not _KEYS[folded_key].in_tenant:
            findings.warn(f"{where}{key} belongs at the top of the JSON and is not read inside a tenant.")


def _hint(key: str, names: list[str]) -> str:
    guess = nearest(key, names)
    if guess:
        return f"; did you mean {guess}?{consequence(guess)}"
    variable = nearest(key, _ENVIRONMENT_ONLY)
    return f"; is it the environment variable {variable}?" if variable else "."
