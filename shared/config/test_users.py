"""The map of test users: which users of a tenant take part while an operator tries things out.

A key that fits no tenant would silently mean all licensed users, so it is warned of loudly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.config.documents import Document, folded, parse_json
from shared.config.layers import Findings, Layer, nearest, read_layer, shown_name
from shared.config.model import Tenant
from shared.config.table import TEST_USERS, TEST_USERS_BY_TENANT
from shared.config.values import is_unset, shown


@dataclass(slots=True)
class TestUserMap:
    """One map, by key in any case; `used` are the keys that fitted a tenant."""

    __test__ = False

    where: str
    entries: Mapping[str, tuple[str, Layer]]
    used: set[str] = field(default_factory=set)

    def find(self, names: Iterable[str]) -> tuple[str, ...]:
        """The users under the first of the tenant's names that has any."""
        fitting = [name.casefold() for name in names if name.casefold() in self.entries]
        self.used.update(fitting)
        lists = (self.entries[name][1].get(TEST_USERS) for name in fitting)
        return next((users for users in lists if users), ())


def read_maps(documents: Iterable[Document], variable: str | None, findings: Findings) -> list[TestUserMap]:
    """The maps in the JSON, then that of the environment: the first that has a list for a tenant counts."""
    raw = [
        (f"{document.where}: {pair[0]}", pair[1])
        for document in documents
        for pair in [document.top.get(TEST_USERS_BY_TENANT.key.casefold())]
        if pair
    ]
    if variable:
        raw.append((TEST_USERS_BY_TENANT.variable, parse_json(TEST_USERS_BY_TENANT.variable, variable, findings)))
    return [_read(where, value, findings) for where, value in raw if not is_unset(value)]


def _read(where: str, value: object, findings: Findings) -> TestUserMap:
    if not isinstance(value, dict):
        findings.problem(f"{where} must be an object with tenants as keys and lists of users, not {shown(value)}.")
        return TestUserMap(where, {})
    entries = {
        name: (key, read_layer(f"{where}, ", [(TEST_USERS, f"the entry {shown_name(key)}", users)], findings))
        for name, (key, users) in folded(value).items()
    }
    return TestUserMap(where, entries)


def warn_of_unused(maps: Iterable[TestUserMap], tenants: Iterable[Tenant], findings: Findings) -> None:
    """Say for each key without a tenant what that means for the tenants without a list."""
    everybody = [tenant.tenant_id for tenant in tenants if not tenant.test_users]
    names = [name for tenant in tenants for name in (tenant.tenant_id, tenant.primary_domain) if name]
    for one in maps:
        for name, (key, _) in one.entries.items():
            if name not in one.used:
                findings.warn(_warning(one.where, key, nearest(key, names), everybody))


def _warning(where: str, key: str, guess: str, everybody: list[str]) -> str:
    hint = f" (did you mean {guess}?)" if guess else ""
    effect = f" ALL licensed users would run for: {', '.join(everybody)}." if everybody else ""
    return f"WARNING: {where}: the key {shown_name(key)} fits no tenant{hint}, so its test users are not used.{effect}"
