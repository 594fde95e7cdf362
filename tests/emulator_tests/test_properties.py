"""Extended properties and the Private flag (point 20)."""

from typing import Any

from tests.emulator_tests.client import ANNA, IMMUTABLE, Scene

MARKER = "String {A0B1C2D3-0000-4000-8000-0123456789AB} Name SyncId"
SENSITIVITY = "Integer 0x36"
FIND = "$filter=singleValueExtendedProperties/Any(ep: ep/id eq '{id}' and ep/value eq '{value}')"


def expand(*ids: str) -> str:
    """An $expand of some properties."""
    return "$expand=singleValueExtendedProperties($filter=" + " or ".join(f"id eq '{name}'" for name in ids) + ")"


async def marked(scene: Scene, value: str = "Abc") -> dict[str, Any]:
    """A card with a marker, as the answer to its creation has it."""
    body = {"displayName": "Zoë", "singleValueExtendedProperties": [{"id": MARKER, "value": value}]}
    answer = await scene.client.post(f"{ANNA}/contacts", body, **IMMUTABLE)
    assert answer.status == 201
    return dict(answer.json)


async def test_a_property_is_set_inline_and_not_echoed(scene: Scene) -> None:
    """It comes with $expand only, in lists and by id, under its id with the GUID in small letters."""
    card = await marked(scene)
    scene.anna.add_contact({"displayName": "Other"})
    assert "singleValueExtendedProperties" not in card
    marked_row, other = (await scene.client.get(f"{ANNA}/contacts?{expand(SENSITIVITY, MARKER)}")).rows
    single = (await scene.client.get(f"{ANNA}/contacts/{card['id']}?{expand(MARKER)}")).json
    shown = [{"id": "String {a0b1c2d3-0000-4000-8000-0123456789ab} Name SyncId", "value": "Abc"}]
    assert marked_row["singleValueExtendedProperties"] == single["singleValueExtendedProperties"] == shown
    assert "singleValueExtendedProperties" not in other


async def test_a_property_is_found_by_its_value(scene: Scene) -> None:
    """In any case of the value, not of the name."""
    card = await marked(scene)
    url = f"{ANNA}/contacts?{FIND}"
    by_value = await scene.client.get(url.format(id=MARKER.replace("A0B1", "a0b1"), value="aBC"), **IMMUTABLE)
    by_name = await scene.client.get(url.format(id=MARKER.replace("SyncId", "syncid"), value="Abc"))
    assert [row["id"] for row in by_value.rows] == [card["id"]]
    assert by_name.rows == []


async def test_the_lookup_can_lag(scene: Scene) -> None:
    """It does not see what was written a moment ago, with the switch."""
    scene.emulator.switches.marker_lookup_lag_seconds = 3
    await marked(scene)
    url = f"{ANNA}/contacts?{FIND.format(id=MARKER, value='Abc')}"
    assert (await scene.client.get(url)).rows == []
    scene.emulator.clock.advance(4)
    assert len((await scene.client.get(url)).rows) == 1


async def test_private_cards_bear_a_number(scene: Scene) -> None:
    """Sensitivity 2; others lack the property; they are readable all the same."""
    scene.anna.add_contact({"displayName": "Secret"}, private=True)
    item = scene.anna.add_contact({"displayName": "Open"})
    url = (
        f"{ANNA}/contacts?$filter=singleValueExtendedProperties/Any(ep: ep/id eq '{SENSITIVITY}' "
        "and cast(ep/value, Edm.Int32) eq 2)"
    )
    assert [row["displayName"] for row in (await scene.client.get(url)).rows] == ["Secret"]
    scene.anna.edit_contact(item, private=True)
    assert len((await scene.client.get(url)).rows) == 2


async def test_an_empty_value_removes_a_property(scene: Scene) -> None:
    """And a new value replaces it."""
    card = await marked(scene)
    url = f"{ANNA}/contacts/{card['id']}"
    for value, left in (("Def", {"Def"}), ("", set())):
        await scene.client.patch(url, {"singleValueExtendedProperties": [{"id": MARKER, "value": value}]})
        assert set(scene.anna.contacts()[0]["extended"].values()) == left


async def test_copies_bear_the_same_marker(scene: Scene) -> None:
    """A marker is no proof: Outlook copies it with the note."""
    card = await marked(scene)
    scene.anna.copy_contact(card["id"])
    first, second = scene.anna.contacts()
    assert first["extended"] == second["extended"] != {}


async def test_bad_property_ids_are_refused(scene: Scene) -> None:
    """Values are strings."""
    for bad in ({"id": "Text 0x36", "value": "2"}, {"id": SENSITIVITY, "value": 2}):
        body = {"displayName": "x", "singleValueExtendedProperties": [bad]}
        assert (await scene.client.post(f"{ANNA}/contacts", body)).status == 400
    assert (await scene.client.get(f"{ANNA}/contacts?$expand=photo")).status == 400
