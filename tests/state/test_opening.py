"""From the setting to the place where the state is."""

import ast
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.credentials_async import AsyncTokenCredential

from shared.errors import StateError
from shared.ports import StateStore
from shared.state.memory import MemoryStateStore
from shared.state.opening import APP_STORAGE, app_storage, open_state, user_folder
from shared.state.tables import TableStateStore
from tests.state.azurite import connection_string
from tests.state.builders import checkpoint
from tests.state.conftest import no_identity, open_tables

ROOT = Path(__file__).parents[2]


class Identity:
    """An identity that notes whether it was closed."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1

    async def get_token(self, *scopes: str, **options: object) -> None:
        raise AssertionError("nothing may be contacted")


def opened(url: str, folder: Path) -> StateStore:
    """The store at a place that needs no identity."""
    return open_state(url, credential_factory=no_identity, default_folder=folder)


async def used(store: StateStore) -> None:
    """Write something and close."""
    await store.save_checkpoint("t", checkpoint("m"))
    await store.close()


def is_state(path: Path) -> bool:
    """Whether the file has what was written."""
    with sqlite3.connect(path) as database:
        count = database.execute("SELECT COUNT(*) FROM checkpoints").fetchone()[0]
    database.close()
    return bool(count == 1)


async def test_without_a_setting_it_is_a_file_of_the_user(tmp_path: Path) -> None:
    """In the folder for such files, which is made."""
    await used(opened("", tmp_path / "a" / "b"))
    assert is_state(tmp_path / "a" / "b" / "contacts-mirror.db")


async def test_a_file_by_absolute_and_by_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one is meant from where the command was started, even if the program goes elsewhere later."""
    await used(opened(f"sqlite:///{tmp_path}/absolute.db", tmp_path))
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///relative.db", tmp_path)
    monkeypatch.chdir("/")
    await used(store)
    assert is_state(tmp_path / "absolute.db")
    assert is_state(tmp_path / "relative.db")


async def test_memory(tmp_path: Path) -> None:
    """Nothing is written anywhere."""
    store = opened("memory:", tmp_path)
    assert isinstance(store, MemoryStateStore)
    await used(store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/file.db",
        "http://account.table.core.windows.net",
        "https://",
        "https://account.table.core.windows.net?sv=1&sig=secret",
        "https://user:secret@account.table.core.windows.net",
        "postgres://secret@host",
        "/var/state.db",
    ],
)
def test_what_names_no_place(url: str, tmp_path: Path) -> None:
    """The sentence says what may be written there, and repeats nothing that could be secret."""
    with pytest.raises(StateError) as caught:
        opened(url, tmp_path)
    assert "sqlite:///relative.db" in caught.value.hint
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


async def test_an_account_is_used_by_identity_and_contacted_later(tmp_path: Path) -> None:
    """The identity is made when it is needed, and closed with the store."""
    made: list[Identity] = []

    def factory() -> AsyncTokenCredential:
        made.append(Identity())
        return made[-1]  # type: ignore[return-value]

    for url, setting in (
        ("https://account.table.core.windows.net", ""),
        (APP_STORAGE, "https://account.table.core.windows.net/"),
    ):
        store = open_state(url, credential_factory=factory, connection_string=setting, default_folder=tmp_path)
        assert isinstance(store, TableStateStore)
        await store.close()
    assert [one.closed for one in made] == [1, 1]


def test_what_the_app_says_of_its_storage() -> None:
    """A connection string, or the settings for an identity."""
    assert app_storage({}) == ""
    assert app_storage({APP_STORAGE: "a=b", f"{APP_STORAGE}__accountName": "x"}) == "a=b"
    assert app_storage({f"{APP_STORAGE}__accountName": "x"}) == "https://x.table.core.windows.net"
    both = {f"{APP_STORAGE}__accountName": "x", f"{APP_STORAGE}__tableServiceUri": "https://y"}
    assert app_storage(both) == "https://y"


async def test_the_apps_storage_by_connection_string() -> None:
    """Azurite's short form too."""
    for text in (connection_string("http://127.0.0.1:1/devstoreaccount1"), "UseDevelopmentStorage=true"):
        store = open_tables(text)
        assert isinstance(store, TableStateStore)
        await store.close()


@pytest.mark.parametrize("text", ["", "AccountKey=c2VjcmV0", "secret", "AccountName=;AccountKey=c2VjcmV0;=", "a=b=c;d"])
def test_a_setting_that_is_no_connection_string(text: str) -> None:
    """It is told without repeating it."""
    with pytest.raises(StateError, match=APP_STORAGE) as caught:
        open_tables(text)
    told = f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"
    assert "secret" not in told
    assert "c2VjcmV0" not in told


def test_where_a_users_programs_keep_their_state(tmp_path: Path) -> None:
    """By the environment of each system; what is not an absolute path there counts as not set."""
    assert user_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "contacts-mirror"
    assert user_folder({"LOCALAPPDATA": str(tmp_path)}) == tmp_path / "contacts-mirror"
    usual = Path.home() / ".local" / "state" / "contacts-mirror"
    assert user_folder({}) == user_folder({"XDG_STATE_HOME": "here"}) == usual


def test_a_file_needs_no_azure_library() -> None:
    """The command line does not wait for libraries that it does not use."""
    program = (
        "import sys; from pathlib import Path; from shared.state.opening import open_state;"
        "open_state('', credential_factory=None, default_folder=Path('x'));"
        "print([name for name in sys.modules if name.startswith(('azure', 'aiohttp'))])"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(said) == []
