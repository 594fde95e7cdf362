"""A mailbox as its owner sees it in Outlook: cards and folders made, edited, copied, deleted and restored by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.emulator.cards import UNSET, CardRules
from tests.emulator.clock import stamp
from tests.emulator.properties import PRIVATE, SENSITIVITY, property_id
from tests.emulator.storage import Fields, Folder, Item, Storage
from tests.emulator.world import World, locked


@dataclass(frozen=True, slots=True)
class FolderView:
    """A folder below the default folder, or the default folder itself."""

    id: str
    name: str
    count: int
    is_default: bool


class Mailbox:
    """One mailbox. Ids given back are immutable ids; a folder is named by its id or its name, None is the default."""

    def __init__(self, world: World, owner: str, rules: CardRules) -> None:
        self.world = world
        self.owner = owner
        self.rules = rules
        self.storage = Storage(owner, world.clock, world.switches)
        self.requests_seen = 0

    @locked
    def add_contact(
        self,
        fields: Mapping[str, Any],
        *,
        private: bool = False,
        folder: str | None = None,
        modified_at: datetime | None = None,
        extended: Mapping[str, str] | None = None,
    ) -> str:
        """Type in a new card, with Graph's property names; returns its immutable id."""
        stored: Fields = {}
        self.rules.write(stored, fields, creating=True)
        item = self.storage.add(stored, self._folder(folder), modified_at)
        if modified_at is not None and modified_at < item.created:
            item.created = modified_at
        item.extended.update({property_id(name): value for name, value in (extended or {}).items()})
        self._set_private(item, private=private)
        return item.immutable_id

    def _set_private(self, item: Item, *, private: bool) -> None:
        if private:
            item.extended.update({SENSITIVITY: "2", PRIVATE: "true"})
        elif self.world.switches.sensitivity_always_set:
            item.extended.update({SENSITIVITY: "0", PRIVATE: "false"})
        else:
            item.extended.pop(SENSITIVITY, None)
            item.extended.pop(PRIVATE, None)

    @locked
    def edit_contact(
        self,
        item_id: str,
        fields: Mapping[str, Any] | None = None,
        *,
        private: bool | None = None,
        modified_at: datetime | None = None,
    ) -> None:
        """Change some fields of a card, or its private flag; None clears a field, the display name stays."""
        item = self._item(item_id)
        sent = dict(fields or {})
        sent.setdefault("displayName", item.fields.get("displayName"))
        touched = self.rules.write(item.fields, sent, creating=False)
        if private is not None:
            self._set_private(item, private=private)
        self.storage.touch(item, touched, modified_at)

    @locked
    def delete_contact(self, item_id: str) -> None:
        """Move a card to Deleted Items."""
        self.storage.delete(self._item(item_id))

    @locked
    def purge_contact(self, item_id: str) -> None:
        """Remove a card for good, as Shift+Delete does."""
        self.storage.purge(self._item(item_id))

    @locked
    def restore_contact(self, item_id: str, folder: str | None = None) -> str:
        """Move a card back from Deleted Items; returns its immutable id, which a switch can make a new one."""
        item = self._item(item_id)
        self.storage.restore(item, self._folder(folder))
        return item.immutable_id

    @locked
    def move_contact(self, item_id: str, folder: str | None) -> None:
        """Move a card to another folder."""
        self.storage.move(self._item(item_id), self._folder(folder))

    @locked
    def copy_contact(self, item_id: str, folder: str | None = None) -> str:
        """Copy a card: the copy has its note and, as MAPI does it, its extended properties."""
        original = self._item(item_id)
        copy = self.storage.add({**original.fields}, self._folder(folder) if folder else original.folder)
        if self.world.switches.copies_keep_marker:
            copy.extended.update(original.extended)
        return copy.immutable_id

    @locked
    def contacts(self, folder: str | None = None) -> list[dict[str, Any]]:
        """All cards of a folder in full, as they are: whole notes, categories as written, `extended` by property id.

        Fields that are not set are None, [] or {}; `private` says whether the Private flag is set.
        """
        return [self._truth(item) for item in self._folder(folder).items.values() if not item.is_list]

    @locked
    def contact(self, item_id: str) -> dict[str, Any]:
        """One card in full; raises KeyError when it is not there."""
        return self._truth(self._item(item_id))

    @locked
    def deleted_contacts(self) -> list[dict[str, Any]]:
        """The cards in Deleted Items."""
        return [self._truth(item) for item in self.storage.trash.items.values()]

    def _truth(self, item: Item) -> dict[str, Any]:
        return {
            "id": item.immutable_id,
            "changeKey": item.change_key,
            "@odata.etag": item.etag(),
            "createdDateTime": stamp(item.created),
            "lastModifiedDateTime": stamp(item.modified),
            **_copied(UNSET),
            "personalNotes": "",
            **_copied(item.fields),
            "extended": dict(item.extended),
            "private": item.extended.get(SENSITIVITY) == "2",
        }

    @locked
    def add_distribution_list(self, name: str, folder: str | None = None) -> str:
        """Make a distribution list: it lies among the cards and is never returned (contrib#8153)."""
        item = self.storage.add({"displayName": name}, self._folder(folder))
        item.is_list = True
        return item.immutable_id

    @property
    @locked
    def folders(self) -> list[FolderView]:
        """The default folder and all those below it that a person can see."""
        storage = self.storage
        return [
            FolderView(f.id, storage.folder_name(f), len(f.items), f is storage.default)
            for f in storage.folders.values()
            if storage.is_live(f) and not f.hidden
        ]

    @locked
    def add_folder(self, name: str, parent: str | None = None) -> str:
        """Make a folder, a second one of the same name too; returns its id."""
        return self.storage.add_folder(name, self._folder(parent)).id

    @locked
    def rename_folder(self, folder: str, name: str) -> None:
        """Give a folder another name."""
        self._folder(folder).name = name

    @locked
    def delete_folder(self, folder: str) -> None:
        """Move a folder with all that is in it to Deleted Items."""
        self._folder(folder).parent = self.storage.trash

    @locked
    def forget_delta_tokens(self) -> None:
        """Drop all delta tokens of this mailbox, as Exchange does when its cache is full."""
        self.storage.generation += 1

    @locked
    def age(self, item_id: str, seconds: float) -> None:
        """Make a card look as if it had been last changed so many seconds earlier."""
        item = self._item(item_id)
        item.modified -= timedelta(seconds=seconds)
        item.created = min(item.created, item.modified)
        item.rendered_for = None

    def _item(self, item_id: str) -> Item:
        item = self.storage.find(item_id)
        if item is None:
            raise KeyError(item_id)
        return item

    def _folder(self, folder: str | None) -> Folder:
        storage = self.storage
        if folder is None or folder == "contacts":
            return storage.default
        found = storage.folders.get(folder)
        if found is not None:
            return found
        for candidate in storage.folders.values():
            if candidate.name == folder and storage.is_live(candidate):
                return candidate
        raise KeyError(folder)


def _copied(fields: Fields) -> Fields:
    """Fields whose lists and objects a test can change without harm."""
    return {name: _copied_value(value) for name, value in fields.items()}


def _copied_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied_value(entry) for entry in value]
    return dict(value) if isinstance(value, dict) else value
