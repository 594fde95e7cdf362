"""httpx requests carried by aiohttp, which takes a third of the CPU that httpx's own connections take.

The SDK speaks httpx; below it only the bytes on the wire are another library's. httpcore looks through all of its
connections for each request, which is a quarter of a millisecond when fifty are open.
"""

import ssl
from typing import Final

import aiohttp
import httpx
from yarl import URL

_DECODED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers of an answer that are about bytes which aiohttp has already put in order."""

_READ_SECONDS: Final = 120.0
_CONNECT_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 30.0
_NEVER_LEFT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Carrier(httpx.AsyncBaseTransport):
    """Connections to one Graph; `aclose` ends them."""

    def __init__(self, verify: ssl.SSLContext | None, proxy: str) -> None:
        """`verify` says whom to trust, None the usual; `proxy` is the URL of an HTTP proxy, "" for none."""
        # As many connections as there are batches: the dispatcher bounds them, and nobody waits for one here.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=verify or True)
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        self._proxy = URL(proxy) if proxy else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its answer; raises `ConnectError` or `ProxyError` only if nothing was sent."""
        try:
            async with self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name, value) for name, value in request.headers.multi_items() if name != "content-length"],
                data=await request.aread() or None,
                proxy=self._proxy,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DECODED]
                return httpx.Response(answer.status, headers=headers, content=body)
        except aiohttp.ClientHttpProxyError as error:
            raise httpx.ProxyError(type(error).__name__) from error
        except _NEVER_LEFT as error:
            raise httpx.ConnectError(type(error).__name__) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(type(error).__name__) from error
        except aiohttp.ClientError as error:
            raise httpx.ReadError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
