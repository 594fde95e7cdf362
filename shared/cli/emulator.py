"""`emulator`: a local Microsoft 365 to try the mirror on."""

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import Any

import click


@click.command(short_help="Serve a local Microsoft 365 to try things on.")
@click.option(
    "--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="Port on localhost; 0: any."
)
@click.option("--users", default=5, show_default=True, type=click.IntRange(1), help="Users in each of two tenants.")
@click.option("--contacts", default=20, show_default=True, type=click.IntRange(0), help="Contacts of each user.")
def emulator(*, port: int, users: int, contacts: int) -> None:
    """Serve a local Microsoft 365 with two sample tenants until Ctrl-C.

    Prints the lines that point a shell to it; paste them into another one, and run `python -m shared sync` there.
    """
    serve = load("tests.emulator.serve").serve
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(port, users, contacts, click.echo))
        except OSError as error:
            raise click.ClickException(f"Port {port} cannot be used ({error.strerror}); try --port 0.") from error


def load(module: str) -> Any:
    """A module of the emulator, which stands beside the tests and is no part of a deployment."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tests"):
            raise
        message = "The emulator is part of the repository, not of a deployed app: run this in a clone."
        raise click.ClickException(message) from error
