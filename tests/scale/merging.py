"""What the step in the middle holds in its one process, which has all readings: measured at two sizes of a company."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.shards.workflow import Call, Done, StepName
from tests.fakes.conductor import CarryOut
from tests.scale.company import Company

_SHARD = 100
_PEOPLE = (200, 600)
_CONTACTS = 10


@dataclass
class Scales:
    """Delivers steps one after another, and weighs the merge: `peak` is the most that it held, in bytes."""

    peak: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, call: Call, _before: Sequence[Call], carry_out: CarryOut) -> Done:
        async with self.turn:
            if call.step is not StepName.MERGE:
                return await carry_out(call)
            tracemalloc.start()
            try:
                return await carry_out(call)
            finally:
                self.peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that a merge holds: for a mailbox in a quiet hour and in one with an edit, for each further edit in it.

    In a first run it is for each card that people already have.
    """

    quiet: float
    edited: float
    further: float
    first_card: float


def found() -> Found:
    """Measure, which takes a minute."""
    few, many = (asyncio.run(_at(people)) for people in _PEOPLE)
    more = _PEOPLE[1] - _PEOPLE[0]
    quiet, one, several, first = ((large - small) / more for small, large in zip(few, many, strict=True))
    return Found(quiet, one, (several - one) / (_CONTACTS - 1), (first - quiet) / _CONTACTS)


async def _at(people: int) -> list[int]:
    """Of a quiet hour, of one with an edit, of one with several, and of a first run that finds the same everywhere."""
    return [*await _later(people), await _first(people)]


async def _later(people: int) -> list[int]:
    company, peaks = Company(people, _SHARD), []
    company.type_in(_CONTACTS)
    await company.run()
    await company.run(full=True)
    for edits in (0, 1, _CONTACTS):
        scales = Scales()
        company.edit(edits)
        await company.run(scales)
        peaks.append(scales.peak)
    return peaks


async def _first(people: int) -> int:
    company, scales = Company(people, _SHARD), Scales()
    company.type_in(_CONTACTS, everybody=True)
    await company.run(scales)
    return scales.peak
