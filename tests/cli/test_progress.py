"""Progress as a pipeline's log shows it, and as a terminal does."""

import io

from rich.console import Console
from rich.progress import Progress

from shared.cli.console import plain
from shared.cli.progress import Bars, Lines


def test_a_long_step_says_every_ten_seconds_how_far_it_is() -> None:
    """Neither silence for an hour, nor a line for each contact."""
    times = iter(range(1000))
    out = io.StringIO()
    lines = Lines(Console(file=out), now=lambda: float(next(times)))
    lines.step("t", "reading", 45)
    for _ in range(45):
        lines.advance("t")
    said = out.getvalue().splitlines()
    assert said[0] == "t  reading: 45 to do"
    assert said[1] == "t  reading: 10 of 45"
    assert said[-1] == "t  reading: done"
    assert 4 <= len(said) <= 6


def test_a_step_without_work_says_so() -> None:
    """A line that waits for a second one would look like a hanging run."""
    out = io.StringIO()
    Lines(Console(file=out)).step("t", "writing the hub", 0)
    assert out.getvalue() == "t  writing the hub: nothing to do\n"


def test_each_tenant_has_its_own_bar() -> None:
    """Bars of tenants that run side by side do not mix."""
    with Progress(console=Console(file=io.StringIO())) as progress:
        bars = Bars(progress)
        bars.step("one", "reading", 2)
        bars.step("two", "reading", 5)
        bars.advance("one")
        bars.advance("two", 3)
        assert [task.completed for task in progress.tasks] == [1, 3]


def test_text_for_a_terminal_keeps_every_script() -> None:
    """Only what would drive the terminal is replaced; joiners that spell names stay."""
    assert plain("山田 Zoë می\u200cخواهم 👩\u200d💻") == "山田 Zoë می\u200cخواهم 👩\u200d💻"
    assert plain("a\x1b[31m\nb\u202e\x07") == "a\ufffd[31m\ufffdb\ufffd\ufffd"
