"""A place for each way of keeping the state, which several clients can open side by side."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from shared.ports import StateStore
from shared.state.memory import MemoryStateStore
from shared.state.sqlite import SqliteStateStore

Connect = Callable[[], StateStore]


@pytest.fixture(params=["memory", "sqlite"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """One more client of the same place; all are closed at the end."""
    clients: list[StateStore] = []
    memory = MemoryStateStore()

    def client() -> StateStore:
        store: StateStore = memory if request.param == "memory" else SqliteStateStore(tmp_path / "state.db")
        clients.append(store)
        return store

    yield client
    for one in clients:
        await one.close()


@pytest.fixture
def store(connect: Connect) -> StateStore:
    """A client of an empty place."""
    return connect()


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has."""
    return str(uuid4())
