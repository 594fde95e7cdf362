"""Which word counts: with a base field by field, without one the newest, and the same whatever is heard first."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact, Email, FieldValue
from shared.sync.merge import Ballot, Merged, Support, Voice, Word, join, merge, resolve, voices_of
from shared.sync.mergebase import NO_MEMORY, Link, Version
from shared.sync.replica import Item
from tests.builders import at, card, contact, guid, spelt

S = guid(1)
BASE = contact("Anna Meier", "anna@x.org", mobilePhone="1", jobTitle="CTO")
FIRST = Version(1, S, BASE, at(0), "hub")


def edited(content: Contact, **fields: object) -> Contact:
    """The contact with some fields changed; None clears."""
    changed = contact(**{name: value for name, value in fields.items() if value is not None})  # type: ignore[arg-type]
    kept = {name: value for name, value in content.fields.items() if name not in fields}
    return Contact({**kept, **changed.fields})


def linked(mailbox: str, content: Contact, hours: float, base: Version = FIRST, **residue: FieldValue | None) -> Voice:
    """A card that last agreed with `base`."""
    item = card(mailbox, content, hours=hours, sync_id=S)
    link = Link(mailbox, item.item_id, S, "old marker", base, residue)
    return Voice(item, mailbox == "hub", mirrored=True, link=link)


def mirrored(mailbox: str, content: Contact, hours: float) -> Voice:
    """A card with our stamp, of which nothing is remembered."""
    return Voice(card(mailbox, content, hours=hours, sync_id=S), mailbox == "hub", mirrored=True)


def stranger(mailbox: str, content: Contact, hours: float) -> Voice:
    """A card that was not mirrored before."""
    return Voice(card(mailbox, content, hours=hours), mailbox == "hub", mirrored=False)


def merged(*voices: Voice, current: Version | None = None) -> Merged:
    """The merge, which is the same in whatever order the voices are heard."""
    results = [merge(S, order, current) for order in permutations(voices)]
    assert all(spelt(result) == spelt(results[0]) for result in results)
    return results[0]


def lost(result: Merged) -> list[tuple[str, FieldValue | None]]:
    """The values that lost."""
    return [(conflict.field, conflict.loser) for conflict in result.conflicts]


class TestWithBase:
    """Three-way: only what differs from the base is a word."""

    def test_one_edit_wins(self) -> None:
        """What one replica changed goes to all, whatever the others' times."""
        result = merged(
            linked("hub", BASE, 9), linked("ann", edited(BASE, mobilePhone="2"), 1), linked("ben", BASE, 8),
            current=FIRST,
        )  # fmt: skip
        assert result.contact == edited(BASE, mobilePhone="2")
        assert result.conflicts == ()
        assert result.words == {"mobilePhone": Word(at(1), is_hub=False, mailbox="ann")}

    def test_edits_of_different_fields_both_live(self) -> None:
        """Two people who change two fields of one card do not get in each other's way."""
        result = merged(
            linked("ann", edited(BASE, mobilePhone="2"), 1),
            linked("ben", edited(BASE, jobTitle="CEO"), 2),
            current=FIRST,
        )
        assert result.contact == edited(BASE, mobilePhone="2", jobTitle="CEO")
        assert result.conflicts == ()

    def test_the_latest_of_two_edits_wins(self) -> None:
        """The other value is in the report."""
        result = merged(
            linked("ann", edited(BASE, mobilePhone="2"), 5),
            linked("ben", edited(BASE, mobilePhone="3"), 4),
            current=FIRST,
        )
        assert result.contact.text("mobilePhone") == "2"
        assert lost(result) == [("mobilePhone", "3")]

    def test_the_same_edit_twice_is_no_conflict(self) -> None:
        """Equal content is never a conflict, however often it was typed."""
        change = edited(BASE, mobilePhone="2")
        result = merged(linked("ann", change, 5), linked("ben", change, 4), current=FIRST)
        assert result.contact == change
        assert result.conflicts == ()

    def test_clearing_is_a_change(self) -> None:
        """A field that somebody emptied is emptied everywhere."""
        result = merged(linked("hub", BASE, 9), linked("ann", edited(BASE, mobilePhone=None), 1), current=FIRST)
        assert result.contact == edited(BASE, mobilePhone=None)

    def test_clearing_can_lose(self) -> None:
        """A later edit of the same field beats the clearing, and the report says that it was cleared."""
        result = merged(
            linked("ann", edited(BASE, mobilePhone=None), 1),
            linked("ben", edited(BASE, mobilePhone="2"), 2),
            current=FIRST,
        )
        assert result.contact.text("mobilePhone") == "2"
        assert lost(result) == [("mobilePhone", None)]

    def test_clearing_can_win(self) -> None:
        """A later clearing beats the edit, whose value is in the report."""
        result = merged(
            linked("ann", edited(BASE, mobilePhone=None), 3),
            linked("ben", edited(BASE, mobilePhone="2"), 2),
            current=FIRST,
        )
        assert result.contact.get("mobilePhone") is None
        assert lost(result) == [("mobilePhone", "2")]

    def test_no_edit_is_no_word(self) -> None:
        """A change marker that Exchange moved by itself brings nothing back."""
        result = merged(linked("hub", BASE, 7), linked("ann", BASE, 8), current=FIRST)
        assert result == Merged(BASE, (), {})

    def test_what_the_server_bent_is_no_edit(self) -> None:
        """A residue, the value as this server gives it back, is not taken for a person's change."""
        bent = edited(BASE, mobilePhone="+1", jobTitle=None)
        result = merged(linked("ann", bent, 9, mobilePhone="+1", jobTitle=None), current=FIRST)
        assert result == Merged(BASE, (), {})

    def test_a_residue_can_be_edited(self) -> None:
        """What differs from the residue is a person's change again."""
        result = merged(linked("ann", edited(BASE, mobilePhone="2"), 9, mobilePhone="+1"), current=FIRST)
        assert result.contact == edited(BASE, mobilePhone="2")


class TestWithLaggingBase:
    """A spoke that missed a version gives no false victory."""

    SECOND = Version(2, S, edited(BASE, mobilePhone="2"), at(5), "ben")

    def test_an_untouched_card_brings_nothing_back(self) -> None:
        """A card that was not written in time still agrees with its own base."""
        result = merged(linked("ann", BASE, 1), current=self.SECOND)
        assert result.contact == self.SECOND.contact
        assert result.conflicts == ()

    def test_an_edit_of_another_field_is_taken(self) -> None:
        """Only a field that moved meanwhile is contested."""
        result = merged(linked("ann", edited(BASE, jobTitle="CEO"), 1), current=self.SECOND)
        assert result.contact == edited(BASE, mobilePhone="2", jobTitle="CEO")
        assert result.conflicts == ()

    @pytest.mark.parametrize(("hours", "winner", "loser"), [(4, "2", "3"), (6, "3", "2")])
    def test_an_edit_of_the_same_field_is_a_conflict(self, hours: float, winner: str, loser: str) -> None:
        """The later of the edit and the current version wins."""
        result = merged(linked("ann", edited(BASE, mobilePhone="3"), hours), current=self.SECOND)
        assert result.contact.text("mobilePhone") == winner
        assert lost(result) == [("mobilePhone", loser)]

    def test_the_same_edit_is_no_conflict(self) -> None:
        """Who typed what the current version says agrees with it."""
        result = merged(linked("ann", edited(BASE, mobilePhone="2"), 3), current=self.SECOND)
        assert result.contact == self.SECOND.contact
        assert result.conflicts == ()


class TestWithoutLink:
    """A card of which nothing is remembered meets a contact that has a current version."""

    @pytest.mark.parametrize(("hours", "winner"), [(-1, "1"), (1, "2")])
    def test_it_speaks_where_it_differs(self, hours: float, winner: str) -> None:
        """The later of the card and the current version wins."""
        for voice in (mirrored, stranger):
            result = merged(voice("ann", edited(BASE, mobilePhone="2"), hours), current=FIRST)
            assert result.contact.text("mobilePhone") == winner
            assert len(result.conflicts) == 1

    def test_what_it_lacks_is_not_cleared(self) -> None:
        """Nobody can tell a cleared field from one that never was there."""
        result = merged(stranger("ann", contact("Anna Meier", "anna@x.org"), 9), current=FIRST)
        assert result.contact == BASE

    def test_what_it_adds_is_taken(self) -> None:
        """A field that the version lacks is no conflict with it, however old the card: absent never erases."""
        result = merged(stranger("ann", edited(BASE, nickName="Annie"), -9), linked("hub", BASE, 0), current=FIRST)
        assert result.contact == edited(BASE, nickName="Annie")
        assert result.conflicts == ()

    def test_a_later_clearing_beats_it(self) -> None:
        """Somebody who has a base and emptied the field since has the later word."""
        result = merged(mirrored("ann", BASE, 1), linked("ben", edited(BASE, mobilePhone=None), 3), current=FIRST)
        assert result.contact.get("mobilePhone") is None


class TestWithoutMemory:
    """The first run, or a lost state."""

    def test_the_newest_wins_field_by_field(self) -> None:
        """Each field is the newest card's that has it."""
        result = merged(
            stranger("ann", contact("Anna Meier", mobilePhone="1"), 1),
            stranger("ben", contact("Anna Meier", jobTitle="CEO"), 2),
            stranger("cem", contact("A. Meier", mobilePhone="3"), 3),
        )
        assert result.contact == contact("A. Meier", mobilePhone="3", jobTitle="CEO")
        assert lost(result) == [("displayName", "Anna Meier"), ("mobilePhone", "1")]

    def test_absent_never_erases(self) -> None:
        """The newest card does not empty what it never knew."""
        result = merged(mirrored("ann", contact("Anna Meier"), 9), mirrored("ben", BASE, 1))
        assert result.contact == BASE

    def test_edits_of_different_fields_both_live(self) -> None:
        """A value is as old as the oldest mirrored card that holds it: an edit elsewhere does not renew it."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("cem", BASE, 2),
            mirrored("ann", edited(BASE, mobilePhone="2"), 5), mirrored("ben", edited(BASE, jobTitle="CEO"), 6),
        )  # fmt: skip
        assert result.contact == edited(BASE, mobilePhone="2", jobTitle="CEO")

    def test_a_value_is_as_old_as_its_oldest_card(self) -> None:
        """However many cards were saved since for another reason, the edit is newer than what it changed."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("cem", BASE, 8), mirrored("dan", BASE, 9),
            mirrored("ann", edited(BASE, mobilePhone="2"), 5),
        )  # fmt: skip
        assert result.contact.text("mobilePhone") == "2"

    def test_what_all_agreed_on_before_an_edit_is_marked(self) -> None:
        """The old value of an edited field lost to nobody's disagreement; that of a second edit did."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("cem", BASE, 2),
            mirrored("ann", edited(BASE, mobilePhone="2"), 5), mirrored("ben", edited(BASE, mobilePhone="3"), 6),
        )  # fmt: skip
        assert [(one.loser, one.agreed) for one in result.conflicts] == [("1", True), ("2", False)]

    def test_two_cards_alone_do_not_show_which_value_is_the_old_one(self) -> None:
        """With one card each, both values are as good: the loser is a real conflict."""
        result = merged(mirrored("hub", BASE, 1), mirrored("ann", edited(BASE, mobilePhone="2"), 5))
        assert [(one.loser, one.agreed) for one in result.conflicts] == [("1", False)]

    def test_what_a_newcomer_says_too_was_not_agreed_on(self) -> None:
        """A value that somebody brought by himself is somebody's, not only the old one."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("cem", BASE, 2), stranger("dan", BASE, 3),
            mirrored("ann", edited(BASE, mobilePhone="2"), 5),
        )  # fmt: skip
        assert [(one.loser, one.agreed) for one in result.conflicts] == [("1", False)]

    def test_a_newcomers_card_is_as_new_as_its_last_edit(self) -> None:
        """Whoever was not mirrored before chose each value himself."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("ben", BASE, 2), stranger("ann", edited(BASE, jobTitle="CEO"), 3)
        )
        assert result.contact.text("jobTitle") == "CEO"

    def test_a_newcomer_can_renew_an_old_value(self) -> None:
        """The word of a person who typed the old value now is newer than the edit that changed it."""
        result = merged(
            mirrored("hub", BASE, 1), mirrored("ann", edited(BASE, jobTitle="CEO"), 3), stranger("cem", BASE, 4)
        )
        assert result.contact.text("jobTitle") == "CTO"

    def test_at_the_same_time_the_hub_wins(self) -> None:
        """Then the greater mailbox id: somehow, but always the same way."""
        one, two = edited(BASE, mobilePhone="2"), edited(BASE, mobilePhone="3")
        assert merged(stranger("hub", one, 1), stranger("zoe", two, 1)).contact == one
        assert merged(stranger("ann", one, 1), stranger("zoe", two, 1)).contact == two

    def test_equal_addresses_keep_one_spelling(self) -> None:
        """Of addresses that compare as equal one is carried, in winner and loser, whoever is heard first."""
        result = merged(
            stranger("ann", contact("Anna", "anna@x.org"), 1), stranger("ben", contact("Anna", "ANNA@x.org"), 2),
            stranger("cem", contact("Anna", "old@x.org"), 0), stranger("dan", contact("Anna", "OLD@x.org"), 0),
        )  # fmt: skip
        assert result.contact == contact("Anna", "anna@x.org")
        assert [repr(one.loser) for one in result.conflicts] == ["(Email(address='OLD@x.org', name='Anna'),)"]

    def test_a_contact_without_a_name_gets_one(self) -> None:
        """Exchange would make one of its own in each mailbox."""
        assert merged(stranger("ann", contact(givenName="Anna"), 1)).contact == contact("Anna", givenName="Anna")


def test_a_voice_is_mirrored_if_marker_or_stamp_say_so() -> None:
    """Only a sign of this very contact counts."""
    bare, foreign = card("ann", BASE), card("ben", BASE, sync_id=guid(2))
    signs = {"cem": card("cem", BASE, sync_id=S, stamp=None), "dan": card("dan", BASE, sync_id=S, marker=None)}
    voices = voices_of(S, {"ann": bare, "ben": foreign, **signs, "hub": card("hub", BASE, sync_id=S)}, "hub", NO_MEMORY)
    assert {voice.item.mailbox: (voice.mirrored, voice.is_hub) for voice in voices} == {
        "ann": (False, False), "ben": (False, False), "cem": (True, False), "dan": (True, False), "hub": (True, True),
    }  # fmt: skip


words = st.builds(Word, st.integers(0, 3).map(at), st.booleans(), st.sampled_from("abc"))
spellings = st.sampled_from(["a@x.org", "A@x.org", "b@x.org", "B@X.org"])
field_values = st.one_of(
    st.none(),
    st.sampled_from(["1", "2"]),
    st.builds(Email, spellings, st.sampled_from(["", "A"])).map(lambda email: (email,)),
    st.frozensets(st.sampled_from("ab"), min_size=1).map(frozenset),
)


def supported(value: FieldValue | None, kept: Iterable[Word], said: Word | None) -> Support:
    return Support(value, tuple(sorted(set(kept))[:2]), said)


supports = st.one_of(
    st.builds(supported, field_values, st.lists(words, min_size=1, max_size=3), st.none() | words),
    st.builds(supported, field_values, st.just(()), words),
)
ballots = st.dictionaries(
    st.sampled_from(["one", "two"]),
    st.lists(supports, min_size=1, max_size=3, unique_by=lambda support: support.value).map(
        lambda found: {support.value: support for support in found}
    ),
    max_size=2,
)


def letters(ballot: Ballot) -> Mapping[str, list[str]]:
    """A ballot to the letter."""
    return {field: sorted(spelt(support) for support in votes.values()) for field, votes in ballot.items()}


@given(ballots, ballots, ballots)
def test_joining_is_associative(one: Ballot, two: Ballot, three: Ballot) -> None:
    """Parts can be merged anywhere and joined later."""
    assert letters(join(join(one, two), three)) == letters(join(one, join(two, three)))


@given(ballots, ballots)
def test_joining_is_commutative(one: Ballot, two: Ballot) -> None:
    """Nobody is heard first."""
    assert letters(join(one, two)) == letters(join(two, one))
    assert spelt(resolve(S, join(one, two))) == spelt(resolve(S, join(two, one)))


@given(ballots, ballots)
def test_joining_is_idempotent(one: Ballot, two: Ballot) -> None:
    """To be heard twice changes nothing."""
    both = join(one, two)
    assert letters(join(both, one)) == letters(both)


@given(words, words)
def test_the_greater_word_is_one_of_two(one: Word, other: Word) -> None:
    """The winner is total and antisymmetric: of two different words exactly one counts."""
    assert (one < other) + (other < one) + (one == other) == 1


@given(ballots)
def test_every_value_counts_or_is_in_the_report(ballot: Ballot) -> None:
    """Of each field one value is the contact's, and all others are conflicts."""
    result = resolve(S, ballot)
    for field, votes in ballot.items():
        losers = [conflict.loser for conflict in result.conflicts if conflict.field == field]
        assert {result.contact.get(field), *losers} == set(votes)
        assert len(losers) == len(votes) - 1


@given(ballots)
def test_no_loser_is_newer_than_the_winner(ballot: Ballot) -> None:
    """The greatest word counts."""
    assert all(one.loser_word <= one.winner_word for one in resolve(S, ballot).conflicts)


cards_of_anna: st.SearchStrategy[list[Item]] = st.lists(
    st.builds(
        lambda box, phone, hours, bare: card(
            box, edited(BASE, mobilePhone=phone), hours=hours, sync_id=None if bare else S, item_id=box
        ),
        st.sampled_from(["hub", "ann", "ben", "cem"]), st.sampled_from(["1", "2", None]),
        st.integers(0, 4), st.booleans(),
    ),
    min_size=1, unique_by=lambda item: item.mailbox,
)  # fmt: skip


@given(cards_of_anna, st.randoms())
def test_order_independence_of_the_merge(items: list[Item], random: object) -> None:
    """The merge of cards does not depend on the order in which they are heard."""
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = ({item.mailbox: item for item in order} for order in (items, shuffled))
    results = [merge(S, voices_of(S, cards, "hub", NO_MEMORY)) for cards in (one, other)]
    assert spelt(results[0]) == spelt(results[1])


@given(cards_of_anna)
def test_a_merge_of_what_was_merged_changes_nothing(items: list[Item]) -> None:
    """Once every card holds the result, merging again gives it again and nobody conflicts."""
    result = merge(S, voices_of(S, {item.mailbox: item for item in items}, "hub", NO_MEMORY))
    written = {item.mailbox: replace(item, contact=result.contact, marker=S, modified_at=at(9)) for item in items}
    again = merge(S, voices_of(S, written, "hub", NO_MEMORY))
    assert again.contact == result.contact
    assert again.conflicts == ()
