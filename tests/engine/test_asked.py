"""A run that somebody asked for: on record until its end, begun once, whatever the state does meanwhile."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.config.model import Tenant
from shared.engine import asked
from shared.errors import StateDamagedError, StateError
from shared.state.memory import MemoryStateStore
from shared.sync.records import QUEUED, UNFINISHED, Holder, RunRecord
from shared.sync.report import Outcome, RunReport, TenantReport
from tests.app.test_asking import TENANTS

NOW = datetime(2026, 1, 31, 7, tzinfo=UTC)
IDS = [tenant.tenant_id for tenant in TENANTS]


class Broken(MemoryStateStore):
    """A state that raises this, whatever it is asked of runs and leases."""

    def __init__(self, error: StateError) -> None:
        super().__init__()
        self._error = error

    async def lease_holder(self, tenant_id: str, now: datetime) -> Holder | None:
        raise self._error

    async def run(self, tenant_id: str, run_id: str) -> RunRecord | None:
        raise self._error


DAMAGED = Broken(StateDamagedError("A row cannot be read."))
GONE = Broken(StateError("The account does not answer."))


async def _outcomes(state: MemoryStateStore, tenants: Sequence[Tenant] = TENANTS) -> list[str | None]:
    records = [await state.run(tenant.tenant_id, "run-1") for tenant in tenants]
    return [record.outcome if record else None for record in records]


def _report(*tenants: TenantReport) -> RunReport:
    return RunReport("run-1", NOW, NOW + timedelta(minutes=1), dry_run=True, tenants=tenants)


async def test_a_run_waits_begins_once_and_ends() -> None:
    """From the request to its report it is on record in every tenant meant."""
    state = MemoryStateStore()
    await asked.enqueue(state, TENANTS, "run-1", NOW)
    assert await _outcomes(state) == [QUEUED, QUEUED]
    assert await asked.begin(state, TENANTS, "run-1", NOW + timedelta(seconds=5)) is True
    assert await _outcomes(state) == [UNFINISHED, UNFINISHED]
    assert await asked.begin(state, TENANTS, "run-1", NOW + timedelta(seconds=9)) is False
    await asked.settle(state, _report(*(TenantReport(one, Outcome.SKIPPED) for one in IDS)))
    assert await _outcomes(state) == ["skipped", "skipped"]
    assert await asked.begin(state, TENANTS, "run-1", NOW) is False


async def test_what_the_run_put_on_record_itself_stays() -> None:
    """Only what has no end yet is settled."""
    state = MemoryStateStore()
    own = RunRecord("run-1", NOW, NOW, "partial", 7, {"tenant_id": IDS[0]})
    await state.save_run(IDS[0], own)
    await asked.settle(state, _report(*(TenantReport(one) for one in IDS)))
    assert await state.run(IDS[0], "run-1") == own
    assert await _outcomes(state) == ["partial", "ok"]


async def test_a_run_that_the_state_has_lost_begins_all_the_same() -> None:
    """Its message was delivered; that its record cannot be found or read is no reason to do nothing."""
    assert await asked.begin(MemoryStateStore(), TENANTS, "run-1", NOW) is True
    assert await asked.begin(DAMAGED, TENANTS, "run-1", NOW) is True


async def test_a_lease_that_cannot_be_read_holds_nobody_up() -> None:
    """The run itself sees to a damaged state; one that does not answer is an error."""
    assert await asked.holders(DAMAGED, TENANTS, NOW) == {}
    with pytest.raises(StateError):
        await asked.holders(GONE, TENANTS, NOW)


async def test_a_report_that_the_state_does_not_take_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What was done is done; the log says for which run and tenant the record is missing."""
    with caplog.at_level(logging.ERROR):
        await asked.settle(GONE, _report(TenantReport(IDS[0])))
    assert [json.loads(record.getMessage()) for record in caplog.records] == [
        {"event": "run_not_recorded", "run_id": "run-1", "tenant_id": IDS[0]}
    ]


async def test_a_run_is_found_by_its_record_or_its_lease() -> None:
    """A run of the timer that has written nothing yet has no record, but it holds its tenants."""
    state = MemoryStateStore()
    assert await asked.parts(state, TENANTS, "run-1", NOW) == []
    holder = Holder("run-1", "host", 1, NOW)
    await state.acquire_lease(IDS[0], holder, NOW, 60)
    await state.acquire_lease(IDS[1], Holder("run-2", "host", 1, NOW), NOW, 60)
    (part,) = await asked.parts(state, TENANTS, "run-1", NOW)
    assert (part.tenant_id, part.record, part.held, part.began_at) == (IDS[0], None, holder, NOW)
