"""Who takes part: the shared mailbox, and the users whose mailboxes are its spokes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from shared.config.model import Tenant
from shared.engine.job import Job
from shared.errors import HubNotFoundError, NoUsersError
from shared.sync.records import Checkpoint
from shared.sync.roster import Roster, User, enrol

_LATELY: Final = timedelta(days=14)
"""How long a spoke that has left the licence filter's answer is asked for by id."""


class OutgrownError(Exception):
    """The tenant has more mailboxes than this process is to take; nothing was read or written."""

    def __init__(self, mailboxes: int) -> None:
        super().__init__(mailboxes)
        self.mailboxes = mailboxes


async def enrolled(job: Job, checkpoints: Mapping[str, Checkpoint]) -> tuple[User, Roster]:
    """The shared mailbox's user and the roster; raises `HubNotFoundError`, `NoUsersError`."""
    tenant, directory = job.tenant, job.services.directory
    hub = await directory.find_user(tenant.hub)
    if hub is None:
        message = f"Tenant {tenant.tenant_id}: the shared mailbox {tenant.hub} was not found."
        raise HubNotFoundError(message, hint="Check GlobalAddressBookUserId: its UPN, object id or e-mail address.")
    chosen = job.options.users or tenant.test_users
    found = {name: await directory.find_user(name) for name in chosen}
    licensed = [] if chosen else await _licensed(job, hub, checkpoints)
    roster = enrol(licensed, hub, chosen, found)
    if not roster.users:
        raise _nobody(tenant, chosen)
    return hub, roster


async def _licensed(job: Job, hub: User, checkpoints: Mapping[str, Checkpoint]) -> list[User]:
    """Everybody with a licence; who was mirrored lately and is not in the answer is asked for by id.

    The index behind the licence filter lags, and has been seen to miss users (msgraph-sdk-powershell#2112).
    """
    users = list(await job.services.directory.licensed_users())
    since = job.services.clock.now() - _LATELY
    lately = {box for box, one in checkpoints.items() if one.succeeded_at and one.succeeded_at > since}
    missing = sorted(lately - {user.user_id for user in users} - {hub.user_id})
    return users + list(await job.services.directory.still_licensed(missing)) if missing else users


def _nobody(tenant: Tenant, chosen: Sequence[str]) -> NoUsersError:
    if chosen:
        message = f"Tenant {tenant.tenant_id}: none of the {len(chosen)} chosen users exists."
        return NoUsersError(message, hint="Check --user, TestUserList and the tenant's entry in the test user map.")
    message = f"Tenant {tenant.tenant_id}: no licensed users were found."
    return NoUsersError(message, hint="Assign a Microsoft 365 licence to the users whose contacts shall be mirrored.")
