"""Finds out who takes part and reads all replicas, the hub and the spokes side by side."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.engine.apply import failure_of
from shared.engine.door import FEWEST, Door, at_once
from shared.engine.job import Job
from shared.engine.observe import Eyes
from shared.engine.roster import OutgrownError, enrolled
from shared.errors import (
    ItemError,
    ItemGoneError,
    MailboxError,
    PrivilegeError,
    TenantError,
)
from shared.sync.mergebase import Versions
from shared.sync.progress import in_force
from shared.sync.records import Checkpoint, Quarantined
from shared.sync.replica import Failure, Item, Observation, Replica, Unreadable
from shared.sync.roster import User
from shared.sync.rules import Rules

HUB_FOLDER: Final = "All Contacts"
"""The hub folder's name, as the shared mailbox's users know it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the run found: the hub, the spokes that answered, and those that did not."""

    hub: Observation
    spokes: tuple[Observation, ...]
    unreadable: tuple[Unreadable, ...]
    namesakes: int = 0
    unknown_users: tuple[str, ...] = ()
    quarantine: tuple[tuple[Replica, Quarantined], ...] = ()
    """What was refused for good and is not tried again in this run."""
    versions: Versions | None = None
    """The newest versions, if they had to be known for reading."""


async def gather(job: Job, rules: Rules, checkpoints: Mapping[str, Checkpoint] | None) -> Gathered:
    """Read the hub and all spokes; raises `TenantError` when the hub or the whole tenant cannot be read.

    Raises `OutgrownError` when there are more of them than the job has room for.

    Of a mailbox with a checkpoint that can be trusted only the changes are read; with None nothing is trusted.
    In a dry run a missing hub folder is not made, but taken for the empty folder that it would be.
    """
    tenant, progress, eyes = job.tenant, job.progress, Eyes(job, rules, checkpoints)
    checkpoints = checkpoints or {}
    hub_user, roster = await enrolled(job, checkpoints)
    if job.room is not None and len(roster.users) > job.room:
        raise OutgrownError(len(roster.users))
    progress.step(tenant.tenant_id, "reading", len(roster.users) + 1)
    hub, namesakes = await read_hub(job, hub_user, eyes)
    progress.advance(tenant.tenant_id)
    replicas = [Replica(user.user_id, user.user_principal_name) for user in roster.users]
    observed = await observe_all(job, replicas, eyes)
    return replace(
        assembled(job, hub, observed, checkpoints),
        namesakes=namesakes,
        unknown_users=roster.unknown,
        versions=eyes.versions,
    )


def assembled(
    job: Job,
    hub: Observation,
    observed: Sequence[Observation | Unreadable],
    checkpoints: Mapping[str, Checkpoint],
) -> Gathered:
    """What was read of the hub and the spokes; raises `PrivilegeError` when every mailbox refused."""
    unreadable = tuple(one for one in observed if isinstance(one, Unreadable))
    _refuse_if_all_refused(unreadable, len(observed))
    spokes = tuple(one for one in observed if isinstance(one, Observation))
    quarantine = tuple(_quarantine((hub, *spokes), checkpoints, job.services.clock.now()))
    return Gathered(hub, spokes, unreadable, quarantine=quarantine)


async def look_again(job: Job, gathered: Gathered, items: Mapping[str, Collection[str]]) -> Gathered:
    """What was gathered, with these items as they are now; a mailbox that fails meanwhile counts as unreadable."""
    observations = (gathered.hub, *gathered.spokes)
    looked = await asyncio.gather(*(_look(job, one, items.get(one.replica.mailbox, ())) for one in observations))
    hub, *spokes = looked
    if isinstance(hub, Unreadable):
        raise _without_hub(job, hub.failure)
    unreadable = (*gathered.unreadable, *(one for one in spokes if isinstance(one, Unreadable)))
    read = tuple(one for one in spokes if isinstance(one, Observation))
    return replace(gathered, hub=hub, spokes=read, unreadable=unreadable)


async def _look(job: Job, observation: Observation, item_ids: Collection[str]) -> Observation | Unreadable:
    """The observation with these items, so far as they are there and can be read."""
    items: list[Item] = []
    gone: list[str] = []
    try:
        for item_id in sorted(item_ids):
            try:
                items.append((await job.services.contacts.read(observation.replica, item_id)).item)
            except ItemGoneError:
                gone.append(item_id)
            except ItemError:
                continue  # unread, it stays remembered as it was
    except MailboxError as error:
        return Unreadable(observation.replica, failure_of(error))
    removed = (*observation.removed, *gone)
    return replace(observation, items=(*observation.items, *items), removed=removed) if item_ids else observation


def _quarantine(
    observations: Sequence[Observation], checkpoints: Mapping[str, Checkpoint], now: datetime
) -> Iterator[tuple[Replica, Quarantined]]:
    for one in observations:
        checkpoint = checkpoints.get(one.replica.mailbox)
        if checkpoint and not one.was_read_whole:
            yield from ((one.replica, entry) for entry in in_force(checkpoint.quarantine, now))


async def read_hub(job: Job, user: User, eyes: Eyes) -> tuple[Observation, int]:
    """The hub, whose folder is made if there is none, and how many other folders bear its name.

    Raises `TenantError` when it cannot be read.
    """
    contacts = job.services.contacts
    try:
        folder = await contacts.find_hub(user, HUB_FOLDER)
        if folder is None and job.is_dry:
            return Observation(Replica(user.user_id, user.user_principal_name, is_hub=True, folder=""), ()), 0
        folder = folder or await contacts.create_hub(user, HUB_FOLDER)
        return await eyes.observe(folder.replica), folder.namesakes
    except MailboxError as error:
        raise _without_hub(job, failure_of(error)) from error


def _without_hub(job: Job, failure: Failure) -> TenantError:
    message = f"Tenant {job.tenant.tenant_id}: the shared mailbox could not be read. {failure.message}"
    return TenantError(message, hint=failure.hint, code=failure.code)


async def observe_all(job: Job, replicas: Sequence[Replica], eyes: Eyes) -> list[Observation | Unreadable]:
    """All of these spokes, side by side; one that cannot be read, or is not any more, is `Unreadable`."""
    door = Door(at_once(FEWEST, eyes.hub_told))

    async def observe(replica: Replica) -> Observation | Unreadable:
        await door.enter()
        try:
            if job.course.stop:
                return Unreadable(replica, Failure(job.course.stop.code, job.course.stop.message, skipped=True))
            return await eyes.observe(replica)
        except MailboxError as error:
            return Unreadable(replica, failure_of(error))
        finally:
            door.leave(much=replica.mailbox in eyes.told_much)
            job.progress.advance(job.tenant.tenant_id)

    return await asyncio.gather(*map(observe, replicas))


def _refuse_if_all_refused(unreadable: Sequence[Unreadable], total: int) -> None:
    """Every mailbox refused is no matter of mailboxes: the application lacks the permission."""
    refused = [one for one in unreadable if one.failure.code == "MailboxRefused"]
    if refused and len(refused) == total:
        failure = refused[0].failure
        raise PrivilegeError(f"Every mailbox refused the application. {failure.message}", hint=failure.hint)
