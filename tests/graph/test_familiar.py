"""Contacts that were read before are known again, and nothing else is taken for them."""

from hypothesis import given
from hypothesis import strategies as st

from shared.graph.familiar import Familiar
from shared.sync.contact import normalise
from shared.sync.stamp import SyncId

ONE, OTHER = SyncId("1" * 8), SyncId("2" * 8)
ADA = {"id": "1", "displayName": " Ada ", "emailAddresses": [{"address": "a@x.org"}], "categories": ["Hub", "Friends"]}
VALUES = st.none() | st.sampled_from(["", "Ada", " Ada ", "Bob"])
ROWS = st.fixed_dictionaries({"id": st.text(max_size=2), "displayName": VALUES, "surname": VALUES})


@given(st.lists(st.tuples(ROWS, st.sampled_from([ONE, OTHER, None]), st.sampled_from([(), ("Hub",)])), max_size=8))
def test_whatever_was_read_before_a_row_tells_the_same(
    readings: list[tuple[dict[str, object], SyncId | None, tuple[str, ...]]],
) -> None:
    """What a row is read as depends on the row alone."""
    familiar = Familiar(most=1)
    for row, sync_id, injected in readings:
        assert familiar.read(row, sync_id, injected).contact == normalise(row, without_categories=injected)


def test_the_same_contact_in_another_mailbox_is_one_value() -> None:
    """Ids and times of the card are no part of it."""
    familiar = Familiar()
    assert familiar.read(ADA, ONE, ()) is familiar.read({**ADA, "id": "2", "nickName": None}, ONE, ())


def test_the_folders_own_category_is_dropped_where_it_may_be_injected() -> None:
    """What was read in a folder that injects its name does not stand for others."""
    familiar = Familiar()
    assert familiar.read(ADA, ONE, ("Hub",)).contact.categories == {"Friends"}
    assert familiar.read(ADA, ONE, ()).contact.categories == {"Hub", "Friends"}
