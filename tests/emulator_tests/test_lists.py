"""Lists of contacts and folders (points 1 and 2)."""

from tests.emulator_tests.client import ANNA, HUB, Scene


def names(rows: list[dict[str, object]]) -> list[object]:
    """The display names of rows."""
    return [row["displayName"] for row in rows]


def fill(scene: Scene, count: int) -> list[str]:
    """Give Anna so many cards, named by number."""
    return [scene.anna.add_contact({"displayName": f"{number:03}"}) for number in range(count)]


async def test_a_list_without_a_folder_is_the_default_folder(plain: Scene) -> None:
    """Cards of other folders are not in it, and the alias `contacts` names the same folder."""
    plain.anna.add_contact({"displayName": "Here"})
    plain.anna.add_folder("Elsewhere")
    plain.anna.add_contact({"displayName": "There"}, folder="Elsewhere")
    by_default = await plain.client.get(f"{ANNA}/contacts")
    by_alias = await plain.client.get(f"{ANNA}/contactFolders/contacts/contacts")
    assert names(by_default.rows) == names(by_alias.rows) == ["Here"]


async def test_the_default_folder_is_in_no_list_and_has_a_localised_name(plain: Scene) -> None:
    """It answers to its alias and its id only."""
    plain.anna.add_folder("Elsewhere")
    listed = await plain.client.get(f"{ANNA}/contactFolders")
    default = await plain.client.get(f"{ANNA}/contactFolders/contacts")
    assert names(listed.rows) == ["Elsewhere"]
    assert default.json["displayName"] == "Kontakte"
    assert listed.rows[0]["parentFolderId"] == default.json["id"]


async def test_pages_hold_ten_rows_unless_asked_for_more(plain: Scene) -> None:
    """By $top or by the Prefer header, up to a thousand."""
    fill(plain, 30)
    assert len((await plain.client.get(f"{ANNA}/contacts")).rows) == 10
    assert len((await plain.client.get(f"{ANNA}/contacts?$top=25")).rows) == 25
    preferred = await plain.client.get(f"{ANNA}/contacts", Prefer="odata.maxpagesize=15")
    assert len(preferred.rows) == 15
    assert "$skip=15" in preferred.json["@odata.nextLink"]
    assert (await plain.client.get(f"{ANNA}/contacts?$top=1001")).status == 400


async def test_every_row_comes_once_when_nothing_changes(scene: Scene) -> None:
    """Empty pages in between are no end."""
    fill(scene, 57)
    pages = await scene.client.pages(f"{ANNA}/contacts")
    assert sum(len(page.rows) for page in pages) == 57
    assert any(not page.rows for page in pages[:-1])


async def test_offset_paging_loses_a_row_when_one_before_it_goes(plain: Scene) -> None:
    """A list is no snapshot: what is deleted between two pages shifts the next page."""
    ids = fill(plain, 20)
    first = await plain.client.get(f"{ANNA}/contacts")
    plain.anna.delete_contact(ids[0])
    second = await plain.client.get(first.json["@odata.nextLink"])
    assert "010" not in names(first.rows + second.rows)


async def test_distribution_lists_count_and_are_not_returned(plain: Scene) -> None:
    """Pages are shorter than asked for, and $count is larger than the rows."""
    for number in range(10):
        plain.anna.add_distribution_list(f"List {number}")
    plain.anna.add_contact({"displayName": "Person"})
    first = await plain.client.get(f"{ANNA}/contacts?$count=true")
    assert (first.rows, first.json["@odata.count"]) == ([], 11)
    assert names((await plain.client.get(first.json["@odata.nextLink"])).rows) == ["Person"]


async def test_select_gives_what_is_asked_and_the_etag(plain: Scene) -> None:
    """An unknown name, or one of beta only, is a 400."""
    plain.anna.add_contact({"givenName": "Zoë"})
    (row,) = (await plain.client.get(f"{ANNA}/contacts?$select=givenName")).rows
    assert row.keys() == {"@odata.etag", "id", "givenName"}
    assert (await plain.client.get(f"{ANNA}/contacts?$select=gender")).status == 400


async def test_filters_find_by_address_name_and_start(plain: Scene) -> None:
    """A quote is doubled; an unknown form is ErrorInvalidUrlQueryFilter."""
    plain.anna.add_contact({"displayName": "O'Brien", "emailAddresses": [{"address": "Bob@x.example"}]})
    plain.anna.add_contact({"displayName": "Ann", "emailAddresses": [{"address": "ann@x.example"}]})
    for condition in (
        "emailAddresses/any(a:a/address eq 'bob@x.example')",
        "displayName eq 'O''Brien'",
        "startswith(displayName,'O''') and not (displayName eq 'Ann')",
    ):
        found = await plain.client.get(f"{ANNA}/contacts?$filter={condition}")
        assert names(found.rows) == ["O'Brien"], condition
    assert (await plain.client.get(f"{ANNA}/contacts?$filter=nonsense(")).code == "ErrorInvalidUrlQueryFilter"
    assert (await plain.client.get(f"{ANNA}/contacts?$filter=personalNotes eq 'x'")).status == 400


async def test_order_by_sorts_and_must_agree_with_the_filter(plain: Scene) -> None:
    """Otherwise the query is inefficient."""
    for name in ("b", "c", "a"):
        plain.anna.add_contact({"displayName": name})
    found = await plain.client.get(f"{ANNA}/contacts?$orderby=displayName desc")
    assert names(found.rows) == ["c", "b", "a"]
    refused = await plain.client.get(f"{ANNA}/contacts?$filter=surname eq 'x'&$orderby=displayName")
    assert refused.code == "InefficientFilter"


async def test_unknown_options_paths_and_methods_are_refused(plain: Scene) -> None:
    """As Graph does for its schema alone."""
    assert (await plain.client.get(f"{ANNA}/contacts?$tops=5")).status == 400
    assert (await plain.client.get(f"{ANNA}/kontakte")).status == 400
    assert (await plain.client.patch(f"{HUB}/contacts", {})).status == 405
    assert (await plain.client.get("https://" + plain.emulator.graph_url[8:-4] + "beta/users")).status == 404
