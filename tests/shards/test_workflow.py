"""Which steps a run in shards takes, whatever becomes of them; nothing is carried out here."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.engine.options import RunOptions
from shared.shards.ending import End
from shared.shards.errand import Errand
from shared.shards.workflow import Call, Done, StepName, workflow

ERRAND = Errand("tenant", RunOptions(run_id="run"), datetime(2026, 1, 5, tzinfo=UTC))
SHARDS = 3
Told = Callable[[Call], Done | None]


def calls_of(told: Told = lambda _: None) -> list[Call]:
    """The steps in turn; `told` says what came of one, None of a good one."""
    good = {StepName.BEGIN: Done(SHARDS), StepName.MERGE: Done(shards=tuple(range(SHARDS)))}
    taken: list[Call] = []
    run = workflow(ERRAND)
    calls = next(run)
    while calls[0].step is not StepName.CONCLUDE:
        taken += calls
        calls = run.send([told(call) or good.get(call.step, Done()) for call in calls])
    return [*taken, *calls]


def steps(calls: list[Call]) -> list[tuple[StepName, int, int]]:
    """Each with its round and number."""
    return [(call.step, call.errand.round, call.number) for call in calls]


def of_step(step: StepName, done: Done, *, number: int = 0, rounds: int = 1) -> Told:
    """That comes of the step in the first rounds."""
    return lambda call: done if (call.step, call.number) == (step, number) and call.errand.round <= rounds else None


def whole_round(number: int) -> list[tuple[StepName, int, int]]:
    """All steps of a round but the last one."""
    shards = range(SHARDS)
    read, written = ([(step, number, shard) for shard in shards] for step in (StepName.GATHER, StepName.SCATTER))
    return [(StepName.BEGIN, number, 0), *read, (StepName.MERGE, number, SHARDS), *written]


def test_a_good_run_is_one_round() -> None:
    """Begin, read all shards, merge, write all shards, conclude."""
    assert steps(calls_of()) == [*whole_round(1), (StepName.CONCLUDE, 1, 0)]


@pytest.mark.parametrize(
    ("step", "number", "taken"),
    [
        (StepName.BEGIN, 0, 1),
        (StepName.GATHER, 1, 1 + SHARDS),
        (StepName.MERGE, SHARDS, 2 + SHARDS),
        (StepName.SCATTER, 2, 2 + 2 * SHARDS),
    ],
)
def test_a_run_that_ends_is_only_concluded(step: StepName, number: int, taken: int) -> None:
    """Whichever step finds that the tenant cannot go on: what is side by side with it ends too, and nothing follows."""
    calls = calls_of(of_step(step, Done(end=End.RUN_ENDS), number=number))
    assert steps(calls) == [*whole_round(1)[:taken], (StepName.CONCLUDE, 1, 0)]


def test_shards_that_were_not_written_are_written_in_another_round() -> None:
    """And no other is read or written again."""
    calls = calls_of(of_step(StepName.SCATTER, Done(end=End.BROKEN_OFF), number=2))
    assert {(call.errand.round, call.errand.only) for call in calls} == {(1, ()), (2, (2,))}


def test_a_memory_that_does_not_fit_is_trusted_no_more() -> None:
    """The merge asks for everything to be read: the next round trusts nothing that is remembered."""
    calls = calls_of(of_step(StepName.MERGE, Done(again=True), number=SHARDS))
    assert {(call.errand.round, call.errand.trusts) for call in calls} == {(1, True), (2, False)}
    assert steps(calls) == [*whole_round(1)[: 2 + SHARDS], *whole_round(2), (StepName.CONCLUDE, 2, 0)]


@pytest.mark.parametrize(("step", "number"), [(StepName.BEGIN, 0), (StepName.MERGE, SHARDS), (StepName.SCATTER, 0)])
def test_what_breaks_off_again_and_again_ends(step: StepName, number: int) -> None:
    """After three rounds the run is concluded with what there is."""
    taken = steps(calls_of(of_step(step, Done(end=End.BROKEN_OFF), number=number, rounds=9)))
    assert [rounds for name, rounds, _ in taken if name is StepName.BEGIN] == [1, 2, 3]
    assert taken[-1] == (StepName.CONCLUDE, 3, 0)
