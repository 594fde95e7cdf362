"""Rounds of contacts/delta: pages, links, tokens and the ways in which they end."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from tests.emulator.calls import Call
from tests.emulator.contacts import Contacts, find_folder
from tests.emulator.listing import DEFAULT_PAGE
from tests.emulator.mailbox import Mailbox
from tests.emulator.replies import BadRequestError, GraphError, Reply
from tests.emulator.storage import Entry, Fields, Folder
from tests.emulator.world import World

_REFUSED: Final = ("$filter", "$orderby", "$search", "$top", "$skip", "$count")


@dataclass(frozen=True, slots=True)
class _Round:
    """Where a round stands: all up to `cursor` was told; `since` is 0 in a first round."""

    mailbox: str
    folder: str
    generation: int
    since: int
    started: int
    cursor: int
    select: tuple[str, ...] | None
    page: int = 1
    last: str = ""


class Delta:
    """The handler of contacts/delta, and the tokens it gave out."""

    def __init__(self, world: World, contacts: Contacts) -> None:
        self._world = world
        self._contacts = contacts
        self._tokens: OrderedDict[str, _Round] = OrderedDict()
        self._made = 0

    def reset(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()

    def forget(self) -> None:
        """Drop all tokens of all mailboxes."""
        self._tokens.clear()

    def read(self, call: Call, box: Mailbox) -> Reply:
        """One page of a round."""
        self._refuse_options(call)
        folder = self._folder(call, box)
        token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
        state = self._resume(call, box, folder, token) if token else self._begin(call, box, folder)
        size = min(call.prefer.page_size or DEFAULT_PAGE, self._world.switches.max_delta_page_size)
        entries, cursor = self._entries(folder, state, size)
        body: dict[str, Any] = {"@odata.context": f"{call.base}/$metadata#Collection(contact)"}
        body["value"] = self._show(call, box, folder, state, entries)
        at_end = next(self._following(folder, state, cursor), None) is None
        last = next((e.immutable_id for e in reversed(entries) if e.present), "")
        if at_end:
            done = replace(state, since=box.storage.sequence, cursor=box.storage.sequence, page=1, last="")
            body["@odata.deltaLink"] = self._link(call, folder, "$deltatoken", done)
        else:
            following = replace(state, cursor=cursor, page=state.page + 1, last=last)
            body["@odata.nextLink"] = self._link(call, folder, "$skiptoken", following)
        applied = "odata.track-changes"
        if call.prefer.immutable_ids:
            applied = f'IdType="ImmutableId", {applied}'
        return Reply(200, body, {"Preference-Applied": applied})

    def _refuse_options(self, call: Call) -> None:
        switches = self._world.switches
        if not switches.delta_supported or switches.national_cloud:
            raise BadRequestError("Resource not found for the segment 'delta'.")
        if "$expand" in call.query and switches.delta_expand_fails:
            raise GraphError(500, "InternalServerError", "Value cannot be null.\r\nParameter name: type")
        for option in _REFUSED:
            if option in call.query:
                raise BadRequestError(
                    f"The query parameter '{option}' is not supported for change tracking.", "ErrorInvalidUrlQuery"
                )

    def _folder(self, call: Call, box: Mailbox) -> Folder:
        switches = self._world.switches
        if len(call.ids) == 1:
            if not switches.default_folder_delta_supported:
                raise BadRequestError(
                    "Unsupported request: Change tracking is not supported against 'microsoft.graph.contact'."
                )
            return box.storage.default
        if call.ids[-1] == "contacts" and not switches.alias_in_delta_supported:
            raise BadRequestError("Id is malformed.", "ErrorInvalidIdMalformed")
        return find_folder(box, call.ids[-1], "ErrorSyncFolderNotFound")

    def _begin(self, call: Call, box: Mailbox, folder: Folder) -> _Round:
        select = self._contacts.asked(call)
        generation = box.storage.generation
        return _Round(box.owner, folder.id, generation, 0, box.storage.sequence, 0, select)

    def _resume(self, call: Call, box: Mailbox, folder: Folder, token: str) -> _Round:
        state = self._tokens.get(token)
        known = state is not None and (state.mailbox, state.folder) == (box.owner, folder.id)
        if state is None or not known or state.generation != box.storage.generation:
            raise self._gone(call, box)
        if "$deltatoken" not in call.query:
            return state
        cursor = state.cursor
        if self._world.switches.delta_replays:
            at = bisect_left(folder.journal, (cursor + 1, ""))
            cursor = folder.journal[at - 1][0] - 1 if at else cursor
        return replace(state, started=box.storage.sequence, cursor=cursor)

    def _gone(self, call: Call, box: Mailbox) -> GraphError:
        highest = box.storage.generation
        message = f"The sync state generation is not found; generation={highest - 1};[highest={highest}]."
        forms = {
            "sync_state_not_found": GraphError(410, "SyncStateNotFound", message),
            "location": GraphError(
                410, "resyncRequired", "Resync is required.", {"Location": call.link().split("?")[0] + "?$deltatoken="}
            ),
            "sync_state_invalid": GraphError(400, "SyncStateInvalid", "The sync state is invalid."),
            "resync_required": GraphError(410, "ResyncRequired", "Resync is required."),
            "parameter": BadRequestError(
                "Parameter 'DeltaToken' not supported for this request.", "ErrorInvalidUrlQuery"
            ),
        }
        return forms[self._world.switches.delta_reset]

    def _following(self, folder: Folder, state: _Round, cursor: int) -> Iterator[tuple[int, Entry]]:
        """The entries after the cursor that this round has to tell."""
        journal, entries = folder.journal, folder.entries
        keep_removed = state.since or self._world.switches.delta_removed_in_first_round
        for at in range(bisect_left(journal, (cursor + 1, "")), len(journal)):
            sequence, item_id = journal[at]
            entry = entries[item_id]
            if entry.sequence != sequence or entry.item.is_list:
                continue
            if not entry.present and self._world.switches.delta_misses_last_delete and not folder.items:
                continue
            if entry.present or keep_removed or sequence > state.started:
                yield sequence, entry

    def _entries(self, folder: Folder, state: _Round, size: int) -> tuple[list[Entry], int]:
        if self._world.switches.delta_empty_pages and state.page == 2:
            return [], state.cursor
        told = list(islice(self._following(folder, state, state.cursor), size))
        cursor = told[-1][0] if told else state.cursor
        return [entry for _, entry in told], cursor

    def _show(self, call: Call, box: Mailbox, folder: Folder, state: _Round, entries: Sequence[Entry]) -> list[Fields]:
        again = folder.entries.get(state.last) if self._world.switches.delta_duplicates and entries else None
        told = [again, *entries] if again is not None else entries
        return [self._row(call, box, state, entry) for entry in told]

    def _row(self, call: Call, box: Mailbox, state: _Round, entry: Entry) -> Fields:
        item = entry.item
        if not entry.present:
            gone_id = entry.immutable_id if call.prefer.immutable_ids else entry.classic_id
            return {"id": gone_id, "@removed": {"reason": "deleted"}}
        switches = self._world.switches
        shown = self._contacts.show(call, box, item, state.select, listing=switches.truncate_notes_in_delta)
        if switches.partial_delta_items and state.since and item.born <= state.since:
            changed = {name for name, sequence in item.touched.items() if sequence > state.since}
            kept = changed | {"id", "@odata.etag", "changeKey", "lastModifiedDateTime"}
            return {name: value for name, value in shown.items() if name in kept}
        return shown

    def _link(self, call: Call, folder: Folder, option: str, state: _Round) -> str:
        self._made += 1
        token = f"{state.generation:02d}-{self._made:08x}-{self._world.dice.getrandbits(64):016x}"
        if self._world.switches.long_delta_links:
            token += "-" + "q" * 2000
        self._tokens[token] = state
        while len(self._tokens) > self._world.switches.delta_token_cache_size:
            self._tokens.popitem(last=False)
        if self._world.switches.odata_delta_links:
            owner, name = (quote(text.replace("'", "''")) for text in (call.ids[0], folder.id))
            path = f"users('{owner}')/contactfolders('{name}')/contacts/delta"
        else:
            path = call.link().split("?")[0].removeprefix(f"{call.base}/")
        return f"{call.base}/{path}?{option}={token}"
