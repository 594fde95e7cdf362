"""Progress on stderr: bars on a terminal, plain lines in a pipeline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shared.cli.console import open_console, plain
from shared.ports import Progress as ProgressPort

_SECONDS_BETWEEN_LINES: Final = 10.0


class Bars:
    """A bar for each step of each tenant."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def step(self, tenant: str, name: str, total: int) -> None:
        """Begin a bar."""
        self._tasks[tenant] = self._progress.add_task(f"{plain(tenant)}  {name}", total=total)

    def advance(self, tenant: str, count: int = 1) -> None:
        """Move the tenant's bar."""
        self._progress.advance(self._tasks[tenant], count)


@dataclass(slots=True)
class _Step:
    """How far a tenant is; `spoken_at` is when a line last said so, in seconds."""

    name: str
    total: int
    spoken_at: float
    done: int = 0


class Lines:
    """A line when a step of a tenant begins, one each ten seconds while it takes, and one when it is done."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._steps: dict[str, _Step] = {}

    def step(self, tenant: str, name: str, total: int) -> None:
        """Say that a step begins."""
        self._steps[tenant] = _Step(name, total, self._now())
        self._say(tenant, f"{name}: {total} to do" if total else f"{name}: nothing to do")

    def advance(self, tenant: str, count: int = 1) -> None:
        """Say how far a step is, but not all the time, and when it is done."""
        step = self._steps[tenant]
        step.done += count
        if step.done == step.total:
            self._say(tenant, f"{step.name}: done")
        elif self._now() - step.spoken_at >= _SECONDS_BETWEEN_LINES:
            step.spoken_at = self._now()
            self._say(tenant, f"{step.name}: {step.done} of {step.total}")

    def _say(self, tenant: str, text: str) -> None:
        self._console.print(f"{plain(tenant)}  {text}", markup=False, soft_wrap=True)


@contextmanager
def watching(*, bars: bool = True) -> Iterator[ProgressPort]:
    """Show progress on stderr in the form that fits it; `bars` off keeps to lines, where log lines come between."""
    console = open_console(stderr=True)
    if not (bars and console.is_terminal):
        yield Lines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
