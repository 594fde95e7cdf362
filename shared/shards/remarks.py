"""Damage of the state that a step has met: a parcel, for the report is made by another step."""

from typing import Final

from shared.shards.errand import Step
from shared.shards.rows import FORMAT, Row, decode, encode
from shared.shards.workflow import StepName
from shared.sync.report import Problem

_READERS: Final = (StepName.BEGIN, StepName.MERGE)
"""The steps that there is one of in a round; what a shard meets, one of them has met before or will."""


class _Remarks(Row, kw_only=True):
    damages: tuple[Problem, ...]


async def hand_on(step: Step, name: StepName, damages: tuple[Problem, ...]) -> None:
    """Put down what damage the step has met, if any."""
    if damages and name in _READERS:
        await step.put(f"{name.value} remarks", encode(_Remarks(format=FORMAT, damages=damages)))


async def remarked(step: Step) -> tuple[Problem, ...]:
    """The damage that was met in all rounds so far, each told once."""
    rounds = (step.in_round(number) for number in range(1, step.errand.round + 1))
    found = [await one.take(f"{name.value} remarks") for one in rounds for name in _READERS]
    return tuple(dict.fromkeys(problem for data in found if data for problem in decode(data, _Remarks).damages))
