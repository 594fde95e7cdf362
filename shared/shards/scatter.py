"""The step that writes a shard."""

from collections.abc import Mapping

from shared.engine.job import Job
from shared.engine.recollection import Recollection
from shared.engine.tenant import counts_of, rules_of
from shared.engine.write import Writer
from shared.shards.errand import Step
from shared.shards.once import once
from shared.shards.plan_rows import ShardPlan, decode_plan
from shared.shards.rows import decode_shard, replicas_of
from shared.shards.tally import encode_tally, tally
from shared.sync.rules import Rules
from shared.sync.scatter import Scatter
from shared.sync.stamp import SyncId


async def scatter(step: Step, job: Job, number: int) -> None:
    """Write a shard's mailboxes, once; raises `TenantError`, and `BrokenOffError` when that ended half-way."""
    await once(step, "scatter", lambda: _scatter(step, job, number), number)


async def _scatter(step: Step, job: Job, number: int) -> bytes:
    rules = rules_of(job.tenant, job.options)
    plan = decode_plan(await step.taken("plan"), await step.taken("part", number))
    shard = decode_shard(await step.taken("shard", number))
    parts = await _parts(job, plan, rules)
    writer = Writer(job, rules, plan.observations, shard.checkpoints, plan.ledger)
    applied = await writer.scatter(parts, replicas_of(plan.observations), plan.missing)
    names = {one.replica.mailbox: one.replica.name for one in plan.observations}
    return encode_tally(tally(applied, names, job.course.stop, counts_of(job.services)))


async def _parts(job: Job, plan: ShardPlan, rules: Rules) -> Scatter:
    """What the plan means for the shard, with the links that it did not know of yet."""
    recollection = Recollection(job, rules, await job.state.current_versions(job.tenant.tenant_id))
    for mailbox, item_ids in _cards(plan).items():
        await recollection.begin_with(mailbox, item_ids)
    await recollection.ask(_removed(plan))
    links = {one.replica.mailbox: tuple(plan.links_of(one.replica.mailbox)) for one in plan.observations}
    while True:
        memory = recollection.memory
        linked = {(link.mailbox, link.sync_id): link for link in memory.links.values()}
        observed = {one.replica.mailbox: one for one in plan.observations}
        parts = Scatter(plan.decisions, observed, memory, rules, links, linked)
        if not await recollection.ask({one.replica.mailbox: parts.unknown(one) for one in plan.observations}):
            return parts


def _cards(plan: ShardPlan) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for decision in plan.decisions:
        for mailbox, card in decision.cards.items():
            found.setdefault(mailbox, []).append(card.item_id)
    return found


def _removed(plan: ShardPlan) -> Mapping[str, frozenset[SyncId]]:
    found: dict[str, set[SyncId]] = {}
    for decision in plan.decisions:
        for mailbox in decision.removed_from:
            found.setdefault(mailbox, set()).add(decision.sync_id)
    return {mailbox: frozenset(sync_ids) for mailbox, sync_ids in found.items()}
