"""The promises that the core makes whatever is in the mailboxes, under the names they have in docs/sync-rules.md."""

from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact, with_display_name
from shared.sync.plan import Plan
from tests.builders import contact
from tests.sync.world import World, is_empty, operations, same

NAMES = ["", "Anna Meier", "Ben Ito", "Zoë Ünal", "伊藤", "Info"]
EMAILS = ["", "anna@fabrikam.com", "ANNA@Fabrikam.com", "info@fabrikam.com", "ben@x.org"]
PHONES = ["", "+41 1", "+41 2"]
MAILBOXES = ["ann", "bob", "cem"]

contacts = st.builds(
    lambda name, email, phone, job: contact(name, email, mobilePhone=phone, jobTitle=job),
    st.sampled_from(NAMES), st.sampled_from(EMAILS), st.sampled_from(PHONES), st.sampled_from(["", "CEO", "CTO"]),
)  # fmt: skip
cards = st.lists(st.tuples(st.sampled_from(["hub", *MAILBOXES]), contacts, st.booleans()), max_size=9)
edits = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["mobilePhone", "jobTitle", "displayName"]),
        st.text("xyz", min_size=1, max_size=2),
    ),
    max_size=4,
)


def world_of(rows: list[tuple[str, Contact, bool]]) -> World:
    world = World(*MAILBOXES)
    for mailbox, content, private in rows:
        world.add(mailbox, content, private=private)
    return world


def edit_some(world: World, changes: list[tuple[int, str, str]]) -> list[tuple[str, str, str, str]]:
    """Let people change cards that are mirrored; returns mailbox, item, field and value of each."""
    done = []
    mirrored = [item for items in world.items.values() for item in items.values() if item.marker]
    for number, field, value in changes:
        if mirrored:
            item = mirrored[number % len(mirrored)]
            now = world.items[item.mailbox][item.item_id].contact
            world.edit(item, Contact({**now.fields, field: value}))
            done.append((item.mailbox, item.item_id, field, value))
    return done


def described(plan: Plan) -> object:
    return plan.hub, {mailbox: list(theirs) for mailbox, theirs in plan.spokes.items()}, plan.conflicts


@given(cards)
def test_convergence(rows: list[tuple[str, Contact, bool]]) -> None:
    """After one run every replica holds the same contacts under the same SyncIds."""
    world = world_of(rows)
    world.run()
    expected = world.shared("hub")
    for mailbox in MAILBOXES:
        assert world.shared(mailbox).keys() == expected.keys()
        assert all(same(content, expected[sync_id]) for sync_id, content in world.shared(mailbox).items())


@given(cards, edits)
def test_quiescence(rows: list[tuple[str, Contact, bool]], changes: list[tuple[int, str, str]]) -> None:
    """A run after a run writes nothing, before and after people's edits."""
    world = world_of(rows)
    world.run()
    assert is_empty(world.plan())
    edit_some(world, changes)
    world.run()
    assert is_empty(world.plan())


@given(cards, edits)
def test_no_loss(rows: list[tuple[str, Contact, bool]], changes: list[tuple[int, str, str]]) -> None:
    """Every value that a person typed last is in the result, or in the report beside the one that won."""
    world = world_of(rows)
    world.run()
    done = {(mailbox, item, field): value for mailbox, item, field, value in edit_some(world, changes)}
    plan = world.run()
    for (mailbox, item_id, field), value in done.items():
        item = world.items[mailbox][item_id]
        lost = {(one.field, one.loser) for one in plan.conflicts if one.sync_id == item.marker}
        assert item.contact.get(field) == value or (field, value) in lost


@given(cards)
def test_no_loss_in_the_first_run(rows: list[tuple[str, Contact, bool]]) -> None:
    """Merging people's own cards for the first time loses no value: what is overwritten is in the report."""
    world = world_of(rows)
    before = {(m, i): item.contact for m, items in world.items.items() for i, item in items.items()}
    plan = world.run()
    for (mailbox, item_id), old in before.items():
        item = world.items[mailbox][item_id]
        lost = {(one.field, one.loser) for one in plan.conflicts if one.sync_id == item.marker}
        for field, value in old.fields.items():
            assert item.contact.get(field) == value or (field, value) in lost


@given(cards, edits)
def test_determinism_and_order_independence(
    rows: list[tuple[str, Contact, bool]], changes: list[tuple[int, str, str]]
) -> None:
    """The plan does not depend on the order in which replicas and items are read."""
    world = world_of(rows)
    assert described(world.plan()) == described(world.plan(reverse=True))
    world.run()
    edit_some(world, changes)
    assert described(world.plan()) == described(world.plan(reverse=True))


@given(cards, st.data())
def test_crash_safety(rows: list[tuple[str, Contact, bool]], data: st.DataObject) -> None:
    """A run cut off after any write is completed by the next, to the same contacts and with no double."""
    whole, cut = world_of(rows), world_of(rows)
    whole.run()
    todo = list(operations(cut.plan()))
    for operation in todo[: data.draw(st.integers(0, len(todo)))]:
        cut.carry_out(operation)
    cut.run()
    assert is_empty(cut.plan())
    for mailbox in ["hub", *MAILBOXES]:
        assert cut.shared(mailbox).keys() == whole.shared(mailbox).keys()
        assert len(cut.items[mailbox]) == len(whole.items[mailbox])


@given(cards)
def test_privacy(rows: list[tuple[str, Contact, bool]]) -> None:
    """A private card is never written to, and no value that stands on private cards alone is written anywhere."""
    world = world_of(rows)
    private = [item for items in world.items.values() for item in items.values() if item.private]
    plan = world.run()
    assert all(world.items[item.mailbox][item.item_id] == item for item in private)
    open_cards = [with_display_name(content) for _, content, is_private in rows if not is_private]
    open_values = {(field, value) for content in open_cards for field, value in content.fields.items()}
    assert {
        (field, value) for content in plan.contacts.values() for field, value in content.fields.items()
    } <= open_values


@given(cards)
def test_minimality(rows: list[tuple[str, Contact, bool]]) -> None:
    """An update writes only fields that differ, and a card gets at most one operation."""
    plan = world_of(rows).plan()
    seen = []
    for operation in operations(plan):
        item = getattr(operation, "item", None)
        fields = getattr(operation, "fields", {})
        seen.append((operation.replica.mailbox, operation.stamp.sync_id))
        assert all(item.contact.get(name) != value for name, value in fields.items())
    assert len(seen) == len(set(seen))


@given(cards)
def test_isolation_of_duplicates(rows: list[tuple[str, Contact, bool]]) -> None:
    """A second card of the same contact in one mailbox is never touched."""
    world = world_of(rows)
    duplicates = world.plan().pairing.duplicates
    world.run()
    assert all(world.items[item.mailbox][item.item_id] == item for item in duplicates)
