"""`python -m tests.bench.instructions`: what a contact takes in instructions, which others here hardly disturb.

It needs valgrind, whose callgrind counts what a process does outside of the kernel. Each kind of work is done by
companies of two sizes: what lies between them is the contacts' share, without the start.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from tests.bench.process import ROOT
from tests.bench.server import Company, Pace, serving

_STATE: Final = "AUTOMATION_SYNCCONTACTS_STATE_URL"
_PACE: Final = Pace(0.05)
_COUNTED: Final = re.compile(r"Collected : (\d+)")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work: what is told of it, the smaller and the larger company, and how the server is furnished."""

    name: str
    smaller: Company
    larger: Company
    furnish: Callable[[Any, Company], Mapping[str, str]]

    @property
    def contacts(self) -> int:
        """How many contacts of mailboxes lie between the two."""
        return _cards(self.larger) - _cards(self.smaller)


KINDS: Final = (
    Kind("created", Company(20, 10), Company(20, 60), lambda server, company: server.furnish(company, _PACE)),
    Kind("read", Company(10, 200), Company(40, 200), lambda server, company: server.furnish_mirrored(company, _PACE)),
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Count the instructions that creating a contact takes, and reading and comparing one."""
    if not shutil.which("valgrind"):
        raise click.ClickException("valgrind is not installed; on Debian and Ubuntu: apt install valgrind")
    with serving() as server:
        for kind in KINDS:
            less, more = (_counted(kind.furnish(server, company)) for company in (kind.smaller, kind.larger))
            click.echo(f"{(more - less) / kind.contacts:,.0f} instructions for a contact {kind.name}")


def _cards(company: Company) -> int:
    return company.mailboxes * company.contacts


def _counted(environment: Mapping[str, str]) -> int:
    """The instructions of one run of the mirror that remembers nothing."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={Path(folder) / 'callgrind.out'}",
             sys.executable, "-m", "shared", "sync", "--json"],
            cwd=ROOT, env={**os.environ, **environment, _STATE: f"sqlite:///{Path(folder) / 'state.db'}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if run.returncode:
        raise click.ClickException(f"the run ended with {run.returncode}: {run.stderr[-1500:]}")
    return count_in(run.stderr)


def count_in(told: str) -> int:
    """The number of instructions in what callgrind says; raises `ClickException` if it says none."""
    found = _COUNTED.search(told)
    if not found:
        raise click.ClickException("callgrind did not say how many instructions it counted")
    return int(found[1])


if __name__ == "__main__":
    main()
