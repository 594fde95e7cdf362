"""Long histories: whatever people do between runs and during them, after each whole run every promise holds."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import islice

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shared.sync.contact import Contact
from shared.sync.pairing import Pairing
from shared.sync.plan import Plan
from shared.sync.replica import Item
from shared.sync.rules import Rules
from shared.sync.stamp import read_stamp
from tests.builders import contact
from tests.sync.world import World, is_empty, operations, same, unreported

SPOKES = ("ann", "bob", "cem")
REPLICAS = ("hub", *SPOKES)

contacts = st.builds(
    lambda name, email, fields: contact(name, email, **fields),
    st.sampled_from(["", "Anna Meier", "Anna Ito", "Ben Ito", "Info"]),
    st.sampled_from(["", "anna@fabrikam.com", "ANNA@Fabrikam.com", "info@fabrikam.com"]),
    st.fixed_dictionaries({}, optional={"mobilePhone": st.sampled_from(["1", "2"]), "businessPhones": st.just(["7"])}),
)
changes = st.sampled_from(
    [
        contact("Anna Meier"),
        contact("Ben Ito"),
        contact(email="anna@fabrikam.com"),
        contact(email="ben@fabrikam.com"),
        contact(email="info@fabrikam.com"),
        contact(mobilePhone="3"),
        contact(mobilePhone="4", jobTitle="CEO"),
        contact(homeAddress={"city": "Bern"}),
        contact(birthday="1980-05-01T11:59:00Z"),
        contact(categories=["Mine"]),
    ]
)
numbers = st.integers(0, 60)
absences = st.sets(st.sampled_from(SPOKES), max_size=2)


class Histories(RuleBasedStateMachine):
    """People, spokes and runs."""

    policy = Rules("tenant", exclude_categories=frozenset({"mine"}))

    @initialize()
    def begin(self) -> None:
        self.world = World(*SPOKES, rules=self.policy)

    def has_cards(self) -> bool:
        return bool(self.world.all_items())

    def _pick(self, number: int) -> Item:
        items = self.world.all_items()
        return items[number % len(items)]

    @rule(mailbox=st.sampled_from(REPLICAS), content=contacts)
    def type_card(self, mailbox: str, content: Contact) -> None:
        self.world.add(mailbox, content)

    @precondition(has_cards)
    @rule(number=numbers, change=changes)
    def edit(self, number: int, change: Contact) -> None:
        item = self._pick(number)
        self.world.edit(item, Contact({**item.contact.fields, **change.fields}))

    @precondition(has_cards)
    @rule(number=numbers, field=st.sampled_from(["mobilePhone", "emailAddresses", "displayName", "categories"]))
    def clear(self, number: int, field: str) -> None:
        item = self._pick(number)
        self.world.edit(item, Contact({name: value for name, value in item.contact.fields.items() if name != field}))

    @precondition(has_cards)
    @rule(number=numbers)
    def copy_card(self, number: int) -> None:
        self.world.copy(self._pick(number))

    @precondition(has_cards)
    @rule(number=numbers, note=st.sampled_from(["", "Tea\r\n\r\nat 5", "SyncId=mine"]), keep_stamp=st.booleans())
    def rewrite_note(self, number: int, note: str, keep_stamp: bool) -> None:
        item = self._pick(number)
        kept = f"{self.world.notes[item.item_id]}\r\n{note}" if keep_stamp else note
        self.world.write_note(item, kept)

    @precondition(has_cards)
    @rule(number=numbers)
    def lose_marker(self, number: int) -> None:
        self.world.put(replace(self._pick(number), marker=None))

    @precondition(has_cards)
    @rule(number=numbers)
    def turn_private(self, number: int) -> None:
        item = self._pick(number)
        self.world.put(replace(item, private=not item.private))

    @precondition(has_cards)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        self.world.remove(self._pick(number))

    @rule(away=absences, writes=st.integers(0, 12))
    def cut_off_run(self, away: set[str], writes: int) -> None:
        plan = self.world.plan(unreadable=away)
        self._carry_out(plan, writes, away)

    @precondition(has_cards)
    @rule(away=absences, number=numbers, change=changes)
    def run_while_somebody_types(self, away: set[str], number: int, change: Contact) -> None:
        plan = self.world.plan(unreadable=away)
        self.edit(number, change)
        self._carry_out(plan, None, away)

    @rule(away=absences)
    def run(self, away: set[str]) -> None:
        self._carry_out(self.world.plan(unreadable=away), None, away)
        again = self.world.plan(unreadable=away)
        assert is_empty(again), list(operations(again))
        self._replicas_agree(again.pairing, away)

    def _carry_out(self, plan: Plan, writes: int | None, away: Collection[str]) -> None:
        before, notes = self.world.all_items(), dict(self.world.notes)
        for operation in islice(operations(plan), writes):
            self.world.carry_out(operation)
        assert unreported(before, self.world, plan) == []
        for item in before:
            is_out = item.mailbox in away or self.policy.withholds(item)
            assert not is_out or self.world.now(item) == item
            assert self.policy.update_existing or same(self.world.now(item).contact, item.contact)
            assert read_stamp(self.world.notes[item.item_id])[0] == read_stamp(notes[item.item_id])[0]

    def _replicas_agree(self, pairing: Pairing, away: Collection[str]) -> None:
        readable = set(REPLICAS).difference(away)
        visible = [i for i in self.world.all_items() if i.mailbox in readable and not self.policy.withholds(i)]
        placed = [item for cards in pairing.contacts.values() for item in cards.values()]
        assert sorted(map(_place, visible)) == sorted(map(_place, [*placed, *pairing.duplicates]))
        for sync_id, cards in pairing.contacts.items():
            occupied = pairing.occupied.get(sync_id, frozenset())
            if cards and "hub" not in occupied:
                assert cards.keys() | occupied == readable | occupied
                assert all(item.marker == sync_id for item in cards.values())
                assert not self.policy.update_existing or _are_equal(cards.values())


def _are_equal(items: Iterable[Item]) -> bool:
    first, *others = (item.contact for item in items)
    return all(same(first, other) for other in others)


def _place(item: Item) -> tuple[str, str]:
    return (item.mailbox, item.item_id)


class HistoriesWhereNamesMustAgree(Histories):
    """The same with the stricter pairing."""

    policy = replace(Histories.policy, names_agree=True)


class HistoriesWhereNothingIsUpdated(Histories):
    """The same with UpdateExisting off: cards are made and stamped, no card that exists is changed."""

    policy = replace(Histories.policy, update_existing=False)


TestHistories = Histories.TestCase
TestHistoriesWhereNamesMustAgree = HistoriesWhereNamesMustAgree.TestCase
TestHistoriesWhereNothingIsUpdated = HistoriesWhereNothingIsUpdated.TestCase
