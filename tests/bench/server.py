"""The Microsoft 365 that is measured against: the emulator in a process of its own, so that its CPU is not ours.

It takes its time for every request, holds the limits of throttling and batching, and counts what it is asked.
"""

import gc
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from aiohttp import web

from shared.graph.wire import MARKER
from tests.bench.people import mirrored, person
from tests.emulator import EmulatorThread, Mailbox, RequestRecord, Switches, Tenant

DOMAIN: Final = "contoso.example"
HUB: Final = f"addressbook@{DOMAIN}"
HUB_FOLDER: Final = "All Contacts"
_HOUR: Final = 3600
_START_SECONDS: Final = 30
_ANSWER_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast this Microsoft 365 is: seconds for each request, and how many of a batch are carried out at a time."""

    latency_seconds: float = 0.05
    batch_concurrency: int = 4


@dataclass(frozen=True, slots=True)
class Company:
    """So many mailboxes beside the shared one, and so many contacts, dealt out to them in turn."""

    mailboxes: int
    contacts: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server was asked since the last `begin`, `writes` that it carried out; times are seconds since 1970.

    `spoke_creates_seconds` is from the first create in a spoke's mailbox until the last was answered.
    """

    http_requests: int = 0
    sub_requests: int = 0
    reads: int = 0
    writes: int = 0
    creates: int = 0
    spoke_creates: int = 0
    throttled: int = 0
    transferred_bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    spoke_creates_seconds: float = 0.0

    @property
    def spoke_creates_per_second(self) -> float:
        """How many contacts a second were created in the spokes."""
        return self.spoke_creates / (self.spoke_creates_seconds or 1.0)


class MeteredEmulator(EmulatorThread):
    """An emulator that knows how many bytes of bodies went in and out."""

    transferred_bytes = 0

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await super()._serve(request)
        self.transferred_bytes += (request.content_length or 0) + (response.content_length or 0)
        return response


class Stage:
    """What the benchmark can ask of its server; each method runs in the server's process."""

    def __init__(self, emulator: MeteredEmulator) -> None:
        self._emulator = emulator
        self._tenant: Tenant | None = None
        self._edits = 0

    @property
    def _company(self) -> Tenant:
        assert self._tenant is not None
        return self._tenant

    def furnish(self, company: Company, pace: Pace) -> dict[str, str]:
        """Begin anew with this company; gives the environment of a process that works with it.

        People's cards are an hour old: Exchange changes young ones by itself, now and then just as they are written.
        """
        self._emulator.reset()
        switches = self._emulator.switches
        switches.service_seconds, switches.batch_concurrency = pace.latency_seconds, pace.batch_concurrency
        self._tenant = tenant = self._emulator.add_tenant(domain=DOMAIN)
        tenant.add_shared_mailbox(HUB)
        for number in range(company.mailboxes):
            tenant.add_user(_user(number))
        for number in range(company.contacts):
            tenant.mailbox(_user(number % company.mailboxes)).add_contact(person(number))
        self.pass_an_hour()
        return self._emulator.environment()

    def furnish_mirrored(self, company: Company, pace: Pace) -> dict[str, str]:
        """Begin anew with a company whose mailboxes all hold all contacts already, marked as the mirror marks them."""
        environment = self.furnish(Company(company.mailboxes, 0), pace)
        self._company.mailbox(HUB).add_folder(HUB_FOLDER)
        for number in range(company.contacts):
            card, marker = mirrored(number)
            for box in self._company.mailboxes():
                folder = HUB_FOLDER if box is self._company.mailbox(HUB) else None
                box.add_contact(card, folder=folder, extended={MARKER: marker})
        self.pass_an_hour()
        return environment

    def edit(self, count: int) -> None:
        """Let people edit so many different contacts, each in another mailbox as far as there are enough."""
        boxes = [box for box in self._company.mailboxes() if box is not self._company.mailbox(HUB)]
        for number in range(count):
            box = boxes[number % len(boxes)]
            item = list(box.storage.default.items.values())[number]
            self._edits += 1
            box.edit_contact(item.immutable_id, {"mobilePhone": f"+49 171 {self._edits:07}"})

    def pass_an_hour(self) -> None:
        """Let an hour pass at the server: what was throttled is free, what Exchange does by itself has happened."""
        self._emulator.clock.advance(_HOUR)

    def begin(self) -> None:
        """Count from here."""
        gc.collect()
        self._emulator.log.clear()
        self._emulator.transferred_bytes = 0

    def usage(self) -> Usage:
        """What was asked since `begin`."""
        records = [record for record in self._emulator.log if record.service == "graph"]
        if not records:
            return Usage()
        asked = [record for record in records if not record.path.endswith("/$batch")]
        creates = [record for record in asked if record.method == "POST" and record.path.endswith("/contacts")]
        spokes = [record for record in creates if record.mailbox != HUB]
        return Usage(
            http_requests=sum(not record.batched for record in records),
            sub_requests=len(asked),
            reads=sum(record.method == "GET" for record in asked),
            writes=sum(record.is_write and record.status < 400 for record in asked),
            creates=len(creates),
            spoke_creates=len(spokes),
            throttled=sum(record.status == 429 for record in asked),
            transferred_bytes=self._emulator.transferred_bytes,
            first_at=self._unadvanced(records[0]),
            last_at=self._unadvanced(records[-1]) + self._emulator.switches.service_seconds,
            spoke_creates_seconds=self._duration(spokes),
        )

    def cards(self) -> list[int]:
        """How many cards each mailbox holds, the hub's folder first; all equal once the mirror has done its work."""
        hub = self._company.mailbox(HUB)
        return [_count(hub, HUB_FOLDER), *(_count(box, None) for box in self._company.mailboxes() if box is not hub)]

    def _unadvanced(self, record: RequestRecord) -> float:
        clock = self._emulator.clock
        return record.at.timestamp() - (clock.monotonic() - type(clock)().monotonic())

    def _duration(self, records: list[RequestRecord]) -> float:
        if not records:
            return 0.0
        span = records[-1].at.timestamp() - records[0].at.timestamp()
        return span + self._emulator.switches.service_seconds


def _user(number: int) -> str:
    return f"user{number:04}@{DOMAIN}"


def _count(box: Mailbox, folder: str | None) -> int:
    if folder is not None and folder not in {one.name for one in box.folders}:
        return 0
    return len(box.contacts(folder))


class Server:
    """A running server; every method of `Stage` can be called on it."""

    def __init__(self, connection: Connection) -> None:
        """`connection` leads to the process that serves."""
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._connection.send((name, arguments))
            if not self._connection.poll(_ANSWER_SECONDS):
                raise TimeoutError(name)
            return self._connection.recv()

        return call


@contextmanager
def serving() -> Iterator[Any]:
    """A server in a process of its own for as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_SECONDS):
            raise TimeoutError("the server did not start")
        ours.recv()
        yield Server(ours)
    finally:
        ours.close()
        process.join(timeout=_START_SECONDS)
        process.terminate()


def _serve(connection: Connection) -> None:
    gc.disable()  # Until the next `begin`: what looks for garbage here for a third of a second would pass for Graph.
    with MeteredEmulator(switches=Switches()) as emulator:
        stage = Stage(emulator)
        connection.send("serving")
        while True:
            try:
                name, arguments = connection.recv()
            except EOFError:
                return
            connection.send(getattr(stage, name)(*arguments))
