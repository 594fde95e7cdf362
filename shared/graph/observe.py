"""Reading a replica whole: a delta round for the cards, and beside it a list for the flags that delta cannot show.

Extended properties cannot be had with delta (microsoft-graph-docs#1993), so marker and Private flag come from an
expanded list. What the list missed, or what was saved in between, is read by id; nothing is given before every card's
flag is known.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.errors import ItemError, ItemGoneError, MailboxError
from shared.graph import queries, wire
from shared.graph.calls import Calls, Listing, Round, both, each, wanted
from shared.graph.failures import Scope, Where, error_for, refuses_delta
from shared.graph.familiar import Familiar
from shared.graph.faults import Fault
from shared.graph.pages import Row
from shared.sync.replica import Card, Item, Observation, Replica

_MOST_PASSES: Final = 6
_ALIAS_UNKNOWN: Final = ("FolderGone", "GraphError")
_IDS_ANSWER_BYTES: Final = 250_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the listings told: cards, flags by id, the ids that were seen without their card, and where to go on."""

    cards: Mapping[str, Row]
    flags: Mapping[str, Row]
    unread: Collection[str] = ()
    delta_link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Readings:
    """Cards that were read by id, the ids of those that are gone, and why others could not be read."""

    items: tuple[Item, ...] = ()
    gone: tuple[str, ...] = ()
    refused: Mapping[str, ItemError] = field(default_factory=dict)


class Reader:
    """Reads replicas of one tenant."""

    def __init__(self, calls: Calls) -> None:
        """All requests go through `calls`."""
        self._calls = calls
        self._familiar = Familiar()
        self._folder_ids: dict[str, str] = {}
        self._homes: dict[str, wire.Home] = {}

    def home(self, replica: Replica, injected: tuple[str, ...]) -> wire.Home:
        """Where the replica's rows are at home; `injected` are the categories that its folder may add."""
        home = self._homes.get(replica.mailbox)
        if home is None or home.injected != injected:
            home = self._homes[replica.mailbox] = wire.Home(replica.mailbox, injected, self._familiar)
        return home

    async def observe(self, replica: Replica, injected: tuple[str, ...]) -> Observation:
        """All cards of the replica; raises `MailboxError` or `TenantError` and gives nothing if anything is missing."""
        home = self.home(replica, injected)
        sighting = await self._sight(replica)
        known, doubtful = sort(sighting, home)
        read = await self.read_all(replica, doubtful, home)
        listed = [_as_listed(sighting, item_id, error, home) for item_id, error in read.refused.items()]
        return Observation(replica, in_order((*known, *read.items, *listed)), sighting.delta_link)

    async def read(self, replica: Replica, item_id: str, injected: tuple[str, ...]) -> Card:
        """One card by id; raises `ItemGoneError` and the like."""
        where = Where(Scope.ITEM, replica.is_hub)
        path = queries.one_card(replica, item_id)
        row = await self._calls.get(replica.mailbox, path, queries.prefer(), where)
        return wire.read_card(row, self.home(replica, injected))

    async def read_all(self, replica: Replica, item_ids: Collection[str], home: wire.Home) -> Readings:
        """The cards with these ids, so far as they can be read; raises `MailboxError` or `TenantError`."""
        outcomes = await each(item_ids, lambda item_id: self._try_read(replica, item_id, home))
        errors = {item_id: one for item_id, one in zip(item_ids, outcomes, strict=True) if isinstance(one, ItemError)}
        gone = tuple(item_id for item_id, error in errors.items() if isinstance(error, ItemGoneError))
        if gone and replica.folder != queries.DEFAULT_FOLDER:
            await self._check_folder(replica)
        refused = {item_id: error for item_id, error in errors.items() if item_id not in gone}
        return Readings(tuple(one.item for one in outcomes if isinstance(one, Card)), gone, refused)

    async def _check_folder(self, replica: Replica) -> None:
        """Raise `MailboxError` if the folder is gone: its cards answer alike then, and nobody deleted them."""
        path = queries.one_folder(replica)
        await self._calls.get(replica.mailbox, path, queries.prefer(), _where(replica))

    async def _try_read(self, replica: Replica, item_id: str, home: wire.Home) -> Card | ItemError:
        try:
            return await self.read(replica, item_id, home.injected)
        except ItemError as error:
            return error

    async def _sight(self, replica: Replica) -> Sighting:
        folder_id = await self._folder_id(replica)
        if not folder_id:
            return await self._listed(replica)
        cards, flags = await both(self._delta(replica, folder_id), self.flags(replica))
        if isinstance(cards, Fault):
            return await self._listed(replica)
        return Sighting(cards.rows, flags, delta_link=cards.delta_link)

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
        error = error_for(row, where)
        if not isinstance(error, MailboxError) or error.code not in _ALIAS_UNKNOWN:
            raise error
        rows = await self._calls.list(Listing(mailbox, queries.any_parent(mailbox), queries.prefer()), where)
        parents = (row.get("parentFolderId") for row in rows.values())
        return next((parent for parent in parents if isinstance(parent, str)), "")

    async def _delta(self, replica: Replica, folder_id: str) -> Round | Fault:
        """A whole round; a fault if Graph has no delta here but may have a list."""
        first = queries.delta_round(replica, folder_id)
        listing = Listing(replica.mailbox, first, queries.prefer(queries.DELTA_PAGE), delta=True)
        outcome = await self._calls.try_round(listing, _where(replica))
        if isinstance(outcome, Fault) and not refuses_delta(outcome):
            raise error_for(outcome, _where(replica))
        return outcome

    async def flags(self, replica: Replica) -> Mapping[str, Row]:
        """Change marker and flags of all cards, by id."""
        return await self._ids(replica, queries.flag_list(replica))

    async def _ids(self, replica: Replica, first: str) -> Mapping[str, Row]:
        listing = Listing(replica.mailbox, first, queries.prefer(queries.IDS_PAGE), answer_bytes=_IDS_ANSWER_BYTES)
        return await self._calls.list(listing, _where(replica))

    async def _listed(self, replica: Replica) -> Sighting:
        """The cards by listing, until two passes agree on the ids: pages by offset shift under a concurrent change."""
        listing = Listing(replica.mailbox, queries.whole_list(replica), queries.prefer(queries.LIST_PAGE))
        rows = wanted(await self._calls.try_list(listing, _where(replica)), _where(replica))
        before = rows.keys()
        for _ in range(_MOST_PASSES):
            ids = (await self._ids(replica, queries.id_list(replica))).keys()
            if ids == before:
                cards = {item_id: row for item_id, row in rows.items() if item_id in ids}
                return Sighting(cards, cards, ids - cards.keys())
            before = ids
        raise MailboxError(
            "The mailbox changed all the time while it was read.",
            hint="Nothing to do: the next run tries again.",
            code="ListingUnstable",
        )


def _where(replica: Replica) -> Where:
    return Where(Scope.FOLDER, replica.is_hub)


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """The items by id, so that the order of pages and answers does not show."""
    return tuple(sorted(items, key=lambda item: item.item_id))


def sort(sighting: Sighting, home: wire.Home) -> tuple[list[Item], list[str]]:
    """The items that are surely known, and the ids of the cards to read by id."""
    known: list[Item] = []
    doubtful = list(sighting.unread)
    for item_id, row in sighting.cards.items():
        flags = _flags_of(row, sighting.flags.get(item_id))
        item = wire.read_listed(row, flags, home) if flags else None
        if item:
            known.append(item)
        else:
            doubtful.append(item_id)
    return known, doubtful


def _as_listed(sighting: Sighting, item_id: str, error: ItemError, home: wire.Home) -> Item:
    """The item that Graph lists but does not give by id: one odd card must not hide the rest of its mailbox.

    Without its flags it counts as private, so that nothing of it is shared. Raises `MailboxError` if the list tells
    too little.
    """
    row = sighting.cards.get(item_id)
    if row is None or not wire.is_whole(row):
        raise MailboxError(error.message, hint=error.hint, code=error.code) from error
    flags = _flags_of(row, sighting.flags.get(item_id)) or wire.Flags(private=True)
    return wire.read_cut(row, flags, home)


def _flags_of(row: Row, flag_row: Row | None) -> wire.Flags | None:
    """The card's flags; None if they may be another state's than the card's, or the card is not whole."""
    if flag_row is None or not wire.is_whole(row) or wire.change_marker(row) != wire.change_marker(flag_row):
        return None
    return wire.read_flags(flag_row)


def first_of(items: Iterable[Item]) -> Item | None:
    """The oldest of several."""
    return min(items, key=lambda item: (item.created_at, item.item_id), default=None)
