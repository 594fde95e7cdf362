"""The settings as frozen values: what `config.load` makes of the environment, and all that the rest ever sees."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class DeletePolicy(StrEnum):
    """What a deletion means."""

    RESTORE = "restore"
    HUB = "hub"
    EVERYWHERE = "everywhere"


class PairByEmail(StrEnum):
    """Whether an equal primary address makes two cards the same contact."""

    ALWAYS = "always"
    NAMES_AGREE = "names-agree"


class Secret(str):
    """A secret that shows itself in no repr, message or format; only `reveal` gives its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The secret's own text, for the one call that needs it."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Sign in with a secret that stands in the configuration."""

    value: Secret


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """Sign in with a secret of the vault."""

    name: str


@dataclass(frozen=True, slots=True)
class VaultCertificate:
    """Sign in with a certificate of the vault."""

    name: str


@dataclass(frozen=True, slots=True)
class FederatedIdentity:
    """Sign in with the app's own managed identity as federated credential: no secret at all."""


Auth = ClientSecret | VaultSecret | VaultCertificate | FederatedIdentity


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a tenant lives: Graph with its version, Entra, and the token's scope; no slash at the end.

    `known` is false when an operator gave an endpoint of their own (emulator, proxy): instance discovery is
    skipped and the vault's challenge check relaxed only then.
    """

    name: str
    graph_url: str
    authority_url: str
    scope: str
    known: bool = True


class ScaleOut(StrEnum):
    """How the Function app mirrors a tenant."""

    INLINE = "inline"
    """In one process, however many mailboxes there are."""
    AUTO = "auto"
    """In one process up to `ROOMY` mailboxes, else in shards."""
    DURABLE = "durable"
    """In shards."""

    @property
    def room(self) -> int | None:
        """How many mailboxes one process takes, None for any number."""
        return {ScaleOut.INLINE: None, ScaleOut.AUTO: ROOMY, ScaleOut.DURABLE: 0}[self]


ROOMY: Final = 2000
"""So many mailboxes are well within what one process mirrors in an hour."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant's settings; `hub` is the UPN, object id or e-mail of the shared mailbox."""

    tenant_id: str
    client_id: str
    hub: str
    auth: Auth
    cloud: Cloud
    primary_domain: str = ""
    test_users: tuple[str, ...] = ()
    dry_run: bool = False
    update_existing: bool = True
    delete_policy: DeletePolicy = DeletePolicy.RESTORE
    max_delete_percent: int = 10
    pair_by_email: PairByEmail = PairByEmail.ALWAYS
    exclude_categories: tuple[str, ...] = ()
    exclude_private: bool = True
    full_reconcile_hours: int = 168
    history_days: int = 90


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator configured, validated; `warnings` are sentences to show once a run.

    `identity_client_id` picks one of several managed identities; "" means the app's only one. `relaxed` says that
    an operator gave endpoints of their own, so that the vault's challenge check has to be relaxed too.
    """

    tenants: tuple[Tenant, ...]
    vault_url: str = ""
    state_url: str = ""
    schedule: str = "0 0 * * * *"
    scale_out: ScaleOut = ScaleOut.INLINE
    time_budget_minutes: float | None = None
    identity_client_id: str = ""
    relaxed: bool = False
    warnings: tuple[str, ...] = field(default=())
