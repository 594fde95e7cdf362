"""A run that cannot go on: why, is a parcel like everything else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from shared.engine.course import StoppedError
from shared.engine.lease import LOST
from shared.errors import HeldError, TenantError
from shared.shards.errand import Step
from shared.shards.once import BrokenOffError
from shared.shards.rows import FORMAT, Row, decode, encode
from shared.sync.report import Outcome, Problem, TenantReport


class End(StrEnum):
    """How a step ended that did not do its work."""

    RUN_ENDS = "run ends"
    BROKEN_OFF = "broken off"


class _Ending(Row, kw_only=True):
    problem: Problem
    outcome: Outcome


class Ended(Exception):  # noqa: N818 - it is no error of anybody's, and goes no further than the step
    """The step has ended without doing its work."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


@asynccontextmanager
async def attempted(step: Step, *, is_first: bool) -> AsyncIterator[None]:
    """Do a step's work; raises `Ended`. What keeps the tenant from going on is put down for the report."""
    try:
        yield
    except BrokenOffError as error:
        raise Ended(End.BROKEN_OFF) from error
    except StoppedError as error:
        await _put(step, error.reason, Outcome.PARTIAL)
        raise Ended(End.RUN_ENDS) from error
    except TenantError as error:
        problem = Problem("", error.code, error.message, error.hint)
        if isinstance(error, HeldError):
            await (_put(step, problem, Outcome.SKIPPED) if is_first else _put(step, LOST, Outcome.PARTIAL))
        else:
            await _put(step, problem, Outcome.FAILED)
        raise Ended(End.RUN_ENDS) from error


async def _put(step: Step, problem: Problem, outcome: Outcome) -> None:
    await step.put("ending", encode(_Ending(format=FORMAT, problem=problem, outcome=outcome)))


def report_of_ending(data: bytes, tenant_id: str) -> TenantReport:
    """The report of a round that ended early."""
    ending = decode(data, _Ending)
    if ending.outcome is Outcome.PARTIAL:
        return TenantReport(tenant_id, ending.outcome, problems=(ending.problem,))
    return TenantReport(tenant_id, ending.outcome, ending.problem)
