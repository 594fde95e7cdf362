"""What is left of a whole reading plans the same as all of it."""

import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact
from shared.sync.draft import planned_fields
from shared.sync.mergebase import Held, Link, Memory, Version, living
from shared.sync.operations import CreateContact, Operation
from shared.sync.plan import Plan, reconcile
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation
from shared.sync.scatter import Part
from shared.sync.settle import held_by, refreshed, settle
from shared.sync.stamp import SyncId
from tests.builders import HUB, RULES, at, card, contact, guid, spelt, spoke

CONTACTS = 4
MAILBOXES = ("ann", "bob")
ADDED = ("joined", "joined elsewhere", "copied")
"""The card is settled, and a new one stands beside it."""
states = st.sampled_from(
    [
        "settled",
        "edited",
        "cleared",
        "gone",
        "unlinked",
        "behind",
        "moved",
        "private",
        "bare",
        "bent",
        "withheld",
        *ADDED,
    ]
)
tables = st.fixed_dictionaries({name: st.lists(states, min_size=CONTACTS, max_size=CONTACTS) for name in MAILBOXES})
CONTENT = [contact(f"Person {n}", f"{n}@x.org", mobilePhone="1", jobTitle="CEO") for n in range(CONTACTS)]
HISTORY = {
    number: Version(number, guid(number % CONTACTS), CONTENT[number % CONTACTS], at(number), "hub")
    for number in range(1, 2 * CONTACTS + 1)
}
VERSIONS = {version.sync_id: version for version in HISTORY.values()}


def spoke_of(mailbox: str, table: list[str]) -> tuple[Observation, list[StoredLink]]:
    """A mailbox read whole, and its links."""
    items: list[Item] = []
    links: list[StoredLink] = []
    for number, state in enumerate(table):
        item, link = _card(mailbox, guid(number), CONTENT[number], state)
        items += [item] if item else []
        items += [_added(mailbox, number, state)] if state in ADDED else []
        links += [link] if link else []
    return Observation(spoke(mailbox), tuple(items)), links


def _added(mailbox: str, number: int, state: str) -> Item:
    """A card that somebody typed: with the address of the settled one or of another, and with its SyncId if copied."""
    address = f"{(number + 1) % CONTACTS if state == 'joined elsewhere' else number}@x.org"
    sync_id = guid(number) if state == "copied" else None
    return card(
        mailbox, contact(f"Else {number}", address), hours=30, sync_id=sync_id, item_id=f"{mailbox}-new-{number}"
    )


def _card(mailbox: str, sync_id: SyncId, content: Contact, state: str) -> tuple[Item | None, StoredLink | None]:  # noqa: C901 - a table
    version = VERSIONS[sync_id]
    item = card(mailbox, content, hours=20, sync_id=sync_id, item_id=f"{mailbox}-{sync_id[-1]}")
    link = StoredLink(mailbox, item.item_id, sync_id, item.change_marker, version.number)
    fields = dict(content.fields)
    match state:
        case "edited":
            item = replace(item, change_marker="marker-2", contact=Contact({**fields, "mobilePhone": "2"}))
        case "cleared":
            fields.pop("jobTitle")
            item = replace(item, change_marker="marker-2", contact=Contact(fields))
        case "gone":
            return None, link
        case "unlinked":
            return item, None
        case "behind":
            link = replace(link, base=version.number - CONTACTS)
        case "moved":
            item = replace(item, change_marker="marker-2")
        case "private":
            item = replace(item, change_marker="marker-2", private=True)
        case "bare":
            item = replace(item, marker=None, stamp=None)
        case "bent":
            item = replace(item, contact=Contact({**fields, "jobTitle": "C"}))
            link = replace(link, residue={"jobTitle": "C"})
        case "withheld":
            link = replace(link, is_withheld=True)
    return item, link


def memory_of(links: list[StoredLink], held: dict[str, Held] | None = None) -> Memory:
    """What is remembered with these links."""
    whole = (
        Link(one.mailbox, one.item_id, one.sync_id, one.change_marker, HISTORY[one.base], one.residue,
             is_ours=one.is_ours, is_withheld=one.is_withheld)
        for one in links
    )  # fmt: skip
    return Memory(VERSIONS, {(link.mailbox, link.item_id): link for link in whole}, held or {})


def described(plan: Plan) -> str:
    """All that the plan says; of a card that was not read the times are not known, and do not count."""
    parts = [(replica.mailbox, *_part(plan.part(replica))) for replica in plan.replicas]
    return spelt((_part(plan.hub), parts, plan.versions, plan.conflicts, plan.refusal))


def _part(part: Part) -> tuple[list[str], list[str]]:
    return sorted(map(_operation, part.operations)), sorted(map(spelt, part.links))


def _operation(one: Operation) -> str:
    item_id = "" if isinstance(one, CreateContact) else one.item.item_id
    return spelt((type(one).__name__, one.replica, one.version, one.stamp, item_id, planned_fields(one)))


@given(tables)
def test_a_settled_reading_plans_the_same(table: dict[str, list[str]]) -> None:
    """Operations, versions, links and conflicts are those of the whole reading, to the letter."""
    hub_items = tuple(
        card("hub", content, sync_id=guid(n), item_id=f"hub-{n}", hours=n) for n, content in enumerate(CONTENT)
    )
    hub = Observation(HUB, hub_items)
    base = [
        StoredLink("hub", item.item_id, guid(n), item.change_marker, VERSIONS[guid(n)].number)
        for n, item in enumerate(hub_items)
    ]
    read = {name: spoke_of(name, states) for name, states in table.items()}
    stored = [link for _, links in read.values() for link in links]
    whole = reconcile(hub, [one for one, _ in read.values()], RULES, memory_of(base + stored), at(100))

    settled = [settle(one, links, VERSIONS, RULES) for one, links in read.values()]
    held = {one.replica.mailbox: held_by(one, living(VERSIONS)) for one in settled}
    told = {item_id for one in settled for item_id in (*(item.item_id for item in one.items), *one.removed)}
    links = base + [link for link in stored if link.item_id in told]
    asked = reconcile(hub, settled, RULES, memory_of(links, held), at(100)).wanted.links
    links += [link for link in stored if link.sync_id in asked.get(link.mailbox, ()) and link not in links]
    left = reconcile(hub, settled, RULES, memory_of(links, held), at(100))
    assert described(left) == described(whole)


@given(tables)
def test_what_is_settled_is_left_out(table: dict[str, list[str]]) -> None:
    """Of each mailbox exactly the cards that need no look are gone."""
    for name, states in table.items():
        whole, links = spoke_of(name, states)
        left = settle(whole, links, VERSIONS, RULES)
        expected = {guid(number) for number, state in enumerate(states) if state in ("settled", "bent", *ADDED)}
        held = held_by(left, living(VERSIONS))
        assert {sync_id for sync_id in VERSIONS if sync_id in held} == expected
        assert bool(held) is bool(expected)
        assert len(left.items) + len(expected) == len(whole.items)
        assert set(left.pending) == VERSIONS.keys() - expected


def test_a_bent_card_is_kept_where_existing_cards_stay() -> None:
    """With `UpdateExisting` off it was left as it was, and pairing goes by what it holds."""
    whole, links = spoke_of("ann", ["bent"] * CONTACTS)
    assert settle(whole, links, VERSIONS, replace(RULES, update_existing=False)).items == whole.items


@given(tables)
def test_changes_that_are_none_are_let_go(table: dict[str, list[str]]) -> None:
    """A card with nothing new but its change marker leaves, and its link has the new one."""
    for name, states in table.items():
        whole, links = spoke_of(name, states)
        told = replace(whole, is_whole=False)
        left, touched = refreshed(told, links, VERSIONS, RULES)
        expected = {
            guid(number) for number, state in enumerate(states) if state in ("settled", "bent", "moved", *ADDED)
        }
        markers = {item.item_id: item.change_marker for item in told.items}
        assert {link.sync_id for link in touched} == expected
        assert all(link.change_marker == markers[link.item_id] for link in touched)
        assert len(left.items) + len(touched) == len(told.items)


def test_settled_mailboxes_take_no_memory_for_each_contact() -> None:
    """A tenant read whole, where all is as remembered, is planned in less than a few bytes for each of its cards."""
    contents = [contact(f"Person {n}", f"{n}@x.org") for n in range(100)]
    versions = {guid(n): Version(n + 1, guid(n), one, at(1), "hub") for n, one in enumerate(contents)}
    quiet = Observation(HUB, (), is_whole=False, watermark=len(versions))
    spokes = [replace(quiet, replica=spoke(f"m{n}"), is_settled=True) for n in range(400)]
    alive = living(versions)
    memory = Memory(versions, {}, {one.replica.mailbox: held_by(one, alive) for one in spokes})
    tracemalloc.start()
    try:
        plan = reconcile(quiet, spokes, RULES, memory, at(100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not any(plan.part(replica).operations for replica in plan.replicas)
    assert peak / (len(spokes) * len(versions)) < 20
