"""Reading a replica whole: a delta round for the cards, and beside it a list for the flags that delta cannot show.

Extended properties cannot be had with delta (microsoft-graph-docs#1993), so marker and Private flag come from an
expanded list. What the list missed, or what was saved in between, is read by id; nothing is given before every card's
flag is known.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import ItemGoneError, MailboxError
from shared.graph import queries, wire
from shared.graph.calls import Calls, Listing, both, each, wanted
from shared.graph.failures import Scope, Where, error_for, refuses_delta
from shared.graph.faults import Fault
from shared.graph.pages import Row
from shared.sync.replica import Card, Item, Observation, Replica

_MOST_PASSES: Final = 6
_ALIAS_UNKNOWN: Final = ("FolderGone", "GraphError")
_IDS_ANSWER_BYTES: Final = 250_000


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What the listings told: cards, flags by id, and the ids that were seen without their card."""

    cards: Mapping[str, Row]
    flags: Mapping[str, Row]
    unread: Collection[str] = ()


class Reader:
    """Reads replicas of one tenant."""

    def __init__(self, calls: Calls) -> None:
        """All requests go through `calls`."""
        self._calls = calls
        self._folder_ids: dict[str, str] = {}

    async def observe(self, replica: Replica, injected: tuple[str, ...]) -> Observation:
        """All cards of the replica; raises `MailboxError` or `TenantError` and gives nothing if anything is missing."""
        home = wire.Home(replica.mailbox, injected)
        sighting = await self._sight(replica)
        known, doubtful = _sort(sighting, home)
        read = await each(doubtful, lambda item_id: self._read_if_there(replica, item_id, home))
        items = [*known, *(card.item for card in read if card)]
        return Observation(replica, tuple(sorted(items, key=lambda item: item.item_id)))

    async def read(self, replica: Replica, item_id: str, injected: tuple[str, ...]) -> Card:
        """One card by id; raises `ItemGoneError` and the like."""
        where = Where(Scope.ITEM, replica.is_hub)
        path = queries.one_card(replica, item_id)
        row = await self._calls.get(replica.mailbox, path, queries.prefer(), where)
        return wire.read_card(row, wire.Home(replica.mailbox, injected))

    async def _read_if_there(self, replica: Replica, item_id: str, home: wire.Home) -> Card | None:
        try:
            return await self.read(replica, item_id, home.injected)
        except ItemGoneError:
            return None

    async def _sight(self, replica: Replica) -> _Sighting:
        folder_id = await self._folder_id(replica)
        if not folder_id:
            return await self._listed(replica)
        cards, flags = await both(self._delta(replica, folder_id), self._flags(replica))
        if isinstance(cards, Fault):
            return await self._listed(replica)
        return _Sighting(cards, flags)

    async def _folder_id(self, replica: Replica) -> str:
        """The folder's real id, "" if Graph does not tell; the alias is not documented for delta."""
        if replica.folder != queries.DEFAULT_FOLDER:
            return replica.folder
        if replica.mailbox not in self._folder_ids:
            self._folder_ids[replica.mailbox] = await self._default_folder_id(replica)
        return self._folder_ids[replica.mailbox]

    async def _default_folder_id(self, replica: Replica) -> str:
        mailbox, where = replica.mailbox, _where(replica)
        row = await self._calls.try_get(mailbox, queries.default_folder(mailbox), queries.prefer(), where)
        if not isinstance(row, Fault):
            return wire.row_id(row)
        if not isinstance(error := error_for(row, where), MailboxError) or error.code not in (
            "FolderGone",
            "GraphError",
        ):
            raise error
        rows = await self._calls.list(Listing(mailbox, queries.any_parent(mailbox), queries.prefer()), where)
        parents = (row.get("parentFolderId") for row in rows.values())
        return next((parent for parent in parents if isinstance(parent, str)), "")

    async def _delta(self, replica: Replica, folder_id: str) -> Mapping[str, Row] | Fault:
        """A whole round; a fault if Graph has no delta here but may have a list."""
        first = queries.delta_round(replica, folder_id)
        listing = Listing(replica.mailbox, first, queries.prefer(queries.DELTA_PAGE), delta=True)
        rows = await self._calls.try_list(listing, _where(replica))
        if isinstance(rows, Fault) and not refuses_delta(rows):
            raise error_for(rows, _where(replica))
        return rows

    async def _flags(self, replica: Replica) -> Mapping[str, Row]:
        return await self._ids(replica, queries.flag_list(replica))

    async def _ids(self, replica: Replica, first: str) -> Mapping[str, Row]:
        listing = Listing(replica.mailbox, first, queries.prefer(queries.IDS_PAGE), answer_bytes=_IDS_ANSWER_BYTES)
        return await self._calls.list(listing, _where(replica))

    async def _listed(self, replica: Replica) -> _Sighting:
        """The cards by listing, until two passes agree on the ids: pages by offset shift under a concurrent change."""
        listing = Listing(replica.mailbox, queries.whole_list(replica), queries.prefer(queries.LIST_PAGE))
        rows = wanted(await self._calls.try_list(listing, _where(replica)), _where(replica))
        before = rows.keys()
        for _ in range(_MOST_PASSES):
            ids = (await self._ids(replica, queries.id_list(replica))).keys()
            if ids == before:
                cards = {item_id: row for item_id, row in rows.items() if item_id in ids}
                return _Sighting(cards, cards, ids - cards.keys())
            before = ids
        raise MailboxError(
            "The mailbox changed all the time while it was read.",
            hint="Nothing to do: the next run tries again.",
            code="ListingUnstable",
        )


def _where(replica: Replica) -> Where:
    return Where(Scope.FOLDER, replica.is_hub)


def _sort(sighting: _Sighting, home: wire.Home) -> tuple[list[Item], list[str]]:
    """The items that are surely known, and the ids of the cards to read by id."""
    known: list[Item] = []
    doubtful = list(sighting.unread)
    for item_id, row in sighting.cards.items():
        flags = _flags_of(row, sighting.flags.get(item_id))
        if flags is None or wire.note_may_be_cut(row):
            doubtful.append(item_id)
        else:
            known.append(wire.read_item(row, flags, home, by_id=False))
    return known, doubtful


def _flags_of(row: Row, flag_row: Row | None) -> wire.Flags | None:
    """The card's flags; None if they may be another state's than the card's, or the card is not whole."""
    if flag_row is None or not wire.is_whole(row) or wire.change_marker(row) != wire.change_marker(flag_row):
        return None
    return wire.read_flags(flag_row)


def first_of(items: Iterable[Item]) -> Item | None:
    """The oldest of several."""
    return min(items, key=lambda item: (item.created_at, item.item_id), default=None)
