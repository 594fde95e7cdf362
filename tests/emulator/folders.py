"""Contact folders over HTTP."""

from collections.abc import Sequence
from typing import Any

from tests.emulator.calls import Call
from tests.emulator.contacts import find_folder
from tests.emulator.contract import check_body, selected
from tests.emulator.filters import parse_filter
from tests.emulator.listing import order_by, page
from tests.emulator.mailbox import Mailbox
from tests.emulator.replies import BadRequestError, GraphError, Reply
from tests.emulator.storage import Folder
from tests.emulator.world import World


class Folders:
    """The handlers of contact folders; the default folder is in no list (known-issues page)."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _parent(self, call: Call, box: Mailbox) -> Folder:
        if len(call.ids) < 2:
            return box.storage.default
        return self._find(box, call.ids[1])

    def _find(self, box: Mailbox, name: str) -> Folder:
        return find_folder(box, name, self._world.switches.folder_gone_code)

    def _show(self, box: Mailbox, folder: Folder, select: Sequence[str] | None) -> dict[str, Any]:
        shown = {
            "id": folder.id,
            "parentFolderId": folder.parent.id if folder.parent else None,
            "displayName": box.storage.folder_name(folder),
        }
        return shown if select is None else {name: shown[name] for name in ("id", *select)}

    def _children(self, call: Call, box: Mailbox) -> list[Folder]:
        hidden_too = self._world.switches.hidden_folders_listed
        rows = [f for f in box.storage.children(self._parent(call, box)) if hidden_too or not f.hidden]
        if text := call.query.get("$filter"):
            fits = parse_filter(text)
            rows = [folder for folder in rows if fits(self._show(box, folder, None))]
        return rows

    def listing(self, call: Call, box: Mailbox) -> Reply:
        """The folders directly below the default folder, or below the one in the path."""
        if "$expand" in call.query or "$search" in call.query:
            raise BadRequestError("The query parameter is not supported.", "ErrorInvalidUrlQuery")
        select = selected(call.route, call.query.get("$select", ""))
        rows = order_by(call, self._children(call, box), lambda folder, name: self._show(box, folder, None).get(name))
        return page(call, rows, lambda some: [self._show(box, f, select) for f in some], self._world.switches)

    def count(self, call: Call, box: Mailbox) -> Reply:
        """How many folders there are."""
        return Reply(200, str(len(self._children(call, box))).encode(), {"Content-Type": "text/plain"})

    def get(self, call: Call, box: Mailbox) -> Reply:
        """One folder."""
        select = selected(call.route, call.query.get("$select", ""))
        return Reply(200, self._show(box, self._find(box, call.ids[-1]), select))

    def create(self, call: Call, box: Mailbox) -> Reply:
        """A new folder."""
        parent = self._parent(call, box)
        name = self._name(call)
        if self._named(box, parent, name):
            raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        return Reply(201, self._show(box, box.storage.add_folder(name, parent), None))

    def _name(self, call: Call) -> str:
        name = check_body(call.route, call.body).get("displayName")
        if not isinstance(name, str) or not name:
            raise BadRequestError("The folder's displayName is missing.", "ErrorInvalidRequest")
        return name

    def _named(self, box: Mailbox, parent: Folder, name: str) -> list[Folder]:
        def same(other: str) -> bool:
            return other.lower() == name.lower() if self._world.switches.folder_name_case_insensitive else other == name

        return [folder for folder in box.storage.children(parent) if same(folder.name)]

    def update(self, call: Call, box: Mailbox) -> Reply:
        """Rename a folder; its id stays."""
        folder = self._find(box, call.ids[-1])
        name = self._name(call)
        if folder is box.storage.default or folder.parent is None:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if any(other is not folder for other in self._named(box, folder.parent, name)):
            raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        folder.name = name
        return Reply(200, self._show(box, folder, None))

    def delete(self, call: Call, box: Mailbox) -> Reply:
        """Move a folder to Deleted Items; refused while one of its name is there (msgraph-sdk-powershell#2743)."""
        folder = self._find(box, call.ids[-1])
        if folder is box.storage.default:
            raise BadRequestError("Distinguished folders cannot be deleted.", "ErrorDeleteDistinguishedFolder")
        if self._named(box, box.storage.trash, folder.name):
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        folder.parent = box.storage.trash
        return Reply(204)

    def purge(self, call: Call, box: Mailbox) -> Reply:
        """Remove a folder for good."""
        folder = self._find(box, call.ids[-1])
        for item in list(folder.items.values()):
            box.storage.purge(item)
        box.storage.folders.pop(folder.id)
        return Reply(204)
