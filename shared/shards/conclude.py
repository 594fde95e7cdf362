"""The last step: what came of all the others is put on record; then what they have handed over is forgotten."""

from dataclasses import replace

from shared.config.model import Tenant
from shared.engine.record import conclude as put_on_record
from shared.ports import Clock
from shared.shards.ending import report_of_ending
from shared.shards.errand import Step
from shared.shards.once import claimed
from shared.shards.plan_rows import decode_plan
from shared.shards.remarks import remarked
from shared.shards.rows import BROKEN_OFF, replicas_of
from shared.shards.tally import Merged, Tally, broken_off, decode_merged, decode_tally, joined, report_of, with_shards
from shared.sync.records import UNFINISHED, RunRecord
from shared.sync.report import Outcome, Problem, TenantReport, worst


async def conclude(step: Step, tenant: Tenant, clock: Clock) -> TenantReport | None:
    """The run's report, put on record; None if that was done before. Raises `StateError`."""
    errand, state = step.errand, step.state
    async with claimed(step, "conclude"):
        record = await state.run(errand.tenant_id, errand.run_id)
        if record and record.finished_at:
            return None
        report = await _report(step)
        record = record or RunRecord(errand.run_id, errand.started_at, None, UNFINISHED)
        record = replace(record, started_at=errand.started_at)
        report = await put_on_record(state, tenant, record, report, clock)
        await state.forget_parcels(errand.tenant_id)
        return report


async def _report(step: Step) -> TenantReport:
    """The report of all rounds together."""
    report: TenantReport | None = None
    for number in range(1, step.errand.round + 1):
        of_round = await _report_of_round(step.in_round(number), is_last=number == step.errand.round)
        report = joined(report, of_round) if report and of_round else report or of_round
    report = report or TenantReport(step.errand.tenant_id, Outcome.FAILED, _BROKEN_OFF)
    return replace(report, problems=(*await remarked(step), *report.problems))


async def _report_of_round(step: Step, *, is_last: bool) -> TenantReport | None:
    """The report of one round; None if nothing came of it, and another one followed, or should have."""
    tenant_id = step.errand.tenant_id
    if ending := await step.take("ending"):
        return report_of_ending(ending, tenant_id)
    done = await step.take("merge done")
    if done is None:
        return TenantReport(tenant_id, Outcome.FAILED, _BROKEN_OFF) if is_last else None
    merged = decode_merged(done)
    if merged.again and is_last:
        return TenantReport(tenant_id, Outcome.FAILED, _BROKEN_OFF)
    tallies = [await _tally(step, shard, is_last=is_last) for shard in merged.scatter]
    return _with_stop(with_shards(report_of(merged, tenant_id), tallies), merged, tallies)


async def _tally(step: Step, shard: int, *, is_last: bool) -> Tally:
    """What came of a shard; one that broke off has failed, if no other round was about it."""
    if done := await step.take("scatter done", shard):
        return decode_tally(done)
    if not is_last:
        return broken_off(())
    plan = decode_plan(await step.taken("plan"), await step.taken("part", shard))
    return broken_off(replicas_of(plan.observations))


def _with_stop(report: TenantReport, merged: Merged, tallies: list[Tally]) -> TenantReport:
    stop = merged.stop or next((one.stop for one in tallies if one.stop), None)
    if stop is None:
        return report
    return replace(report, outcome=worst((report.outcome, Outcome.PARTIAL)), problems=(stop, *report.problems))


_BROKEN_OFF = Problem("", BROKEN_OFF.code, "The process that had the tenant in hand broke off.", BROKEN_OFF.hint)
