"""The one way to Graph, over real HTTP on loopback."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from shared.config.model import Cloud
from shared.errors import MailboxError, SignInError, Who
from shared.graph.answers import Answer, Lost
from shared.graph.transport import Transport, open_transport, relative_to
from tests.graph.wires import StillClock, settled

BASE = "https://graph.microsoft.com/v1.0"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


CHALLENGE = {"WWW-Authenticate": 'Bearer claims="eyJhIjoxfQ=="'}


class Credential:
    """Hands out numbered tokens and remembers what it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self.error = error

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked.append((scopes, options))
        if self.error:
            raise self.error
        return AccessToken(f"token-{len(self.asked)}", 2**31)

    @property
    def claims(self) -> list[str | None]:
        """The claims of each asking."""
        return [options.get("claims") for _, options in self.asked]


class Remembering(Credential):
    """Hands out the same token until claims ask for another."""

    token: AccessToken | None = None

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        if self.token is None or options.get("claims"):
            self.token = await super().get_token(*scopes, **options)
        return self.token


class Gated(Credential):
    """Answers nobody before its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        token = await super().get_token(*scopes, **options)
        await self.gate.wait()
        return token


@asynccontextmanager
async def served(handler: Handler, credential: Credential, clock: StillClock | None = None) -> AsyncIterator[Transport]:
    """A transport to a server on loopback that answers everything with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    cloud = Cloud("Test", f"http://127.0.0.1:{port}/v1.0", "https://login.example", "https://graph.example/.default")
    async with open_transport(cloud, credential, clock or StillClock()) as transport:
        yield transport
    await runner.cleanup()


async def ask(transport: Transport) -> Answer | Lost:
    """Send any request."""
    return await transport.send("GET", f"{transport.base_url}/x", {}, b"")


def statuses(answers: list[Answer | Lost]) -> list[int]:
    """What each answer says, 0 for a lost one."""
    return [answer.status if isinstance(answer, Answer) else 0 for answer in answers]


async def echo(request: web.Request) -> web.Response:
    """Tell what arrived."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    seen = {"method": request.method, "path": request.raw_path, "headers": headers, "body": await request.text()}
    return web.json_response(seen, headers={"X-Mixed-Case": "yes"})


async def test_a_request_arrives_as_it_was_meant() -> None:
    """URL to the letter, token for the configured scope, an id of ours, body and headers as given."""
    credential = Credential()
    async with served(echo, credential) as transport:
        url = f"{transport.base_url}/users/a%23b%27c?$filter=x%20eq%20'%25'&$top=1"
        answer = await transport.send(
            "POST", url, {"Content-Type": "application/json", "Prefer": 'a, b="c"'}, b'{"a":1}'
        )
    assert isinstance(answer, Answer)
    seen = json.loads(answer.body)
    assert seen["path"] == "/v1.0/users/a%23b%27c?$filter=x%20eq%20'%25'&$top=1"
    assert seen["headers"]["authorization"] == "Bearer token-1"
    assert seen["headers"]["prefer"] == 'a, b="c"'
    assert uuid.UUID(seen["headers"]["client-request-id"]).version == 4
    assert seen["body"] == '{"a":1}'
    assert answer.headers["x-mixed-case"] == "yes"
    assert credential.asked[0][0] == ("https://graph.example/.default",)


@pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 401, 403, 404, 412, 429, 500, 503])
async def test_every_status_is_a_value(status: int) -> None:
    """No answer is an exception, no redirect is followed, nothing is retried here."""
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=status, headers={"Retry-After": "1", "Location": "/v1.0/other"})

    async with served(handler, Credential()) as transport:
        answer = await transport.send("POST", f"{transport.base_url}/x", {}, b"{}")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, calls) == (status, b"", 1)


async def test_a_lost_connection_is_a_value() -> None:
    """A connection that breaks after the request went out leaves its fate open."""

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        raise asyncio.CancelledError

    async with served(handler, Credential()) as transport:
        answer = await transport.send("GET", f"{transport.base_url}/x", {}, b"")
    assert isinstance(answer, Lost)
    assert answer.sent


async def test_a_refused_connection_carried_nothing() -> None:
    """What never left may be sent again without any doubt."""
    cloud = Cloud("Test", "http://127.0.0.1:9/v1.0", "https://login.example", "https://graph.example/.default")
    async with open_transport(cloud, Credential(), StillClock()) as transport:
        answer = await transport.send("POST", f"{transport.base_url}/x", {}, b"{}")
    assert isinstance(answer, Lost)
    assert not answer.sent


async def test_a_renewed_token_passes_the_cache_by_once() -> None:
    """Claims make Entra issue a fresh token; renewing again at once changes nothing."""
    credential = Credential()
    async with served(echo, credential) as transport:
        await transport.send("GET", f"{transport.base_url}/x", {}, b"")
        transport.renew_token()
        transport.renew_token()
        for _ in range(2):
            await transport.send("GET", f"{transport.base_url}/x", {}, b"")
            transport.renew_token()
    claims = [options.get("claims") for _, options in credential.asked]
    assert [bool(claim) for claim in claims] == [False, True, False]
    assert "nbf" in json.loads(claims[1] or "")["access_token"]


async def test_a_claims_challenge_is_met() -> None:
    """The SDK answers a challenge with a token for its claims, once."""

    async def handler(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer token-1":
            return web.Response(status=401, headers=CHALLENGE)
        return web.json_response({})

    credential = Credential()
    async with served(handler, credential) as transport:
        answer = await transport.send("GET", f"{transport.base_url}/x", {}, b"")
    assert isinstance(answer, Answer)
    assert answer.status == 200
    assert credential.asked[1][1]["claims"] == '{"a":1}'


async def test_many_challenges_of_one_token_are_one_token_request() -> None:
    """Those that come when there is a new token already ask for none; their requests go out again with it."""
    refused, renewed = 0, asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        nonlocal refused
        if request.headers["Authorization"] != "Bearer token-1":
            renewed.set()
            return web.json_response({})
        refused += 1
        if refused > 3:
            await renewed.wait()
        return web.Response(status=401, headers=CHALLENGE)

    credential = Credential()
    async with served(handler, credential) as transport:
        answers = await asyncio.gather(*(ask(transport) for _ in range(20)))
    assert statuses(answers) == [200] * 20
    assert refused == 20
    assert credential.claims == [None, '{"a":1}']


async def test_a_challenge_counts_though_its_token_was_looked_up_anew() -> None:
    """Each minute the credential is asked again; as long as it gives the same token, its challenge is met."""
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer token-1":
            return web.json_response({})
        if not arrived.is_set():
            arrived.set()
            await answered.wait()
            return web.Response(status=401, headers=CHALLENGE)
        return web.json_response({})

    credential, clock = Remembering(), StillClock()
    async with served(handler, credential, clock) as transport:
        slow = asyncio.create_task(ask(transport))
        await arrived.wait()
        await clock.advance(90)
        await ask(transport)
        answered.set()
        await slow
    assert credential.claims == [None, '{"a":1}']


async def test_a_failed_sign_in_is_heard_by_all_who_waited() -> None:
    """Each has an error of its own, nobody asks after the first, and some seconds later it is tried anew."""
    credential, clock = Credential(SignInError("No.", hint="Look.", code="Odd", who=Who.DEPLOYER)), StillClock()
    async with served(echo, credential, clock) as transport:
        errors = await asyncio.gather(*(ask(transport) for _ in range(20)), return_exceptions=True)
        assert len(credential.asked) == 1
        assert len({id(error) for error in errors}) == 20
        told = {(e.message, e.hint, e.code, e.who) for e in errors if isinstance(e, SignInError)}
        assert told == {("No.", "Look.", "Odd", Who.DEPLOYER)}
        credential.error = None
        await clock.advance(30)
        assert statuses([await ask(transport)]) == [200]


async def test_who_stops_waiting_for_a_sign_in_harms_nobody() -> None:
    """The next one signs in instead, and with the same claims."""
    credential = Gated()
    async with served(echo, credential) as transport:
        transport.renew_token()
        first, *others = [asyncio.create_task(ask(transport)) for _ in range(5)]
        await settled()
        others.pop().cancel()
        first.cancel()
        await settled()
        credential.gate.set()
        assert statuses(await asyncio.gather(*others)) == [200] * 3
    asked, again = credential.claims
    assert asked == again is not None


async def test_claims_outlive_a_failed_sign_in() -> None:
    """The token that they were to replace is as useless as before."""
    credential, clock = Credential(), StillClock()
    async with served(echo, credential, clock) as transport:
        transport.renew_token()
        credential.error = SignInError("No.")
        with pytest.raises(SignInError):
            await ask(transport)
        credential.error = None
        await clock.advance(20)
        await ask(transport)
        await clock.advance(90)
        await ask(transport)
    asked, again, later = credential.claims
    assert asked == again is not None
    assert later is None


async def test_what_the_credential_says_comes_through() -> None:
    """A refused sign-in keeps its sentence and hint."""
    async with served(echo, Credential(SignInError("No.", hint="Look."))) as transport:
        with pytest.raises(SignInError):
            await transport.send("GET", f"{transport.base_url}/x", {}, b"")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/users",
        "https://graph.microsoft.com.evil.example/v1.0/users",
        "https://graph.microsoft.com@evil.example/v1.0/users",
        "https://evil@graph.microsoft.com/v1.0/users",
        "http://graph.microsoft.com/v1.0/users",
        "https://graph.microsoft.com:8443/v1.0/users",
        "https://graph.microsoft.com:x/v1.0/users",
        "https://graph.microsoft.com/beta/users",
        "https://graph.microsoft.com/v1.0evil/users",
        "https://graph.microsoft.com/v1.0",
        "//graph.microsoft.com/v1.0/users",
        "ftp://graph.microsoft.com/v1.0/users",
        "users",
        "",
        "https://[::1/v1.0/users",
    ],
)
def test_a_link_to_elsewhere_is_not_followed(link: str) -> None:
    """Our token goes to the configured Graph alone, whatever an answer says."""
    with pytest.raises(MailboxError):
        relative_to(BASE, link)


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (f"{BASE}/users?$skiptoken=a%2Fb", "/users?$skiptoken=a%2Fb"),
        (f"{BASE}/users('x')/contacts/delta()?$deltatoken=1", "/users('x')/contacts/delta()?$deltatoken=1"),
        ("https://GRAPH.microsoft.com:443/v1.0/users", "/users"),
    ],
)
def test_a_link_of_graph_is_followed_to_the_letter(link: str, path: str) -> None:
    """Links are opaque: nothing in them is built anew."""
    assert relative_to(BASE, link) == path


async def test_a_server_that_recycles_connections_loses_nothing() -> None:
    """Each connection ends after seven requests, in the middle of the traffic: every request is answered."""
    served_by: dict[Any, int] = {}

    async def handler(request: web.Request) -> web.Response:
        served_by[request.transport] = served_by.get(request.transport, 0) + 1
        answer = web.Response(body=await request.read())
        if served_by[request.transport] >= 7:
            answer.force_close()
        return answer

    async with served(handler, Credential()) as transport:

        async def ask(number: int) -> Answer | Lost:
            return await transport.send("POST", f"{transport.base_url}/x", {}, b"%d" % number)

        answers = [await asyncio.gather(*(ask(n) for n in range(16))) for _ in range(12)]
    assert all(isinstance(one, Answer) and one.body == b"%d" % n for row in answers for n, one in enumerate(row))
    assert len(served_by) > 16


async def test_an_answer_that_breaks_off_is_lost() -> None:
    """Half a body is no answer, and says nothing of what was done."""

    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b'{"responses":[')
        assert request.transport is not None
        request.transport.abort()
        return answer

    async with served(handler, Credential()) as transport:
        answer = await transport.send("POST", f"{transport.base_url}/x", {}, b"{}")
    assert isinstance(answer, Lost)
    assert answer.sent


async def test_a_server_without_tls_carried_nothing() -> None:
    """A handshake that fails is known to have sent no request."""
    async with served(echo, Credential()) as plain:
        cloud = Cloud("Test", plain.base_url.replace("http:", "https:"), "https://login.example", "https://g.example")
        async with open_transport(cloud, Credential(), StillClock()) as transport:
            answer = await transport.send("POST", f"{transport.base_url}/x", {}, b"{}")
    assert isinstance(answer, Lost)
    assert not answer.sent


async def test_a_packed_answer_is_unpacked() -> None:
    """Whatever form the bytes had on the wire, the body is the JSON."""

    async def handler(request: web.Request) -> web.Response:
        answer = web.Response(body=b'{"a":1}' * 100)
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async with served(handler, Credential()) as transport:
        answer = await transport.send("GET", f"{transport.base_url}/x", {}, b"")
    assert isinstance(answer, Answer)
    assert answer.body == b'{"a":1}' * 100
