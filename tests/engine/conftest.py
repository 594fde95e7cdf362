"""An office to run the mirror in."""

from collections.abc import AsyncIterator

import pytest

from tests.emulator import Emulator
from tests.engine.office import Office


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest.fixture
async def office(emulator: Emulator) -> Office:
    return Office(emulator, "ann", "bob", "cem")
