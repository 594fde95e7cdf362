"""Where the state lives: from the setting to the store. Nothing is opened or contacted before its first call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.errors import StateError
from shared.ports import StateStore
from shared.state.memory import MemoryStateStore

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableClient

APP_STORAGE: Final = "AzureWebJobsStorage"
"""The word, and the app setting, for the storage account that every Functions app has."""

_FILE: Final = "contacts-mirror.db"
_HINT: Final = (
    "Set AUTOMATION_SYNCCONTACTS_STATE_URL to sqlite:///relative.db, sqlite:////absolute/path.db, memory:, "
    f"https://<account>.table.core.windows.net or {APP_STORAGE}."
)
# What UseDevelopmentStorage=true stands for: account and key are the same for everybody
# (learn.microsoft.com/azure/storage/common/storage-configure-connection-string).
_DEVELOPMENT: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6I"
    "FsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1"
)


@dataclass(frozen=True, slots=True)
class _How:
    """How a storage account is opened."""

    credential_factory: Callable[[], "AsyncTokenCredential"]
    trust: str | None
    read_only: bool


def open_state(
    url: str,
    *,
    credential_factory: Callable[[], "AsyncTokenCredential"],
    connection_string: str = "",
    trust: str | None = None,
    default_folder: Path,
    read_only: bool = False,
) -> StateStore:
    """The store that `url` (AUTOMATION_SYNCCONTACTS_STATE_URL) names, "" for a file in `default_folder`.

    `connection_string` is what `app_storage` found, for the url "AzureWebJobsStorage". `credential_factory` is called
    only for a storage account that is used by identity; the store closes that credential. `trust` is a file of CA
    certificates, None for the usual ones; with `read_only` no file or table is made that is not there yet. Raises
    `StateError` when the url names no place.
    """
    how = _How(credential_factory, trust, read_only)
    if url == APP_STORAGE:
        return _open_app_storage(connection_string, how)
    if url == "memory:":
        return MemoryStateStore()
    if not url or url.startswith("sqlite:"):
        return _open_file(_path(url) if url else default_folder / _FILE, read_only=read_only)
    if url.startswith("https:"):
        return _open_account(url, how)
    raise StateError("AUTOMATION_SYNCCONTACTS_STATE_URL names no place for the state.", hint=_HINT)


def app_storage(environ: Mapping[str, str]) -> str:
    """What the app's settings say of its storage account: a connection string, its tables' https address, or "".

    The identity-based settings are those of learn.microsoft.com/azure/azure-functions/functions-reference, "Connecting
    to host storage with an identity".
    """
    if text := environ.get(APP_STORAGE, "") or environ.get(f"{APP_STORAGE}__tableServiceUri", ""):
        return text
    account = environ.get(f"{APP_STORAGE}__accountName", "")
    return f"https://{account}.table.core.windows.net" if account else ""


def user_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's programs keep their state (specifications.freedesktop.org/basedir-spec, LOCALAPPDATA)."""
    places = (environ.get("XDG_STATE_HOME", ""), environ.get("LOCALAPPDATA", ""))
    usable = (Path(place) for place in places if place)
    base = next((place for place in usable if place.is_absolute()), None)
    return (base or Path.home() / ".local" / "state") / "contacts-mirror"


def _path(url: str) -> Path:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise StateError("AUTOMATION_SYNCCONTACTS_STATE_URL names no file.", hint=_HINT)
    return Path(path)


def _open_file(path: Path, *, read_only: bool) -> StateStore:
    from shared.state.sqlite import SqliteStateStore

    return SqliteStateStore(path.absolute(), read_only=read_only)


def _open_app_storage(setting: str, how: _How) -> StateStore:
    if setting.startswith("https:"):
        return _open_account(setting, how)
    if not setting:
        raise StateError(
            f"AUTOMATION_SYNCCONTACTS_STATE_URL is {APP_STORAGE}, but the app has no such setting.",
            hint=f"Set {APP_STORAGE} to a connection string, or {APP_STORAGE}__tableServiceUri to the tables' address.",
        )
    from azure.data.tables.aio import TableClient

    text = _DEVELOPMENT if "usedevelopmentstorage=true" in setting.replace(" ", "").lower() else setting
    try:
        return _store(TableClient.from_connection_string, {"conn_str": text}, how)
    except ValueError:
        # The library's message may hold the connection string, and with it the key.
        raise StateError(
            f"The setting {APP_STORAGE} is no connection string of a storage account.",
            hint="Copy it: az storage account show-connection-string --name <account>.",
        ) from None


def _open_account(url: str, how: _How) -> StateStore:
    from azure.data.tables.aio import TableClient

    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.username:
        raise StateError("The address of the state's storage account is not just an address.", hint=_HINT)
    credential = how.credential_factory()
    return _store(TableClient, {"endpoint": url.rstrip("/"), "credential": credential}, how, credential)


def _store(
    make: Callable[..., "TableClient"],
    place: dict[str, Any],
    how: _How,
    credential: "AsyncTokenCredential | None" = None,
) -> StateStore:
    from shared.state.table_client import PATIENCE, TABLE, Table
    from shared.state.tables import TableStateStore

    verify = {"connection_verify": how.trust} if how.trust else {}
    client = make(table_name=TABLE, **place, **PATIENCE, **verify)
    return TableStateStore(Table(client, credential, read_only=how.read_only))
