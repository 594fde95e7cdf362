"""No request lasts for ever, whatever is at the other end; on loopback, with a clock that is put forward."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.graph.answers import Answer, Lost
from shared.graph.carrier import Carrier
from tests.graph.wires import settled

Skip = Callable[[float], Awaitable[None]]
Manner = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MORE_THAN_ANY_BUFFER = bytes(30_000_000)


@pytest.fixture
async def skip(monkeypatch: pytest.MonkeyPatch) -> Skip:
    """Puts the event loop's clock forward by so many seconds."""
    loop, ahead = asyncio.get_running_loop(), 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)

    async def skip(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        await settled()

    return skip


@asynccontextmanager
async def served(manner: Manner, arrived: asyncio.Event | None = None) -> AsyncIterator[str]:
    """The address of a server that takes a connection in this manner, and holds it until the block ends."""
    over = asyncio.Event()
    serving: list[asyncio.Task[None]] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await manner(reader, writer)
            if arrived:
                arrived.set()
            await over.wait()
        finally:
            writer.transport.abort()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(hold(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            over.set()
            await asyncio.gather(*serving, return_exceptions=True)
            await settled()


@asynccontextmanager
async def carrier(proxy: str = "") -> AsyncIterator[Carrier]:
    """A carrier, closed at the end."""
    made = Carrier(None, proxy)
    try:
        yield made
    finally:
        await made.aclose()


async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Hear what is asked, and say nothing."""
    await reader.readuntil(b"\r\n\r\n")


async def look_away(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Read nothing but what the buffers take."""


def dripping(skip: Skip, drops: int) -> Manner:
    """Answer with so many bytes, one each hundred seconds."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % drops)
        for _ in range(drops):
            await skip(100)
            writer.write(b"x")

    return drip


async def test_a_silent_proxy_is_given_up_and_nothing_left(skip: Skip) -> None:
    """It takes the connection and never says whether it lets us through: safe to send again."""
    arrived = asyncio.Event()
    async with served(listen, arrived) as proxy, carrier(proxy) as ours:
        asking = asyncio.create_task(ours.exchange("POST", "https://graph.example/x", {}, b"{}"))
        await arrived.wait()
        await skip(120)
        assert asking.done()
        assert await asking == Lost("ConnectionTimeoutError", sent=False)


@pytest.mark.filterwarnings("ignore:Sending a large body")  # a smaller one would find room in the buffers
async def test_a_server_that_stops_reading_is_given_up(skip: Skip) -> None:
    """Part of the request is there, so its fate is open."""
    arrived = asyncio.Event()
    async with carrier() as ours, served(look_away, arrived) as url:
        asking = asyncio.create_task(ours.exchange("POST", f"{url}/x", {}, MORE_THAN_ANY_BUFFER))
        await arrived.wait()
        await skip(1000)
        assert asking.done()
        assert await asking == Lost("TimeoutError")


async def test_an_answer_that_drips_is_given_up(skip: Skip) -> None:
    """A byte now and then is no answer, though the connection is never silent for long."""
    async with served(dripping(skip, 20)) as url, carrier() as ours:
        assert await ours.exchange("POST", f"{url}/x", {}, b"{}") == Lost("TimeoutError")


async def test_a_slow_answer_is_waited_for(skip: Skip) -> None:
    """Much data over a slow line takes minutes."""
    async with served(dripping(skip, 5)) as url, carrier() as ours:
        answer = await ours.exchange("POST", f"{url}/x", {}, b"{}")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (200, b"xxxxx")
