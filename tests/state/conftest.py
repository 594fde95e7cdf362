"""A place for each way of keeping the state, which several clients can open side by side."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from azure.core.credentials_async import AsyncTokenCredential

from shared.ports import StateStore
from shared.state.memory import MemoryStateStore
from shared.state.opening import APP_STORAGE, open_state
from shared.state.sqlite import SqliteStateStore
from tests.npm import MissingError
from tests.state import azurite

Connect = Callable[[], StateStore]


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A storage account's connection string."""
    try:
        azurite.AZURITE.install()
    except MissingError as reason:
        pytest.skip(str(reason))
    with ExitStack() as stack:
        yield stack.enter_context(azurite.running(tmp_path_factory.mktemp("azurite")))


def no_identity() -> AsyncTokenCredential:
    """For places that need none."""
    raise AssertionError("an identity was asked for")


def open_tables(connection_string: str, *, read_only: bool = False) -> StateStore:
    """The store in an account."""
    return open_state(
        APP_STORAGE,
        credential_factory=no_identity,
        connection_string=connection_string,
        default_folder=Path("nowhere"),
        read_only=read_only,
    )


@pytest.fixture(params=["memory", "sqlite", "tables"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """One more client of the same place; all are closed at the end."""
    clients: list[StateStore] = []
    memory = MemoryStateStore()
    account = request.getfixturevalue("storage") if request.param == "tables" else ""
    ways: dict[str, Connect] = {
        "memory": lambda: memory,
        "sqlite": lambda: SqliteStateStore(tmp_path / "state.db"),
        "tables": lambda: open_tables(account),
    }

    def client() -> StateStore:
        clients.append(ways[request.param]())
        return clients[-1]

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
