"""The first step of a round: enrol, read the hub, and divide the spokes into shards."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from shared.engine.gather import read_hub
from shared.engine.job import Job
from shared.engine.memory import checkpoints_of
from shared.engine.observe import Eyes
from shared.engine.roster import enrolled
from shared.engine.tenant import counts_of, rules_of
from shared.shards.errand import Step, divided
from shared.shards.rows import Begun, Shard, decode_begun, decode_shard, encode_begun, encode_shard
from shared.sync.records import Checkpoint
from shared.sync.replica import Replica

_AT_ONCE: Final = 16


async def begin(step: Step, job: Job) -> int:
    """Begin a round; the number of its shards. Raises `TenantError`, and `StoppedError` when there is no time."""
    errand = step.errand
    job.course.check()
    if errand.round == 1:
        await job.state.forget_parcels(errand.tenant_id, but=errand.run_id)
    checkpoints = await checkpoints_of(job)
    if await step.take("begun") is None:
        await step.put("begun", encode_begun(await _begun(step, job, checkpoints)))
    # From here on all is as the first delivery of this step found it.
    shards = divided(decode_begun(await step.taken("begun")).replicas, errand.shard_size)
    await _put(step, [Shard(tuple(some), _of(some, checkpoints)) for some in shards])
    return len(shards)


async def _begun(step: Step, job: Job, checkpoints: Mapping[str, Checkpoint]) -> Begun:
    errand = step.errand
    hub_user, roster = await enrolled(job, checkpoints)
    eyes = Eyes(job, rules_of(job.tenant, job.options), checkpoints if errand.trusts else None)
    hub, namesakes = await read_hub(job, hub_user, eyes)
    replicas = [Replica(user.user_id, user.user_principal_name) for user in roster.users]
    if errand.only:
        replicas = await _of_the_round_before(step)
    return Begun(hub, tuple(replicas), namesakes, roster.unknown, counts_of(job.services))


async def _of_the_round_before(step: Step) -> list[Replica]:
    """The spokes of the shards that this round is about."""
    before = step.in_round(step.errand.round - 1)
    shards = [decode_shard(await before.taken("shard", number)) for number in step.errand.only]
    return [replica for shard in shards for replica in shard.replicas]


def _of(replicas: Sequence[Replica], checkpoints: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
    return {one.mailbox: checkpoints[one.mailbox] for one in replicas if one.mailbox in checkpoints}


async def _put(step: Step, shards: Sequence[Shard]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def put(number: int, shard: Shard) -> None:
        async with places:
            await step.put("shard", encode_shard(shard), number)

    await asyncio.gather(*(put(number, shard) for number, shard in enumerate(shards)))
