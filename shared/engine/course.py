"""How one tenant's run goes: what tells it to stop between two operations, and what its record is to say."""

import math
from collections.abc import Iterable
from typing import Final

from shared.errors import StateDamagedError
from shared.ports import Clock
from shared.sync.mergebase import Version
from shared.sync.report import Problem

DEADLINE: Final = Problem(
    "",
    "Deadline",
    "The time budget was used up: the run stopped between two operations, with everything it did remembered.",
    "Nothing to do: the next run goes on. If it happens every time, raise AUTOMATION_SYNCCONTACTS_TIME_BUDGET_MINUTES.",
)


class StoppedError(Exception):
    """The run was stopped before anything was planned: there is nothing to write and nothing to report but why."""

    def __init__(self, reason: Problem) -> None:
        super().__init__(reason.code)
        self.reason = reason


class Course:
    """Asked between two operations; once it says stop, it never says anything else.

    `deadline` is a moment of the clock's monotonic seconds.
    """

    def __init__(self, clock: Clock, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self.started_at = clock.now()
        self.first_version = 0
        self.damages: tuple[Problem, ...] = ()
        self._clock = clock
        self._halted: Problem | None = None

    @property
    def stop(self) -> Problem | None:
        """Why the run shall begin nothing more, None if it may go on."""
        if self._halted is None and self._clock.monotonic() >= self.deadline:
            self._halted = DEADLINE
        return self._halted

    def goes_on(self) -> bool:
        """Whether the next operation may begin."""
        return self.stop is None

    def halt(self, reason: Problem) -> None:
        """Stop the run before its next operation."""
        self._halted = self._halted or reason

    def remark(self, damage: StateDamagedError) -> None:
        """Have the report say that the state was damaged; the same damage once, however often it is met."""
        problem = Problem("", damage.code, damage.message, damage.hint)
        if problem not in self.damages:
            self.damages += (problem,)

    def check(self) -> None:
        """Raise `StoppedError` if the run shall begin nothing more."""
        if self.stop:
            raise StoppedError(self.stop)

    def note(self, versions: Iterable[Version]) -> None:
        """Remember the first version that the run makes."""
        numbers = [version.number for version in versions]
        self.first_version = min([number for number in (self.first_version, *numbers) if number], default=0)
