"""The paths that are asked for."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from shared.graph import queries
from shared.graph.wire import MARKER, PRIVATE
from shared.sync.replica import Replica

SPOKE = Replica("u-1", "anna@contoso.com")
HUB = Replica("h-1", "hub@contoso.com", is_hub=True, folder="AAMk/x=")


def test_names_are_wholly_encoded() -> None:
    """Guests' names hold "#", and some an apostrophe; neither may end the path."""
    assert queries.one_user("o'neil_x.com#EXT#@contoso.com").startswith("/users/o%27neil_x.com%23EXT%23%40contoso.com?")


def test_ids_are_encoded() -> None:
    """Folder ids hold "/" and "=" at times."""
    assert "/contactFolders/AAMk%2Fx%3D/contacts/a%2Fb?" in queries.one_card(HUB, "a/b")


def test_an_apostrophe_in_a_literal_is_doubled() -> None:
    """OData's way to write one."""
    assert "displayName eq 'Anna''s & co'" in unquote(queries.folders_named("m", "Anna's & co"))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_text_never_leaves_its_literal(text: str) -> None:
    """No name can add to the query or end it."""
    literal = queries.literal(text)
    assert not set(literal[1:-1]) & set("'&#?/ \n")
    assert unquote(literal)[1:-1].replace("''", "'") == text


def test_the_flags_are_asked_for_by_name() -> None:
    """All properties in one expand; blanks encoded, the rest as the documentation writes it."""
    path = queries.flag_list(SPOKE)
    assert " " not in path
    assert f"$expand=singleValueExtendedProperties($filter=id eq '{MARKER}' or id eq" in unquote(path)
    assert PRIVATE in unquote(path)


def test_delta_asks_for_no_expand() -> None:
    """$expand in delta is a 500 (microsoft-graph-docs#1993)."""
    path = queries.delta_round(SPOKE, "real-id")
    assert path.startswith("/users/u-1/contactFolders/real-id/contacts/delta?$select=id,")
    assert "expand" not in path


def test_the_trio_is_never_selected() -> None:
    """The slots' own properties (primaryEmailAddress and so on) are a 400 in national clouds."""
    for path in (queries.delta_round(SPOKE, "f"), queries.whole_list(SPOKE), queries.one_card(SPOKE, "1")):
        assert "primaryEmailAddress" not in path


def test_page_size_and_id_form_share_one_header() -> None:
    """Two Prefer headers would come in no fixed order."""
    assert queries.prefer(50) == {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=50'}
