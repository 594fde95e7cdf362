"""What Durable Functions does for a run: the real workflow is driven, its steps are simulated, everything is counted.

The orchestrator of `shared.orchestration` hands more than one step on in slices, each an orchestration of its own.
`tests/app` has the real orchestrator on the real worker count the same, at a size that this takes no minute.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.engine.options import RunOptions
from shared.shards.errand import SHARD_SIZE, Errand
from shared.shards.message import write
from shared.shards.workflow import Call, Done, StepName, workflow
from tests.scale.assumptions import AZURE

SLICE = 100
"""Steps of a slice: that it is the orchestrator's own is held by a test."""
_MESSAGES_A_TASK = 2
_OPERATIONS_A_MESSAGE = 3
"""Put, get, delete."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a host did. A turn is a replay of an orchestrator up to what it has heard since.

    `turns` and `replayed`, tasks in all turns together, are for an orchestrator that hears of its tasks one by one.
    """

    orchestrations: int = 0
    activities: int = 0
    events: int = 0
    turns: int = 0
    replayed: int = 0
    messages: int = 0
    large: int = 0
    waves: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    @property
    def slices(self) -> int:
        """The orchestrations below the tenant's own."""
        return self.orchestrations - 1

    @property
    def replay_seconds(self) -> float:
        """CPU that orchestrators take at worst."""
        return self.replayed * AZURE.replay_seconds_a_task

    @property
    def queue_operations(self) -> int:
        """On the hub's queues; looks at empty ones come on top."""
        return self.messages * _OPERATIONS_A_MESSAGE

    @property
    def table_transactions(self) -> int:
        """In the hub's tables: a turn reads its history, and writes it and its state."""
        return self.turns * 3


def of_orchestrator(tasks: int, heard: int = 1) -> Traffic:
    """An orchestrator with so many tasks, side by side, that hears of so many at a time."""
    turns = 1 + -(-tasks // heard)
    # Its start and end, two marks for each turn, and two for each task.
    return Traffic(1, 0, 2 + 2 * turns + 2 * tasks, turns, turns * tasks, _MESSAGES_A_TASK * tasks)


def errand_of(mailboxes: int) -> Errand:
    """A run, with ids as long as they are."""
    options = RunOptions(run_id=str(UUID(int=1)))
    assert mailboxes
    return Errand(str(UUID(int=2)), options, datetime(2026, 1, 1, tzinfo=UTC))


def traffic(mailboxes: int, *, writes: bool, sliced: bool = True, heard: int = 1) -> Traffic:
    """What the host does for a run of so many mailboxes, all of which are written or none.

    With `sliced` false the tenant's orchestrator has all steps itself, as it would without slices.
    """
    shards = -(-mailboxes // SHARD_SIZE)
    steps = workflow(errand_of(mailboxes))
    found, tasks = Traffic(), 0
    calls = next(steps)
    while True:
        below = _below(calls, heard) if sliced and len(calls) > 1 else Traffic(activities=len(calls))
        found += below
        tasks += below.orchestrations or len(calls)
        try:
            calls = steps.send([_answer(call, shards, writes=writes) for call in calls])
        except StopIteration:
            return found + of_orchestrator(tasks, heard) + Traffic(messages=1)


def _below(calls: Sequence[Call], heard: int) -> Traffic:
    """What slices take."""
    found = Traffic(waves=1)
    for start in range(0, len(calls), SLICE):
        some = [write(call) for call in calls[start : start + SLICE]]
        # A message is JSON that holds its input as text.
        is_large = len(json.dumps(json.dumps(some))) > AZURE.message_bytes
        found += of_orchestrator(len(some), heard) + Traffic(activities=len(some), large=int(is_large))
    return found


def _answer(call: Call, shards: int, *, writes: bool) -> Done:
    """What a step says that went well."""
    match call.step:
        case StepName.BEGIN:
            return Done(shards)
        case StepName.MERGE:
            return Done(shards=tuple(range(shards)) if writes else ())
        case _:
            return Done()
