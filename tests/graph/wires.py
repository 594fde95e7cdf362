"""A wire that answers by a function, and a clock that stands still until a test lets time pass."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.graph.answers import Answer, Lost
from shared.graph.batch import SubRequest

Entry = dict[str, Any]
Handler = Callable[[list[Entry]], Answer | Lost]


def sub(mailbox: str, path: str = "", method: str = "GET") -> SubRequest:
    """A request of a batch."""
    return SubRequest(mailbox, method, f"/{mailbox}/{path}")


def reply(entries: list[Entry], **replies: tuple[int, Mapping[str, str]]) -> Answer:
    """A batch's answer: for each mailbox its status and headers, else 200; the body tells the URL."""
    responses = []
    for entry in entries:
        status, headers = replies.get(mailbox_of(entry), (200, {}))
        responses.append({"id": entry["id"], "status": status, "headers": headers, "body": {"url": entry["url"]}})
    return Answer(200, {}, json.dumps({"responses": responses}).encode())


def mailbox_of(entry: Entry) -> str:
    """The mailbox that a request of a batch is about."""
    return str(entry["url"].split("/")[1])


@dataclass
class ScriptedWire:
    """Answers each batch with `handler`; with a `gate` only once that is set."""

    handler: Handler = reply
    base_url: str = "https://graph.example/v1.0"
    gate: asyncio.Event | None = None
    batches: list[list[Entry]] = field(default_factory=list)
    renewed: int = 0
    out: int = 0
    most_out: int = 0

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Record the batch and answer it."""
        assert (method, url) == ("POST", f"{self.base_url}/$batch")
        entries = json.loads(body)["requests"]
        self.batches.append(entries)
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        await (self.gate.wait() if self.gate else asyncio.sleep(0))
        self.out -= 1
        return self.handler(entries)

    async def answer_all(self) -> None:
        """Answer all that is out, and hold what comes then."""
        gate, self.gate = self.gate, asyncio.Event()
        if gate:
            gate.set()
        await settled()

    def renew_token(self) -> None:
        """Count."""
        self.renewed += 1

    @property
    def urls(self) -> list[list[str]]:
        """What was asked, batch by batch."""
        return [[entry["url"] for entry in batch] for batch in self.batches]


class StillClock:
    """Time passes only when a test says so; those who sleep until then wake in order."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.naps = 0

    def now(self) -> datetime:
        """The time now, UTC."""
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until a test has advanced so far."""
        self.naps += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if seconds <= 0:
            future.set_result(None)
        self.sleepers.append((self.seconds + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass, and all who wake do what they do."""
        await settled()
        self.seconds += seconds
        due = [future for until, future in self.sleepers if until <= self.seconds]
        self.sleepers = [(until, future) for until, future in self.sleepers if until > self.seconds]
        for future in due:
            if not future.done():
                future.set_result(None)
        await settled()


async def settled() -> None:
    """Let everything that can run do so."""
    for _ in range(50):
        await asyncio.sleep(0)
