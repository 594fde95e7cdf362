"""Contacts over HTTP: list, get, create, update, delete."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from tests.emulator.calls import Call
from tests.emulator.contract import TRIO, check_body, selected, unknown_property
from tests.emulator.filters import parse_filter
from tests.emulator.ids import WELL_FORMED, is_immutable
from tests.emulator.listing import order_by, page
from tests.emulator.mailbox import Mailbox
from tests.emulator.properties import property_id, read_properties, show_properties
from tests.emulator.replies import BadRequestError, GraphError, Reply
from tests.emulator.storage import Fields, Folder, Item
from tests.emulator.world import World

CONFLICT: Final = (
    412,
    "ErrorIrresolvableConflict",
    (
        "The send or update operation could not be performed because the change key passed in the request does not "
        "match the current change key for the item."
    ),
)
_EXPAND: Final = re.compile(r"singleValueExtendedProperties\(\$filter=(.*)\)\Z", re.IGNORECASE | re.DOTALL)
_EXTENSIONS: Final = re.compile(r"extensions(?:\(\$filter=id eq '([^']*)'\))?\Z", re.IGNORECASE)
_PROPERTY_FILTER: Final = re.compile(r"\s*id\s+eq\s+'((?:[^']|'')*)'\s*(or\b|\Z)", re.IGNORECASE)


class Contacts:
    """The handlers of contacts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._patches = 0

    def folder(self, call: Call, box: Mailbox) -> Folder:
        """The folder in the path; the default folder without one, and for the alias `contacts`."""
        if len(call.ids) == 1:
            return box.storage.default
        return find_folder(box, call.ids[-1], self._world.switches.folder_gone_code)

    def item(self, call: Call, box: Mailbox, item_id: str) -> Item:
        """The item with this id in either form; raises what Graph answers when there is none."""
        if not WELL_FORMED.match(item_id):
            raise BadRequestError("Id is malformed.", "ErrorInvalidIdMalformed")
        switches = self._world.switches
        if is_immutable(item_id) and switches.immutable_ids_need_header and not call.prefer.immutable_ids:
            raise BadRequestError("Id is malformed.", "ErrorInvalidIdMalformed")
        item = box.storage.find(item_id)
        if item is None or item.is_list or not (switches.deleted_items_readable or box.storage.is_live(item.folder)):
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return item

    def show(self, call: Call, box: Mailbox, item: Item, select: Sequence[str] | None, *, listing: bool) -> Fields:
        """A card as an answer holds it."""
        folder = item.folder
        full = box.rules.render(item, box.storage.folder_name(folder), is_default=folder is box.storage.default)
        shown_id = item.immutable_id if call.prefer.immutable_ids else item.classic_id
        if select is None:
            shown = {"id": shown_id, **full}
        else:
            shown = {"@odata.etag": full["@odata.etag"], "id": shown_id}
            for name in select:
                if name != "id":
                    shown[name] = full[name]
        if listing and shown.get("personalNotes"):
            shown["personalNotes"] = box.rules.cut_note(shown["personalNotes"])
        return shown

    def asked(self, call: Call) -> tuple[str, ...] | None:
        """The properties that `$select` asks for, None for all; an `$expand` is checked as well."""
        _clauses(call.query.get("$expand", ""))
        select = selected(call.route, call.query.get("$select", ""))
        if self._world.switches.national_cloud:
            for name in set(select or ()).intersection(TRIO):
                self._missing(name)
        return select

    def _missing(self, name: str) -> Any:
        raise BadRequestError(f"Could not find a property named '{name}' on type 'Microsoft.OutlookServices.Contact'.")

    def expand(self, call: Call, item: Item, shown: Fields) -> Fields:
        """Add what `$expand` asks for."""
        for clause in _clauses(call.query.get("$expand", "")):
            if isinstance(clause, tuple):
                properties = show_properties(item.extended, clause)
                if properties:
                    shown["singleValueExtendedProperties"] = properties
            else:
                names = [clause] if clause else list(item.extensions)
                shown["extensions"] = [item.extensions[name] for name in names if name in item.extensions]
        return shown

    def listing(self, call: Call, box: Mailbox) -> Reply:
        """A page of a folder."""
        switches = self._world.switches
        folder = self.folder(call, box)
        select = self.asked(call)
        rows = list(folder.items.values())
        if not switches.hide_distribution_lists:
            rows = [item for item in rows if not item.is_list]
        if switches.list_order == "newest":
            rows.reverse()
        rows = self._searched(call, box, self._filtered(call, box, rows))
        rows = order_by(call, rows, lambda item, name: self._record(box, item).get(name))

        def show(items: Sequence[Item]) -> list[Any]:
            visible = (item for item in items if not item.is_list)
            return [self.expand(call, item, self.show(call, box, item, select, listing=True)) for item in visible]

        return page(call, rows, show, switches)

    def count(self, call: Call, box: Mailbox) -> Reply:
        """How many items a folder has, hidden ones included."""
        rows = self._filtered(call, box, list(self.folder(call, box).items.values()))
        return Reply(200, str(len(rows)).encode(), {"Content-Type": "text/plain"})

    def _filtered(self, call: Call, box: Mailbox, rows: list[Item]) -> list[Item]:
        text = call.query.get("$filter")
        if text is None:
            return rows
        if "personalnotes" in text.lower():
            raise BadRequestError("The query filter contains one or more invalid nodes.", "ErrorInvalidUrlQueryFilter")
        _check_order(text, call.query.get("$orderby", ""))
        fits = parse_filter(text)
        lag = self._world.switches.marker_lookup_lag_seconds
        if lag and "extendedproperties" in text.lower():
            before = self._world.clock.seconds - lag
            rows = [item for item in rows if item.created.timestamp() <= before]
        return [item for item in rows if fits(self._record(box, item))]

    def _record(self, box: Mailbox, item: Item) -> Mapping[str, Any]:
        folder = item.folder
        full = box.rules.render(item, box.storage.folder_name(folder), is_default=folder is box.storage.default)
        properties = [{"id": name, "value": value} for name, value in item.extended.items()]
        return {"id": item.immutable_id, **full, "singleValueExtendedProperties": properties}

    def _searched(self, call: Call, box: Mailbox, rows: list[Item]) -> list[Item]:
        text = call.query.get("$search", "").strip('"').lower()
        if not text:
            return rows
        if len(call.ids) > 1:
            raise BadRequestError("The query parameter '$search' is not supported for this folder.")
        return [item for item in rows if text in item.fields.get("displayName", "").lower()]

    def get(self, call: Call, box: Mailbox) -> Reply:
        """One card."""
        self._check_folder(call, box)
        item = self.item(call, box, call.ids[-1])
        select = self.asked(call)
        shown = self.show(call, box, item, select, listing=False)
        context = {"@odata.context": f"{call.base}/$metadata#users('{call.ids[0]}')/contacts/$entity"}
        return Reply(200, {**context, **self.expand(call, item, shown)}, call.prefer.applied())

    def _check_folder(self, call: Call, box: Mailbox) -> None:
        if len(call.ids) > 2:
            find_folder(box, call.ids[-2], self._world.switches.folder_gone_code)

    def create(self, call: Call, box: Mailbox) -> Reply:
        """A new card."""
        folder = self.folder(call, box)
        body = self._body(call)
        stored: Fields = {}
        box.rules.write(stored, body, creating=True)
        properties = read_properties(body)
        item = box.storage.add(stored, folder)
        self._finish(item, body, properties)
        return self._written(call, box, item, 201)

    def _body(self, call: Call) -> dict[str, Any]:
        body = check_body(call.route, call.body)
        if self._world.switches.national_cloud and any(name in body for name in TRIO):
            raise unknown_property(next(name for name in TRIO if name in body))
        return body

    def _finish(self, item: Item, body: Mapping[str, Any], properties: Mapping[str, str]) -> None:
        for name, value in properties.items():
            if value:
                item.extended[name] = value
            else:
                item.extended.pop(name, None)
        for extension in body.get("extensions") or ():
            item.extensions[extension.get("extensionName", "")] = dict(extension)

    def _written(self, call: Call, box: Mailbox, item: Item, status: int) -> Reply:
        shown = self.show(call, box, item, None, listing=False)
        if self._world.switches.extended_property_echo and item.extended:
            shown = {**shown, "singleValueExtendedProperties": show_properties(item.extended, item.extended)}
        headers = {**call.prefer.applied(), "ETag": item.etag()}
        if status == 201:
            headers["Location"] = f"{call.base}/users('{call.ids[0]}')/contacts('{shown['id']}')"
        return Reply(status, shown, headers)

    def update(self, call: Call, box: Mailbox) -> Reply:
        """Change some properties of a card."""
        self._check_folder(call, box)
        item = self.item(call, box, call.ids[-1])
        body = self._body(call)
        self._check_conflict(call, item)
        stored = dict(item.fields)
        properties = read_properties(body)
        touched = box.rules.write(stored, body, creating=False)
        item.fields = stored
        self._finish(item, body, properties)
        box.storage.touch(item, touched)
        return self._written(call, box, item, 200)

    def _check_conflict(self, call: Call, item: Item) -> None:
        switches = self._world.switches
        expected = call.headers.get("if-match")
        if expected and switches.honour_if_match and expected not in {"*", item.etag()}:
            raise GraphError(*CONFLICT)
        self._patches += 1
        every = switches.spurious_conflict_every
        if every and self._patches % every == 0 and not item.struck:
            item.struck = True
            raise GraphError(*CONFLICT)

    def delete(self, call: Call, box: Mailbox) -> Reply:
        """Move a card to Deleted Items."""
        self._check_folder(call, box)
        item = self.item(call, box, call.ids[-1])
        expected = call.headers.get("if-match")
        if expected and self._world.switches.honour_if_match and expected not in {"*", item.etag()}:
            raise GraphError(*CONFLICT)
        box.storage.delete(item)
        return Reply(204)

    def purge(self, call: Call, box: Mailbox) -> Reply:
        """Remove a card for good (contact-permanentdelete page); not there in the China cloud."""
        if self._world.switches.national_cloud:
            raise BadRequestError("Resource not found for the segment 'permanentDelete'.")
        box.storage.purge(self.item(call, box, call.ids[-1]))
        return Reply(204)

    def translate(self, call: Call, box: Mailbox) -> Reply:
        """Classic ids to immutable ones or back (translateExchangeIds)."""
        body = call.body if isinstance(call.body, dict) else {}
        ids, target = body.get("inputIds"), body.get("targetIdType")
        if not isinstance(ids, list) or len(ids) > 1000 or target not in {"restId", "restImmutableEntryId"}:
            raise BadRequestError("The request is invalid.", "ErrorInvalidRequest")
        value = []
        for source in ids:
            item = box.storage.find(source)
            if item is not None:
                value.append(
                    {"sourceId": source, "targetId": item.classic_id if target == "restId" else item.immutable_id}
                )
        return Reply(200, {"value": value})


def find_folder(box: Mailbox, name: str, gone_code: str) -> Folder:
    """The folder with this id or the alias `contacts`; raises the 404 or 400 of Graph when there is none."""
    if name == "contacts":
        return box.storage.default
    if not WELL_FORMED.match(name):
        raise BadRequestError("Id is malformed.", "ErrorInvalidIdMalformed")
    folder = box.storage.folders.get(name)
    if folder is None or not box.storage.is_live(folder):
        raise GraphError(404, gone_code, "The specified folder could not be found in the store.")
    return folder


def _check_order(text: str, order: str) -> None:
    names = [clause.split()[0] for clause in order.split(",") if clause.strip()]
    if any(name not in text for name in names):
        raise BadRequestError("The restriction or sort order is too complex for this operation.", "InefficientFilter")


@lru_cache(maxsize=256)
def _clauses(expand: str) -> tuple[tuple[str, ...] | str, ...]:
    """What an `$expand` asks for: a tuple of property ids, or the name of an open extension ("" for all)."""
    if not expand:
        return ()
    clauses: list[tuple[str, ...] | str] = []
    for part in _top_level(expand):
        if match := _EXPAND.match(part):
            clauses.append(_property_ids(match[1]))
        elif match := _EXTENSIONS.match(part):
            clauses.append(match[1] or "")
        else:
            raise BadRequestError(f"The query parameter '$expand={part}' is not supported.", "ErrorInvalidUrlQuery")
    return tuple(clauses)


def _top_level(expand: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(expand):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(expand[start:at].strip())
            start = at + 1
    return [*parts, expand[start:].strip()]


def _property_ids(text: str) -> tuple[str, ...]:
    ids, position = [], 0
    while match := _PROPERTY_FILTER.match(text, position):
        ids.append(property_id(match[1].replace("''", "'")))
        position = match.end()
        if position == len(text):
            return tuple(ids)
    raise BadRequestError("The query filter contains one or more invalid nodes.", "ErrorInvalidUrlQueryFilter")
