"""What a mailbox holds: folders, items, and the journal that delta reads. No rule of Graph is here."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.emulator.clock import EmulatorClock
from tests.emulator.ids import IdMaker
from tests.emulator.switches import Switches

Fields = dict[str, Any]


@dataclass(slots=True, eq=False)
class Entry:
    """The last thing that happened to an item in a folder; `present` is false when it left."""

    sequence: int
    item: "Item"
    present: bool
    classic_id: str
    immutable_id: str


@dataclass(slots=True, eq=False)
class Folder:
    """A folder; `items` is in the order in which they came, by immutable id."""

    id: str
    name: str
    parent: "Folder | None"
    hidden: bool = False
    items: dict[str, "Item"] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    journal: list[tuple[int, str]] = field(default_factory=list)

    def note(self, sequence: int, item: "Item", *, present: bool) -> None:
        """Write into the journal that the item came or changed, or left."""
        self.entries[item.immutable_id] = Entry(sequence, item, present, item.classic_id, item.immutable_id)
        self.journal.append((sequence, item.immutable_id))


@dataclass(slots=True, eq=False)
class Item:
    """One card, or a distribution list; `fields` holds what is not empty, as Graph writes it."""

    immutable_id: str
    classic_id: str
    folder: Folder
    created: datetime
    modified: datetime
    change_key: str = ""
    fields: Fields = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, Fields] = field(default_factory=dict)
    is_list: bool = False
    file_as_set: bool = False
    photo: bytes | None = None
    struck: bool = False
    born: int = 0
    touched: dict[str, int] = field(default_factory=dict)
    rendered: Fields = field(default_factory=dict)
    rendered_for: object = None

    def etag(self) -> str:
        """The change key as the etag holds it."""
        return f'W/"{self.change_key}"'


class Storage:
    """Folders and items of one mailbox, and every way in which they change."""

    def __init__(self, mailbox_id: str, clock: EmulatorClock, switches: Switches) -> None:
        self.clock = clock
        self.switches = switches
        self.sequence = 0
        self.generation = 1
        self._ids = IdMaker(mailbox_id)
        self._by_id: dict[str, Item] = {}
        self._bumps: deque[tuple[float, Item]] = deque()
        self.root = Folder(self._ids.folder(), "Top of Information Store", None)
        self.default = Folder(self._ids.folder(), "", self.root)
        self.trash = Folder(self._ids.folder(), "Deleted Items", self.root)
        self.folders: dict[str, Folder] = {f.id: f for f in (self.root, self.default, self.trash)}
        for name in ("Recipient Cache", "PeopleCentricConversation Buddies"):
            self.add_folder(name, self.default, hidden=True)

    def folder_name(self, folder: Folder) -> str:
        """The folder's name; the default folder's is localised."""
        return folder.name or self.switches.default_folder_name

    def add_folder(self, name: str, parent: Folder, *, hidden: bool = False) -> Folder:
        """Make a folder, of whatever name."""
        folder = Folder(self._ids.folder(), name, parent, hidden)
        self.folders[folder.id] = folder
        return folder

    def children(self, parent: Folder) -> Iterator[Folder]:
        """The folders directly in another."""
        return (f for f in self.folders.values() if f.parent is parent)

    def is_live(self, folder: Folder) -> bool:
        """Whether the folder is somewhere below the default folder, or it is that."""
        step: Folder | None = folder
        while step is not None:
            if step is self.default:
                return True
            step = step.parent
        return False

    def find(self, item_id: str) -> Item | None:
        """The item with this id in either form, whatever folder it is in."""
        return self._by_id.get(item_id)

    def live_items(self) -> Iterable[Item]:
        """All items that are in no trash."""
        return [i for f in self.folders.values() if self.is_live(f) for i in f.items.values()]

    def add(self, item_fields: Fields, folder: Folder, modified: datetime | None = None) -> Item:
        """Put a new item into a folder."""
        now = self.clock.now()
        item = Item(self._ids.immutable(), self._ids.classic(), folder, now, now, fields=item_fields)
        self._by_id[item.immutable_id] = self._by_id[item.classic_id] = item
        folder.items[item.immutable_id] = item
        self._advance(item, modified or now)
        item.born = self.sequence
        wait = self.switches.silent_change_key_bump_seconds
        if wait is not None:
            self._bumps.append((self.clock.seconds + wait, item))
        return item

    def touch(self, item: Item, names: Iterable[str], modified: datetime | None = None) -> None:
        """Note that these fields of an item were written."""
        self._advance(item, modified or self.clock.now())
        item.touched.update(dict.fromkeys(names, self.sequence))

    def _advance(self, item: Item, modified: datetime) -> None:
        self.sequence += 1
        item.change_key = self._ids.change_key(self.sequence)
        item.modified = modified
        item.rendered_for = None
        item.folder.note(self.sequence, item, present=True)

    def move(self, item: Item, folder: Folder, *, keep_immutable_id: bool = True) -> None:
        """Move an item: it leaves one journal, enters another and gets a new classic id (outlook-immutable-id page)."""
        self._leave(item)
        if not keep_immutable_id:
            self._by_id.pop(item.immutable_id, None)
            item.immutable_id = self._ids.immutable()
            self._by_id[item.immutable_id] = item
        item.classic_id = self._ids.classic()
        self._by_id[item.classic_id] = item
        item.folder = folder
        folder.items[item.immutable_id] = item
        self._advance(item, item.modified)
        item.born = self.sequence

    def purge(self, item: Item) -> None:
        """Remove an item for good."""
        self._leave(item)
        self._by_id.pop(item.immutable_id, None)

    def _leave(self, item: Item) -> None:
        self.sequence += 1
        item.folder.items.pop(item.immutable_id, None)
        item.folder.note(self.sequence, item, present=False)
        self._by_id.pop(item.classic_id, None)

    def settle(self) -> None:
        """Carry out the silent changes that are due: the server post-processes what was just created."""
        now = self.clock.seconds
        while self._bumps and self._bumps[0][0] <= now:
            due, item = self._bumps.popleft()
            at = datetime.fromtimestamp(due, UTC)
            modified = max(at, item.modified) if self.switches.silent_bump_moves_modified else item.modified
            if item.immutable_id in item.folder.items:
                self._advance(item, modified)

    def delete(self, item: Item) -> None:
        """Move an item to Deleted Items."""
        self.move(item, self.trash)

    def restore(self, item: Item, folder: Folder) -> None:
        """Move an item back from Deleted Items."""
        self.move(item, folder, keep_immutable_id=self.switches.restore_keeps_immutable_id)
