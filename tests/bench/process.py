"""Runs a program as a process of its own and says what it took."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from tests.bench.yardstick import watched

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds by the clock, seconds of CPU (user and system), peak memory; and what it printed.

    `slowness` is how many seconds a reference second lasted meanwhile.
    """

    began_at: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: Mapping[str, Any] = field(default_factory=dict, repr=False)
    slowness: float = 1.0

    @property
    def reference_cpu_seconds(self) -> float:
        """CPU that can be compared with what another process took, on another machine or a minute later."""
        return self.cpu_seconds / self.slowness


class ProcessError(RuntimeError):
    """A measured process did not end well; tells what it said."""


def measure(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run `python -m module` to its end; what it prints on stdout has to be one JSON object. Raises `ProcessError`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began_at, began = time.time(), time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**_inherited(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
        )
        with watched() as slowness:
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise ProcessError(f"{module} ended with {process.returncode}: {_tail(out)} {_tail(errors)}")
        out.seek(0)
        cpu, output = usage.ru_utime + usage.ru_stime, json.loads(out.read())
        return Cost(began_at, wall, cpu, usage.ru_maxrss * _MAXRSS_UNIT, output, slowness.factor)


def _inherited() -> dict[str, str]:
    """This process's environment, but for what would make a program compile its modules anew at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _tail(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read()[-_TOLD:].decode("utf-8", "replace").strip()


_TOLD: Final = 1500


_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""Linux counts in kilobytes (getrusage(2))."""
