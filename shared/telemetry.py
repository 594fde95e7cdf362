"""Log lines that a portal's log stream shows and a query parses: one JSON object a line, with a fixed `event` name.

The Functions host forwards nothing of a record but its level and text, so the fields travel in the text and never in
`extra`. Fields are ids, counts and codes: whatever looks like an address is masked all the same.
"""

import json
import logging

Field = str | int | float | bool | None

# Each logs URLs with user ids, or tokens' details, at INFO, which is the root logger's level in the Functions worker.
_LIBRARIES = (
    "aiohttp",
    "asyncio",
    "azure",
    "httpcore",
    "httpx",
    "kiota_abstractions",
    "kiota_http",
    "msal",
    "msgraph",
    "msgraph_core",
    "opentelemetry",
    "urllib3",
)
_MASK = "***"


def quiet_libraries() -> None:
    """Let the libraries speak only of what went wrong."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_event(logger: logging.Logger, level: int, event: str, **fields: Field) -> None:
    """Log one line: a JSON object with `event` first, then the fields in the order given."""
    if logger.isEnabledFor(level):
        masked = {name: _masked(value) for name, value in fields.items()}
        logger.log(level, "%s", json.dumps({"event": event} | masked))


def _masked(value: Field) -> Field:
    if not isinstance(value, str) or "@" not in value:
        return value
    return " ".join(_MASK if "@" in word else word for word in value.split(" "))
