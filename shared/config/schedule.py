"""NCRONTAB, the timer's expression: six fields, seconds first.

Azure Functions takes the expression at start-up and lets a broken one fail the whole app, so it is checked here.
Source: learn.microsoft.com/azure/azure-functions/functions-bindings-timer, "NCRONTAB expressions".
"""

import re
from dataclasses import dataclass

from shared.config.values import BadValueError, shown, text

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_ITEM = re.compile(r"(?P<first>\*|\w{1,9})(-(?P<last>\w{1,9}))?(/(?P<step>\d{1,4}))?")
_EXAMPLE = '"0 0 * * * *" is every hour'


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, word: str) -> int | None:
        """The value of a number or of a month's or day's name, None when it is neither."""
        if word.isascii() and word.isdigit():
            return int(word) if self.low <= int(word) <= self.high else None
        for position, name in enumerate(self.names):
            if len(word) >= 3 and name.startswith(word.casefold()):
                return self.low + position
        return None

    def takes(self, item: str) -> bool:
        """Whether one part between commas is a value, a range, a star, or a step through one of these."""
        match = _ITEM.fullmatch(item)
        if match is None or (match["step"] is not None and int(match["step"]) == 0):
            return False
        if match["first"] == "*":
            return match["last"] is None
        return all(self.number(word) is not None for word in (match["first"], match["last"]) if word is not None)


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS)),
    _Field("day of the week", 0, 6, tuple(_DAYS)),
)


def schedule(value: object) -> str:
    """The expression with single blanks between its fields; raises `BadValueError`."""
    parts = text(value).split()
    if len(parts) == 5:
        raise BadValueError(f"must have six fields: put the second in front, {_EXAMPLE}")
    if len(parts) != 6:
        raise BadValueError(f"must have six fields from second to day of the week, not {len(parts)}: {_EXAMPLE}")
    for field, part in zip(_FIELDS, parts, strict=True):
        if not all(field.takes(item) for item in part.split(",")):
            raise BadValueError(f"has {shown(part)} where the {field.name} belongs: {_EXAMPLE}")
    return " ".join(parts)
