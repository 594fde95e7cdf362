"""What was read before need not be understood again: the same contact stands in every mailbox of a tenant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.graph.pages import Row
from shared.sync.contact import FIELDS, Contact, normalise
from shared.sync.stamp import SyncId

_MOST: Final = 20_000
_NAMES: Final = frozenset(FIELDS)


@dataclass(frozen=True, slots=True)
class _Reading:
    told: Mapping[str, object]  # without what the folder adds
    injected: tuple[str, ...]
    contact: Contact


class Familiar:
    """The contacts of one tenant as they were read last, by SyncId.

    Normalising costs more than all else that is done with a card, and its outcome depends on the row alone: a row that
    tells the same to the letter gives the very contact that was read before, one value for all mailboxes.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Know so many contacts at `most`; those beyond are read as if each were the first."""
        self._most = most
        self._readings: dict[SyncId, _Reading] = {}

    def contact(self, row: Row, sync_id: SyncId | None, injected: tuple[str, ...]) -> Contact:
        """The contact in a row, which bears this marker; `injected` are the categories that its folder may add."""
        if sync_id is None:
            return normalise(row, without_categories=injected)
        told = {name: value for name, value in row.items() if value and name in _NAMES}
        if injected and "categories" in told:
            _leave_out(told, injected)
        known = self._readings.get(sync_id)
        if known and known.told == told and known.injected == injected:
            return known.contact
        reading = _Reading(told, injected, normalise(told, without_categories=injected))
        if known or len(self._readings) < self._most:
            self._readings[sync_id] = reading
        return reading.contact


def _leave_out(told: dict[str, object], injected: tuple[str, ...]) -> None:
    """Take the folder's own categories away, or the hub's cards would never be like the spokes'."""
    categories = told["categories"]
    names = {name.casefold() for name in injected}
    if isinstance(categories, list):
        told["categories"] = [one for one in categories if not (isinstance(one, str) and one.casefold() in names)]
        if not told["categories"]:
            del told["categories"]
