"""The one way to Graph: the official SDK as client, authentication and telemetry, with raw bytes in and out.

The SDK's models cost 2 ms of CPU a contact (msgraph-sdk-python#584), its retry handler sends a POST again on 504, and
its batch classes lose JSON bodies (kiota-python#737); none of them is used. HTTP/1.1, because HTTP/2 fails when the
server recycles connections (encode/httpcore#45).
"""

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from shared.config.model import Cloud
from shared.errors import MailboxError
from shared.graph.answers import Answer, Lost
from shared.ports import Clock

_RENEW_EVERY_SECONDS: Final = 30.0
_PORTS: Final = {"https": 443, "http": 80}


class TokenSource(Protocol):
    """An async credential of azure-identity, or what behaves like one."""

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        """An access token."""


class _Renewable:
    """A credential that can be told to pass its cache by once.

    A valid token is at times refused by one back end; claims make Entra issue a new one, as for a claims challenge.
    """

    def __init__(self, inner: TokenSource, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._renewed_at: float | None = None
        self._claims: str | None = None
        self._lock = asyncio.Lock()

    def renew(self) -> None:
        now = self._clock.monotonic()
        if self._renewed_at is None or now - self._renewed_at >= _RENEW_EVERY_SECONDS:
            self._renewed_at = now
            moment = str(int(self._clock.now().timestamp()))
            self._claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": moment}}})

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        async with self._lock:
            claims, self._claims = self._claims, None
            if claims and not options.get("claims"):
                options["claims"] = claims
            return await self._inner.get_token(*scopes, **options)


@dataclass(frozen=True, slots=True)
class Transport:
    """An open connection to one tenant's Graph; made by `open_transport`."""

    base_url: str
    _adapter: Any
    _credential: _Renewable
    _raw: Any

    def renew_token(self) -> None:
        """Ask for a fresh token before the next request, at most every 30 seconds."""
        self._credential.renew()

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Send one request; whatever comes back is a value, a lost connection too.

        Only what the credential raises passes through. Raises `MailboxError` for a URL that is not Graph's.
        """
        relative_to(self.base_url, url)
        import httpx  # noqa: PLC0415 - loaded with the SDK, when first needed
        from kiota_abstractions.api_error import APIError  # noqa: PLC0415

        try:
            status, answered, content = await self._adapter.send_primitive_async(
                self._request(method, url, headers, body), "bytes", None
            )
        except httpx.TransportError as error:
            never_left = isinstance(
                error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError
            )
            return Lost(type(error).__name__, sent=not never_left)
        except (httpx.HTTPError, httpx.InvalidURL, APIError) as error:
            return Lost(type(error).__name__)
        return Answer(status, {name.lower(): value for name, value in answered.items()}, content)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:
        from kiota_abstractions.method import Method  # noqa: PLC0415
        from kiota_abstractions.request_information import RequestInformation  # noqa: PLC0415

        request = RequestInformation(Method(method))
        request.url = url
        for name, value in headers.items():
            request.headers.try_add(name, value)
        request.headers.try_add("client-request-id", str(uuid.uuid4()))
        if body:
            request.set_stream_content(body, headers.get("Content-Type", "application/json"))
        request.add_request_options([self._raw])
        return request


def relative_to(base_url: str, url: str) -> str:
    """The part of `url` behind the version root; raises `MailboxError` if it does not lead to this Graph.

    Links in answers are untrusted: one that led elsewhere would carry our token with it.
    """
    base, link = _parts(base_url), _parts(url)
    rest = link.path.removeprefix(base.path)
    inside = rest.startswith("/") and len(rest) + len(base.path) == len(link.path)
    if link.place != base.place or not inside:
        message = "Graph gave a link that leads elsewhere; it was not followed."
        raise MailboxError(message, hint="Look for a proxy that rewrites Graph's answers.", code="ForeignLink")
    return f"{rest}?{link.query}" if link.query else rest


@dataclass(frozen=True, slots=True)
class _Parts:
    place: tuple[str, str, int]
    path: str = ""
    query: str = ""


def _parts(url: str) -> _Parts:
    """The link in its parts; one that is no URL, or names a user, is nowhere."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return _Parts(("", "", -1))
    host = "" if "@" in parts.netloc else (parts.hostname or "")
    return _Parts((parts.scheme, host, port), parts.path, parts.query)


@asynccontextmanager
async def open_transport(
    cloud: Cloud, credential: TokenSource, clock: Clock, *, trust: str | None = None, proxy: str = ""
) -> AsyncIterator[Transport]:
    """Open the SDK's client for one tenant.

    `trust` is a file of CA certificates, None for the usual ones; `proxy` the URL of an HTTP proxy, "" for none.
    """
    from shared.graph.carrier import Carrier  # noqa: PLC0415 - takes long to load and is not needed before

    wire = Carrier(ssl.create_default_context(cafile=trust) if trust else None, proxy)
    renewable = _Renewable(credential, clock)
    try:
        yield _transport(cloud, renewable, wire)
    finally:
        # The SDK's own transport has no aclose and would keep every connection open.
        await wire.aclose()


def _transport(cloud: Cloud, credential: _Renewable, wire: Any) -> Transport:
    import httpx  # noqa: PLC0415
    from kiota_abstractions.response_handler import ResponseHandler  # noqa: PLC0415
    from kiota_authentication_azure.azure_identity_authentication_provider import (  # noqa: PLC0415
        AzureIdentityAuthenticationProvider,
    )
    from kiota_http.middleware import ParametersNameDecodingHandler, UserAgentHandler  # noqa: PLC0415
    from kiota_http.middleware.options import ResponseHandlerOption  # noqa: PLC0415
    from msgraph.graph_request_adapter import GraphRequestAdapter, options  # noqa: PLC0415
    from msgraph.graph_service_client import GraphServiceClient  # noqa: PLC0415
    from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]  # noqa: PLC0415
    from msgraph_core.middleware import GraphTelemetryHandler  # type: ignore[import-untyped]  # noqa: PLC0415

    class Raw(ResponseHandler):
        """Status, headers and body of every answer: no models, no error mapping."""

        async def handle_response_async(self, response: Any, _error_map: Any = None) -> Any:
            return response.status_code, response.headers, response.content

    client = httpx.AsyncClient(transport=wire)
    telemetry = GraphTelemetryHandler(options=options["GraphTelemetryHandlerOption"])
    GraphClientFactory.create_with_custom_middleware(
        [ParametersNameDecodingHandler(), UserAgentHandler(), telemetry], client=client
    )
    tokens: Any = credential
    auth = AzureIdentityAuthenticationProvider(
        tokens, scopes=[cloud.scope], allowed_hosts=[urlsplit(cloud.graph_url).hostname or ""]
    )
    adapter = GraphRequestAdapter(auth, client=client)
    # Without this every URL would hold a double slash (apache/airflow#52367).
    adapter.base_url = cloud.graph_url
    # Constructing the client registers the parsers that the adapter needs.
    GraphServiceClient(request_adapter=adapter)
    return Transport(cloud.graph_url, adapter, credential, ResponseHandlerOption(Raw()))
