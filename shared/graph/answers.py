"""What came back from Graph, as values: an answer of any status, or the knowledge that none came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

_DECODER = msgspec.json.Decoder()
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class UnreadableBodyError(ValueError):
    """A body is not the JSON that it should be; says nothing of its content."""


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; headers are asked for by their names in lower case.

    `whole_batch` says that the batch as a whole was answered so, and none of its parts for itself. There is one for
    each request, so it is made by msgspec, several times as fast as a dataclass.
    """

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    whole_batch: bool = False

    def __repr__(self) -> str:
        """Without headers and body, which may hold what is nobody's business."""
        return f"Answer(status={self.status}, whole_batch={self.whole_batch})"

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came; `sent` is false only when the request surely never left."""

    reason: str
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A write that may or may not have happened: what is there is looked at before it is sent again.

    `first_sent` (seconds) and `number` tell how long and how often it was tried; with `final` it was often enough.
    """

    cause: Answer | Lost
    first_sent: float | None = None
    number: int = 1
    final: bool = False


def decode(body: bytes) -> object:
    """The JSON value in `body`; raises `UnreadableBodyError`.

    Exchange stores UTF-16, so half a surrogate pair can reach us as an escape that msgspec refuses. Such a text is
    read all the same, with U+FFFD in that place, lest one odd card hide the rest of its page.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_mended(body)


def _decode_mended(body: bytes) -> object:
    try:
        return _mended(json.loads(body.decode("utf-8", "replace")))
    except (ValueError, RecursionError) as error:
        message = "not JSON"
        raise UnreadableBodyError(message) from error


def _mended(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case list():
            return [_mended(member) for member in value]
        case dict():
            return {_mended(name): _mended(member) for name, member in value.items()}
        case _:
            return value


def decode_object(body: bytes) -> Mapping[str, object]:
    """The JSON object in `body`; raises `UnreadableBodyError` for anything else."""
    value = decode(body)
    if not isinstance(value, dict):
        message = "not a JSON object"
        raise UnreadableBodyError(message)
    return value
