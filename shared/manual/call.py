"""A call over HTTP and its answer, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlsplit

from shared.errors import ConfigurationError, MirrorError

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

# Reports name people, so nobody on the way keeps them; a page loads nothing, runs nothing, and is shown in no frame.
_ALWAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
SOON: Final = 15
"""Seconds after which a run that has not ended is worth asking about again: how often the host looks at its queue."""
LATER: Final = 60
"""Seconds after which a refusal may have become untrue: a lease's life."""


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked: the address with everything in it, the body, what the caller would like to get."""

    url: str
    body: bytes = b""
    accept: str = ""
    query: Mapping[str, str] = field(default_factory=lambda: _NONE)
    run_id: str = ""

    def url_of(self, run_id: str = "") -> str:
        """The address of a run, or of all of them, on the host that was called; never with the caller's key in it."""
        parts = urlsplit(self.url)
        prefix = parts.path.rsplit("/", 1)[0]
        return f"{parts.scheme}://{parts.netloc}{prefix}/runs" + (f"/{quote(run_id, safe='')}" if run_id else "")

    @property
    def wants_page(self) -> bool:
        """Whether a page is preferred to JSON, as a browser does; JSON is for everybody who does not say."""
        wishes = _wishes(self.accept)
        return wishes.get("text/html", 0) > wishes.get("application/json", 0)


def _wishes(accept: str) -> Mapping[str, float]:
    """The media types of an Accept header with their weights (RFC 9110, 12.5.1)."""
    found = {}
    for one in accept.lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        weights = [text.removeprefix("q=") for text in parameters if text.startswith("q=")]
        found[name] = _number(weights[0]) if weights else 1
    return found


def _number(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP: a JSON document or a page; and the queue message that goes with it, if any."""

    status: int
    body: Mapping[str, Any] | str
    message: str | None = None
    extra_headers: Mapping[str, str] = field(default_factory=lambda: _NONE)

    @property
    def headers(self) -> dict[str, str]:
        """All headers but the content's type."""
        return {**_ALWAYS, **self.extra_headers}

    @property
    def content_type(self) -> str:
        """What the content is."""
        return "text/html" if isinstance(self.body, str) else "application/json"

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
        return text.encode("utf-8", "replace")


def retry_after(seconds: int) -> dict[str, str]:
    """The header that says when to ask again."""
    return {"Retry-After": str(seconds)}


def refusal(status: int, sentence: str, **more: object) -> Answer:
    """An answer that says in one sentence why not."""
    return Answer(status, {"error": sentence, **more})


def unavailable(error: MirrorError) -> Answer:
    """503: settings, vault or state cannot be used; with all that is wrong."""
    what = "configuration" if isinstance(error, ConfigurationError) else "state"
    sentence = f"The {what} cannot be used: nothing was begun."
    return Answer(503, {"error": sentence, "problems": problems(error)}, extra_headers=retry_after(LATER))


def problems(error: MirrorError) -> list[str]:
    """All that is wrong, a sentence each, and what to do about it last."""
    sentences = error.sentences if isinstance(error, ConfigurationError) else (error.message,)
    return [*sentences, error.hint] if error.hint else list(sentences)
