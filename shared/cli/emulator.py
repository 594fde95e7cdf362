"""`emulator`: a local Microsoft 365 to try the mirror on."""

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import Any

import click


@click.command()
@click.option("--port", default=8443, show_default=True, help="Port on localhost.")
@click.option("--users", default=5, show_default=True, help="Users in each of two tenants.")
@click.option("--contacts", default=20, show_default=True, help="Contacts of each user.")
def emulator(*, port: int, users: int, contacts: int) -> None:
    """Serve a local Microsoft 365 with two sample tenants until Ctrl-C; prints the settings that point to it."""
    serve = load("tests.emulator.serve").serve
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(port, users, contacts, click.echo))


def load(module: str) -> Any:
    """A module of the emulator, which stands beside the tests and is no part of a deployment."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        message = "The emulator is part of the repository, not of a deployed app: run this in a clone."
        raise click.ClickException(message) from error
