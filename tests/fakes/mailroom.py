"""A tenant's mailboxes in memory, behind the engine's ports: no HTTP, so that thousands of runs take a minute.

It behaves as the ports promise and as Graph may at its worst within them: its delta tells of the mirror's own writes,
of changes that are none, and of removals again; a write may be refused, or be done and reported as failed.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from shared.config.model import Tenant
from shared.engine.run import OpenTenant
from shared.errors import ItemChangedError, ItemGoneError
from shared.ports import Clock, HubFolder, Known, TenantServices, Traffic, User
from shared.sync.contact import Contact, normalise
from shared.sync.replica import Card, Changes, Draft, Item, Observation, Replica
from shared.sync.stamp import read_stamp

HUB = "hub"
Trouble = Callable[[str, str, bool], None]
"""Told before (False) and after (True) each operation its name and mailbox; whatever it raises happens."""


def _nothing(_operation: str, _mailbox: str, _is_done: bool) -> None:
    return None


class StillClock:
    """A clock that moves only when somebody advances it or waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 5, 8, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.seconds += seconds


@dataclass(slots=True)
class Box:
    """One folder: its cards with their notes, and in which order they changed."""

    items: dict[str, Item] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    trash: dict[str, tuple[Item, str]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    bent: frozenset[str] = frozenset()
    """Fields of which this server keeps three characters only."""


class Mailroom:
    """The hub's mailbox and the users'; implements `ContactStore`, `Directory` and `SignIn`."""

    def __init__(self, *people: str, clock: Clock | None = None) -> None:
        self.clock = clock or StillClock()
        self.people = list(people)
        self.boxes = {name: Box() for name in people}
        self.hub_folder = 0
        self.is_hub_there = False
        self.generation = 0
        self.trouble: Trouble = _nothing
        self.writes = 0
        self.doubles: list[tuple[str, str]] = []
        """Where a card was created although the mailbox had an open one of that contact, and of which."""
        self._numbers = 0
        self._seconds = 0

    @asynccontextmanager
    async def _opened(self, _tenant: Tenant, _deadline: float):  # type: ignore[no-untyped-def]
        yield TenantServices(self, self, self, self.clock, Traffic())

    @property
    def open_tenant(self) -> OpenTenant:
        """What a run opens."""
        return self._opened

    def add(self, name: str, contact: Contact, *, private: bool = False, age: timedelta = timedelta()) -> Item:
        """A person saves a new card, or an old one comes in from elsewhere."""
        moment = self._moment() - age
        item = Item(name, self._number("item"), self._number("key"), contact, moment, moment, private=private)
        self._put(item, "")
        return item

    def edit(self, item: Item, contact: Contact) -> None:
        """A person saves a card."""
        self._put(
            replace(item, contact=contact, modified_at=self._moment()), self.boxes[item.mailbox].notes[item.item_id]
        )

    def set_private(self, item: Item, is_private: bool) -> None:
        """A person turns the Private flag."""
        note = self.boxes[item.mailbox].notes[item.item_id]
        self._put(replace(item, private=is_private, modified_at=self._moment()), note)

    def write_note(self, item: Item, note: str) -> None:
        """A person replaces a whole note, stamp included."""
        self._put(replace(item, stamp=read_stamp(note)[1], modified_at=self._moment()), note)

    def copy(self, item: Item) -> None:
        """A person copies a card, marker, stamp and all."""
        moment, box = self._moment(), self.boxes[item.mailbox]
        twin = replace(item, item_id=self._number("item"), created_at=moment, modified_at=moment)
        self._put(twin, box.notes[item.item_id])

    def remove(self, item: Item) -> None:
        """A card goes to Deleted Items."""
        box = self.boxes[item.mailbox]
        box.trash[item.item_id] = (box.items.pop(item.item_id), box.notes.pop(item.item_id))
        box.history.append(item.item_id)

    def restore(self, name: str, item_id: str) -> None:
        """A person takes a card back from Deleted Items."""
        item, note = self.boxes[name].trash.pop(item_id)
        self._put(item, note)

    def touch(self, item: Item) -> None:
        """Exchange moves a change marker without anybody's edit."""
        self._put(item, self.boxes[item.mailbox].notes[item.item_id])

    def lose_hub(self) -> None:
        """Somebody deletes the hub's folder with all that is in it."""
        self.is_hub_there = False
        self.boxes.pop(HUB, None)

    def forget_delta_links(self) -> None:
        """All delta links expire."""
        self.generation += 1

    def all_items(self) -> list[Item]:
        """Every card, in a stable order."""
        return [item for name in sorted(self.boxes) for _, item in sorted(self.boxes[name].items.items())]

    async def roles(self) -> frozenset[str]:
        return frozenset({"Contacts.ReadWrite", "User.Read.All"})

    async def knock(self, mailbox: User) -> None:
        return None

    async def licensed_users(self) -> Sequence[User]:
        return [_user(name) for name in sorted(self.people)]

    async def still_licensed(self, user_ids: Sequence[str]) -> Sequence[User]:
        return [_user(name) for name in user_ids if name in self.people]

    async def find_user(self, name: str) -> User | None:
        return _user(name.partition("@")[0])

    async def find_hub(self, mailbox: User, folder_name: str) -> HubFolder | None:
        return HubFolder(self._hub(mailbox)) if self.is_hub_there else None

    async def create_hub(self, mailbox: User, folder_name: str) -> HubFolder:
        self.hub_folder += 1
        self.is_hub_there = True
        self.boxes[HUB] = Box()
        return HubFolder(self._hub(mailbox))

    async def observe(self, replica: Replica) -> Observation:
        with _Told(self, "observe", replica):
            return Observation(replica, tuple(self._items(replica)), self._link(replica))

    async def changes(self, replica: Replica, delta_link: str, known: Known) -> Changes | None:
        with _Told(self, "changes", replica):
            box = self.boxes[replica.mailbox]
            start, _, place = delta_link.partition("@")
            if place != self._place(replica):
                return None
            moved = list(dict.fromkeys(box.history[int(start) :]))
            markers = await known(moved) if moved else {}
            news = [box.items[one] for one in moved if one in box.items]
            told = tuple(item for item in news if markers.get(item.item_id) != item.change_marker)
            gone = tuple(sorted(one for one in moved if one not in box.items))
            return Changes(replica, tuple(sorted(told, key=lambda item: item.item_id)), gone, self._link(replica))

    async def read(self, replica: Replica, item_id: str) -> Card:
        with _Told(self, "read", replica):
            return self._card(replica, item_id)

    async def create(self, replica: Replica, draft: Draft) -> Item:
        with _Told(self, "create", replica):
            moment = self._moment()
            if any(one.marker == draft.marker and not one.private for one in self._items(replica)):
                self.doubles.append((replica.mailbox, str(draft.marker)))
            item = Item(replica.mailbox, self._number("item"), "", Contact({}), moment, moment)
            return self._write(item, draft)

    async def update(self, replica: Replica, item: Item, draft: Draft) -> Item:
        with _Told(self, "update", replica):
            now = self._card(replica, item.item_id).item
            if now.change_marker != item.change_marker:
                raise ItemChangedError("The card was saved by somebody else in between.")
            return self._write(now, draft)

    async def delete(self, replica: Replica, item: Item) -> None:
        with _Told(self, "delete", replica):
            now = self._card(replica, item.item_id).item
            if now.change_marker != item.change_marker:
                raise ItemChangedError("The card was saved by somebody else in between.")
            self.writes += 1
            self.remove(now)

    def _write(self, item: Item, draft: Draft) -> Item:
        self.writes += 1
        box = self.boxes[item.mailbox]
        fields = {**item.contact.fields, **draft.fields}
        kept = {name: value for name, value in fields.items() if value is not None}
        for name in box.bent & draft.fields.keys() & kept.keys():
            kept[name] = str(kept[name])[:3]
        note = box.notes.get(item.item_id, "") if draft.notes is None else draft.notes
        written = replace(
            item,
            contact=Contact(kept),
            marker=draft.marker or item.marker,
            stamp=read_stamp(note)[1],
            modified_at=self._moment(),
        )
        return self._put(written, note)

    def _put(self, item: Item, note: str) -> Item:
        item, box = replace(item, change_marker=self._number("key")), self.boxes[item.mailbox]
        box.items[item.item_id], box.notes[item.item_id] = item, note
        box.history.append(item.item_id)
        return item

    def _items(self, replica: Replica) -> Iterator[Item]:
        return (item for _, item in sorted(self.boxes[replica.mailbox].items.items()))

    def _card(self, replica: Replica, item_id: str) -> Card:
        box = self.boxes[replica.mailbox]
        if item_id not in box.items:
            raise ItemGoneError("The card is not there any more.")
        return Card(box.items[item_id], box.notes[item_id])

    def _hub(self, mailbox: User) -> Replica:
        return Replica(mailbox.user_id, mailbox.user_principal_name, is_hub=True, folder=f"folder-{self.hub_folder}")

    def _place(self, replica: Replica) -> str:
        return f"{replica.folder}:{self.generation}"

    def _link(self, replica: Replica) -> str:
        return f"{len(self.boxes[replica.mailbox].history)}@{self._place(replica)}"

    def _moment(self) -> datetime:
        """No two saves have one time."""
        self._seconds += 1
        return self.clock.now() + timedelta(milliseconds=self._seconds)

    def _number(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers:06d}"


class _Told:
    """Lets `trouble` happen around an operation."""

    def __init__(self, room: Mailroom, operation: str, replica: Replica) -> None:
        self._room, self._operation, self._mailbox = room, operation, replica.mailbox

    def __enter__(self) -> None:
        self._room.trouble(self._operation, self._mailbox, False)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._room.trouble(self._operation, self._mailbox, True)


def _user(name: str) -> User:
    return User(name, f"{name}@contoso.com")


def contact_of(name: str, email: str = "", **fields: object) -> Contact:
    """A contact as a person types it."""
    emails = [{"address": email, "name": name}] if email else []
    return normalise({"displayName": name, "emailAddresses": emails, **fields})


def changed(contact: Contact, fields: Mapping[str, str | None]) -> Contact:
    """The contact with these texts, None cleared."""
    merged = {**contact.fields, **fields}
    return Contact({name: value for name, value in merged.items() if value is not None})


def by_sync_id(items: Iterable[Item]) -> dict[str, list[Item]]:
    """The mirrored cards of a mailbox that are open, duplicates with them."""
    found: dict[str, list[Item]] = {}
    for item in items:
        if item.marker and not item.private:
            found.setdefault(item.marker, []).append(item)
    return found
