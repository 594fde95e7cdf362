"""What the engine needs from the outside world. Adapters implement these; tests hand in their own.

Every method may raise `TenantError`; those that name a mailbox also `MailboxError`, those that name an item also
`ItemError`. Nothing else comes out of an adapter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.sync.replica import Card, Draft, Item, Observation, Replica
from shared.sync.roster import User as User  # noqa: PLC0414 - part of these ports


@dataclass(frozen=True, slots=True)
class HubFolder:
    """The hub's folder, and how many others bear its name (more than none is worth a line in the report)."""

    replica: Replica
    namesakes: int = 0


@dataclass(slots=True)
class Traffic:
    """What was asked of Graph so far: HTTP requests, batches among them, answers throttled, sends repeated, bytes."""

    requests: int = 0
    batches: int = 0
    throttled: int = 0
    retried: int = 0
    bytes: int = 0


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The time now, UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""


class Secrets(Protocol):
    """The vault."""

    async def secret(self, name: str, *, tenant: str) -> str:
        """The secret's value; `tenant` is named in the sentence of a `SecretError`."""

    async def certificate(self, name: str, *, tenant: str) -> bytes:
        """The certificate with its private key, PFX or PEM bytes; raises `SecretError`."""


class Directory(Protocol):
    """A tenant's users."""

    async def licensed_users(self) -> Sequence[User]:
        """Everybody with a licence, each once."""

    async def find_user(self, name: str) -> User | None:
        """The user with this UPN (any case), object id or e-mail address; None when there is none."""


class ContactStore(Protocol):
    """A tenant's mailboxes. Observations have immutable ids and whole pages, or are not given at all."""

    async def find_hub(self, mailbox: User, folder_name: str) -> HubFolder | None:
        """The hub's folder, None when it is not there yet; `HubNotFoundError` when the mailbox is not."""

    async def create_hub(self, mailbox: User, folder_name: str) -> HubFolder:
        """Make the hub's folder, or find the one that somebody made just now."""

    async def observe(self, replica: Replica) -> Observation:
        """Read all of a replica's cards with flag and marker, from whole pages only."""

    async def read(self, replica: Replica, item_id: str) -> Card:
        """Read one card by id: a listing may cut its note (microsoft-graph-docs#17598)."""

    async def create(self, replica: Replica, draft: Draft) -> Item:
        """Create a card once: an attempt of unknown fate is looked up by `draft.marker` before it is repeated."""

    async def update(self, replica: Replica, item: Item, draft: Draft) -> Item:
        """Write `draft` onto the card, if it still is as `item` says; else `ItemChangedError`."""


class Progress(Protocol):
    """Where a person who waits looks."""

    def step(self, tenant: str, name: str, total: int) -> None:
        """A step of so many parts begins."""

    def advance(self, tenant: str, count: int = 1) -> None:
        """So many parts of the step are done."""


@dataclass(frozen=True, slots=True)
class TenantServices:
    """All that one tenant's run talks to."""

    directory: Directory
    contacts: ContactStore
    clock: Clock
    traffic: Traffic
