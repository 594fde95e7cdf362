"""The one way to Graph: made ready by the official SDK, with its sign-in and telemetry; raw bytes in and out.

HTTP/1.1, because HTTP/2 fails when the server recycles connections (encode/httpcore#45).
"""

import asyncio
import base64
import json
import re
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from shared.config.model import Cloud
from shared.errors import MailboxError, SignInError
from shared.graph.answers import Answer, Lost
from shared.ports import Clock

if TYPE_CHECKING:
    from shared.graph.carrier import Carrier
    from shared.graph.sdk import Dress

_RENEW_EVERY_SECONDS: Final = 30.0
_DRESSED_SECONDS: Final = 60.0
_FAILED_SECONDS: Final = 10.0
"""So long a failed sign-in stands: those who waited for it would fail one after the other, up to a minute each."""

_PORTS: Final = {"https": 443, "http": 80}
_NUMBERED_FROM: Final = 24
"""In the text of a GUID its last twelve digits begin here."""
_CLAIMS: Final = re.compile(r'claims="([^"]+)"')


class TokenSource(Protocol):
    """An async credential of azure-identity, or what behaves like one."""

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        """An access token."""


class _Renewable:
    """A credential that can be told to pass its cache by once, and that fails for all who wait when it fails.

    A valid token is at times refused by one back end; claims make Entra issue a new one, as for a claims challenge.
    """

    def __init__(self, inner: TokenSource, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._renewed_at: float | None = None
        self._claims: str | None = None
        self._failure: SignInError | None = None
        self._failed_until = 0.0
        self._lock = asyncio.Lock()

    def renew(self) -> None:
        now = self._clock.monotonic()
        if self._renewed_at is None or now - self._renewed_at >= _RENEW_EVERY_SECONDS:
            self._renewed_at = now
            moment = str(int(self._clock.now().timestamp()))
            self._claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": moment}}})

    def meet(self, claims: str) -> None:
        """Ask for a token with these claims next: Graph's challenge, as continuous access evaluation makes it."""
        self._claims = claims

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        async with self._lock:
            if self._failure and self._clock.monotonic() < self._failed_until:
                raise copy(self._failure)  # a shared one would gather all their tracebacks
            claims = self._claims
            if claims and not options.get("claims"):
                options["claims"] = claims
            token = await self._ask(*scopes, **options)
            # Not before: whoever asks after a failure, or after one who gave up waiting, needs the claims as much.
            if self._claims == claims:
                self._claims = None
            return token

    async def _ask(self, *scopes: str, **options: Any) -> Any:
        try:
            return await self._inner.get_token(*scopes, **options)
        except SignInError as error:
            self._failure, self._failed_until = copy(error), self._clock.monotonic() + _FAILED_SECONDS
            raise


class Transport:
    """An open connection to one tenant's Graph; made by `open_transport`."""

    def __init__(self, base_url: str, carrier: "Carrier", dress: "Dress", credential: _Renewable, clock: Clock) -> None:
        """`dress` gives what every request bears; it is asked anew each minute, for tokens end."""
        self.base_url = base_url
        self._carrier, self._dress, self._credential, self._clock = carrier, dress, credential, clock
        self._dressing = asyncio.Lock()
        self._headers: Mapping[str, str] = {}
        self._fresh_until = 0.0
        self._run_of_ids, self._request_numbers = str(uuid.uuid4())[:_NUMBERED_FROM], count(1)

    def renew_token(self) -> None:
        """Ask for a fresh token before the next request, at most every 30 seconds."""
        self._credential.renew()
        self._headers = {}

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Send one request; whatever comes back is a value, a lost connection too.

        Only what the credential raises passes through. Raises `MailboxError` for a URL that is not Graph's.
        """
        if not url.startswith(f"{self.base_url}/$"):
            relative_to(self.base_url, url)
        dress = await self._dressed()
        answer = await self._exchange(method, url, {**dress, **headers}, body)
        if isinstance(answer, Answer) and answer.status == 401 and (claims := _claims_in(answer)):
            self._meet(claims, dress)
            return await self._exchange(method, url, {**await self._dressed(), **headers}, body)
        return answer

    def _meet(self, claims: str, refused: Mapping[str, str]) -> None:
        """Ask for a token with these claims, unless the one that was refused is not the newest any more."""
        if self._headers == refused:
            self._credential.meet(claims)
            self._headers = {}

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        # A GUID as Graph wants it; one of its own for each request would cost more than all other headers.
        request_id = f"{self._run_of_ids}{next(self._request_numbers):012x}"
        return await self._carrier.exchange(method, url, {"client-request-id": request_id, **headers}, body)

    async def _dressed(self) -> Mapping[str, str]:
        if self._headers and self._clock.monotonic() < self._fresh_until:
            return self._headers
        async with self._dressing:
            if not self._headers or self._clock.monotonic() >= self._fresh_until:
                self._headers = await self._dress()
                self._fresh_until = self._clock.monotonic() + _DRESSED_SECONDS
        return self._headers


def _claims_in(answer: Answer) -> str:
    """The claims that a challenge asks for, "" without any (learn.microsoft.com, claims-challenge)."""
    found = _CLAIMS.search(answer.headers.get("www-authenticate", ""))
    try:
        return base64.b64decode(found[1], validate=True).decode() if found else ""
    except ValueError:
        return ""


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
    # The SDK and aiohttp take long to load, and are not needed before.
    from shared.graph.carrier import Carrier  # noqa: PLC0415
    from shared.graph.sdk import dresser  # noqa: PLC0415

    carrier = Carrier(ssl.create_default_context(cafile=trust) if trust else None, proxy)
    renewable = _Renewable(credential, clock)
    try:
        yield Transport(cloud.graph_url, carrier, dresser(cloud, renewable), renewable, clock)
    finally:
        await carrier.aclose()
