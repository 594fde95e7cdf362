"""The step that reads a shard, and writes nothing but what may be written again."""

from shared.engine.gather import observe_all
from shared.engine.job import Job
from shared.engine.observe import Eyes
from shared.engine.tenant import counts_of, rules_of
from shared.engine.write import pass_echoes
from shared.shards.errand import Step
from shared.shards.rows import Reading, decode_shard, encode_reading
from shared.sync.replica import Observation, Unreadable


async def gather(step: Step, job: Job, number: int) -> None:
    """Read a shard's mailboxes, unless that was done before; raises `TenantError`."""
    if await step.take("reading", number):
        return
    shard = decode_shard(await step.taken("shard", number))
    rules = rules_of(job.tenant, job.options)
    eyes = Eyes(job, rules, shard.checkpoints if step.errand.trusts else None)
    observed = await observe_all(job, shard.replicas, eyes)
    reading = Reading(
        tuple(one for one in observed if isinstance(one, Observation)),
        tuple(one for one in observed if isinstance(one, Unreadable)),
        counts_of(job.services),
    )
    if await step.put("reading", encode_reading(reading), number):
        await pass_echoes(job, reading.observations, shard.checkpoints)
