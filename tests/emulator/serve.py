"""The emulator on its own, with two sample tenants, until somebody ends it."""

import asyncio
import shlex
from collections.abc import Callable

from tests.emulator.generator import populate
from tests.emulator.server import Emulator

SAMPLE_DOMAINS = ("contoso.example", "fabrikam.example")


async def serve(port: int, users: int, contacts: int, announce: Callable[[str], object]) -> None:
    """Serve two tenants with so many users and contacts each until cancelled.

    `announce` gets the lines that set the environment of a process of the mirror, one call each, once it serves.
    """
    async with Emulator(port=port) as emulator:
        for domain in SAMPLE_DOMAINS:
            populate(emulator.add_tenant(domain=domain), users, contacts)
        for name, value in emulator.environment().items():
            announce(f"export {name}={shlex.quote(value)}")
        await asyncio.Event().wait()
