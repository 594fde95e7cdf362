"""MAPI properties by id, as single-value extended properties carry them."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from tests.emulator.replies import BadRequestError

SENSITIVITY: Final = "Integer 0x36"
PRIVATE: Final = "Boolean {00062008-0000-0000-c000-000000000046} Id 0x8506"
MESSAGE_CLASS: Final = "String 0x1a"
_TYPES: Final = "String|Integer|Short|Long|Boolean|SystemTime|Binary|Double|Float|Currency|CLSID|ApplicationTime"
_NAMED: Final = re.compile(
    rf"({_TYPES}) (\{{[0-9a-f-]{{36}}\}}) (Name (?=\S)|Id (?=0x[0-9a-f]{{1,8}}\Z))(.+)\Z", re.IGNORECASE
)
_TAGGED: Final = re.compile(rf"({_TYPES}) (0x[0-9a-f]{{1,8}})\Z", re.IGNORECASE)


@lru_cache(maxsize=1024)
def property_id(text: str) -> str:
    """The id as Exchange gives it back: GUID and number in lower case, a name as it was written.

    Raises:
        BadRequestError: when it has none of the documented forms.
    """
    if match := _TAGGED.match(text):
        return f"{_type(match[1])} 0x{int(match[2], 16):x}"
    if match := _NAMED.match(text):
        kind = match[3].strip().capitalize()
        last = f"0x{int(match[4], 16):x}" if kind == "Id" else match[4]
        return f"{_type(match[1])} {match[2].lower()} {kind} {last}"
    raise BadRequestError(f"The property ID '{text}' is invalid.", "ErrorInvalidArgument")


def _type(text: str) -> str:
    return next(known for known in _TYPES.split("|") if known.lower() == text.lower())


def read_properties(body: Mapping[str, Any]) -> dict[str, str]:
    """The extended properties that a body sets, by id; an empty value removes the property."""
    entries = body.get("singleValueExtendedProperties") or ()
    return {property_id(entry.get("id") or ""): entry.get("value") or "" for entry in entries}


def show_properties(extended: Mapping[str, str], wanted: Iterable[str]) -> list[dict[str, str]]:
    """Those of the wanted properties that are there, as an answer holds them."""
    return [{"id": name, "value": extended[name]} for name in wanted if name in extended]
