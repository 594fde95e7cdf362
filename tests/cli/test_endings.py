"""How a run ends when its surroundings do: Ctrl-C, and readers that go away."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.terminal import ROOT, command, run, surroundings
from tests.emulator import Fault, Run
from tests.engine.office import Office, person, written

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes as POSIX has them")
FULL = Path("/dev/full")
needs_a_full_disk = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full: Linux has one")


def begin(environ: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command, and do not wait for it."""
    return subprocess.Popen(
        command(*arguments), cwd=ROOT, env=surroundings(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_ctrl_c_ends_a_run_cleanly_and_the_next_one_goes_on(office: Office, environ: dict[str, str]) -> None:
    """Exit code 130 and a sentence; no traceback, and no duplicate after the next run."""
    for number in range(30):
        office.box("ann").add_contact(person(f"Person {number}", f"p{number}@x.example"))
    is_writing, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        is_writing.set()
        go_on.wait(timeout=30)

    office.emulator.faults.add(Fault(action=Run(first=pause), path=r"contacts$", method="POST", nth=5))
    process = begin(environ, "sync")
    assert is_writing.wait(timeout=60)
    process.send_signal(signal.SIGINT)
    go_on.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert err.decode().endswith(
        "Ended with Ctrl-C. What was written stays and is complete in itself; the next run goes on.\n"
    )
    assert run(environ, "sync").code == 0
    assert all(len(office.cards(name)) == 30 for name in ("hub", "ann", "bob", "cem"))
    assert written(await office.report()) == 0


@pytest.mark.parametrize("arguments", [("sync",), ("sync", "--json"), ("sync", "-v"), ("sync", "--help")])
def test_a_closed_stdout_changes_nothing_about_the_run(
    office: Office, environ: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """`… | head -0` still ends with the run's own exit code, and quietly."""
    office.box("ann").add_contact(person("Grace Hopper"))
    with begin(environ, *arguments) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 0
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert "--help" in arguments or office.names("cem") == ["Grace Hopper"]


def test_a_closed_stderr_does_not_break_a_run_off(office: Office, environ: dict[str, str]) -> None:
    """Progress that nobody reads is no reason to stop half-way."""
    office.box("ann").add_contact(person("Grace Hopper"))
    with begin(environ, "sync") as process:
        assert process.stdout
        assert process.stderr
        process.stderr.close()
        assert b"Run: ok" in process.stdout.read()
    assert process.returncode == 0
    assert office.names("cem") == ["Grace Hopper"]


@needs_a_full_disk
@pytest.mark.parametrize("arguments", [("sync", "--json"), ("sync", "-v")])
def test_a_full_disk_under_the_progress_costs_no_run(
    office: Office, environ: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """A log that takes no more lines changes neither what is mirrored nor the exit code."""
    office.box("ann").add_contact(person("Grace Hopper"))
    with FULL.open("wb") as full:
        done = subprocess.run(
            command(*arguments), cwd=ROOT, env=surroundings(environ), stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert done.returncode == 0
    assert office.names("cem") == ["Grace Hopper"]


@needs_a_full_disk
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",), ("sync", "--help"), ("--version",), ("demo",), ("sync",), ("sync", "--json"), ("check",),
        ("check", "--json"), ("history",), ("history", "--json"), ("emulator", "--port", "0"),
    ],
)  # fmt: skip
def test_a_full_disk_under_the_output_is_told(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    """A summary, a report or a help page that cannot be written is a sentence on stderr and exit code 1."""
    with FULL.open("wb") as full:
        done = subprocess.run(
            command(*arguments), cwd=ROOT, env=surroundings(environ), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.endswith(b"Error: The output could not be written: No space left on device.\n")
    assert b"Traceback" not in done.stderr


def test_ctrl_c_before_anything_has_begun() -> None:
    """While the program is still being loaded it is a sentence and exit code 130, and no traceback."""
    code = """
import runpy, signal, sys
class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Impatient())
runpy.run_module("shared", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Ended with Ctrl-C.\n"


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_terminal_that_vanishes_costs_no_run(office: Office, environ: dict[str, str], is_watched: bool) -> None:
    """A connection that is lost in the middle of a run leaves the run to its end: bars or lines, all is mirrored."""
    office.box("ann").add_contact(person("Grace Hopper"))
    ours, theirs = os.openpty()
    office.emulator.faults.add(Fault(action=Run(first=lambda: os.close(ours)), path=r"contacts$", method="POST"))
    term = {"TERM": "xterm-256color" if is_watched else "dumb"}
    with subprocess.Popen(
        command("sync", "--full", "--json"), cwd=ROOT, env=surroundings({**environ, **term}),
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, b'"outcome": "ok"' in out) == (0, True)
    assert office.names("cem") == ["Grace Hopper"]


def test_a_stream_that_does_not_wait_is_waited_for(environ: dict[str, str]) -> None:
    """A pipe that somebody else has set not to block gets every line, however slowly it is read."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    text = "from shared.cli.streams import guard_streams as g; g(); import sys; sys.stderr.write('x' * 300_000)"
    with subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, env=surroundings({}), stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            assert len(pipe.read()) == 300_000
    assert process.returncode == 0
