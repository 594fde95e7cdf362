"""Faults and edits at a chosen request (points 15, 16 and 22)."""

import aiohttp
import pytest

from tests.emulator import (
    Answer,
    ApplyThenAnswer,
    ApplyThenDrop,
    Conflict,
    Delay,
    Drop,
    ExpireToken,
    Fault,
    Run,
    SpuriousUnauthorized,
    Throttled,
)
from tests.emulator_tests.client import ANNA, Scene, write

BODY = {"displayName": "Zoë"}


async def test_a_write_of_unknown_fate(scene: Scene) -> None:
    """The card is there although the answer was 504."""
    scene.emulator.faults.add(Fault(action=ApplyThenAnswer(504), method="POST", path="/contacts$"))
    assert (await scene.client.post(f"{ANNA}/contacts", BODY)).status == 504
    assert len(scene.anna.contacts()) == 1
    assert (await scene.client.post(f"{ANNA}/contacts", BODY)).status == 201


@pytest.mark.parametrize(("action", "cards"), [(Drop(), 0), (ApplyThenDrop(), 1)])
async def test_a_dropped_connection(scene: Scene, action: Drop | ApplyThenDrop, cards: int) -> None:
    """Before or after the write was carried out."""
    scene.emulator.faults.add(Fault(action=action, method="POST", path="/contacts$"))
    with pytest.raises(aiohttp.ClientError):
        await scene.client.post(f"{ANNA}/contacts", BODY)
    assert len(scene.anna.contacts()) == cards
    assert scene.emulator.log[-1].status == 0
    assert (await scene.client.get(f"{ANNA}/contacts")).status == 200


async def test_a_batch_dropped_in_its_middle(scene: Scene) -> None:
    """What came before is carried out."""
    scene.emulator.faults.add(Fault(action=Drop(), batched=True, nth=6))
    with pytest.raises(aiohttp.ClientError):
        await scene.client.batch(*[write("POST", f"{ANNA}/contacts", BODY) for _ in range(8)])
    assert len(scene.anna.contacts()) == 4
    assert (await scene.client.get(f"{ANNA}/contacts")).status == 200


async def test_a_fault_is_aimed(scene: Scene) -> None:
    """At a method, a path, a mailbox, the n-th request, and so many times."""
    fault = scene.emulator.faults.add(
        Fault(action=Answer(500, "Oops"), method="GET", path="/contacts", mailbox="anna@contoso.com", nth=2, count=2)
    )
    await scene.client.get("/users/ben@contoso.com/contacts")
    answers = [await scene.client.get(f"{ANNA}/contacts") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 500, 500, 200]
    assert (answers[1].code, fault.happened) == ("Oops", 2)


async def test_a_fault_strikes_regularly_or_by_chance(scene: Scene) -> None:
    """By chance means the same each time for the same seed."""
    scene.emulator.faults.add(Fault(action=Answer(500), every=3, count=None))
    assert [(await scene.client.get(f"{ANNA}/contacts")).status for _ in range(6)] == [200, 200, 500] * 2
    scene.emulator.faults.clear()
    scene.emulator.faults.add(Fault(action=Answer(500), probability=0.5, seed=3, count=None))
    first = [(await scene.client.get(f"{ANNA}/contacts")).status for _ in range(20)]
    assert set(first) == {200, 500}


async def test_bodies_can_be_empty_or_html(scene: Scene) -> None:
    """As gateways answer."""
    scene.emulator.faults.add(Fault(action=Answer(503, body=b"")))
    scene.emulator.faults.add(Fault(action=Answer(502, body=b"<html>Bad Gateway</html>", headers={"X-A": "b"})))
    empty, html = await scene.client.get("/users"), await scene.client.get("/users")
    assert (empty.status, empty.raw) == (503, b"")
    assert (html.status, html.headers["Content-Type"], html.headers["X-A"]) == (502, "text/html", "b")


async def test_an_edit_comes_in_between(scene: Scene) -> None:
    """Just before a write: so its If-Match is stale."""
    item = scene.anna.add_contact(BODY)
    etag = scene.anna.contact(item)["@odata.etag"]
    edit = Run(first=lambda: scene.anna.edit_contact(item, {"jobTitle": "CTO"}))
    scene.emulator.faults.add(Fault(action=edit, method="PATCH"))
    answer = await scene.client.patch(f"{ANNA}/contacts/{item}", {"surname": "A"}, **{"If-Match": etag})
    assert answer.status == 412
    assert scene.anna.contact(item)["jobTitle"] == "CTO"


async def test_the_other_actions(scene: Scene) -> None:
    """A conflict, a 401 once, a 401 until there is a new token, a delay, a 429 after the fact."""
    for action in (Conflict(), SpuriousUnauthorized(), ExpireToken()):
        scene.emulator.faults.add(Fault(action=action))
    statuses = [(await scene.client.get("/users")).status for _ in range(4)]
    assert statuses == [412, 401, 401, 401]
    await scene.client.sign_in()
    before = scene.emulator.clock.now()
    scene.emulator.faults.add(Fault(action=Delay(300)))
    assert (await scene.client.get("/users")).status == 200
    assert (scene.emulator.clock.now() - before).total_seconds() >= 300
    scene.emulator.faults.add(Fault(action=Throttled("2.128", applied=True)))
    answer = await scene.client.post(f"{ANNA}/contacts", BODY)
    assert (answer.status, answer.headers["Retry-After"], len(scene.anna.contacts())) == (429, "2.128", 1)


async def test_sign_in_and_vault_can_fail_too(scene: Scene) -> None:
    """By their paths."""
    scene.emulator.faults.add(Fault(action=Answer(503), path="/oauth2/v2.0/token$"))
    scene.emulator.faults.add(Fault(action=Throttled(3), path="^/secrets/"))
    assert (await scene.client.sign_in()).status == 503
    vault = await scene.client.get(f"{scene.emulator.vault_url}/secrets/a?api-version=7.4")
    assert (vault.status, vault.headers["Retry-After"]) == (429, "3")


async def test_errors_have_graphs_envelope(scene: Scene) -> None:
    """With ids in body and headers, and the spelling that the switches ask for."""
    answer = await scene.client.get(f"{ANNA}/contacts/x", **{"client-request-id": "mine"})
    error = answer.json["error"]
    assert error.keys() == {"code", "message", "innerError"}
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"] == "mine"
    assert answer.headers["request-id"]
    scene.emulator.switches.camel_case_error_codes = True
    scene.emulator.switches.inner_error_name = "innererror"
    error = (await scene.client.get(f"{ANNA}/contacts/x")).json["error"]
    assert error["code"] == "errorInvalidIdMalformed"
    assert "innererror" in error


async def test_the_log_tells_every_request(scene: Scene) -> None:
    """Those of a batch as well, with tenant, mailbox, status and some headers, never the token."""
    scene.emulator.log.clear()
    await scene.client.batch(write("POST", f"{ANNA}/contacts", BODY))
    outer, inner = scene.emulator.log
    assert (outer.path, outer.batched, inner.batched, scene.emulator.http_requests) == ("/$batch", False, True, 1)
    assert (inner.method, inner.path, inner.status) == ("POST", f"{ANNA}/contacts", 201)
    assert (inner.tenant, inner.mailbox) == (scene.tenant.id, "anna@contoso.com")
    assert scene.emulator.log.writes("anna@contoso.com") == [inner]
    assert "authorization" not in outer.headers
