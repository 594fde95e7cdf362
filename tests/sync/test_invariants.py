"""The promises that the core makes whatever is in the mailboxes, under the names they have in docs/sync-rules.md.

Each is shown here by itself; `test_histories` shows that they also hold together, over many runs.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact, with_display_name
from shared.sync.operations import CreateContact, UpdateContact
from shared.sync.plan import Plan
from shared.sync.replica import Item
from shared.sync.rules import Rules
from shared.sync.stamp import read_stamp
from tests.builders import RULES, contact, spelt
from tests.sync.world import World, is_empty, operations, same, unreported

NAMES = ["", "Anna Meier", "Anna Ito", "Ben Ito", "Zoë Ünal", "伊藤", "Info"]
EMAILS = ["", "anna@fabrikam.com", "ANNA@Fabrikam.com", "info@fabrikam.com", "ben@x.org"]
MAILBOXES = ["ann", "bob", "cem"]
REPLICAS = ["hub", *MAILBOXES]
STRICT = replace(RULES, names_agree=True)
ONLY_ADDING = replace(RULES, update_existing=False)
ALL_RULES = pytest.mark.parametrize("rules", [RULES, STRICT, ONLY_ADDING], ids=["default", "names-agree", "adding"])

fields = st.fixed_dictionaries(
    {},
    optional={
        "mobilePhone": st.sampled_from(["+41 1", "+41 2"]),
        "businessPhones": st.sampled_from([["7"], ["8", "9"]]),
        "jobTitle": st.sampled_from(["CEO", "CTO"]),
        "homeAddress": st.sampled_from([{"city": "Bern"}, {"city": "Bern", "street": "1 Way"}]),
        "birthday": st.just("1980-05-01T11:59:00Z"),
        "categories": st.sampled_from([["Friends"], ["Friends", "Work"]]),
    },
)
contacts = st.builds(
    lambda name, email, more: contact(name, email, **more), st.sampled_from(NAMES), st.sampled_from(EMAILS), fields
)
Row = tuple[str, Contact, bool]
cards = st.lists(st.tuples(st.sampled_from(REPLICAS), contacts, st.booleans()), max_size=9)

Deed = Callable[[World, Item], object]
"""Something that a person does to a card."""


def overtype(change: Contact) -> Deed:
    def deed(world: World, item: Item) -> None:
        world.edit(item, Contact({**world.now(item).contact.fields, **change.fields}))

    return deed


edits = st.builds(
    overtype,
    st.one_of(
        st.builds(contact, st.sampled_from(NAMES[1:])),
        st.builds(lambda email: contact(email=email), st.sampled_from(EMAILS[1:])),
        st.builds(lambda more: contact(**more), fields),
        st.builds(lambda phone: contact(mobilePhone=phone), st.text("xyz", min_size=1, max_size=2)),
    ),
)
other_deeds = st.sampled_from(
    [
        World.copy,
        World.remove,
        lambda world, item: world.write_note(item, ""),
        lambda world, item: world.write_note(item, f"Tea\r\n\r\n{world.notes[item.item_id]}\r\nmore"),
        lambda world, item: world.put(replace(world.now(item), marker=None)),
        lambda world, item: world.put(replace(world.now(item), private=True)),
    ]
)
deeds = st.lists(st.tuples(st.integers(0, 60), edits | other_deeds), max_size=5)
typing = st.lists(st.tuples(st.integers(0, 60), edits), max_size=4)
Deeds = list[tuple[int, Deed]]


def world_of(rows: list[Row], rules: Rules = RULES) -> World:
    world = World(*MAILBOXES, rules=rules)
    for mailbox, content, private in rows:
        world.add(mailbox, content, private=private)
    return world


def do(world: World, todo: Deeds) -> None:
    """Let people do things to cards, the hub's included."""
    for number, deed in todo:
        items = world.all_items()
        if items:
            deed(world, items[number % len(items)])


def described(plan: Plan) -> str:
    """The plan to the letter."""
    return spelt((plan.hub.operations, sorted(plan.spokes.items()), plan.conflicts, sorted(plan.contacts.items())))


@given(cards, typing)
def test_convergence(rows: list[Row], changes: Deeds) -> None:
    """After one run every replica holds the same contacts under the same SyncIds."""
    world = world_of(rows)
    for _ in range(2):
        world.run()
        expected = world.shared("hub")
        for mailbox in MAILBOXES:
            assert world.shared(mailbox).keys() == expected.keys()
            assert all(same(content, expected[sync_id]) for sync_id, content in world.shared(mailbox).items())
        do(world, changes)


@ALL_RULES
@given(rows=cards, todo=deeds)
def test_quiescence(rules: Rules, rows: list[Row], todo: Deeds) -> None:
    """A run after a run writes nothing, before and after whatever people do, under every setting."""
    world = world_of(rows, rules)
    world.run()
    assert is_empty(world.plan())
    do(world, todo)
    world.run()
    assert is_empty(world.plan())


@given(cards, deeds)
def test_no_loss(rows: list[Row], todo: Deeds) -> None:
    """A value that a run overwrites is in its report beside the one that won, in the first run and after edits."""
    world = world_of(rows)
    for _ in range(2):
        before = world.all_items()
        plan = world.run()
        assert unreported(before, world, plan) == []
        do(world, todo)


@given(cards, typing)
def test_no_loss_of_the_last_edit(rows: list[Row], changes: Deeds) -> None:
    """What was typed last on a contact is everywhere after the run."""
    world = world_of([(mailbox, content, False) for mailbox, content, _ in rows])
    world.run()
    mirrored = [item for item in world.all_items() if item.marker]
    if not mirrored:
        return
    for number, deed in changes:
        item = mirrored[number % len(mirrored)]
        before = world.now(item).contact
        deed(world, item)
        last = {name: world.now(item).contact.get(name) for name in world.now(item).contact.differing(before)}
        world.run()
        for mailbox in REPLICAS:
            assert item.marker
            assert {name: world.shared(mailbox)[item.marker].get(name) for name in last} == last


@given(cards, deeds)
def test_no_loss_of_notes(rows: list[Row], todo: Deeds) -> None:
    """The text that a person wrote into a note stays to the letter, and goes nowhere else."""
    world = world_of(rows)
    do(world, [(0, overtype(contact("Anna"))), *todo])
    for item in world.all_items():
        world.write_note(item, f"of {item.item_id}\r\n\r\n{world.notes[item.item_id]}")
    texts = {item.item_id: read_stamp(world.notes[item.item_id])[0] for item in world.all_items()}
    world.run()
    for item in world.all_items():
        assert read_stamp(world.notes[item.item_id])[0] == texts.get(item.item_id, "")


@given(cards, deeds)
def test_determinism_and_order_independence(rows: list[Row], todo: Deeds) -> None:
    """The plan does not depend on the order in which replicas and items are read."""
    world = world_of(rows)
    assert described(world.plan()) == described(world.plan()) == described(world.plan(reverse=True))
    world.run()
    do(world, todo)
    assert described(world.plan()) == described(world.plan(reverse=True))


@given(cards, deeds, st.data())
def test_order_independence_of_the_writes(rows: list[Row], todo: Deeds, data: st.DataObject) -> None:
    """A plan's operations may be carried out in any order: the same cards result."""
    one = world_of(rows)
    one.run()
    do(one, todo)
    other, plan = one.twin(), one.plan()
    for operation in operations(plan):
        one.carry_out(operation)
    for operation in data.draw(st.permutations(list(operations(plan)))):
        other.carry_out(operation)
    for mailbox in REPLICAS:
        assert _cards(one, mailbox) == _cards(other, mailbox)


def _cards(world: World, mailbox: str) -> list[str]:
    items = world.items[mailbox].values()
    return sorted(spelt((item.marker, item.stamp, sorted(item.contact.fields.items()))) for item in items)


def cut_off(world: World, data: st.DataObject) -> World:
    """A twin of the world after a run that got no further than some write."""
    twin = world.twin()
    pending = list(operations(twin.plan()))
    for operation in pending[: data.draw(st.integers(0, len(pending)))]:
        twin.carry_out(operation)
    return twin


@given(cards, st.data())
def test_crash_safety(rows: list[Row], data: st.DataObject) -> None:
    """A first run cut off after any write is completed by the next, to the same contacts and with no double."""
    whole = world_of(rows)
    cut = cut_off(whole, data)
    whole.run()
    cut.run()
    assert is_empty(cut.plan())
    for mailbox in REPLICAS:
        assert cut.shared(mailbox) == whole.shared(mailbox)
        assert len(cut.items[mailbox]) == len(whole.items[mailbox])


@given(cards, deeds, st.data())
def test_crash_safety_later(rows: list[Row], todo: Deeds, data: st.DataObject) -> None:
    """A later run cut off after any write is completed by the next, with no double and nothing overwritten unsaid."""
    whole = world_of(rows)
    whole.run()
    do(whole, todo)
    cut = cut_off(whole, data)
    whole.run()
    before = cut.all_items()
    assert unreported(before, cut, cut.run()) == []
    assert is_empty(cut.plan())
    for mailbox in REPLICAS:
        assert cut.shared(mailbox).keys() == whole.shared(mailbox).keys()
        assert len(cut.items[mailbox]) == len(whole.items[mailbox])


@given(cards, deeds, st.sampled_from(MAILBOXES))
def test_isolation(rows: list[Row], todo: Deeds, broken: str) -> None:
    """A spoke that cannot be read changes nothing for the others, and is brought up to date when it is back."""
    world, without = world_of(rows), World(*(name for name in MAILBOXES if name != broken))
    without.items = {name: items for name, items in world.items.items() if name != broken}
    assert described(world.plan(unreadable={broken})) == described(without.plan())
    untouched = dict(world.items[broken])
    world.run(unreadable={broken})
    assert world.items[broken] == untouched
    do(world, todo)
    before = world.all_items()
    plan = world.run()
    assert unreported(before, world, plan) == []
    assert is_empty(world.plan())


@given(cards)
def test_isolation_of_duplicates(rows: list[Row]) -> None:
    """A second card of the same contact in one mailbox is never touched."""
    world = world_of(rows)
    duplicates = world.plan().pairing.duplicates
    world.run()
    assert all(world.now(item) == item for item in duplicates)


@given(cards)
def test_privacy(rows: list[Row]) -> None:
    """A private card is never written to, and no value that stands on private cards alone is written anywhere."""
    world = world_of(rows)
    private = [item for item in world.all_items() if item.private]
    plan = world.run()
    assert all(world.now(item) == item for item in private)
    open_cards = [with_display_name(content) for _, content, is_private in rows if not is_private]
    open_values = {(field, value) for content in open_cards for field, value in content.fields.items()}
    written = {(field, value) for one in plan.contacts.values() for field, value in one.contact.fields.items()}
    assert written <= open_values


@given(cards, typing, st.integers(0, 60))
def test_privacy_of_what_was_shared(rows: list[Row], changes: Deeds, number: int) -> None:
    """A card that becomes private neither gives its later edits nor takes those of others."""
    world = world_of(rows)
    world.run()
    if not world.all_items():
        return
    item = world.all_items()[number % len(world.all_items())]
    world.put(replace(item, private=True))
    world.edit(item, Contact({**item.contact.fields, "nickName": "a secret"}))
    hidden = world.now(item)
    do(world, [(other, deed) for other, deed in changes if world.all_items()[other % len(world.all_items())] != hidden])
    hidden = world.now(item)
    world.run()
    assert world.now(item) == hidden
    assert all(other.contact.get("nickName") is None for other in world.all_items() if other != hidden)


@ALL_RULES
@given(rows=cards, todo=deeds)
def test_minimality(rules: Rules, rows: list[Row], todo: Deeds) -> None:
    """An update writes only fields that differ, a card gets at most one operation, and an unchanged one none."""
    world = world_of(rows, rules)
    world.run()
    do(world, todo)
    seen = []
    for operation in operations(world.plan()):
        seen.append((operation.replica.mailbox, operation.stamp.sync_id))
        if isinstance(operation, UpdateContact):
            assert operation.fields
            assert all(operation.item.contact.get(name) != value for name, value in operation.fields.items())
        if not isinstance(operation, CreateContact):
            assert world.now(operation.item) == operation.item
    assert len(seen) == len(set(seen))
