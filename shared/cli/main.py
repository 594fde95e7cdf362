"""The commands and their exit codes.

0 fine, 1 something failed, 2 configuration or usage, 3 held by another run, 130 ended with Ctrl-C.
"""

import sys

import click

import shared
from shared.cli.check import check
from shared.cli.demo import demo
from shared.cli.emulator import emulator
from shared.cli.history import history
from shared.cli.streams import guard_streams
from shared.cli.sync import sync
from shared.cli.undo import undo
from shared.errors import ConfigurationError, MirrorError

INTERRUPTED = 130

_CODES = """\b
Exit codes:
  0    all tenants are fine
  1    a tenant or a mailbox failed; the report says which and why
  2    the configuration or the command line is wrong; nothing was contacted
  3    other runs hold all tenants; their turn is the next run
  130  ended with Ctrl-C

Settings are environment variables: see docs/configuration.md."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "auto_envvar_prefix": None},
    epilog=_CODES,
)
@click.version_option(version=shared.__version__, prog_name="contacts-mirror")
def commands() -> None:
    """One company address book in Exchange Online, kept by everybody, on everybody's phone."""


commands.add_command(check)
commands.add_command(sync)
commands.add_command(history)
commands.add_command(undo)
commands.add_command(emulator)
commands.add_command(demo)


def main() -> None:
    """Run a command; whatever an operator can cause ends in a sentence, never in a traceback."""
    guard_streams()
    sys.exit(_run())


def _run() -> int:
    try:
        code = commands.main(prog_name="python -m shared", standalone_mode=False)
    except click.Abort:
        click.echo(
            "Ended with Ctrl-C. What was written stays and is complete in itself; the next run goes on.", err=True
        )
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MirrorError as error:
        _explain(error)
        return 2 if isinstance(error, ConfigurationError) else 1
    return code if isinstance(code, int) else 0


def _explain(error: MirrorError) -> None:
    """Print all that is wrong, a line each, and what to do."""
    sentences: tuple[str, ...] = (error.message,)
    if isinstance(error, ConfigurationError):
        sentences, number = error.sentences, len(error.problems)
        count = f"{number} problems" if number > 1 else "One problem"
        click.echo(f"{count} with the configuration; no mailbox was contacted:", err=True)
    for sentence in sentences:
        click.echo(f"  {sentence}", err=True)
    if error.hint:
        click.echo(error.hint, err=True)
