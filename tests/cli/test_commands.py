"""Help, and the commands that need no account: the emulator and the demo."""

import shlex
import signal
import socket
import subprocess
import sys

import click
import pytest

from shared import __version__
from shared.cli.main import commands
from tests.cli.terminal import ROOT, command, run, surroundings


def test_help_names_every_command_and_exit_code() -> None:
    """`--help` and `-h` explain commands, exit codes and where the settings are."""
    ended = run({}, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert all(f"\n  {name} " in ended.out for name in commands.commands)
    assert all(f"\n    {code} " in ended.out for code in ("0", "1", "2", "130"))
    assert "docs/configuration.md" in ended.out
    assert run({}, "-h").out == ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_help_of_a_command_explains_every_option(name: str) -> None:
    """No option without a sentence, and nothing wider than 80 columns."""
    ended = run({}, name, "--help")
    assert ended.code == 0
    options = [
        option
        for parameter in commands.commands[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    ]
    assert all(option in ended.out for option in options)
    assert max(map(len, ended.out.splitlines())) <= 80


def test_help_waits_for_nothing() -> None:
    """Neither the SDK nor the terminal library is loaded to print a help page."""
    heavy = {"msgraph", "azure", "aiohttp", "rich", "jinja2"}
    code = f"import shared.cli.main, sys; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_version_is_the_packages() -> None:
    """`--version` tells one line."""
    assert run({}, "--version").out.strip() == f"contacts-mirror, version {__version__}"


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_the_emulator_prints_lines_that_a_shell_can_use() -> None:
    """Its lines point `sync` to two sample tenants, and Ctrl-C ends it without a word."""
    process = subprocess.Popen(
        command("emulator", "--port", "0", "--users", "2", "--contacts", "3"),
        cwd=ROOT, env=surroundings({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    lines = [shlex.split(process.stdout.readline()) for _ in range(5)]
    assert {line[0] for line in lines} == {"export"}
    environ = dict(line[1].split("=", 1) for line in lines)
    ended = run(environ, "sync", "--json")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert ended.code == 0
    assert [tenant["mailboxes"]["synced"] for tenant in ended.report["tenants"]] == [2, 2]


def test_a_port_in_use_is_said_so() -> None:
    """The emulator names the port and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run({}, "emulator", "--port", str(port))
    assert ended.code == 1
    assert f"Port {port} cannot be used" in ended.err
    assert "--port 0" in ended.err


def test_the_demo_shows_all_of_it_and_checks_itself() -> None:
    """Three runs against the emulator, every promise with a check mark, exit code 0."""
    ended = run({}, "demo")
    assert ended.code == 0
    assert ended.out.count("Run: ok") == 3
    assert ended.out.count("✓") == 6
    assert "✗" not in ended.out
