"""The Function app in the worker that Azure runs it with."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.state.sqlite import SqliteStateStore
from tests.app.harness.worker import Worker, worker
from tests.emulator import EmulatorThread, Tenant
from tests.state.conftest import storage as storage  # noqa: PLC0414 - a fixture of theirs

ROOT = Path(__file__).parents[2]
HUB_FOLDER = "All Contacts"

needs_worker = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="azure-functions-runtime, the worker that Azure runs, needs Python 3.13"
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with no setting of the mirror in it, but where it remembers."""
    for name in list(os.environ):
        if name.startswith("AUTOMATION_SYNC"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUTOMATION_SYNCCONTACTS_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.syspath_prepend(str(ROOT))
    return monkeypatch


@pytest.fixture
async def state(environment: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    """Where the app remembers, seen from beside it."""
    store = SqliteStateStore(tmp_path / "state.db")
    yield store
    await store.close()


@pytest.fixture
async def app(environment: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """The app, indexed and loaded, with no setting made yet."""
    with worker(ROOT) as running:
        await running.start()
        yield running


@pytest.fixture
def microsoft365(environment: pytest.MonkeyPatch) -> Iterator[EmulatorThread]:
    """A tenant with a shared mailbox and two users, one of whom knows somebody; the environment points to it."""
    with EmulatorThread() as emulator:
        tenant = emulator.add_tenant(domain="contoso.example")
        tenant.add_shared_mailbox("hub@contoso.example")
        for name in ("ada", "bob"):
            tenant.add_user(f"{name}@contoso.example")
        add_contact(tenant, "ada", "Grace Hopper")
        for name, value in emulator.environment().items():
            if not name.endswith("STATE_URL"):
                environment.setenv(name, value)
        yield emulator


def only_tenant(emulator: EmulatorThread) -> Tenant:
    """The tenant that there is."""
    (tenant,) = emulator.tenants.values()
    return tenant


def add_contact(tenant: Tenant, user: str, name: str) -> None:
    """Let a user type a contact in."""
    address = {"address": name.replace(" ", ".").lower() + "@example.com", "name": name}
    tenant.mailbox(f"{user}@contoso.example").add_contact({"displayName": name, "emailAddresses": [address]})


def names(tenant: Tenant, user: str, folder: str | None = None) -> set[str]:
    """Whom a user finds in a folder."""
    return {card["displayName"] for card in tenant.mailbox(f"{user}@contoso.example").contacts(folder)}
