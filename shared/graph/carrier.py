"""Requests carried by aiohttp, at a fifth of the CPU that they take all the way through the SDK and httpx."""

import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from yarl import URL

from shared.graph.answers import Answer, Lost

_READ_SECONDS: Final = 120.0
_SOCKET_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 30.0
"""For all that comes before the request: name, socket, proxy and TLS. A proxy that never lets us through ends here."""

_TOTAL_SECONDS: Final = 600.0
"""The largest answer, 16 MB, takes so long at a fifth of a megabit a second; and it leaves time to try once more."""

_IDLE_SECONDS: Final = 30.0
_NEVER_LEFT: Final = (aiohttp.ClientHttpProxyError, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Carrier:
    """Connections to one Graph; `aclose` ends them."""

    def __init__(self, verify: ssl.SSLContext | None, proxy: str) -> None:
        """`verify` says whom to trust, None the usual; `proxy` is the URL of an HTTP proxy, "" for none."""
        # As many connections as there are batches: the dispatcher bounds them, and nobody waits for one here.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=verify or True)
        timeout = aiohttp.ClientTimeout(
            total=_TOTAL_SECONDS, connect=_CONNECT_SECONDS, sock_connect=_SOCKET_SECONDS, sock_read=_READ_SECONDS
        )
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        self._proxy = URL(proxy) if proxy else None

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Send one request, follow no redirect, and read its answer; a lost connection is a value.

        It ends within ten minutes, whatever is at the other end.
        """
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body or None,
                proxy=self._proxy,
                allow_redirects=False,
            ) as answer:
                return Answer(answer.status, answer.headers, await answer.read())
        except _NEVER_LEFT as error:
            return Lost(type(error).__name__, sent=False)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Lost(type(error).__name__)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
