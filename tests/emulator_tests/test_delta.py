"""Delta rounds (point 12)."""

from typing import Any

import pytest

from tests.emulator import MailboxState, Switches
from tests.emulator_tests.client import ANNA, HUB, IMMUTABLE, Answer, Scene

BIG = {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=100'}


def url(scene: Scene, options: str = "") -> str:
    """The delta of Anna's default folder."""
    default = next(folder for folder in scene.anna.folders if folder.is_default)
    return f"{ANNA}/contactFolders/{default.id}/contacts/delta{options}"


async def begin(scene: Scene) -> str:
    """Do a first round; gives the delta link."""
    return link((await scene.client.pages(url(scene), **BIG))[-1])


def link(page: Answer) -> str:
    """A page's delta link."""
    return str(page.json["@odata.deltaLink"])


async def test_a_first_round_tells_every_card(plain: Scene) -> None:
    """In pages of ten, with links in OData's form that work."""
    for number in range(25):
        plain.anna.add_contact({"displayName": str(number)})
    pages = await plain.client.pages(url(plain), **IMMUTABLE)
    assert [len(page.rows) for page in pages] == [10, 10, 5]
    assert "users('anna%40contoso.com')/contactfolders('" in pages[0].json["@odata.nextLink"]
    assert "odata.track-changes" in pages[0].headers["Preference-Applied"]


async def test_a_later_round_tells_what_changed(plain: Scene) -> None:
    """New, edited, deleted, moved in; the client's own writes too; nothing when nothing happened."""
    _kept, edited, gone = (plain.anna.add_contact({"displayName": name}) for name in ("kept", "edited", "gone"))
    start = await begin(plain)
    assert (await plain.client.get(start, **BIG)).rows == []
    plain.anna.edit_contact(edited, {"jobTitle": "CTO"})
    plain.anna.delete_contact(gone)
    own = (await plain.client.post(f"{ANNA}/contacts", {"displayName": "own"}, **IMMUTABLE)).json["id"]
    rows = {row["id"]: row for row in (await plain.client.get(start, **BIG)).rows}
    assert rows.keys() == {edited, gone, own}
    assert rows[gone] == {"id": gone, "@removed": {"reason": "deleted"}}
    assert (rows[edited]["jobTitle"], rows[edited]["displayName"]) == ("CTO", "edited")


async def test_a_restored_card_appears_again(plain: Scene) -> None:
    """With the same immutable id."""
    item = plain.anna.add_contact({"displayName": "Zoë"})
    plain.anna.delete_contact(item)
    start = await begin(plain)
    plain.anna.restore_contact(item)
    assert [row["id"] for row in (await plain.client.get(start, **BIG)).rows] == [item]


async def test_what_changes_during_a_round_comes_in_it_again(plain: Scene) -> None:
    """So the same id can come twice, and a card that is gone can be told as gone in a first round."""
    items = [plain.anna.add_contact({"displayName": str(number)}) for number in range(12)]
    first = await plain.client.get(url(plain), **IMMUTABLE)
    plain.anna.edit_contact(items[0], {"jobTitle": "CTO"})
    plain.anna.delete_contact(items[1])
    second = await plain.client.get(first.json["@odata.nextLink"], **IMMUTABLE)
    assert [row["id"] for row in second.rows] == [items[10], items[11], items[0], items[1]]


async def test_rounds_repeat_themselves_by_default(scene: Scene) -> None:
    """Empty pages, doubles within a round, and the last change of the round before."""
    for number in range(25):
        scene.anna.add_contact({"displayName": str(number)})
    pages = await scene.client.pages(url(scene), **IMMUTABLE)
    ids = [row["id"] for page in pages for row in page.rows]
    assert not pages[1].rows
    assert len(ids) > len(set(ids)) == 25
    replayed = (await scene.client.get(link(pages[-1]), **IMMUTABLE)).rows
    assert [row["id"] for row in replayed] == [ids[-1]]


async def test_select_holds_for_the_whole_round(plain: Scene) -> None:
    """It is in the links; the id form is in each call's header."""
    plain.anna.add_contact({"givenName": "Zoë"})
    start = link(await plain.client.get(url(plain, "?$select=givenName"), **BIG))
    item = plain.anna.add_contact({"givenName": "Ben"})
    (row,) = (await plain.client.get(start, **BIG)).rows
    assert row.keys() == {"@odata.etag", "id", "givenName"}
    (classic,) = (await plain.client.get(start)).rows
    assert (row["id"], len(classic["id"]) > 130) == (item, True)


async def test_partial_items_hold_what_changed_only(plain: Scene) -> None:
    """With the switch; a new card is whole all the same."""
    plain.emulator.switches.partial_delta_items = True
    item = plain.anna.add_contact({"displayName": "Zoë", "jobTitle": "CTO"})
    start = await begin(plain)
    plain.anna.edit_contact(item, {"jobTitle": "CEO"})
    plain.anna.add_contact({"displayName": "New"})
    changed, new = (await plain.client.get(start, **BIG)).rows
    assert changed["jobTitle"] == "CEO"
    assert "companyName" not in changed
    assert "companyName" in new


@pytest.mark.parametrize(
    ("option", "status"),
    [("$expand=extensions", 500), ("$filter=surname eq 'x'", 400), ("$search=x", 400), ("$top=5", 400)],
)
async def test_options_that_delta_does_not_take(plain: Scene, option: str, status: int) -> None:
    """$expand is a 500, as it was for events (microsoft-graph-docs#1993)."""
    assert (await plain.client.get(url(plain, f"?{option}"))).status == status


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ("sync_state_not_found", 410, "SyncStateNotFound"),
        ("location", 410, "resyncRequired"),
        ("sync_state_invalid", 400, "SyncStateInvalid"),
        ("resync_required", 410, "ResyncRequired"),
        ("parameter", 400, "ErrorInvalidUrlQuery"),
    ],
)
async def test_a_token_can_be_lost_at_any_page(plain: Scene, form: str, status: int, code: str) -> None:
    """In each of the forms that were seen."""
    plain.emulator.switches.delta_reset = form
    for number in range(12):
        plain.anna.add_contact({"displayName": str(number)})
    first = await plain.client.get(url(plain))
    plain.anna.forget_delta_tokens()
    answer = await plain.client.get(first.json["@odata.nextLink"])
    assert (answer.status, answer.code) == (status, code)
    assert ("Location" in answer.headers) == (form == "location")


async def test_old_tokens_are_evicted(plain: Scene) -> None:
    """They have no fixed age, but a place in a cache."""
    plain.emulator.switches.delta_token_cache_size = 1
    first, _second = await begin(plain), await begin(plain)
    assert (await plain.client.get(first)).status == 410


async def test_a_folder_that_is_gone_has_no_delta(plain: Scene) -> None:
    """Its code is another one than that of a list."""
    folder = plain.hub.add_folder("All Contacts")
    path = f"{HUB}/contactFolders/{folder}/contacts"
    plain.hub.delete_folder(folder)
    assert (await plain.client.get(f"{path}/delta")).code == "ErrorSyncFolderNotFound"
    assert (await plain.client.get(path)).code == "ErrorItemNotFound"


async def test_a_full_mailbox_has_no_delta(plain: Scene) -> None:
    """While a list of it works."""
    plain.tenant.user("anna@contoso.com").state = MailboxState.OVER_QUOTA
    assert (await plain.client.get(url(plain))).code == "ErrorQuotaExceeded"
    assert (await plain.client.get(f"{ANNA}/contacts")).status == 200
    assert (await plain.client.post(f"{ANNA}/contacts", {"displayName": "x"})).code == "ErrorQuotaExceeded"


async def test_only_the_documented_path_works(plain: Scene) -> None:
    """Neither the default folder's short form nor its alias, unless the switches say so."""
    paths = (f"{ANNA}/contacts/delta", f"{ANNA}/contactFolders/contacts/contacts/delta")
    assert [(await plain.client.get(path)).status for path in paths] == [400, 400]
    plain.emulator.switches.take(Switches(default_folder_delta_supported=True, alias_in_delta_supported=True))
    assert [(await plain.client.get(path)).status for path in paths] == [200, 200]
    plain.emulator.switches.national_cloud = True
    assert [(await plain.client.get(path)).status for path in paths] == [400, 400]


async def test_a_page_holds_no_more_than_five_hundred(plain: Scene) -> None:
    """Whatever the Prefer header asks for."""
    for number in range(501):
        plain.anna.add_contact({"displayName": str(number)})
    page: Any = await plain.client.get(url(plain), Prefer="odata.maxpagesize=999")
    assert len(page.rows) == 500
