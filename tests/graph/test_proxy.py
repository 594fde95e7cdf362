"""Graph through a proxy: which one, and that everything goes through it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken

from shared.config.model import Cloud
from shared.errors import TenantError
from shared.graph.answers import Answer, Lost
from shared.graph.proxy import proxy_for
from shared.graph.transport import open_transport
from tests.emulator import Emulator
from tests.graph.wires import StillClock

GRAPH = "https://graph.microsoft.com/v1.0"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": ""}, ""),
        ({"HTTP_PROXY": "http://p:1"}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": " p:1 "}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "example.com, .Microsoft.com"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "graph.microsoft.com:443"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "graph.microsoft.com:8443, ,"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "soft.com"}, "http://p:1"),
    ],
)
def test_the_customary_variables_name_the_proxy(environ: Mapping[str, str], proxy: str) -> None:
    """As curl reads them, small letters first; NO_PROXY goes by whole labels of the host's name."""
    assert proxy_for(environ, GRAPH) == proxy


@pytest.mark.parametrize("proxy", ["socks5://user:geheim@p:1", "http://", "http://geheim:x", "http://[geheim"])
def test_a_proxy_that_cannot_be_used_is_a_mistake_in_the_configuration(proxy: str) -> None:
    """It is said without the URL, which may hold a password."""
    with pytest.raises(TenantError) as caught:
        proxy_for({"HTTPS_PROXY": proxy}, GRAPH)
    assert "HTTPS_PROXY" in caught.value.message
    assert "geheim" not in caught.value.message + caught.value.hint


class Credential:
    """Hands out a token."""

    async def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken("token", 2**31)


@dataclass
class Proxy:
    """An HTTP proxy on loopback; without `status` 200 it lets nobody through."""

    status: str = "200 OK"
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its URL while it serves."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split("\r\n")[0])
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if self.status.startswith("200"):
            host, _, port = head.split()[1].rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        writer.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def _ask(emulator: Emulator, proxy: str) -> Answer | Lost:
    cloud = Cloud("Test", emulator.graph_url, emulator.authority_url, "https://graph.example/.default")
    async with open_transport(cloud, Credential(), StillClock(), trust=emulator.ca_file, proxy=proxy) as transport:
        return await transport.send("GET", f"{emulator.graph_url}/users", {}, b"")


async def test_requests_go_through_the_proxy() -> None:
    """Encrypted from end to end: the proxy sees the host's name and nothing else."""
    proxy = Proxy()
    async with Emulator() as emulator, proxy.served() as url:
        answer = await _ask(emulator, url)
        host = emulator.graph_url.split("/")[2]
    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert proxy.asked == [f"CONNECT {host} HTTP/1.1"]


async def test_a_proxy_that_refuses_lets_nothing_leave() -> None:
    """So that even a create may be sent again without a doubt."""
    proxy = Proxy("407 Proxy Authentication Required")
    async with Emulator() as emulator, proxy.served() as url:
        answer = await _ask(emulator, url)
    assert answer == Lost("ClientHttpProxyError", sent=False)
