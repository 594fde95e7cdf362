"""Answers and errors in Graph's envelope."""

import uuid
from dataclasses import dataclass, field

from tests.emulator.clock import EmulatorClock, stamp
from tests.emulator.switches import Switches

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"


@dataclass(slots=True)
class Reply:
    """One answer; `body` is a JSON value, bytes to be sent as they are, or None for an empty body."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


class GraphError(Exception):
    """An answer that is an error; raised by a handler, turned into a `Reply` at one place."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class DropConnectionError(Exception):
    """The connection ends here, without an answer."""


class BadRequestError(GraphError):
    """A 400 in Graph's plainest form."""

    def __init__(self, message: str, code: str = "BadRequest") -> None:
        super().__init__(400, code, message)


class ErrorWriter:
    """Writes error envelopes the way the switches say."""

    def __init__(self, clock: EmulatorClock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches

    def reply(self, error: GraphError, client_request_id: str = "") -> Reply:
        """The error as an answer."""
        request_id = str(uuid.uuid4())
        code = error.code
        if self._switches.camel_case_error_codes:
            code = code[:1].lower() + code[1:]
        inner = {
            "date": stamp(self._clock.now())[:19],
            "request-id": request_id,
            "client-request-id": client_request_id or request_id,
        }
        body = {"error": {"code": code, "message": error.message, self._switches.inner_error_name: inner}}
        return Reply(error.status, body, dict(error.headers))
