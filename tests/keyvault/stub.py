"""A TLS server on localhost that gives one answer, for what the emulator never says."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.emulator.certificates import certificates

CA_FILE = certificates().ca_file


@dataclass(slots=True)
class Stub:
    """Answers each request with `status` and `body`, after a challenge where one is given; remembers the requests."""

    status: int = 200
    body: Any = None
    challenge: str = ""
    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One answer."""
        if self.challenge and "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": self.challenge.format(url=self.url)})
        self.paths.append(request.raw_path)
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return web.Response(status=self.status, text=text, content_type="application/json")


@contextlib.asynccontextmanager
async def serving(stub: Stub) -> AsyncIterator[Stub]:
    """The stub at its `url` for the time of the block."""
    runner = web.ServerRunner(web.Server(stub.answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates().server_context()).start()
        stub.url = f"https://localhost:{runner.addresses[0][1]}"
        yield stub
    finally:
        await runner.cleanup()


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"https://localhost:{probe.getsockname()[1]}"
