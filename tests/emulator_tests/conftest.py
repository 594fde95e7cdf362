"""A scene for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.emulator import Emulator
from tests.emulator_tests.client import Scene, playing


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """An emulator as it is by default."""
    async with Emulator() as emulator, playing(emulator) as played:
        yield played


@pytest.fixture
async def plain() -> AsyncIterator[Scene]:
    """An emulator whose pages hold what one expects: no empty ones, no doubles, no replays, no silent changes."""
    async with Emulator() as emulator, playing(emulator) as played:
        switches = emulator.switches
        switches.list_empty_pages = switches.delta_empty_pages = False
        switches.delta_duplicates = switches.delta_replays = False
        switches.silent_change_key_bump_seconds = None
        yield played
