"""The command line as an operator uses it: a process of its own, its environment, its output and its exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PREFIX = "AUTOMATION_SYNCCONTACTS_"
TENANTS = f"{PREFIX}MICROSOFT_TENANTS_JSON"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The report on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def text(self) -> str:
        """All that an operator saw, with the line breaks of a narrow terminal taken out."""
        return " ".join(f"{self.out}\n{self.err}".split())


def command(*arguments: str) -> list[str]:
    """The process's arguments."""
    return [sys.executable, "-m", "shared", *arguments]


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """The given variables and what any process needs, and nothing of what this one happens to have set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    return {**kept, **environ}


def run(environ: Mapping[str, str], *arguments: str) -> Ended:
    """Run a command to its end; a traceback in its output fails the test that ran it."""
    done = subprocess.run(
        command(*arguments), cwd=ROOT, env=surroundings(environ), capture_output=True, timeout=120, check=False
    )
    ended = Ended(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in ended.text, ended.err
    return ended
