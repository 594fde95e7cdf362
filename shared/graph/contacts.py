"""A tenant's mailboxes: the port's promises kept over Graph."""

from dataclasses import replace
from typing import Final

import msgspec

from shared.errors import ItemChangedError, ItemError, ItemGoneError
from shared.graph import queries, wire
from shared.graph.answers import Answer, Doubtful, Lost, UnreadableBodyError, decode_object
from shared.graph.batch import SubRequest
from shared.graph.calls import Calls, Listing, each
from shared.graph.changes import Follower
from shared.graph.failures import Scope, Where, error_for, error_for_write
from shared.graph.faults import Fault, fault_of
from shared.graph.observe import Reader, first_of
from shared.graph.pages import Row
from shared.ports import Clock, HubFolder, Known, User
from shared.sync.contact import EMPTY
from shared.sync.replica import Card, Changes, Draft, Item, Observation, Replica
from shared.sync.stamp import read_stamp

_HUB_FOLDER: Final = "All Contacts"
_MOST_CREATES: Final = 5
_INDEX_LAG_SECONDS: Final = 5.0
_MOST_NAMESAKES: Final = 20
_FIND_HUB: Final = Where(Scope.FIND_HUB, is_hub=True)


class GraphContactStore:
    """Implements `shared.ports.ContactStore`."""

    def __init__(self, calls: Calls, clock: Clock) -> None:
        """`clock` is for the wait until a search sees what was just created."""
        self._calls = calls
        self._clock = clock
        self._reader = Reader(calls)
        self._follower = Follower(calls, self._reader)
        self._bodies = wire.Bodies()
        self._injected: tuple[str, ...] = (_HUB_FOLDER,)

    async def find_hub(self, mailbox: User, folder_name: str) -> HubFolder | None:
        """The hub's folder, None when it is not there yet.

        Raises `HubNotFoundError` when the mailbox is not there, `PrivilegeError` when Exchange does not let us in.
        """
        self._inject(folder_name)
        ids = await self._folders_named(mailbox.user_id, folder_name)
        if not ids:
            return None
        chosen = ids[0] if len(ids) == 1 else await self._ours_among(mailbox.user_id, ids)
        return HubFolder(_hub(mailbox, chosen), namesakes=len(ids) - 1)

    async def create_hub(self, mailbox: User, folder_name: str) -> HubFolder:
        """Make the folder, or find the one that somebody (a lost answer of ours, too) made just now."""
        self._inject(folder_name)
        body = msgspec.json.encode({"displayName": folder_name})
        request = SubRequest(mailbox.user_id, "POST", queries.folders(mailbox.user_id), queries.prefer(), body)
        after: Doubtful | None = None
        while True:
            outcome = await self._calls.send(request, after)
            if isinstance(outcome, Answer) and (folder_id := wire.row_id(_row_or_none(outcome.body))):
                return HubFolder(_hub(mailbox, folder_id))
            if isinstance(outcome, Fault) and not _folder_exists(outcome):
                raise error_for(outcome, _FIND_HUB)
            if found := await self._found_after(mailbox, folder_name):
                return found
            after = _next_try(outcome, after)
            if after.final:
                raise error_for(_fault_in(outcome), _FIND_HUB)

    async def _found_after(self, mailbox: User, folder_name: str) -> HubFolder | None:
        found = await self.find_hub(mailbox, folder_name)
        if not found:
            await self._clock.sleep(_INDEX_LAG_SECONDS)
            found = await self.find_hub(mailbox, folder_name)
        return found

    async def knock(self, mailbox: User) -> None:
        """Ask for the id of any folder; no contact is read. Raises the `MirrorError` why the mailbox refuses."""
        path = queries.any_folder(mailbox.user_id)
        await self._calls.get(mailbox.user_id, path, queries.prefer(), Where(Scope.FOLDER))

    async def observe(self, replica: Replica) -> Observation:
        """Read all of a replica's cards with flag and marker, from whole pages only."""
        return await self._reader.observe(replica, self._injected)

    async def changes(self, replica: Replica, delta_link: str, known: Known) -> Changes | None:
        """Read what changed since the delta link; None when it has expired, is refused or cannot be followed."""
        return await self._follower.changes(replica, delta_link, known, self._injected)

    async def read(self, replica: Replica, item_id: str) -> Card:
        """Read one card by id, its note whole."""
        return await self._reader.read(replica, item_id, self._injected)

    async def create(self, replica: Replica, draft: Draft) -> Item:
        """Create a card once; without a marker an attempt of unknown fate is an `ItemError`, and not repeated."""
        request = SubRequest(replica.mailbox, "POST", queries.cards(replica), queries.prefer(), self._bodies.of(draft))
        after: Doubtful | None = None
        while True:
            outcome = await self._calls.send(request, after)
            if isinstance(outcome, Answer) and (item := await self._created(replica, draft, outcome)):
                return item
            if isinstance(outcome, Fault):
                raise error_for_write(outcome, _new_in(replica))
            if draft.marker is None:
                raise ItemError("It is not known whether the card was created.", code="UnknownFate")
            if found := await self._look_up(replica, draft):
                return found
            after = _next_try(outcome, after)
            if after.final:
                raise error_for_write(_fault_in(outcome), _new_in(replica))

    async def update(self, replica: Replica, item: Item, draft: Draft) -> Item:
        """Write `draft` onto the card if it is still as `item` says.

        Raises `ItemChangedError`, `ItemGoneError`, `ItemRefusedError` or `ItemBusyError`.
        """
        request = _conditional(replica, item, "PATCH", wire.update_body(draft, item))
        outcome = await self._calls.send(request)
        while isinstance(outcome, Doubtful):
            card = await self.read(replica, item.item_id)
            if _holds(card, draft):
                return card.item
            _check_unchanged(card.item, item)
            _check_time(outcome)
            outcome = await self._calls.send(request, outcome)
        if isinstance(outcome, Fault):
            raise error_for_write(outcome, Where(Scope.ITEM, replica.is_hub))
        return await self._updated(replica, item, draft, _row_or_none(outcome.body))

    async def delete(self, replica: Replica, item: Item) -> None:
        """Move the card to Deleted Items if it is still as `item` says; raises `ItemChangedError` or `ItemGoneError`.

        A DELETE is soft (contact-delete, against contact-permanentdelete).
        """
        request = _conditional(replica, item, "DELETE")
        outcome = await self._calls.send(request)
        while isinstance(outcome, Doubtful):
            try:
                now = (await self.read(replica, item.item_id)).item
            except ItemGoneError:
                return  # only the answer was lost
            _check_unchanged(now, item)
            _check_time(outcome)
            outcome = await self._calls.send(request, outcome)
        if isinstance(outcome, Fault):
            raise error_for_write(outcome, Where(Scope.ITEM, replica.is_hub))

    def _inject(self, folder_name: str) -> None:
        """Cards of a folder may bear its name as a category."""
        self._injected = tuple(sorted({*self._injected, folder_name}))

    def _home(self, replica: Replica) -> wire.Home:
        return self._reader.home(replica, self._injected)

    async def _created(self, replica: Replica, draft: Draft, answer: Answer) -> Item | None:
        """The item in the answer to a create; None if it names none, so that it is looked up.

        A create was seen to make a blank card (msgraph-sdk-dotnet#2964), so what came back is looked at.
        """
        row = _row_or_none(answer.body)
        if not wire.row_id(row):
            return None
        item = self._written(row, draft, wire.marked(draft.marker or ""), replica)
        if not wire.is_whole(row) or _is_blank(item, draft):
            item = (await self.read(replica, item.item_id)).item
        if _is_blank(item, draft):
            raise ItemError("Exchange made a blank card.", hint="The next run fills it.", code="BlankCard")
        return item

    async def _updated(self, replica: Replica, item: Item, draft: Draft, row: Row) -> Item:
        flags = wire.Flags(draft.marker or item.marker, item.private)
        if wire.row_id(row) != item.item_id or not wire.is_whole(row):
            return (await self.read(replica, item.item_id)).item
        return self._written(row, draft, flags, replica)

    def _written(self, row: Row, draft: Draft, flags: wire.Flags, replica: Replica) -> Item:
        """The item as the answer to a write shows it; flags are not echoed (microsoft-graph-docs, and pwsh#2784)."""
        note = wire.note_of(row) if draft.notes is None else draft.notes
        return wire.read_item(row, flags, self._home(replica), read_stamp(note)[1])

    async def _look_up(self, replica: Replica, draft: Draft) -> Item | None:
        """The card that bears the draft's marker; asked twice, for the index may lag behind the create."""
        found = await self._with_marker(replica, draft)
        if not found:
            await self._clock.sleep(_INDEX_LAG_SECONDS)
            found = await self._with_marker(replica, draft)
        return found

    async def _with_marker(self, replica: Replica, draft: Draft) -> Item | None:
        path = queries.cards_with_marker(replica, draft.marker or "")
        rows = await self._calls.list(Listing(replica.mailbox, path, queries.prefer()), _new_in(replica))
        home = self._home(replica)
        items = (wire.read_card(row, home).item for row in rows.values())
        item = first_of(item for item in items if item.marker == draft.marker)
        return (await self.read(replica, item.item_id)).item if item else None

    async def _folders_named(self, mailbox: str, name: str) -> list[str]:
        """Ids of the folders of this name, in any case; the smallest first."""
        listing = Listing(mailbox, queries.folders_named(mailbox, name), queries.prefer())
        rows = await self._calls.list(listing, _FIND_HUB)
        return sorted(folder_id for folder_id, row in rows.items() if _is_named(row, name))

    async def _ours_among(self, mailbox: str, ids: list[str]) -> str:
        """Of several namesakes the one that holds cards of ours, else the one with the smallest id."""
        candidates = ids[:_MOST_NAMESAKES]
        marked = await each(candidates, lambda folder_id: self._is_ours(mailbox, folder_id))
        return next((folder_id for folder_id, ours in zip(candidates, marked, strict=True) if ours), ids[0])

    async def _is_ours(self, mailbox: str, folder_id: str) -> bool:
        path = queries.any_marked(mailbox, folder_id)
        rows = await self._calls.try_list(Listing(mailbox, path, queries.prefer()), _FIND_HUB)
        return not isinstance(rows, Fault) and bool(rows)


def _hub(mailbox: User, folder_id: str) -> Replica:
    return Replica(mailbox.user_id, mailbox.user_principal_name, is_hub=True, folder=folder_id)


def _new_in(replica: Replica) -> Where:
    return Where(Scope.NEW_ITEM, replica.is_hub)


def _is_named(row: Row, name: str) -> bool:
    shown = row.get("displayName")
    return isinstance(shown, str) and shown.casefold() == name.casefold()


def _row_or_none(body: bytes) -> Row:
    """The object that a successful write answered with; an empty one if it is missing or unreadable."""
    try:
        return decode_object(body)
    except UnreadableBodyError:
        return {}


def _fault_in(outcome: Answer | Fault | Doubtful) -> Fault:
    match outcome:
        case Fault():
            return outcome
        case Doubtful(cause):
            return fault_of(cause)
        case Answer():
            return Fault(outcome.status)


def _folder_exists(fault: Fault) -> bool:
    return fault.status == 409 or fault.has("errorfolderexists")


def _next_try(outcome: Answer | Fault | Doubtful, before: Doubtful | None) -> Doubtful:
    """What the next attempt comes after: a success that shows nothing of what it made is in doubt, too."""
    if isinstance(outcome, Doubtful):
        return replace(outcome, final=outcome.final or outcome.number >= _MOST_CREATES)
    number = before.number + 1 if before else 1
    return Doubtful(Lost("UnreadableSuccess"), before.first_sent if before else None, number, number >= _MOST_CREATES)


def _conditional(replica: Replica, item: Item, method: str, body: bytes = b"") -> SubRequest:
    """A write that Graph carries out only on the card as `item` says, if it honours If-Match on contacts."""
    headers = {**queries.prefer(), "If-Match": f'W/"{item.change_marker}"'}
    return SubRequest(replica.mailbox, method, queries.bare_card(replica, item.item_id), headers, body)


def _check_unchanged(now: Item, before: Item) -> None:
    """Raise `ItemChangedError` if the card was saved since; by whom cannot be told, so its content decides."""
    if now.change_marker != before.change_marker:
        message = "The card was saved in between, by somebody or by a write of ours whose answer was lost."
        raise ItemChangedError(message, hint="Nothing to do: the next run tries again.", code="ItemChanged")


def _check_time(outcome: Doubtful) -> None:
    """Raise `ItemError` if the change has waited in vain for the last time."""
    if outcome.final:
        message = "The mailbox had to wait for so long that the change was not sent."
        raise ItemError(message, hint="Nothing to do: the next run tries again.", code="Waited")


def _holds(card: Card, draft: Draft) -> bool:
    """Whether all that the draft writes is there."""
    fields = all(card.item.contact.get(name) == value for name, value in draft.fields.items())
    notes = draft.notes is None or draft.notes.split() == card.notes.split()
    return fields and notes and draft.marker in (None, card.item.marker)


def _is_blank(item: Item, draft: Draft) -> bool:
    return item.contact == EMPTY and any(value is not None for value in draft.fields.values())
