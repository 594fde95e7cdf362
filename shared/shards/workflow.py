"""Which steps a run in shards takes, in turn and side by side: a generator that asks, and does nothing itself.

It is resumed with what came of the steps, and asks the same again when it is told the same again; so whoever drives it
may replay it (learn.microsoft.com/azure/azure-functions/durable/durable-functions-code-constraints).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.shards.ending import End
from shared.shards.errand import Errand

_ROUNDS: Final = 3


class StepName(StrEnum):
    """The steps."""

    BEGIN = "begin"
    GATHER = "gather"
    MERGE = "merge"
    SCATTER = "scatter"
    CONCLUDE = "conclude"


@dataclass(frozen=True, slots=True)
class Call:
    """A step to be taken: of which errand, and for which shard; for `merge`, of how many."""

    step: StepName
    errand: Errand
    number: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What the workflow has to know of a step: numbers, and how it ended if it did not do its work.

    `shards` are those that are to be written; `failure` is what made the run fail, in counts.
    """

    number: int = 0
    shards: tuple[int, ...] = ()
    again: bool = False
    end: End | None = None
    failure: str = ""


Workflow = Generator[Sequence[Call], Sequence[Done], Done]


def workflow(errand: Errand) -> Workflow:
    """All steps of a run; what breaks off is done again in another round, with what is there then.

    Each list that it yields is to be carried out side by side, and answered in its order.
    """
    for number in range(1, _ROUNDS + 1):
        errand = replace(errand, round=number)
        left = yield from _round(errand)
        if left is None:
            break
        errand = left
    (ended,) = yield [Call(StepName.CONCLUDE, replace(errand, round=number))]
    return ended


def _round(errand: Errand) -> Generator[Sequence[Call], Sequence[Done], Errand | None]:
    """One round; what the next one is about, None if there need not be one."""
    (begun,) = yield [Call(StepName.BEGIN, errand)]
    if begun.end:
        return _left(errand, begun)
    read = yield [Call(StepName.GATHER, errand, number) for number in range(begun.number)]
    if any(one.end is End.RUN_ENDS for one in read):
        return None
    (merged,) = yield [Call(StepName.MERGE, errand, begun.number)]
    if merged.end:
        return _left(errand, merged)
    if merged.again:
        return replace(errand, trusts=False)
    written = yield [Call(StepName.SCATTER, errand, number) for number in merged.shards]
    if any(one.end is End.RUN_ENDS for one in written):
        return None
    broken = tuple(number for number, one in zip(merged.shards, written, strict=True) if one.end)
    return replace(errand, only=broken) if broken else None


def _left(errand: Errand, done: Done) -> Errand | None:
    """After a step that all others wait for: the same once more, unless the run has ended."""
    return errand if done.end is End.BROKEN_OFF else None
