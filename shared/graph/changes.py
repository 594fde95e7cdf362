"""Reading what changed since a delta link; a quiet mailbox costs one request and no card.

Delta tells neither marker nor Private flag (microsoft-graph-docs#1993), tells our own writes like anybody's, and may
tell a changed item in part. So what bears a change marker that we know is left out, and the rest is read again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.errors import MailboxError
from shared.graph import queries, wire
from shared.graph.calls import Calls, Listing, Round
from shared.graph.failures import Scope, Where, error_for, refuses_delta
from shared.graph.faults import Fault, restarts_round
from shared.graph.observe import Reader, Readings, Sighting, in_order, sort
from shared.graph.pages import Row
from shared.ports import Known
from shared.sync.replica import Changes, Replica

_MOST_BY_ID: Final = 50
_MOST_IN_PART: Final = 200
_MAYBE_THE_LINKS: Final = ("FolderGone", "GraphError")
"""Codes of answers that may be about the link alone: a whole reading finds out."""


class Follower:
    """Follows the delta links of one tenant's replicas."""

    def __init__(self, calls: Calls, reader: Reader) -> None:
        """`reader` reads what a round does not tell."""
        self._calls = calls
        self._reader = reader

    async def changes(
        self, replica: Replica, delta_link: str, known: Known, injected: tuple[str, ...]
    ) -> Changes | None:
        """What changed since the link; None if it cannot be told. Raises `MailboxError` or `TenantError`."""
        told = await self._follow(replica, delta_link, known)
        if told is None:
            return None
        read = await self._read(replica, told.rows, self._reader.home(replica, injected))
        if read is None or read.refused:
            # Left out, a card counts as unchanged, and the link leads past it.
            return None
        removed = tuple(sorted({*told.removed, *read.gone}))
        return Changes(replica, in_order(read.items), removed, told.delta_link, told.dropped)

    async def _follow(self, replica: Replica, delta_link: str, known: Known) -> Round | None:
        """The round, read to its end, without echoes; None if the link has expired, at whatever page, or is nonsense.

        Echoes go page by page: after a first run everything that it wrote comes back.
        """
        where = Where(Scope.FOLDER, replica.is_hub)
        listing = Listing(replica.mailbox, delta_link, queries.prefer(queries.DELTA_PAGE), delta=True)

        async def echoes(page: Mapping[str, Row]) -> list[str]:
            markers = await known(tuple(page))
            return [item_id for item_id, row in page.items() if _is_echo(row, markers.get(item_id))]

        try:
            outcome = await self._calls.try_follow(listing, where, echoes)
        except MailboxError:
            # A link to elsewhere, or pages without sense: a whole reading asks anew and fails by itself if it must.
            return None
        if isinstance(outcome, Fault):
            _raise_unless_expired(outcome, where)
            return None
        return outcome

    async def _read(self, replica: Replica, news: Mapping[str, Row], home: wire.Home) -> Readings | None:
        """The cards of these rows with their flags; None if reading everything is the better way."""
        if len(news) <= _MOST_BY_ID:
            return await self._reader.read_all(replica, news.keys(), home)
        if sum(not wire.is_complete(row) for row in news.values()) > _MOST_IN_PART:
            return None
        return await self._read_many(replica, news, home)

    async def _read_many(self, replica: Replica, news: Mapping[str, Row], home: wire.Home) -> Readings:
        whole = {item_id: row for item_id, row in news.items() if wire.is_complete(row)}
        flags = await self._reader.flags(replica)
        known, doubtful = sort(Sighting(whole, flags, news.keys() - whole.keys()), home)
        read = await self._reader.read_all(replica, doubtful, home)
        return replace(read, items=(*known, *read.items))


def _is_echo(row: Row, marker: str | None) -> bool:
    return bool(marker) and wire.change_marker(row) == marker


def _raise_unless_expired(fault: Fault, where: Where) -> None:
    """Raise what the fault means, unless it may be about the link alone."""
    if restarts_round(fault) or refuses_delta(fault):
        return
    error = error_for(fault, where)
    if error.code not in _MAYBE_THE_LINKS:
        raise error
