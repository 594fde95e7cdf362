"""A local storage account for the tests: Azurite, of the versions in tests/azurite/package-lock.json."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

from tests.npm import Program

FOLDER = Path(__file__).parents[1] / "azurite"
AZURITE = Program("Azurite", FOLDER, FOLDER / "node_modules" / "azurite" / "dist" / "src" / "table" / "main.js")
ACCOUNT = "devstoreaccount1"
# The same for everybody (learn.microsoft.com/azure/storage/common/storage-connect-azurite).
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Azurite with nothing in it; gives its connection string. It keeps everything in memory."""
    port = _free_port()
    words = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--tablePort"]
    with subprocess.Popen(
        ["node", str(AZURITE.file), *words, str(port)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            said = next((line for line in process.stdout if "successfully" in line), "")
            assert said, "Azurite did not start"
            yield connection_string(f"http://127.0.0.1:{port}/{ACCOUNT}")
        finally:
            process.terminate()


def connection_string(endpoint: str) -> str:
    """How an app's settings name the account."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"TableEndpoint={endpoint};QueueEndpoint={endpoint}"
    )


def _free_port() -> int:
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
