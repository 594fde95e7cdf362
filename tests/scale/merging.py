"""What the step in the middle takes of its one process, which has all readings: measured, so never twice the same."""

import asyncio
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.shards.workflow import Call, Done, StepName
from tests.fakes.conductor import CarryOut
from tests.scale.company import Company

_SHARD = 100
_PEOPLE = (200, 600)
_CONTACTS = 5


@dataclass(frozen=True, slots=True)
class Merge:
    """CPU and the most memory that one merge took."""

    seconds: float = 0
    peak_bytes: int = 0

    def per(self, other: "Merge", count: int) -> "Merge":
        """What each of so many took that this one had more of."""
        return Merge((self.seconds - other.seconds) / count, round((self.peak_bytes - other.peak_bytes) / count))


@dataclass
class Stopwatch:
    """Delivers steps one after another, and watches the merge."""

    is_about_memory: bool
    merge: Merge = field(default_factory=Merge)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, call: Call, _before: Sequence[Call], carry_out: CarryOut) -> Done:
        async with self.turn:
            if call.step is not StepName.MERGE:
                return await carry_out(call)
            if self.is_about_memory:
                tracemalloc.start()
            began = time.process_time()
            done = await carry_out(call)
            seconds = time.process_time() - began
            peak = tracemalloc.get_traced_memory()[1] if self.is_about_memory else 0
            tracemalloc.stop()
            self.merge = Merge(seconds, peak)
            return done


@dataclass(frozen=True, slots=True)
class Found:
    """What the merge takes for a mailbox of a quiet hour, a card that an edit meets, and one that a first run finds."""

    mailbox: Merge
    edited_card: Merge
    found_card: Merge


def found() -> Found:
    """Measure, which takes some minutes."""
    few, many = (asyncio.run(_at(people)) for people in _PEOPLE)
    mailbox, edited, told = (more.per(less, _PEOPLE[1] - _PEOPLE[0]) for less, more in zip(few, many, strict=True))
    return Found(mailbox, edited.per(mailbox, _CONTACTS), told.per(mailbox, _CONTACTS))


async def _at(people: int) -> list[Merge]:
    """Of a quiet hour, of one with some edits, and of a first run that finds the same contacts everywhere."""
    timed, weighed = [[*await _later(people, about), await _first(people, about)] for about in (False, True)]
    return [Merge(one.seconds, other.peak_bytes) for one, other in zip(timed, weighed, strict=True)]


async def _later(people: int, is_about_memory: bool) -> list[Merge]:
    company, quiet, edited = Company(people, _SHARD), Stopwatch(is_about_memory), Stopwatch(is_about_memory)
    company.type_in(_CONTACTS)
    await company.run()
    await company.run(full=True)
    await company.run(quiet)
    company.edit(_CONTACTS)
    await company.run(edited)
    return [quiet.merge, edited.merge]


async def _first(people: int, is_about_memory: bool) -> Merge:
    company, watch = Company(people, _SHARD), Stopwatch(is_about_memory)
    company.type_in(_CONTACTS, everybody=True)
    await company.run(watch)
    return watch.merge
