"""The step in the middle: merge what all shards have read, write the hub, and say what each shard gets."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.engine.gather import Gathered, assembled
from shared.engine.job import Job
from shared.engine.memory import Recalled, checkpoints_of, recall
from shared.engine.scribe import Scribe
from shared.engine.tenant import counts_of, rules_of
from shared.engine.write import Ledger, Missing, Writer, ledger_of
from shared.shards.errand import Step
from shared.shards.once import once
from shared.shards.plan_rows import encode_part, encode_plan, places_by_shard
from shared.shards.rows import FORMAT, Begun, Reading, decode_begun, decode_reading, decode_shard, lost
from shared.shards.tally import Merged, decode_merged, encode_tally, merged, together
from shared.sync.plan import NOTHING_TO_DO
from shared.sync.progress import is_quiet, newest_of
from shared.sync.records import Checkpoint
from shared.sync.replica import Observation, Unreadable

_AT_ONCE: Final = 16


async def merge(step: Step, job: Job, shards: int) -> Merged:
    """Plan with what these many shards have read, and write the hub; raises `TenantError`, `StoppedError`."""
    return decode_merged(await once(step, "merge", lambda: _merge(step, job, shards)))


async def _merge(step: Step, job: Job, shards: int) -> bytes:
    rules = rules_of(job.tenant, job.options)
    begun, readings = decode_begun(await step.taken("begun")), await _readings(step, shards)
    checkpoints = await checkpoints_of(job)
    gathered = _gathered(job, begun, readings, checkpoints if step.errand.trusts else {})
    job.course.check()
    graph = together(begun.graph, *(one.graph for one in readings))
    if is_quiet((gathered.hub, *gathered.spokes), newest_of(checkpoints)):
        return encode_tally(merged(Scribe(job, gathered, NOTHING_TO_DO).planned(graph), ()))
    quiet = frozenset(one.replica.mailbox for one in gathered.spokes if _tells_nothing(one))
    recalled = await recall(job, gathered, rules, checkpoints, quiet)
    if recalled is None:
        return encode_tally(Merged(format=FORMAT, again=True, graph=together(graph, counts_of(job.services))))
    gathered, plan, ledger = recalled.gathered, recalled.plan, ledger_of(recalled.plan, recalled.memory)
    writer = Writer(job, rules, (gathered.hub,), {} if job.course.damages else checkpoints, ledger)
    await writer.record(plan)
    hub, missing = await writer.write_hub(plan)
    concerned = await _hand_over(step, recalled, ledger, missing, readings)
    report = Scribe(job, gathered, plan).report(hub, {}, together(graph, counts_of(job.services)))
    return encode_tally(merged(report, concerned, job.course.stop))


def _tells_nothing(one: Observation) -> bool:
    return not one.items and not one.removed


async def _readings(step: Step, shards: int) -> list[Reading]:
    """What the shards have read; of one that broke off, that its mailboxes were not."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(number: int) -> Reading:
        async with places:
            data = await step.take("reading", number)
            return decode_reading(data) if data else lost(decode_shard(await step.taken("shard", number)))

    return await asyncio.gather(*map(read, range(shards)))


def _gathered(job: Job, begun: Begun, readings: Sequence[Reading], checkpoints: Mapping[str, Checkpoint]) -> Gathered:
    observed: list[Observation | Unreadable] = []
    for reading in readings:
        observed += (*reading.observations, *reading.unreadable)
    gathered = assembled(job, begun.hub, observed, checkpoints)
    return replace(gathered, namesakes=begun.namesakes, unknown_users=begun.unknown_users)


async def _hand_over(
    step: Step, recalled: Recalled, ledger: Ledger, missing: Missing, readings: Sequence[Reading]
) -> list[int]:
    """Give every shard its part of the plan; the numbers of those that have one."""
    plan, spokes = recalled.plan, {one.replica.mailbox: one for one in recalled.gathered.spokes}
    shards = [
        [spokes[box] for one in reading.observations if (box := one.replica.mailbox) in spokes] for reading in readings
    ]
    shard_of = {one.replica.mailbox: number for number, shard in enumerate(shards) for one in shard}
    places = places_by_shard(plan, shard_of)
    await step.put("plan", encode_plan(plan, ledger, missing))
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def give(number: int) -> None:
        async with at_once:
            await step.put("part", encode_part(plan, ledger, shards[number], places.get(number, {})), number)

    concerned = [number for number, shard in enumerate(shards) if shard]
    await asyncio.gather(*map(give, concerned))
    return concerned
