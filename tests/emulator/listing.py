"""Pages of lists: by offset, as Outlook has them, shifting under concurrent change."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from tests.emulator.calls import Call
from tests.emulator.replies import BadRequestError, Reply
from tests.emulator.switches import Switches

T = TypeVar("T")
DEFAULT_PAGE: Final = 10
_EMPTY_PAGE_EVERY: Final = 3


def page(call: Call, rows: Sequence[T], show: Callable[[Sequence[T]], list[Any]], switches: Switches) -> Reply:
    """One page of the rows; `show` renders a slice and leaves out what is hidden."""
    size = page_size(call, switches.max_list_page_size)
    offset = whole_number(call, "$skip", 0, 2**31)
    number = whole_number(call, "$skiptoken", 1, 2**31)
    total = min(len(rows), size) if "$top" in call.query and switches.top_limits_total else len(rows)
    empty = switches.list_empty_pages and number % _EMPTY_PAGE_EVERY == 0
    end = offset if empty else offset + size
    body: dict[str, Any] = {"@odata.context": f"{call.base}/$metadata#{call.path[1:]}"}
    if call.query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(rows)
    body["value"] = show(rows[offset : min(end, total)])
    if end < total:
        options = {"skiptoken": str(number + 1)} if switches.list_empty_pages else {}
        body["@odata.nextLink"] = call.link(skip=str(end), **options)
    return Reply(200, body, call.prefer.applied())


def page_size(call: Call, most: int) -> int:
    """How many rows a page holds: by the Prefer header, else $top, else ten."""
    top = whole_number(call, "$top", 0, most)
    return min(call.prefer.page_size or top or DEFAULT_PAGE, most)


def whole_number(call: Call, option: str, default: int, most: int) -> int:
    """The value of a query option; raises a 400 when it is no number between 1 (for $skip 0) and `most`."""
    text = call.query.get(option)
    if text is None:
        return default
    number = int(text) if text.isdecimal() else -1
    if not (0 if option == "$skip" else 1) <= number <= most:
        raise BadRequestError(
            f"The value '{text}' of {option} is invalid. It must be between 1 and {most}.", "ErrorInvalidUrlQuery"
        )
    return number


def order_by(call: Call, rows: list[T], value: Callable[[T, str], Any]) -> list[T]:
    """The rows as $orderby asks for them."""
    for clause in reversed([part.strip() for part in call.query.get("$orderby", "").split(",") if part.strip()]):
        name, _, direction = clause.partition(" ")
        keys = [(str(value(row, name) or "").lower(), at) for at, row in enumerate(rows)]
        rows = [rows[at] for _, at in sorted(keys, reverse=direction.strip().lower() == "desc")]
    return rows
