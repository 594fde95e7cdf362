"""Errands, calls and answers as JSON: the queue's message, and what a host keeps in its history."""

from typing import Final

import msgspec

from shared.shards.errand import Errand
from shared.shards.workflow import Call, Done

SHARDS_QUEUE: Final = "contacts-mirror-shards"
"""The Storage queue that runs take which go on in shards."""

_encode: Final = msgspec.json.Encoder().encode
_errands: Final = msgspec.json.Decoder(list[Errand])
_errand: Final = msgspec.json.Decoder(Errand)
_call: Final = msgspec.json.Decoder(Call)
_done: Final = msgspec.json.Decoder(Done)


def write(value: list[Errand] | Errand | Call | Done) -> str:
    """A value as text."""
    return _encode(value).decode()


def read_errands(raw: bytes) -> list[Errand] | None:
    """The runs that a message stands for; None for a message that is not one of ours."""
    try:
        return _errands.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read_errand(text: str) -> Errand:
    """An errand from text."""
    return _errand.decode(text)


def read_call(text: str) -> Call:
    """A call from text."""
    return _call.decode(text)


def read_done(text: str) -> Done:
    """An answer from text."""
    return _done.decode(text)
