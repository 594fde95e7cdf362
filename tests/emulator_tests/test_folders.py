"""Contact folders (point 19)."""

from tests.emulator_tests.client import HUB, Scene

FOLDERS = f"{HUB}/contactFolders"


async def test_a_folder_is_made_once(scene: Scene) -> None:
    """Its name is compared without case; it can be found by name."""
    made = await scene.client.post(FOLDERS, {"displayName": "All Contacts"})
    again = await scene.client.post(FOLDERS, {"displayName": "ALL contacts"})
    found = await scene.client.get(f"{FOLDERS}?$filter=displayName eq 'All Contacts'")
    assert (made.status, again.status, again.code) == (201, 409, "ErrorFolderExists")
    assert [row["id"] for row in found.rows] == [made.json["id"]]
    assert (await scene.client.post(FOLDERS, {"name": "x"})).code == "RequestBodyRead"


async def test_several_folders_can_have_one_name(scene: Scene) -> None:
    """When people make them."""
    ids = {scene.hub.add_folder("All Contacts") for _ in range(2)}
    found = await scene.client.get(f"{FOLDERS}?$filter=displayName eq 'All Contacts'")
    assert {row["id"] for row in found.rows} == ids


async def test_a_name_with_a_quote(scene: Scene) -> None:
    """Is found with the quote doubled."""
    scene.hub.add_folder("Anna's")
    assert len((await scene.client.get(f"{FOLDERS}?$filter=displayName eq 'Anna''s'")).rows) == 1


async def test_renaming_keeps_the_id(scene: Scene) -> None:
    """By a person or over HTTP."""
    folder = scene.hub.add_folder("All Contacts")
    scene.hub.rename_folder(folder, "Everybody")
    assert (await scene.client.get(f"{FOLDERS}/{folder}")).json["displayName"] == "Everybody"
    assert (await scene.client.patch(f"{FOLDERS}/{folder}", {"displayName": "Nobody"})).status == 200
    assert [view.name for view in scene.hub.folders if not view.is_default] == ["Nobody"]


async def test_deleting_a_folder_moves_it_to_deleted_items(scene: Scene) -> None:
    """With its cards; a second one of that name cannot follow it there (msgraph-sdk-powershell#2743)."""
    first = scene.hub.add_folder("All Contacts")
    item = scene.hub.add_contact({"displayName": "Zoë"}, folder=first)
    assert (await scene.client.send("DELETE", f"{FOLDERS}/{first}")).status == 204
    assert (await scene.client.get(f"{FOLDERS}/{first}/contacts")).status == 404
    assert (await scene.client.get(f"{HUB}/contacts/{item}")).status == 404
    second = scene.hub.add_folder("All Contacts")
    assert (await scene.client.send("DELETE", f"{FOLDERS}/{second}")).status == 403
    assert (await scene.client.send("POST", f"{FOLDERS}/{second}/permanentDelete")).status == 204
    assert (await scene.client.send("DELETE", f"{FOLDERS}/contacts")).status == 400


async def test_child_folders(scene: Scene) -> None:
    """Are listed below their parent only, and no list goes into them."""
    parent = scene.hub.add_folder("Parent")
    child = (await scene.client.post(f"{FOLDERS}/{parent}/childFolders", {"displayName": "Child"})).json["id"]
    scene.hub.add_contact({"displayName": "Deep"}, folder=child)
    top, below = await scene.client.get(FOLDERS), await scene.client.get(f"{FOLDERS}/{parent}/childFolders")
    assert ([row["id"] for row in top.rows], [row["id"] for row in below.rows]) == ([parent], [child])
    assert (await scene.client.get(f"{FOLDERS}/{parent}/contacts")).rows == []
    assert len((await scene.client.get(f"{FOLDERS}/{parent}/childFolders/{child}/contacts")).rows) == 1


async def test_hidden_folders_are_rarely_listed(scene: Scene) -> None:
    """Only with the switch."""
    assert (await scene.client.get(FOLDERS)).rows == []
    scene.emulator.switches.hidden_folders_listed = True
    assert "Recipient Cache" in [row["displayName"] for row in (await scene.client.get(FOLDERS)).rows]
