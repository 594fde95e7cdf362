"""Graph's error answers, read tolerantly: bodies may be empty, HTML or nested, and codes come in any case.

See microsoft-graph-docs, concepts/errors.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.graph.answers import Answer, Lost, UnreadableBodyError, decode

_WORD: Final = re.compile(r"[^0-9A-Za-z_.\-]")
_DEEPEST: Final = 8
NO_ANSWER: Final = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer: status (0 when none came), codes from the outermost inwards and message, in lower case."""

    status: int
    codes: tuple[str, ...] = ()
    message: str = ""
    shown_code: str = ""
    request_id: str = ""
    whole_batch: bool = False

    def has(self, *codes: str) -> bool:
        """Whether one of these codes (lower case) is among the fault's."""
        return any(code in self.codes for code in codes)

    def says(self, *phrases: str) -> bool:
        """Whether the message holds one of these phrases (lower case)."""
        return any(phrase in self.message for phrase in phrases)

    def trace(self) -> str:
        """Status, code and request id, for the end of a message."""
        parts = [str(self.status) if self.status else "no answer", self.shown_code]
        text = " ".join(part for part in parts if part)
        return f"{text}, request-id {self.request_id}" if self.request_id else text


def fault_of(answer: Answer | Lost) -> Fault:
    """Read an error answer; whatever its body, this succeeds."""
    if isinstance(answer, Lost):
        return Fault(NO_ANSWER, shown_code=_word(answer.reason))
    errors = _chain(_error_object(answer.body))
    codes = [code for code in (error.get("code") for error in errors) if isinstance(code, str) and code]
    message = errors[0].get("message") if errors else ""
    return Fault(
        status=answer.status,
        codes=tuple(code.lower() for code in codes),
        message=message.lower() if isinstance(message, str) else "",
        shown_code=_word(codes[0]) if codes else "",
        request_id=_request_id(answer.headers, errors),
        whole_batch=answer.whole_batch,
    )


def _word(text: str) -> str:
    return _WORD.sub("", text)[:64]


def _error_object(body: bytes) -> Mapping[str, object]:
    try:
        value = decode(body) if body else None
    except UnreadableBodyError:
        return {}
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _chain(error: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The error and those nested in it, spelt innerError or innererror."""
    chain: list[Mapping[str, object]] = []
    while error and len(chain) < _DEEPEST:
        chain.append(error)
        inner = error.get("innerError", error.get("innererror"))
        error = inner if isinstance(inner, dict) else {}
    return chain


def _request_id(headers: Mapping[str, str], errors: list[Mapping[str, object]]) -> str:
    named = [headers.get("request-id")]
    named += [error.get(key) for error in errors for key in ("request-id", "requestId")]  # type: ignore[misc]
    return next((_word(value) for value in named if isinstance(value, str) and value), "")


_RESTART_CODES: Final = ("syncstatenotfound", "syncstateinvalid", "resyncrequired", "directory_expiredpagetoken")


def restarts_round(fault: Fault) -> bool:
    """Whether a round's link has expired, so that the round begins anew (microsoft-graph-docs#2350, #2877)."""
    if fault.status == 410 or fault.has(*_RESTART_CODES):
        return True
    return fault.status == 400 and fault.says("parameter 'deltatoken' not supported", "parameter 'skiptoken' not")
