"""Contacts: what is written is not what is read (points 3 to 11, 16, 23)."""

from datetime import UTC, datetime

import pytest

from tests.emulator_tests.client import ANNA, HUB, IMMUTABLE, Scene


async def create(scene: Scene, **fields: object) -> dict[str, object]:
    """Create a card over HTTP, with immutable ids."""
    answer = await scene.client.post(f"{ANNA}/contacts", fields, **IMMUTABLE)
    assert answer.status == 201, answer.raw
    return dict(answer.json)


async def test_ids_have_two_forms(scene: Scene) -> None:
    """The classic id changes with a move, the immutable one does not; both name the card."""
    immutable = scene.anna.add_contact({"displayName": "Zoë"})
    folder = scene.anna.add_folder("Other")
    before = (await scene.client.get(f"{ANNA}/contacts/{immutable}")).json["id"]
    scene.anna.move_contact(immutable, folder)
    asked = await scene.client.get(f"{ANNA}/contacts/{immutable}", **IMMUTABLE)
    after = (await scene.client.get(f"{ANNA}/contacts/{immutable}")).json["id"]
    assert asked.headers["Preference-Applied"] == 'IdType="ImmutableId"'
    assert asked.json["id"] == immutable
    assert before != after
    assert (len(immutable), len(after)) == (71, len(before))
    assert len(after) >= 136
    assert (await scene.client.get(f"{ANNA}/contacts/{before.replace('=', '%3D')}")).code == "ErrorItemNotFound"


async def test_ids_differ_by_case_alone(scene: Scene) -> None:
    """Of enough cards two have ids that are equal in small letters."""
    ids = {scene.anna.add_contact({"displayName": str(number)}) for number in range(60)}
    assert len({item_id.lower() for item_id in ids}) < len(ids)
    assert (await scene.client.get(f"{ANNA}/contacts/no!id")).code == "ErrorInvalidIdMalformed"


async def test_every_write_moves_the_change_key(scene: Scene) -> None:
    """And a few seconds after its creation the server moves it once by itself."""
    card = await create(scene, displayName="Zoë")
    url = f"{ANNA}/contacts/{card['id']}"
    assert (await scene.client.get(url)).json["changeKey"] == card["changeKey"]
    scene.emulator.clock.advance(10)
    bumped = (await scene.client.get(url)).json
    assert bumped["changeKey"] != card["changeKey"]
    assert bumped["lastModifiedDateTime"] == card["lastModifiedDateTime"]
    patched = (await scene.client.patch(url, {"surname": "A"})).json
    assert patched["changeKey"] != bumped["changeKey"]
    assert patched["@odata.etag"] == f'W/"{patched["changeKey"]}"'


async def test_the_display_name_is_computed_anew(scene: Scene) -> None:
    """At a POST without it, and at a PATCH of a name part without it."""
    card = await create(scene, title="Dr.", givenName="Zoë", surname="Ångström", generation="Jr.")
    assert card["displayName"] == "Dr. Zoë Ångström Jr."
    url = f"{ANNA}/contacts/{card['id']}"
    assert (await scene.client.patch(url, {"displayName": "Zozo", "nickName": "Z"})).json["displayName"] == "Zozo"
    assert (await scene.client.patch(url, {"jobTitle": "CTO"})).json["displayName"] == "Zozo"
    assert (await scene.client.patch(url, {"surname": "Berg"})).json["displayName"] == "Dr. Zoë Berg Jr."
    assert (await create(scene, companyName="Litware"))["displayName"] == "Litware"


async def test_email_names_belong_to_the_directory(scene: Scene) -> None:
    """An address of the tenant bears the directory's name, one without a name its own, a bad one only a name."""
    emails = [{"address": "Ben@contoso.com", "name": "Benny"}, {"address": "x@y.example"}, {"address": "bad,"}]
    card = await create(scene, emailAddresses=emails)
    assert card["emailAddresses"] == [
        {"name": "Ben", "address": "Ben@contoso.com"},
        {"name": "x@y.example", "address": "x@y.example"},
        {"name": "bad,"},
    ]
    assert card["secondaryEmailAddress"] == {"name": "x@y.example", "address": "x@y.example"}


async def test_absence_has_many_forms(scene: Scene) -> None:
    """{} for an address, [] for a list, null for most strings and "" for some."""
    card = await create(scene, displayName="Zoë", businessAddress={"city": "Köln", "street": None})
    assert (card["homeAddress"], card["children"], card["jobTitle"], card["manager"]) == ({}, [], None, "")
    assert card["businessAddress"] == {"city": "Köln"}


@pytest.mark.parametrize("sent", ["1974-07-22", "1974-07-22T00:00:00Z", "1974-07-22T01:30:00+01:00"])
async def test_a_birthday_is_a_day(scene: Scene, sent: str) -> None:
    """The time of the day is the server's."""
    assert (await create(scene, birthday=sent))["birthday"] == "1974-07-22T11:59:00Z"


async def test_a_note_that_begins_with_a_break_is_cut_in_lists(scene: Scene) -> None:
    """And whole by id; line ends become CRLF."""
    note = "\n\nFirst\nSecond " + "long " * 100
    card = await create(scene, displayName="Zoë", personalNotes=note)
    (listed,) = (await scene.client.get(f"{ANNA}/contacts")).rows
    single = (await scene.client.get(f"{ANNA}/contacts/{card['id']}")).json
    assert single["personalNotes"] == note.replace("\n", "\r\n")
    assert listed["personalNotes"].startswith("FirstSecond long")
    assert len(listed["personalNotes"]) == 256


async def test_categories_come_in_another_order_with_the_folders_name(scene: Scene) -> None:
    """The name only outside the default folder."""
    folder = scene.hub.add_folder("All Contacts")
    body = {"displayName": "Zoë", "categories": ["rouge", "vert"]}
    answer = await scene.client.post(f"{HUB}/contactFolders/{folder}/contacts", body)
    assert answer.json["categories"] == ["vert", "rouge", "All Contacts"]
    assert (await create(scene, **body))["categories"] == ["vert", "rouge"]
    assert scene.hub.contacts(folder)[0]["categories"] == ["rouge", "vert"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"emailAddresses": [{"address": f"{n}@x.example"} for n in range(4)]}, 400, "max allowed value of 3"),
        ({"businessPhones": ["1", "2", "3"]}, 400, "BusinessPhones has 3 entries"),
        ({"displayname": "x"}, 400, "RequestBodyRead"),
        ({"businessAddress": {"town": "x"}}, 400, "RequestBodyRead"),
        ({"personalNotes": 5}, 400, "UnableToDeserializePostBody"),
        ({"businessPhones": "1"}, 400, "UnableToDeserializePostBody"),
        ({"changeKey": "x"}, 400, "read only"),
        ({"birthday": "yesterday"}, 400, "DateTimeOffset"),
        ({"homeAddress": None}, 500, "ErrorInternalServerError"),
    ],
)
async def test_bad_bodies_are_refused(scene: Scene, body: dict[str, object], status: int, words: str) -> None:
    """With the error that Graph has for each, and nothing is stored."""
    answer = await scene.client.post(f"{ANNA}/contacts", {"displayName": "Zoë", **body})
    assert answer.status == status
    assert words in answer.raw.decode()
    assert scene.anna.contacts() == []


async def test_a_wrong_if_match_is_a_conflict(scene: Scene) -> None:
    """Unless the switch says that Exchange ignores it."""
    card = await create(scene, displayName="Zoë")
    url = f"{ANNA}/contacts/{card['id']}"
    scene.anna.edit_contact(str(card["id"]), {"jobTitle": "CTO"})
    stale = {"If-Match": str(card["@odata.etag"])}
    assert (await scene.client.patch(url, {"surname": "A"}, **stale)).code == "ErrorIrresolvableConflict"
    assert (await scene.client.send("DELETE", url, headers=stale)).status == 412
    scene.emulator.switches.honour_if_match = False
    assert (await scene.client.patch(url, {"surname": "A"}, **stale)).status == 200


async def test_a_conflict_comes_without_if_match_too(scene: Scene) -> None:
    """Each so manieth PATCH, and an item once only: to try again helps."""
    scene.emulator.switches.spurious_conflict_every = 2
    cards = [await create(scene, displayName="Zoë") for _ in range(2)]
    urls = [f"{ANNA}/contacts/{card['id']}" for card in cards]
    answers = [
        await scene.client.patch(url, {"surname": "A"})
        for url in (urls[0], urls[0], urls[0], urls[0], urls[1], urls[1])
    ]
    assert [answer.status for answer in answers] == [200, 412, 200, 200, 200, 412]


async def test_a_deleted_card_can_come_back(scene: Scene) -> None:
    """It lies in Deleted Items meanwhile, and keeps its immutable id."""
    card = await create(scene, displayName="Zoë")
    url = f"{ANNA}/contacts/{card['id']}"
    assert (await scene.client.send("DELETE", url)).status == 204
    assert (await scene.client.get(url)).code == "ErrorItemNotFound"
    assert [gone["displayName"] for gone in scene.anna.deleted_contacts()] == ["Zoë"]
    assert scene.anna.restore_contact(str(card["id"])) == card["id"]
    assert (await scene.client.get(url)).status == 200
    assert (await scene.client.send("POST", f"{url}/permanentDelete")).status == 204
    assert scene.anna.deleted_contacts() == []


async def test_a_person_can_type_an_old_card(scene: Scene) -> None:
    """With the time at which it was last changed."""
    scene.anna.add_contact({"displayName": "Zoë"}, modified_at=datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC))
    (row,) = (await scene.client.get(f"{ANNA}/contacts")).rows
    assert row["lastModifiedDateTime"] == row["createdDateTime"] == "2020-01-02T03:04:05Z"


async def test_null_clears_and_omission_keeps(scene: Scene) -> None:
    """[] clears a list; an address is replaced whole."""
    address = {"city": "Köln", "street": "Domplatz"}
    card = await create(scene, displayName="Z", jobTitle="CTO", homePhones=["1"], homeAddress=address)
    changes: dict[str, object] = {"jobTitle": None, "homePhones": [], "homeAddress": {"city": "Bonn"}}
    shown = (await scene.client.patch(f"{ANNA}/contacts/{card['id']}", changes)).json
    assert (shown["jobTitle"], shown["homePhones"], shown["homeAddress"]) == (None, [], {"city": "Bonn"})
    assert shown["displayName"] == "Z"


async def test_national_clouds_lack_the_email_trio(scene: Scene) -> None:
    """It is not shown, and neither written nor selected."""
    scene.emulator.switches.national_cloud = True
    assert "primaryEmailAddress" not in await create(scene, displayName="Zoë")
    body = {"primaryEmailAddress": {"address": "x@y.example"}}
    assert (await scene.client.post(f"{ANNA}/contacts", body)).status == 400
    assert (await scene.client.get(f"{ANNA}/contacts?$select=primaryEmailAddress")).status == 400


async def test_photos_can_be_put_and_never_removed(scene: Scene) -> None:
    """There is none at first."""
    card = await create(scene, displayName="Zoë")
    url = f"{ANNA}/contacts/{card['id']}/photo/$value"
    jpeg = {"Content-Type": "image/jpeg"}
    assert (await scene.client.get(url)).status == 404
    assert (await scene.client.send("PUT", url, data=b"\xff\xd8photo", headers=jpeg)).status == 200
    assert (await scene.client.get(url)).raw == b"\xff\xd8photo"
    assert (await scene.client.send("DELETE", url)).status == 405
