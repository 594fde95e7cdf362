"""What `check` found out about a tenant, as values: a fact, why it is not known, or None when nobody asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from shared.errors import Who
from shared.sync.records import Holder, RunRecord

MOST_ASKED: Final = 200
"""So many mailboxes are asked at most: what is wrong with permissions shows in a part of them."""

MOST_OUTSIDERS: Final = 20
"""So many mailboxes that take no part are asked at most, to learn whether the application may open them."""

T = TypeVar("T")


class Way(StrEnum):
    """How the application signs in."""

    SETTING = "a client secret in the settings"
    STORED = "a client secret of the vault"
    CERTIFICATE = "a certificate of the vault"
    IDENTITY = "the app's managed identity"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be found out; `code` is that of the error."""

    code: str
    message: str
    hint: str = ""
    who: Who = Who.NOBODY


@dataclass(frozen=True, slots=True)
class Subject:
    """The tenant's settings, as far as a finding speaks of them; `chosen` counts its test users, 0 means everybody.

    `consent_url` is where an administrator of the tenant consents; `vault` is the name of the vault, `state_place` the
    configured place of the state, "" for the usual one. `room` is how many mailboxes one process mirrors well, None
    when a larger tenant goes on in shards.
    """

    tenant_id: str
    client_id: str
    hub: str
    way: Way
    secret_name: str = ""
    vault: str = ""
    consent_url: str = ""
    state_place: str = ""
    chosen: int = 0
    dry_run: bool = False
    room: int | None = None


@dataclass(frozen=True, slots=True)
class SecretRead:
    """What the application signs in with is at hand; it ends then, None if nobody has said so."""

    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class HubFound:
    """The shared mailbox is there, with so many folders All Contacts."""

    folders: int


@dataclass(frozen=True, slots=True)
class Knock:
    """A mailbox that was asked, by UPN, and why it did not let us in."""

    mailbox: str
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """The tenant's users: how many have a licence, how many take part, and what those mailboxes said that were asked.

    `outsiders` have a licence but take no part; `unknown` are names of test users that nobody answers to.
    """

    licensed: int
    spokes: int
    asked: tuple[Knock, ...] = ()
    outsiders: tuple[Knock, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the state says: who holds the tenant now, and its latest run."""

    holder: Holder | None = None
    latest: RunRecord | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All about one tenant; `ahead_seconds` is how far Graph's clock is ahead of ours."""

    subject: Subject
    now: datetime
    secret: SecretRead | Trouble
    state: Remembered | Trouble
    roles: frozenset[str] | Trouble | None = None
    hub: HubFound | Trouble | None = None
    staff: Staff | Trouble | None = None
    ahead_seconds: float | None = None


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the items, from all over their order; the same ones each time."""
    if len(items) <= most:
        return items
    return [items[place * len(items) // most] for place in range(most)]
