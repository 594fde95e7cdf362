"""On a terminal: bars and colours, 80 columns, and NO_COLOR."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.cli.terminal import ROOT, command, run, surroundings
from tests.emulator import MailboxState
from tests.engine.office import Office, person

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals as POSIX has them")

COLOUR = re.compile(r"\x1b\[[\d;]*3\dm")


def on_a_terminal(environ: Mapping[str, str], *arguments: str) -> str:
    """All that a command shows on a terminal of 80 columns."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, env=surroundings({"TERM": "xterm-256color", "COLUMNS": "80", **environ}),
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


def test_a_terminal_shows_bars_and_colours(office: Office, environ: dict[str, str]) -> None:
    """A person sees bars that move, and outcomes in colour."""
    office.box("ann").add_contact(person("Grace Hopper"))
    shown = on_a_terminal(environ, "sync")
    assert "━" in shown
    assert "to do" not in shown
    assert COLOUR.search(shown)


def test_no_color_is_heeded(office: Office, environ: dict[str, str]) -> None:
    """With NO_COLOR there is none, on a terminal too."""
    assert not COLOUR.search(on_a_terminal({**environ, "NO_COLOR": "1"}, "sync"))


def test_a_pipeline_that_asks_for_colours_gets_plain_lines(office: Office, environ: dict[str, str]) -> None:
    """FORCE_COLOR makes no terminal of a log: no bar is drawn into it line by line."""
    ended = run({**environ, "FORCE_COLOR": "1"}, "sync")
    assert "\x1b" not in ended.out + ended.err
    assert "reading: done" in ended.err


def test_long_lines_are_wrapped_within_their_indentation(office: Office, environ: dict[str, str]) -> None:
    """On 80 columns every line of the summary fits, and what belongs to a heading stays below it."""
    office.tenant.user("bob@contoso.com").state = MailboxState.NONE
    shown = on_a_terminal({**environ, "NO_COLOR": "1"}, "sync", "-v")
    summary = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).replace("\r", "").partition("Tenant ")[2].splitlines()
    assert max(map(len, summary)) <= 80
    hint = next(number for number, line in enumerate(summary) if "Check in the Exchange" in line)
    assert all(line.startswith("    ") for line in summary[hint : hint + 2])
