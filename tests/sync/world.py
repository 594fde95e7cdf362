"""A world of replicas in memory in which plans are carried out to the letter: the core's own test bench."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from shared.sync.contact import EMPTY, Contact
from shared.sync.mergebase import NO_MEMORY
from shared.sync.plan import CreateContact, Operation, Plan, StampContact, reconcile
from shared.sync.replica import Item, Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId
from tests.builders import HUB, RULES, at, card, spoke


class World:
    """The hub and some spokes; time passes by one hour with each edit and each run."""

    def __init__(self, *names: str, rules: Rules = RULES) -> None:
        self.rules = rules
        self.replicas = {"hub": HUB, **{name: spoke(name) for name in names}}
        self.items: dict[str, dict[str, Item]] = {name: {} for name in self.replicas}
        self._hours = count(1)
        self._numbers = count(1)

    def add(self, mailbox: str, contact: Contact, **more: object) -> Item:
        """A person types a card."""
        item = card(mailbox, contact, hours=next(self._hours), item_id=f"{mailbox}-{next(self._numbers):05d}", **more)  # type: ignore[arg-type]
        self.items[mailbox][item.item_id] = item
        return item

    def edit(self, item: Item, contact: Contact) -> None:
        """A person saves a card."""
        self.items[item.mailbox][item.item_id] = replace(
            self.items[item.mailbox][item.item_id], contact=contact, modified_at=at(next(self._hours))
        )

    def put(self, item: Item) -> None:
        """Change anything of a card without anybody's edit."""
        self.items[item.mailbox][item.item_id] = item

    def plan(self, *, reverse: bool = False) -> Plan:
        """What a run would do; `reverse` shows it everything in the opposite order."""

        def observe(mailbox: str) -> Observation:
            items = tuple(self.items[mailbox].values())
            return Observation(self.replicas[mailbox], items[::-1] if reverse else items)

        names = [name for name in self.replicas if name != "hub"]
        spokes = [observe(name) for name in (names[::-1] if reverse else names)]
        return reconcile(observe("hub"), spokes, self.rules, NO_MEMORY, at(5000))

    def run(self) -> Plan:
        """A run whose writes all succeed."""
        plan = self.plan()
        for operation in operations(plan):
            self.carry_out(operation)
        return plan

    def carry_out(self, operation: Operation) -> None:
        """Do one operation, as Exchange would."""
        mailbox, stamp = operation.replica.mailbox, operation.stamp
        marks = {"marker": stamp.sync_id, "stamp": stamp, "modified_at": at(next(self._hours))}
        if isinstance(operation, CreateContact):
            self.put(replace(self.add(mailbox, operation.contact), **marks))  # type: ignore[arg-type]
            return
        item = self.items[mailbox][operation.item.item_id]
        changed = {} if isinstance(operation, StampContact) else dict(operation.fields)
        fields = {name: value for name, value in {**item.contact.fields, **changed}.items() if value is not None}
        self.put(replace(item, contact=Contact(fields), **marks))  # type: ignore[arg-type]

    def contents(self, mailbox: str) -> list[Contact]:
        """What stands in a replica, withheld cards apart."""
        return [item.contact for item in self.items[mailbox].values() if not self.rules.withholds(item)]

    def shared(self, mailbox: str) -> dict[SyncId, Contact]:
        """The mirrored contacts of a replica."""
        items = self.items[mailbox].values()
        return {item.marker: item.contact for item in items if item.marker and not self.rules.withholds(item)}

    def named(self, mailbox: str, name: str) -> Item:
        """The one card of a replica with this display name."""
        (found,) = [item for item in self.items[mailbox].values() if item.contact.text("displayName") == name]
        return found


def operations(plan: Plan) -> Iterable[Operation]:
    """All of a plan's operations, the hub's first."""
    yield from plan.hub
    for theirs in plan.spokes.values():
        yield from theirs


def same(one: Contact, other: Contact) -> bool:
    """Whether two contacts mean the same."""
    return not one.differing(other)


def is_empty(plan: Plan) -> bool:
    """Whether a plan writes nothing."""
    return not list(operations(plan))


NOBODY = EMPTY
