"""What the Function app's triggers do: the decisions of `shared.manual`, with the world of `shared.bootstrap`."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import shared
from shared import bootstrap
from shared.bootstrap import Means
from shared.clock import SystemClock
from shared.config.model import Settings, Tenant
from shared.engine import asked
from shared.engine.options import RunOptions
from shared.engine.run import chosen
from shared.engine.tenant import sync_tenant
from shared.errors import MirrorError
from shared.manual import asking, telling
from shared.manual.call import SOON, Answer, Call, retry_after, unavailable
from shared.manual.message import read_message
from shared.page import report_page, runs_page
from shared.ports import StateStore
from shared.shards.errand import Errand
from shared.shards.message import read_call, write
from shared.shards.workflow import Done
from shared.sync.records import QUEUED
from shared.sync.report import Outcome, Problem, RunReport, TenantReport
from shared.telemetry import log_crash, log_event, log_report

_LOG = logging.getLogger("contacts_mirror")


@dataclass(frozen=True, slots=True)
class App:
    """The app's environment; `trust` is a file of CA certificates, None for the usual ones."""

    environ: Mapping[str, str]
    trust: str | None = None

    async def timed_run(self, *, is_late: bool) -> str | None:
        """Mirror all tenants because it is time; the message for those that go on in shards, None if none does.

        Raises `MirrorError` so that the host shows a failed run as failed.
        """
        options = RunOptions(run_id=str(uuid4()))
        log_event(_LOG, logging.INFO, "timer_fired", run_id=options.run_id, past_due=is_late)
        with _told(options.run_id):
            settled = await bootstrap.settings(self.environ, trust=self.trust)
            means = Means(trust=self.trust, settings=settled, room=settled.scale_out.room)
            report = await bootstrap.carry_out(self.environ, options, sync_tenant, means)
        return _concluded(report, options)

    async def requested_run(self, raw: bytes, message_id: str) -> str | None:
        """Carry out a run of the queue, unless it has been begun before; gives and raises like `timed_run`."""
        options = read_message(raw)
        if options is None:
            log_event(_LOG, logging.ERROR, "message_dropped", message_id=message_id)
            return None
        with _told(options.run_id):
            report = await self._requested(options)
        return _concluded(report, options) if report else None

    async def _requested(self, options: RunOptions) -> RunReport | None:
        async with self._state() as (settled, state):
            tenants = chosen(settled.tenants, options.tenants)
            if not await asked.begin(state, tenants, options.run_id, SystemClock().now()):
                log_event(_LOG, logging.WARNING, "run_repeated", run_id=options.run_id)
                return None
            means = Means(trust=self.trust, state=state, settings=settled, room=settled.scale_out.room)
            report = await bootstrap.carry_out(self.environ, options, sync_tenant, means)
            await asked.settle(state, report)
            return report

    async def take_step(self, text: str) -> str:
        """Take one step of a run in shards; of the last one, log the report. Raises what is to be tried again."""
        call = read_call(text)
        try:
            done = await bootstrap.take_step(self.environ, call, Means(trust=self.trust))
        except Exception as error:
            where = {"run_id": call.errand.run_id, "tenant_id": call.errand.tenant_id}
            log_crash(_LOG, "step_crashed", error, **where, step=call.step.value, number=call.number)
            raise
        if isinstance(done, RunReport):
            log_report(_LOG, done)
            failed = telling.failure(done)
            done = Done(failure=failed.message if failed else "")
        return write(done or Done())

    async def refuse_errand(self, errand: Errand) -> None:
        """Say of a run that it was not begun, because an earlier one of its tenant still goes on in shards."""
        log_event(_LOG, logging.WARNING, "run_skipped", run_id=errand.run_id, tenant_id=errand.tenant_id)
        async with self._state() as (_, state):
            report = TenantReport(errand.tenant_id, Outcome.SKIPPED, _BUSY)
            now = SystemClock().now()
            await asked.settle(state, RunReport(errand.run_id, errand.started_at, now, False, (report,)))

    async def request_sync(self, call: Call) -> Answer:
        """Accept a run, put it on record, and give the message that stands for it; or say why not."""
        wish = asking.read_wish(call.body)
        if isinstance(wish, Answer):
            return wish
        try:
            async with self._state() as (settled, state):
                tenants = asking.tenants_meant(wish.tenant, settled.tenants)
                if isinstance(tenants, Answer):
                    return tenants
                return asking.hub_meant(wish, tenants) or await _accept(call, wish, tenants, state)
        except MirrorError as error:
            return unavailable(error)

    async def list_runs(self, call: Call) -> Answer:
        """The latest runs by tenant."""
        limit = telling.read_limit(call.query)
        if isinstance(limit, Answer):
            return limit
        try:
            async with self._state() as (settled, state):
                tenants = asking.tenants_meant(call.query.get("tenant", ""), settled.tenants)
                if isinstance(tenants, Answer):
                    return tenants
                runs = {one.tenant_id: await state.runs(one.tenant_id, limit) for one in tenants}
                held = await asked.holders(state, tenants, SystemClock().now())
        except MirrorError as error:
            return unavailable(error)
        document = telling.runs_document(call, runs, held)
        return Answer(200, runs_page(document) if call.wants_page else document, extra_headers=_VARY)

    async def show_run(self, call: Call) -> Answer:
        """One run, all tenants' parts of it."""
        try:
            async with self._state() as (settled, state):
                parts = await asked.parts(state, settled.tenants, call.run_id, SystemClock().now())
        except MirrorError as error:
            return unavailable(error)
        if not parts:
            return telling.unknown_run(call.run_id)
        document = telling.run_document(call.run_id, parts)
        waiting = retry_after(SOON) | {"Refresh": str(SOON)} if document["outcome"] in _GOES_ON else {}
        return Answer(200, report_page(document) if call.wants_page else document, extra_headers=_VARY | waiting)

    async def health(self) -> Answer:
        """Whether a run could begin: settings that can be used, and a state that answers."""
        settled = None
        try:
            settled = await bootstrap.settings(self.environ, trust=self.trust)
            async with bootstrap.open_state(self.environ, settled, trust=self.trust) as state:
                await asked.holders(state, settled.tenants[:1], SystemClock().now())
        except MirrorError as error:
            return telling.health(shared.__version__, settled, error)
        return telling.health(shared.__version__, settled)

    @asynccontextmanager
    async def _state(self) -> AsyncIterator[tuple[Settings, StateStore]]:
        settled = await bootstrap.settings(self.environ, trust=self.trust)
        async with bootstrap.open_state(self.environ, settled, trust=self.trust) as state:
            yield settled, state


_VARY = {"Vary": "Accept"}
_GOES_ON = {QUEUED, telling.RUNNING}


async def _accept(call: Call, wish: asking.Wish, tenants: Sequence[Tenant], state: StateStore) -> Answer:
    run_id, now = str(uuid4()), SystemClock().now()
    held = await asked.holders(state, wish.waits_for(tenants), now)
    answer = asking.accept(call, wish, tenants, held, run_id)
    if answer.message:
        await asked.enqueue(state, tenants, run_id, now)
        log_event(_LOG, logging.INFO, "run_requested", run_id=run_id, tenants=len(tenants), dry_run=wish.dry_run)
    return answer


@contextmanager
def _told(run_id: str) -> Iterator[None]:
    """Log why a run could not begin; the error goes on, and makes the host show it."""
    try:
        yield
    except MirrorError as error:
        log_event(_LOG, logging.ERROR, "run_refused", run_id=run_id, code=error.code, message=error.message)
        raise


def _concluded(report: RunReport, options: RunOptions) -> str | None:
    """Log the report, and raise if the run has failed; the message for what goes on in shards."""
    log_report(_LOG, report)
    left = [
        Errand(one.tenant_id, replace(options, tenants=()), report.started_at)
        for one in report.tenants
        if one.outcome is Outcome.RUNNING
    ]
    if not left and (failure := telling.failure(report)):
        raise failure
    return write(left) if left else None


_BUSY = Problem(
    "",
    "Held",
    "An earlier run of the tenant still goes on in shards.",
    "Nothing to do: what this one would have done, the next one does.",
)
