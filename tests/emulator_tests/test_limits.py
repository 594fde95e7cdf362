"""Throttling (point 14)."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from tests.emulator_tests.client import ANNA, EVENTUAL, Scene

BEN = "/users/ben@contoso.com"


async def test_a_mailbox_takes_ten_thousand_requests_in_ten_minutes(scene: Scene) -> None:
    """Refused ones count; another mailbox is not concerned; after ten minutes all is well."""
    scene.emulator.switches.mailbox_requests = 3
    answers = [await scene.client.get(f"{ANNA}/contacts") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].code == "ApplicationThrottled"
    assert 500 < int(answers[-1].headers["Retry-After"]) <= 601
    assert (await scene.client.get(f"{BEN}/contacts")).status == 200
    scene.emulator.clock.advance(601)
    assert (await scene.client.get(f"{ANNA}/contacts")).status == 200


async def test_a_fifth_request_at_the_same_time_is_refused(scene: Scene) -> None:
    """Per mailbox."""
    scene.emulator.switches.service_seconds = 0.05
    answers = await asyncio.gather(*[scene.client.get(f"{ANNA}/contacts") for _ in range(6)])
    others = await asyncio.gather(*[scene.client.get(f"{box}/contacts") for box in (ANNA, BEN) for _ in range(4)])
    assert sorted(answer.status for answer in answers) == [200] * 4 + [429] * 2
    assert {answer.status for answer in others} == {200}


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_batch_is_carried_out_a_few_requests_at_a_time(scene: Scene, at_once: int) -> None:
    """Four by the documents; a switch, for they are at odds."""
    scene.emulator.switches.service_seconds = 0.005
    scene.emulator.switches.batch_concurrency = at_once
    answer = await scene.client.batch(*[{"method": "GET", "url": f"{ANNA}/contacts"} for _ in range(6)])
    assert {response["status"] for response in answer.json["responses"]} == {200}
    assert scene.emulator.most_at_once(scene.tenant.user("anna@contoso.com").id) == at_once


async def test_uploads_are_limited(scene: Scene) -> None:
    """By bytes in five minutes."""
    scene.emulator.switches.mailbox_upload_bytes = 100
    assert (await scene.client.post(f"{ANNA}/contacts", {"displayName": "x" * 200})).status == 429


@pytest.mark.parametrize(
    ("form", "expected"), [("integer", "2"), ("fraction", "1.000"), ("one", "1"), ("missing", None), ("date", "GMT")]
)
async def test_retry_after_has_many_forms(scene: Scene, form: str, expected: str | None) -> None:
    """Whole seconds, a fraction, an HTTP date, always 1, or none."""
    scene.emulator.switches.retry_after = form
    scene.emulator.switches.mailbox_concurrency = 0
    value = (await scene.client.get(f"{ANNA}/contacts")).headers.get("Retry-After")
    if form == "date":
        assert value is not None
        assert parsedate_to_datetime(value) > scene.emulator.clock.now()
    else:
        assert value == expected


async def test_the_directory_counts_units(scene: Scene) -> None:
    """2 for a list, 1 less with $select; it warns above four fifths."""
    scene.emulator.switches.identity_units = 5
    first = await scene.client.get("/users")
    cheap = await scene.client.get("/users?$select=id")
    near = await scene.client.get("/users?$top=50", **EVENTUAL)
    over = await scene.client.get("/users")
    assert (first.headers["x-ms-resource-unit"], cheap.headers["x-ms-resource-unit"]) == ("2", "1")
    assert near.headers["x-ms-throttle-limit-percentage"] == "1.00"
    assert (over.status, over.code) == (429, "TooManyRequests")
    assert "x-ms-throttle-scope" in over.headers
