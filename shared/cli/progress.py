"""Progress on stderr: bars on a terminal, plain lines in a pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shared.ports import Progress as ProgressPort


class Bars:
    """A bar for each step of each tenant."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def step(self, tenant: str, name: str, total: int) -> None:
        """Begin a bar."""
        self._tasks[tenant] = self._progress.add_task(f"{tenant}  {name}", total=total)

    def advance(self, tenant: str, count: int = 1) -> None:
        """Move the tenant's bar."""
        self._progress.advance(self._tasks[tenant], count)


class Lines:
    """A line when a step of a tenant begins, and one when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: dict[str, tuple[str, int, int]] = {}

    def step(self, tenant: str, name: str, total: int) -> None:
        """Say that a step begins."""
        self._steps[tenant] = (name, 0, total)
        self._console.print(f"{tenant}  {name}: {total} to do", highlight=False, soft_wrap=True)

    def advance(self, tenant: str, count: int = 1) -> None:
        """Say when a step is done."""
        name, done, total = self._steps[tenant]
        self._steps[tenant] = (name, done + count, total)
        if done + count == total:
            self._console.print(f"{tenant}  {name}: done", highlight=False, soft_wrap=True)


@contextmanager
def watching() -> Iterator[ProgressPort]:
    """Show progress on stderr in the form that fits it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
