"""The commands and their exit codes: 0 fine, 1 something failed, 2 configuration or usage, 3 held by another run."""

import sys

import click

from shared.cli.demo import demo
from shared.cli.emulator import emulator
from shared.cli.sync import sync
from shared.errors import MirrorError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=None, version="0.1.0", prog_name="contacts-mirror")
def commands() -> None:
    """One company address book in Exchange Online, kept by everybody, on everybody's phone."""


commands.add_command(sync)
commands.add_command(emulator)
commands.add_command(demo)


def main() -> None:
    """Run a command; whatever an operator can cause ends in a sentence, never in a traceback."""
    try:
        commands(prog_name="python -m shared")
    except MirrorError as error:
        click.echo(error.message, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(2)
