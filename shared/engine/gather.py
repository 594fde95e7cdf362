"""Finds out who takes part and reads all replicas, the hub and the spokes side by side."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.config.model import Tenant
from shared.engine.apply import failure_of
from shared.engine.options import RunOptions
from shared.errors import HubNotFoundError, MailboxError, NoUsersError, PrivilegeError, TenantError
from shared.ports import ContactStore, Directory, Progress, TenantServices
from shared.sync.replica import Observation, Replica, Unreadable
from shared.sync.roster import Roster, User, enrol

HUB_FOLDER: Final = "All Contacts"
"""The hub folder's name, as the shared mailbox's users know it."""

_READERS: Final = 64
"""Mailboxes read at once; Graph limits each mailbox by itself, so this bounds memory, not load."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the run found: the hub, the spokes that answered, and those that did not."""

    hub: Observation
    spokes: tuple[Observation, ...]
    unreadable: tuple[Unreadable, ...]
    namesakes: int
    unknown_users: tuple[str, ...]


async def gather(tenant: Tenant, options: RunOptions, services: TenantServices, progress: Progress) -> Gathered:
    """Read the hub and all spokes; raises `TenantError` when the hub or the whole tenant cannot be read.

    In a dry run a missing hub folder is not made, but taken for the empty folder that it would be.
    """
    hub_user, roster = await _enrol(tenant, options, services.directory)
    progress.step(tenant.tenant_id, "reading", len(roster.users) + 1)
    hub, namesakes = await _hub(tenant, hub_user, services.contacts, dry_run=tenant.dry_run or options.dry_run)
    progress.advance(tenant.tenant_id)
    replicas = [Replica(user.user_id, user.user_principal_name) for user in roster.users]
    observed = await _observe_all(tenant, replicas, services.contacts, progress)
    unreadable = tuple(one for one in observed if isinstance(one, Unreadable))
    _refuse_if_all_refused(unreadable, len(observed))
    spokes = tuple(one for one in observed if isinstance(one, Observation))
    return Gathered(hub, spokes, unreadable, namesakes, roster.unknown)


async def _enrol(tenant: Tenant, options: RunOptions, directory: Directory) -> tuple[User, Roster]:
    hub = await directory.find_user(tenant.hub)
    if hub is None:
        message = f"Tenant {tenant.tenant_id}: the shared mailbox {tenant.hub} was not found."
        raise HubNotFoundError(message, hint="Check GlobalAddressBookUserId: its UPN, object id or e-mail address.")
    chosen = options.users or tenant.test_users
    found = {name: await directory.find_user(name) for name in chosen}
    roster = enrol([] if chosen else await directory.licensed_users(), hub, chosen, found)
    if not roster.users:
        raise _nobody(tenant, chosen)
    return hub, roster


def _nobody(tenant: Tenant, chosen: Sequence[str]) -> NoUsersError:
    if chosen:
        message = f"Tenant {tenant.tenant_id}: none of the {len(chosen)} chosen users exists."
        return NoUsersError(message, hint="Check --user, TestUserList and the tenant's entry in the test user map.")
    message = f"Tenant {tenant.tenant_id}: no licensed users were found."
    return NoUsersError(message, hint="Assign a Microsoft 365 licence to the users whose contacts shall be mirrored.")


async def _hub(tenant: Tenant, user: User, contacts: ContactStore, *, dry_run: bool) -> tuple[Observation, int]:
    try:
        folder = await contacts.find_hub(user, HUB_FOLDER)
        if folder is None and dry_run:
            return Observation(Replica(user.user_id, user.user_principal_name, is_hub=True, folder=""), ()), 0
        folder = folder or await contacts.create_hub(user, HUB_FOLDER)
        return await contacts.observe(folder.replica), folder.namesakes
    except MailboxError as error:
        message = f"Tenant {tenant.tenant_id}: the shared mailbox could not be read. {error.message}"
        raise TenantError(message, hint=error.hint, code=error.code) from error


async def _observe_all(
    tenant: Tenant, replicas: Sequence[Replica], contacts: ContactStore, progress: Progress
) -> list[Observation | Unreadable]:
    places = asyncio.Semaphore(_READERS)

    async def observe(replica: Replica) -> Observation | Unreadable:
        async with places:
            try:
                return await contacts.observe(replica)
            except MailboxError as error:
                return Unreadable(replica, failure_of(error))
            finally:
                progress.advance(tenant.tenant_id)

    return await asyncio.gather(*map(observe, replicas))


def _refuse_if_all_refused(unreadable: Sequence[Unreadable], total: int) -> None:
    """Every mailbox refused is no matter of mailboxes: the application lacks the permission."""
    refused = [one for one in unreadable if one.failure.code == "MailboxRefused"]
    if refused and len(refused) == total:
        failure = refused[0].failure
        raise PrivilegeError(f"Every mailbox refused the application. {failure.message}", hint=failure.hint)
