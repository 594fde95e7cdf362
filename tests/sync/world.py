"""A world of replicas in memory in which plans are carried out to the letter: the core's own test bench."""

from collections.abc import Container, Iterable, Iterator
from copy import copy
from dataclasses import replace

from shared.sync.contact import Contact
from shared.sync.draft import draft_for, new_draft
from shared.sync.mergebase import NO_MEMORY
from shared.sync.operations import CreateContact, DeleteContact, Operation
from shared.sync.plan import Plan, reconcile
from shared.sync.replica import Card, Draft, Item, Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId, read_stamp, write_stamp
from tests.builders import HUB, RULES, at, card, spoke


class World:
    """The hub and some spokes; time passes by one hour with each edit and each write."""

    def __init__(self, *names: str, rules: Rules = RULES) -> None:
        self.rules = rules
        self.replicas = {"hub": HUB, **{name: spoke(name) for name in names}}
        self.items: dict[str, dict[str, Item]] = {name: {} for name in self.replicas}
        self.notes: dict[str, str] = {}
        self._hours = 0
        self._number = 0

    def twin(self) -> "World":
        """A world that is the same so far."""
        twin = copy(self)
        twin.items = {name: dict(items) for name, items in self.items.items()}
        twin.notes = dict(self.notes)
        return twin

    def all_items(self) -> list[Item]:
        """Every card there is."""
        return [item for items in self.items.values() for item in items.values()]

    def now(self, item: Item) -> Item:
        """The card as it is now."""
        return self.items[item.mailbox][item.item_id]

    def add(self, mailbox: str, contact: Contact, **more: object) -> Item:
        """A person types a card."""
        item = card(mailbox, contact, hours=self._hour(), item_id=self._new_id(mailbox), **more)  # type: ignore[arg-type]
        self.notes[item.item_id] = write_stamp("", item.stamp) if item.stamp else ""
        self.put(item)
        return item

    def edit(self, item: Item, contact: Contact) -> None:
        """A person saves a card."""
        self.put(replace(self.now(item), contact=contact, modified_at=at(self._hour())))

    def write_note(self, item: Item, note: str) -> None:
        """A person replaces a card's whole note, stamp included."""
        self.notes[item.item_id] = note
        self.put(replace(self.now(item), stamp=read_stamp(note)[1], modified_at=at(self._hour())))

    def copy(self, item: Item) -> Item:
        """A person copies a card, marker, stamp and all."""
        born = at(self._hour())
        twin = replace(self.now(item), item_id=self._new_id(item.mailbox), created_at=born, modified_at=born)
        self.notes[twin.item_id] = self.notes[item.item_id]
        self.put(twin)
        return twin

    def remove(self, item: Item) -> None:
        """A person deletes a card."""
        del self.items[item.mailbox][item.item_id]

    def put(self, item: Item) -> None:
        """Change anything of a card without anybody's edit."""
        self.items[item.mailbox][item.item_id] = item

    def plan(self, *, reverse: bool = False, unreadable: Container[str] = ()) -> Plan:
        """What a run would do; `reverse` shows it everything in the opposite order, `unreadable` spokes not at all."""

        def observe(mailbox: str) -> Observation:
            items = tuple(self.items[mailbox].values())
            return Observation(self.replicas[mailbox], items[::-1] if reverse else items)

        names = [name for name in self.replicas if name != "hub" and name not in unreadable]
        spokes = [observe(name) for name in (names[::-1] if reverse else names)]
        return reconcile(observe("hub"), spokes, self.rules, NO_MEMORY, at(50_000))

    def run(self, *, unreadable: Container[str] = ()) -> Plan:
        """A run whose writes all succeed; `unreadable` spokes take no part in it."""
        plan = self.plan(unreadable=unreadable)
        for operation in operations(plan):
            self.carry_out(operation)
        return plan

    def carry_out(self, operation: Operation) -> None:
        """Do one operation, as the engine and Exchange would."""
        if isinstance(operation, CreateContact):
            self._write(self.add(operation.replica.mailbox, Contact({})), new_draft(operation))
            return
        if isinstance(operation, DeleteContact):
            self.items[operation.replica.mailbox].pop(operation.item.item_id)
            return
        item = self.now(operation.item)
        draft = draft_for(operation, Card(item, self.notes[item.item_id]), self.rules)
        if draft:
            self._write(item, draft)

    def _write(self, item: Item, draft: Draft) -> None:
        note = self.notes[item.item_id] if draft.notes is None else draft.notes
        fields = {name: value for name, value in {**item.contact.fields, **draft.fields}.items() if value is not None}
        written = replace(item, contact=Contact(fields), marker=draft.marker or item.marker)
        self.notes[item.item_id] = note
        self.put(replace(written, stamp=read_stamp(note)[1], modified_at=at(self._hour())))

    def _hour(self) -> int:
        self._hours += 1
        return self._hours

    def _new_id(self, mailbox: str) -> str:
        self._number += 1
        return f"{mailbox}-{self._number:05d}"

    def shared(self, mailbox: str) -> dict[SyncId, Contact]:
        """The mirrored contacts of a replica."""
        items = self.items[mailbox].values()
        return {item.marker: item.contact for item in items if item.marker and not self.rules.withholds(item)}

    def named(self, mailbox: str, name: str) -> Item:
        """The one card of a replica with this display name."""
        (found,) = [item for item in self.items[mailbox].values() if item.contact.text("displayName") == name]
        return found


def operations(plan: Plan) -> Iterator[Operation]:
    """All of a plan's operations, the hub's first."""
    yield from plan.hub.operations
    for theirs in plan.spokes.values():
        yield from theirs


def same(one: Contact, other: Contact) -> bool:
    """Whether two contacts mean the same."""
    return not one.differing(other)


def is_empty(plan: Plan) -> bool:
    """Whether a plan writes nothing."""
    return not any(operations(plan))


def unreported(before: Iterable[Item], world: World, plan: Plan) -> list[tuple[str, str]]:
    """The values that were on the cards `before` and are now neither there nor in the plan's conflicts."""
    reported = {(one.sync_id, one.field, one.loser) for one in plan.conflicts}
    return [
        (item.item_id, name)
        for item in before
        for name, value in item.contact.fields.items()
        if (now := world.now(item)).contact.get(name) != value and (now.marker, name, value) not in reported
    ]
