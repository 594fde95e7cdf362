"""`emulator`: a local Microsoft 365 to try the mirror on."""

import asyncio
from contextlib import suppress

import click


@click.command()
@click.option("--port", default=8443, show_default=True, help="Port on localhost.")
@click.option("--users", default=5, show_default=True, help="Users in each of two tenants.")
@click.option("--contacts", default=20, show_default=True, help="Contacts of each user.")
def emulator(*, port: int, users: int, contacts: int) -> None:
    """Serve a local Microsoft 365 with two sample tenants until Ctrl-C; prints the settings that point to it."""
    serve = load_emulator().serve
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(port, users, contacts, click.echo))


def load_emulator():  # type: ignore[no-untyped-def]
    """The emulator's module, which stands beside the tests and is not part of a deployment."""
    try:
        from tests.emulator import serve
    except ImportError as error:
        raise click.ClickException("The emulator is part of the repository, not of a deployed app: use a clone.") from error
    return serve
