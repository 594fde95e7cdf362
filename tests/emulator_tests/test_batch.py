"""JSON batching (point 13)."""

from typing import Any

import pytest

from tests.emulator import Fault, Omit, Throttled
from tests.emulator_tests.client import ANNA, IMMUTABLE, Answer, Scene, write

READ = {"method": "GET", "url": f"{ANNA}/contacts"}


def responses(answer: Answer) -> dict[str, dict[str, Any]]:
    """The responses of a batch by id."""
    return {response["id"]: response for response in answer.json["responses"]}


async def test_twenty_requests_are_answered_in_any_order(scene: Scene) -> None:
    """Each with its status, headers and body; the outer status is 200."""
    answer = await scene.client.batch(
        *[write("POST", f"{ANNA}/contacts", {"displayName": f"{n}"}, **IMMUTABLE) for n in range(20)]
    )
    order = [response["id"] for response in answer.json["responses"]]
    assert sorted(order, key=int) != order
    assert {response["status"] for response in responses(answer).values()} == {201}
    assert responses(answer)["7"]["body"]["displayName"] == "7"
    assert responses(answer)["7"]["headers"]["Preference-Applied"] == 'IdType="ImmutableId"'
    assert len(scene.anna.contacts()) == 20


async def test_inner_failures_are_inner(scene: Scene) -> None:
    """One bad request leaves the others and the outer status alone."""
    answer = await scene.client.batch(
        READ, {"method": "GET", "url": f"{ANNA}/contacts/nothing"}, write("POST", f"{ANNA}/contacts", {"naem": "x"})
    )
    assert answer.status == 200
    assert [responses(answer)[str(n)]["status"] for n in range(3)] == [200, 400, 400]


@pytest.mark.parametrize(
    "requests",
    [
        [READ] * 21,
        [{"method": "GET", "url": "https://graph.microsoft.com/v1.0/users"}],
        [{"method": "POST", "url": f"{ANNA}/contacts", "body": {}}],
        [{**READ, "depends_on": ["1"]}],
        [{**READ, "dependsOn": ["5"]}],
        [{"method": "FETCH", "url": "/users"}],
        [],
    ],
)
async def test_a_malformed_batch_is_refused_whole(scene: Scene, requests: list[dict[str, Any]]) -> None:
    """More than twenty, absolute URLs, bodies without a type, unknown members, unknown parents."""
    assert (await scene.client.batch(*requests)).status == 400


async def test_ids_are_unique_without_regard_to_case(scene: Scene) -> None:
    """They are strings."""
    same = {"requests": [{**READ, "id": "a"}, {**READ, "id": "A"}]}
    number = {"requests": [{**READ, "id": 1}]}
    assert (await scene.client.post("/$batch", same)).status == 400
    assert (await scene.client.post("/$batch", number)).status == 400


async def test_headers_are_not_inherited(scene: Scene) -> None:
    """Only the token is."""
    scene.anna.add_contact({"displayName": "Zoë"})
    requests = {"requests": [{**READ, "id": "1"}]}
    answer = await scene.client.post("/$batch", requests, **IMMUTABLE)
    assert len(responses(answer)["1"]["body"]["value"][0]["id"]) > 130


async def test_a_request_waits_for_those_it_depends_on(scene: Scene) -> None:
    """And fails with 424 when one of them did."""
    chain: list[dict[str, Any]] = [
        {**READ, "url": f"{ANNA}/contacts/nothing"},
        {**READ, "dependsOn": ["0"]},
        {**READ, "dependsOn": ["1"]},
    ]
    answer = await scene.client.batch(*chain)
    assert [responses(answer)[str(n)]["status"] for n in range(3)] == [400, 424, 424]


async def test_a_batch_holds_no_batch(scene: Scene) -> None:
    """It is an inner 400."""
    answer = await scene.client.batch(write("POST", "/$batch", {"requests": []}))
    assert responses(answer)["0"]["status"] == 400


async def test_four_run_at_a_time(scene: Scene) -> None:
    """So one batch for one mailbox is never too many."""
    answer = await scene.client.batch(*[READ] * 20)
    assert {response["status"] for response in responses(answer).values()} == {200}
    assert scene.emulator.most_at_once(scene.tenant.user("anna@contoso.com").id) == 4


async def test_older_clusters_refuse_the_fifth(scene: Scene) -> None:
    """With 429 and Retry-After, per mailbox."""
    scene.emulator.switches.batch_concurrency_enforced = True
    answer = await scene.client.batch(*[READ] * 6, {**READ, "url": "/users/ben@contoso.com/contacts"})
    assert [responses(answer)[str(n)]["status"] for n in range(7)] == [200] * 4 + [429] * 2 + [200]
    assert responses(answer)["5"]["headers"]["Retry-After"] == "2"


async def test_an_inner_429_comes_with_and_without_retry_after(scene: Scene) -> None:
    """And, by a switch, makes the batch itself a 424."""
    scene.emulator.faults.add(Fault(action=Throttled(None), batched=True, nth=2))
    scene.emulator.switches.batch_throttled_status = 424
    answer = await scene.client.batch(READ, READ)
    assert answer.status == 424
    assert responses(answer)["1"]["status"] == 429
    assert "Retry-After" not in responses(answer)["1"]["headers"]


async def test_a_response_can_be_missing(scene: Scene) -> None:
    """Though the request was carried out."""
    scene.emulator.faults.add(Fault(action=Omit(), method="POST", batched=True))
    answer = await scene.client.batch(write("POST", f"{ANNA}/contacts", {"displayName": "x"}), READ)
    assert responses(answer).keys() == {"1"}
    assert len(scene.anna.contacts()) == 1
