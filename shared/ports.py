"""What the engine needs from the outside world. Adapters implement these; tests hand in their own.

Every method may raise `TenantError`; those that name a mailbox also `MailboxError`, those that name an item also
`ItemError`. Nothing else comes out of an adapter.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, RunRecord, StoredLink
from shared.sync.replica import Card, Changes, Draft, Item, Observation, Replica
from shared.sync.roster import User as User  # noqa: PLC0414 - part of these ports
from shared.sync.stamp import SyncId


@dataclass(frozen=True, slots=True)
class HubFolder:
    """The hub's folder, and how many others bear its name (more than none is worth a line in the report)."""

    replica: Replica
    namesakes: int = 0


@dataclass(slots=True)
class Traffic:
    """What was asked of Graph so far: HTTP requests, batches among them, answers throttled, sends repeated, bytes.

    `ahead_seconds` is how far Graph's clock was ahead of ours at its last answer, None before there was one.
    """

    requests: int = 0
    batches: int = 0
    throttled: int = 0
    retried: int = 0
    bytes: int = 0
    ahead_seconds: float | None = None


Known = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Gives the remembered change markers of these items, by item id; unknown items are left out."""


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


class Vault(Secrets, Protocol):
    """The vault, asked also how long what it gave will last."""

    def ends(self, name: str) -> datetime | None:
        """When the secret or certificate that was read ends, UTC; None if nobody has said so."""


class SignIn(Protocol):
    """The tenant's sign-in."""

    async def roles(self) -> frozenset[str]:
        """The application permissions that its access token names, unverified; raises `SignInError`."""


class Directory(Protocol):
    """A tenant's users."""

    async def licensed_users(self) -> Sequence[User]:
        """Everybody with a licence, each once."""

    async def still_licensed(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Those of these users who have a licence, asked one by one: the answer to a filter may miss somebody."""

    async def find_user(self, name: str) -> User | None:
        """The user with this UPN (any case), object id or e-mail address; None when there is none."""


class ContactStore(Protocol):
    """A tenant's mailboxes. Observations have immutable ids and whole pages, or are not given at all."""

    async def find_hub(self, mailbox: User, folder_name: str) -> HubFolder | None:
        """The hub's folder, None when it is not there yet; `HubNotFoundError` when the mailbox is not."""

    async def create_hub(self, mailbox: User, folder_name: str) -> HubFolder:
        """Make the hub's folder, or find the one that somebody made just now."""

    async def knock(self, mailbox: User) -> None:
        """Ask the mailbox for as little as possible; raises the `MirrorError` why it does not let us in."""

    async def observe(self, replica: Replica) -> Observation:
        """Read all of a replica's cards with flag and marker, from whole pages only, and where to go on from there."""

    async def changes(self, replica: Replica, delta_link: str, known: Known) -> Changes | None:
        """Read what changed since the delta link; None if it has expired or is refused: then observe everything.

        `known` is asked, when there is anything, for the remembered change markers of items by id: a row that bears
        its remembered one is an echo of our own write, and is left out. A removal is one that a completed round names,
        again at times, or of an item that was never told of; or an item that was gone when it was read.
        """

    async def read(self, replica: Replica, item_id: str) -> Card:
        """Read one card by id: a listing may cut its note (microsoft-graph-docs#17598)."""

    async def create(self, replica: Replica, draft: Draft) -> Item:
        """Create a card once: an attempt of unknown fate is looked up by `draft.marker` before it is repeated."""

    async def update(self, replica: Replica, item: Item, draft: Draft) -> Item:
        """Write `draft` onto the card, if it still is as `item` says; else `ItemChangedError`."""

    async def delete(self, replica: Replica, item: Item) -> None:
        """Move the card to Deleted Items, if it still is as `item` says; else `ItemChangedError`."""


class Progress(Protocol):
    """Where a person who waits looks."""

    def step(self, tenant: str, name: str, total: int) -> None:
        """A step of so many parts begins."""

    def advance(self, tenant: str, count: int = 1) -> None:
        """So many parts of the step are done."""


@dataclass(frozen=True, slots=True)
class TenantServices:
    """All that one tenant's run talks to."""

    sign_in: SignIn
    directory: Directory
    contacts: ContactStore
    clock: Clock
    traffic: Traffic


class StateStore(Protocol):
    """What is remembered between runs, per tenant. It speeds up and remembers; it is never the truth.

    Raises `StateError` when the store cannot be reached or used, `StateDamagedError` when what it holds cannot be
    read (the caller goes on as if it were empty).
    """

    async def acquire_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> Holder | None:
        """Take the lease if it is free or expired; None when taken, else who holds it. Conditional, never both."""

    async def renew_lease(self, tenant_id: str, holder: Holder, now: datetime, seconds: float) -> bool:
        """Hold it for so many seconds from now; false when somebody else has it."""

    async def release_lease(self, tenant_id: str, holder: Holder) -> None:
        """Give it back if it is still this holder's."""

    async def lease_holder(self, tenant_id: str, now: datetime) -> Holder | None:
        """Who holds the lease at that moment, None when it is free or expired; nothing is written."""

    async def checkpoints(self, tenant_id: str) -> Mapping[str, Checkpoint]:
        """All mailboxes' progress by mailbox, the hub's included."""

    async def save_checkpoint(self, tenant_id: str, checkpoint: Checkpoint) -> None:
        """Replace one mailbox's progress."""

    async def links(self, tenant_id: str, mailbox: str) -> Sequence[StoredLink]:
        """All links of a mailbox."""

    async def links_to(self, tenant_id: str, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        """The links of a mailbox to these contacts, by point reads."""

    async def links_of_items(self, tenant_id: str, mailbox: str, item_ids: Sequence[str]) -> Sequence[StoredLink]:
        """The links of these items of a mailbox."""

    async def save_links(
        self, tenant_id: str, mailbox: str, links: Sequence[StoredLink], forgotten: Sequence[SyncId] = ()
    ) -> None:
        """Write links (one a contact and mailbox, the later replaces the earlier) and forget others; idempotent."""

    async def current_versions(self, tenant_id: str) -> Mapping[SyncId, Version]:
        """The newest version of every contact, deletions included."""

    async def versions(self, tenant_id: str, sync_id: SyncId) -> Sequence[Version]:
        """A contact's history, oldest first."""

    async def versions_since(self, tenant_id: str, number: int) -> Sequence[Version]:
        """All versions with this number or a higher one, in rising order."""

    async def add_versions(self, tenant_id: str, versions: Sequence[Version]) -> None:
        """Append versions, whose numbers the caller gives under the lease; adding one again changes nothing."""

    async def prune_versions(self, tenant_id: str, before: datetime) -> int:
        """Forget versions older than that which are not a contact's newest nor a link's base; tells how many."""

    async def save_run(self, tenant_id: str, record: RunRecord) -> None:
        """Keep or replace a run's record."""

    async def runs(self, tenant_id: str, limit: int = 100) -> Sequence[RunRecord]:
        """The latest runs, newest first, without their reports."""

    async def run(self, tenant_id: str, run_id: str) -> RunRecord | None:
        """One run with its report."""

    async def prune_runs(self, tenant_id: str, before: datetime) -> int:
        """Forget runs that began before that, with their reports; tells how many."""

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        """Keep what one step of a run hands to the next, a JSON object; false, and nothing done, if the name is taken.

        Steps are delivered more than once: the first one's parcel is the one that everybody sees.
        """

    async def parcel(self, tenant_id: str, run_id: str, name: str) -> bytes | None:
        """A run's parcel, None while there is none of that name."""

    async def forget_parcels(self, tenant_id: str, but: str = "") -> None:
        """Forget the parcels of all runs of a tenant, `but` this one's."""

    async def forget_progress(self, tenant_id: str) -> None:
        """Forget all checkpoints and links, and nothing else: whatever is read next is compared with versions alone."""

    async def drop_unreadable(self, tenant_id: str) -> int:
        """Drop the versions and runs that cannot be read, damaged ones, not a newer release's; tells how many."""

    async def forget_tenant(self, tenant_id: str) -> None:
        """Remove everything of a tenant."""

    async def close(self) -> None:
        """Let go of files and connections."""
