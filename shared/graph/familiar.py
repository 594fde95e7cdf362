"""What was read before need not be understood again: the same contact stands in every mailbox of a tenant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.graph.loose import objects, text
from shared.graph.pages import Row
from shared.sync.contact import FIELDS, Contact, normalise
from shared.sync.stamp import SyncId

_MOST: Final = 20_000
_NAMES: Final = frozenset(FIELDS)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row says of the person: the contact, and the names of e-mail slots without an address.

    Exchange keeps a malformed address as such a slot (microsoft-graph-docs-contrib#7966).
    """

    contact: Contact
    unaddressed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    told: Mapping[str, object]  # without what the folder adds
    injected: tuple[str, ...]
    reading: Reading


class Familiar:
    """The contacts of one tenant as they were read last, by SyncId.

    Normalising costs more than all else that is done with a card, and its outcome depends on the row alone: a row that
    tells the same to the letter gives the very contact that was read before, one value for all mailboxes.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Know so many contacts at `most`; those beyond are read as if each were the first."""
        self._most = most
        self._known: dict[SyncId, _Known] = {}

    def read(self, row: Row, sync_id: SyncId | None, injected: tuple[str, ...]) -> Reading:
        """What a row says that bears this marker; `injected` are the categories that its folder may add."""
        if sync_id is None:
            return _read(row, injected)
        told = {name: value for name, value in row.items() if value and name in _NAMES}
        if injected and "categories" in told:
            _leave_out(told, injected)
        known = self._known.get(sync_id)
        if known and known.told == told and known.injected == injected:
            return known.reading
        reading = _read(told, injected)
        if known or len(self._known) < self._most:
            self._known[sync_id] = _Known(told, injected, reading)
        return reading


def _read(row: Row, injected: tuple[str, ...]) -> Reading:
    return Reading(normalise(row, without_categories=injected), _unaddressed(row))


def _unaddressed(row: Row) -> tuple[str, ...]:
    slots = objects(row.get("emailAddresses"))
    names = [text(slot.get("name")) for slot in slots if not text(slot.get("address")).strip()]
    return tuple([name for name in names if name.strip()])


def _leave_out(told: dict[str, object], injected: tuple[str, ...]) -> None:
    """Take the folder's own categories away, or the hub's cards would never be like the spokes'."""
    categories = told["categories"]
    names = {name.casefold() for name in injected}
    if isinstance(categories, list):
        told["categories"] = [one for one in categories if not (isinstance(one, str) and one.casefold() in names)]
        if not told["categories"]:
            del told["categories"]
