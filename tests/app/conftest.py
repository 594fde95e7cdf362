"""The Function app in the worker that Azure runs it with."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.app.harness.worker import Worker, worker

ROOT = Path(__file__).parents[2]

needs_worker = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="azure-functions-runtime, the worker that Azure runs, needs Python 3.13"
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with no setting of the mirror in it."""
    for name in list(os.environ):
        if name.startswith("AUTOMATION_SYNC"):
            monkeypatch.delenv(name)
    monkeypatch.syspath_prepend(str(ROOT))
    return monkeypatch


@pytest.fixture
async def app(environment: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """The app, indexed and loaded, with no setting made yet."""
    with worker(ROOT) as running:
        await running.start()
        yield running
