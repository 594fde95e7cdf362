"""A Microsoft 365 for the command line's processes."""

from collections.abc import Iterator

import pytest

from tests.emulator import EmulatorThread
from tests.engine.office import Office


@pytest.fixture
def office() -> Iterator[Office]:
    """An office whose emulator serves from a thread, so that a test can wait for a process."""
    with EmulatorThread() as emulator:
        yield Office(emulator, "ann", "bob", "cem")


@pytest.fixture
def environ(office: Office) -> dict[str, str]:
    """The settings that point to the office."""
    return office.emulator.environment()
