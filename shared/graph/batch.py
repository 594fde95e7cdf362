"""The form of a `$batch`: requests packed into one body, its answer taken apart. Pure.

At most 20 requests, URLs relative to the version root, headers inside each (microsoft-graph-docs,
concepts/json-batching.md). Answers come in any order, and not always all of them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from shared.graph.answers import NO_HEADERS, Answer, Lost, UnreadableBodyError, decode

LARGEST_BATCH: Final = 20
LARGEST_BODY_BYTES: Final = 3_500_000
_FRAME_BYTES: Final = 200
_LONGEST_HEADER: Final = 512
_TOLD: Final = (str, int, float)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class SubRequest(msgspec.Struct, frozen=True):
    """One request of a batch. `mailbox` is what limits are counted by, `path` begins with "/" and is URL-encoded.

    `answer_bytes` says about how long an answer is to be expected, so that memory stays bounded.
    """

    mailbox: str
    method: str
    path: str
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    answer_bytes: int = 4_000

    def __repr__(self) -> str:
        """Without path and body, which may hold what is nobody's business."""
        return f"SubRequest(mailbox={self.mailbox!r}, method={self.method!r})"

    @property
    def size(self) -> int:
        """About how many bytes it adds to a batch."""
        return _FRAME_BYTES + len(self.path) + len(self.body)


@dataclass(slots=True)
class Room:
    """How much more a batch takes; it shrinks with each request that goes in."""

    requests: int = LARGEST_BATCH
    bytes: int = LARGEST_BODY_BYTES
    answer_bytes: int = 16_000_000

    def fits(self, request: SubRequest) -> bool:
        """Whether the request still fits; the first always does."""
        if self.requests == LARGEST_BATCH:
            return True
        return self.requests > 0 and request.size <= self.bytes and request.answer_bytes <= self.answer_bytes

    def take(self, request: SubRequest) -> None:
        """Put the request in."""
        self.requests -= 1
        self.bytes -= request.size
        self.answer_bytes -= request.answer_bytes


def encode(requests: Sequence[SubRequest]) -> bytes:
    """The body to post; a request's id is its place, counted from 1."""
    return _ENCODER.encode({"requests": [_entry(number, request) for number, request in enumerate(requests, start=1)]})


def _entry(number: int, request: SubRequest) -> dict[str, object]:
    entry: dict[str, object] = {"id": str(number), "method": request.method, "url": request.path}
    if request.body:
        entry["body"] = msgspec.Raw(request.body)
        entry["headers"] = {**request.headers, "Content-Type": "application/json"}
    elif request.headers:
        entry["headers"] = {**request.headers}
    return entry


class _Response(msgspec.Struct):
    id: str | int
    status: int
    headers: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()


class _Responses(msgspec.Struct):
    responses: list[_Response]


class _Parts(msgspec.Struct):
    responses: list[msgspec.Raw]


_ENCODER: Final = msgspec.json.Encoder()
_WHOLE: Final = msgspec.json.Decoder(_Responses)
_PARTS: Final = msgspec.json.Decoder(_Parts)
_PART: Final = msgspec.json.Decoder(_Response)
_PLACES: Final = {str(number): number for number in range(1, LARGEST_BATCH + 1)}


def take_apart(body: bytes, count: int) -> list[Answer | Lost]:
    """The answers to a batch of `count` requests in their order; one that is missing or unreadable is `Lost`.

    Raises `UnreadableBodyError` if the whole is not a batch's answer.
    """
    answers: list[Answer | Lost] = [Lost("MissingInBatch")] * count
    for response in _responses(body):
        number = _PLACES.get(str(response.id), 0)
        if 1 <= number <= count:
            answers[number - 1] = _answer(response)
    return answers


def _responses(body: bytes) -> list[_Response]:
    try:
        return _WHOLE.decode(body).responses
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [response for part in _parts(body) if (response := _response(part))]


def _parts(body: bytes) -> list[msgspec.Raw]:
    """The answers one by one: one that is odd must not hide nineteen others."""
    try:
        return _PARTS.decode(body).responses
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _mended_parts(body)


def _mended_parts(body: bytes) -> list[msgspec.Raw]:
    """The same through the tolerant decoder."""
    value = decode(body)
    responses = value.get("responses") if isinstance(value, dict) else None
    if not isinstance(responses, list):
        message = "not the answer to a batch"
        raise UnreadableBodyError(message)
    return [msgspec.Raw(msgspec.json.encode(response)) for response in responses]


def _response(raw: msgspec.Raw) -> _Response | None:
    try:
        return _PART.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _answer(response: _Response) -> Answer:
    """The answer; the headers of a success say nothing that anybody asks for, and there are many successes."""
    headers = NO_HEADERS if 200 <= response.status < 300 else _headers(response.headers)
    return Answer(response.status, headers, bytes(response.body))


def _headers(raw: msgspec.Raw) -> Mapping[str, str]:
    """The headers so far as they are readable."""
    try:
        told = decode(bytes(raw))
    except UnreadableBodyError:
        return NO_HEADERS
    if not isinstance(told, dict):
        return NO_HEADERS
    return {_lower(name): _one_line(str(value)) for name, value in told.items() if isinstance(value, _TOLD)}


@lru_cache(maxsize=256)  # all answers bear the same few
def _lower(name: str) -> str:
    return name.lower()


def _one_line(value: str) -> str:
    """The value as one line, and not a long one."""
    return (value if value.isprintable() else _CONTROL.sub("", value))[:_LONGEST_HEADER]
