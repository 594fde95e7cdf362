"""Pages of lists and delta rounds, stepped by hand."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph.pages import MOST_EMPTY_PAGES, PageError, Pager

Page = dict[str, Any]


def page(*rows: Page, next_link: str = "", delta_link: str = "") -> Page:
    body: Page = {"value": list(rows)}
    if next_link:
        body["@odata.nextLink"] = next_link
    if delta_link:
        body["@odata.deltaLink"] = delta_link
    return body


def test_an_empty_page_is_not_the_last() -> None:
    """Only the missing link ends a list, never a short page."""
    pager = Pager("/a")
    pager.feed(page(next_link="/b"))
    assert (pager.done, pager.url) == (False, "/b")
    pager.feed(page({"id": "1"}))
    assert pager.done
    assert list(pager.rows) == ["1"]


def test_the_last_occurrence_wins() -> None:
    """A row that comes again replaces what it says, and keeps what it leaves out."""
    pager = Pager("/a", delta=True)
    pager.feed(page({"id": "1", "title": "Mr", "surname": "Ek"}, next_link="/b"))
    pager.feed(page({"id": "1", "title": "Dr"}, delta_link="/d"))
    assert pager.rows["1"] == {"id": "1", "title": "Dr", "surname": "Ek"}
    assert pager.delta_link == "/d"


def test_a_removed_row_is_gone_until_it_comes_again() -> None:
    """Removal takes the row away; a later occurrence is a new one, with nothing of the old."""
    pager = Pager("/a", delta=True)
    removed = {"id": "1", "@removed": {"reason": "deleted"}}
    pager.feed(page({"id": "1", "title": "Mr"}, {"id": "2"}, removed, {"id": "2", "@removed": None}, next_link="/b"))
    assert dict(pager.rows) == {}
    pager.feed(page({"id": "1", "surname": "Ek"}, delta_link="/d"))
    assert pager.rows["1"] == {"id": "1", "surname": "Ek"}


def test_a_removal_in_the_first_round_is_no_error() -> None:
    """Graph may name items that were deleted before the round began."""
    pager = Pager("/a", delta=True)
    pager.feed(page({"id": "9", "@removed": {"reason": "changed"}}, delta_link="/d"))
    assert pager.done
    assert not pager.rows
    assert pager.removed == ("9",)


def test_the_last_occurrence_decides_what_is_removed() -> None:
    """An id is among the rows or among the removed, never in both."""
    pager = Pager("/a", delta=True)
    gone: list[Page] = [{"id": row_id, "@removed": {"reason": "deleted"}} for row_id in "12"]
    pager.feed(page({"id": "2"}, *gone, next_link="/b"))
    pager.feed(page({"id": "1"}, gone[1], delta_link="/d"))
    assert (list(pager.rows), pager.removed) == (["1"], ("2",))


def test_a_dropped_row_counts_when_it_comes_again() -> None:
    """A page's rows may be let go; what a later page tells is judged by itself."""
    pager = Pager("/a", delta=True)
    pager.feed(page({"id": "1", "title": "Mr"}, {"id": "2"}, {"id": "3", "@removed": {}}, next_link="/b"))
    assert list(pager.page) == ["1", "2"]
    pager.drop(["1", "2", "3"])
    pager.feed(page({"id": "1", "surname": "Ek"}, delta_link="/d"))
    assert dict(pager.rows) == {"1": {"id": "1", "surname": "Ek"}}
    assert pager.removed == ("3",)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"value": None},
        {"value": {"id": "1"}},
        {"value": ["1"]},
        {"value": [{"title": "no id"}]},
        {"value": [{"id": ""}]},
        {"value": [{"id": 7}]},
        {"value": [], "@odata.nextLink": 5},
    ],
)
def test_a_broken_page_voids_the_whole(broken: Page) -> None:
    """Nothing is taken for an empty mailbox that is not one."""
    with pytest.raises(PageError):
        Pager("/a").feed(broken)


def test_pages_in_a_circle_are_noticed() -> None:
    """A link that was followed before ends the reading with an error."""
    pager = Pager("/a")
    pager.feed(page({"id": "1"}, next_link="/b"))
    with pytest.raises(PageError):
        pager.feed(page({"id": "2"}, next_link="/a"))


def test_empty_pages_do_not_go_on_for_ever() -> None:
    """Fresh links without any row end with an error at some time."""
    pager = Pager("/0")
    for number in range(1, MOST_EMPTY_PAGES):
        pager.feed(page(next_link=f"/{number}"))
    with pytest.raises(PageError):
        pager.feed(page(next_link="/one-more"))


def test_a_round_without_delta_link_is_not_complete() -> None:
    """A round that just stops proves nothing."""
    with pytest.raises(PageError):
        Pager("/a", delta=True).feed(page({"id": "1"}))


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.one_of(st.none(), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3)))
    ),
    max_size=30,
)


@given(ROWS, st.integers(1, 7))
def test_page_borders_do_not_matter(rows: list[tuple[str, Mapping[str, int] | None]], size: int) -> None:
    """However a round is cut into pages, its outcome is the same as that of one page."""
    full: list[Page] = [
        {"id": row_id, "@removed": {}} if fields is None else {"id": row_id, **fields} for row_id, fields in rows
    ]
    whole = Pager("/0", delta=True)
    whole.feed(page(*full, delta_link="/d"))
    cut = Pager("/0", delta=True)
    chunks = [full[start : start + size] for start in range(0, len(full), size)]
    for number, chunk in enumerate(chunks, start=1):
        cut.feed(page(*chunk, next_link=f"/{number}"))
    cut.feed(page(delta_link="/d"))
    assert dict(cut.rows) == dict(whole.rows)
    assert cut.removed == whole.removed
    assert not cut.rows.keys() & set(cut.removed)
