"""One tenant's run: gather, recall, plan, write the hub, scatter, and say what came of it."""

from shared.config.model import PairByEmail, Tenant
from shared.engine.gather import gather
from shared.engine.job import Job
from shared.engine.memory import checkpoints_of, recall, without_links
from shared.engine.options import RunOptions
from shared.engine.scribe import Scribe
from shared.engine.unmake import limited, presume, silence, told
from shared.engine.write import Writer, ledger_of, pass_echoes
from shared.ports import TenantServices
from shared.sync.plan import NOTHING_TO_DO
from shared.sync.progress import is_quiet, newest_of
from shared.sync.report import GraphCounts, TenantReport
from shared.sync.rules import Deletions, Rules


async def sync_tenant(job: Job) -> TenantReport:
    """Mirror one tenant; raises `TenantError` when that is not possible at all, `StoppedError` when there is no time.

    Everything is read before anything is written, so the outcome does not depend on the order of users.
    """
    rules = rules_of(job.tenant, job.options)
    checkpoints = await checkpoints_of(job)
    gathered = await gather(job, rules, checkpoints)
    job.course.check()
    if is_quiet((gathered.hub, *gathered.spokes), newest_of(checkpoints)):
        await pass_echoes(job, (gathered.hub, *gathered.spokes), checkpoints)
        return Scribe(job, gathered, NOTHING_TO_DO).planned(counts_of(job.services))
    doubts = await presume(job, gathered, rules)
    recalled = await recall(job, gathered, rules, checkpoints)
    if recalled is None:
        gathered = await gather(job, rules, None)
        job.course.check()
        recalled = await recall(job, gathered, rules, checkpoints) or await without_links(job, gathered, rules)
    if await silence(job, recalled):
        recalled = await recall(job, recalled.gathered, rules, checkpoints) or recalled
    gathered, (plan, alive) = recalled.gathered, limited(recalled.plan, job)
    scribe = Scribe(job, gathered, plan)
    if job.is_dry:
        return scribe.planned(counts_of(job.services))
    observed = (gathered.hub, *gathered.spokes)
    # What was damaged is forgotten: no delta link from before may be saved again.
    writer = Writer(job, rules, observed, {} if job.course.damages else checkpoints, ledger_of(plan, recalled.memory))
    await writer.record(plan)
    hub, missing = await writer.write_hub(plan)
    spokes = await writer.scatter(plan.scattering, plan.replicas, missing)
    return told(scribe.report(hub, spokes, counts_of(job.services)), (*doubts, *alive))


def rules_of(tenant: Tenant, options: RunOptions) -> Rules:
    """The core's rules, from the tenant's settings and what was asked of this run."""
    return Rules(
        tenant_id=tenant.tenant_id,
        update_existing=tenant.update_existing,
        names_agree=tenant.pair_by_email is PairByEmail.NAMES_AGREE,
        exclude_private=tenant.exclude_private,
        exclude_categories=frozenset(tenant.exclude_categories),
        deletions=Deletions(tenant.delete_policy.value),
        max_delete_percent=tenant.max_delete_percent,
        allowed_deletes=options.allowed_deletes,
        restores_deletes=options.restores_deletes,
    )


def counts_of(services: TenantServices) -> GraphCounts:
    """What was asked of Graph so far."""
    traffic = services.traffic
    return GraphCounts(traffic.requests, traffic.batches, traffic.throttled, traffic.retried, traffic.bytes)
