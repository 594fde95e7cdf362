"""Runs in shards: the real worker, and a stand-in for the Durable extension that delivers as badly as hosts do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.shards.message import SHARDS_QUEUE, read_errands, write
from shared.state.sqlite import SqliteStateStore
from tests.app.conftest import HUB_FOLDER, ROOT, add_contact, names, needs_worker, only_tenant
from tests.app.harness.durable import DurableHost, Instance, client_binding
from tests.app.harness.messages import RpcException
from tests.app.harness.worker import InvocationFailedError, Worker, worker
from tests.app.test_triggers import IN_SHARDS
from tests.emulator import EmulatorThread
from tests.state.conftest import open_tables

pytestmark = needs_worker
PEOPLE = ("ada", "bob", "cem", "dan", "eve")


@pytest.fixture
async def app(environment: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    """The app of an installation that has outgrown one process."""
    environment.setenv("AUTOMATION_SYNCCONTACTS_SCALE_OUT", "durable")
    with worker(ROOT) as running:
        await running.start()
        yield running


@pytest.fixture
def company(microsoft365: EmulatorThread) -> EmulatorThread:
    """Five users, each of whom knows somebody; one is known to two of them."""
    tenant = only_tenant(microsoft365)
    for name in PEOPLE[2:]:
        tenant.add_user(f"{name}@contoso.example")
    for user, name in (("bob", "Alan Turing"), ("cem", "Grace Hopper"), ("eve", "Zoe Nal")):
        add_contact(tenant, user, name)
    return microsoft365


async def handed_over(app: Worker, shard_size: int = 2) -> str:
    """What the timer leaves to the shards, as small ones."""
    (message,) = await app.fire_timer("scheduled_sync")
    errands = read_errands(message.encode())
    assert errands
    return write([replace(one, shard_size=shard_size) for one in errands])


async def mirror(app: Worker, host: DurableHost, message: str) -> Instance:
    """Start the orchestration, and let it come to its end."""
    async with client_binding(host) as client:
        await app.deliver("start_shards", message, client=client)
        await host.run()
    return next(one for one in host.instances.values() if one.parent is None)


def assert_mirrored(emulator: EmulatorThread) -> None:
    """Everybody has everybody's contacts, once."""
    tenant = only_tenant(emulator)
    everybody = ["Alan Turing", "Grace Hopper", "Zoe Nal"]
    hub = tenant.mailbox("hub@contoso.example")
    assert sorted(card["displayName"] for card in hub.contacts(HUB_FOLDER)) == everybody
    for name in PEOPLE:
        cards = tenant.mailbox(f"{name}@contoso.example").contacts()
        assert sorted(card["displayName"] for card in cards) == everybody


@pytest.mark.parametrize(("value", "more"), [("inline", set()), ("auto", IN_SHARDS), ("durable", IN_SHARDS)])
async def test_durable_functions_are_there_for_who_wants_them(
    environment: pytest.MonkeyPatch, value: str, more: set[str]
) -> None:
    """An installation that one process is enough for registers none, and so carries none of their cost."""
    environment.setenv("AUTOMATION_SYNCCONTACTS_SCALE_OUT", value)
    with worker(ROOT) as running:
        await running.start()
        assert set(running.functions) & IN_SHARDS == more
        if more:
            assert running.bindings("start_shards")["queueTrigger"]["queueName"] == SHARDS_QUEUE
        for name in ("scheduled_sync", "requested_sync"):
            assert running.bindings(name)["queue"]["queueName"] == SHARDS_QUEUE


async def test_the_timer_hands_over_and_the_shards_mirror(
    company: EmulatorThread, app: Worker, state: SqliteStateStore
) -> None:
    """The same comes of it as of a run in one process; the run is on record under the id that was logged."""
    message = await handed_over(app)
    assert "Grace Hopper" not in names(only_tenant(company), "bob")
    ended = await mirror(app, DurableHost(app), message)
    assert (ended.output, ended.status) == ("ended", "Completed")
    assert_mirrored(company)
    begun, summary = app.events("run_summary")
    assert (begun["outcome"], summary["outcome"]) == ("running", "ok")
    assert begun["run_id"] == summary["run_id"]
    tenant_id = only_tenant(company).id
    (record,) = await state.runs(tenant_id)
    assert (record.run_id, record.outcome) == (summary["run_id"], "ok")
    done = await state.run(tenant_id, record.run_id)
    assert done
    assert done.report["step2"] == {"created": 11, "updated": 0, "skipped": 4}
    assert done.report["mailboxes"] == {"total": 5, "synced": 5, "skipped": 0, "failed": 0}


async def test_what_steps_hand_on_lies_in_the_apps_storage(
    company: EmulatorThread, environment: pytest.MonkeyPatch, app: Worker, storage: str
) -> None:
    """In tables, as on Azure, also if each step is delivered twice at once; when all is over nothing is left."""
    environment.setenv("AUTOMATION_SYNCCONTACTS_STATE_URL", "AzureWebJobsStorage")
    environment.setenv("AzureWebJobsStorage", storage)
    tables = open_tables(storage)
    ended = await mirror(app, DurableHost(app, twice), await handed_over(app))
    assert (ended.output, ended.status) == ("ended", "Completed")
    assert_mirrored(company)
    tenant_id = only_tenant(company).id
    (record,) = await tables.runs(tenant_id)
    left = [await tables.parcel(tenant_id, record.run_id, name) for name in ("1 begun", "1 shard 0", "1 merge done")]
    assert (record.outcome, left) == ("ok", [None] * 3)
    assert await tables.lease_holder(tenant_id, datetime.now(UTC)) is None
    await tables.close()


async def test_the_next_hour_is_quiet(company: EmulatorThread, app: Worker) -> None:
    """No shard is written, and no card is read."""
    host = DurableHost(app)
    await mirror(app, host, await handed_over(app))
    host.activities.clear()
    await mirror(app, host, await handed_over(app))
    steps = [json.loads(text)["step"] for text in host.activities]
    assert sorted(set(steps)) == ["begin", "conclude", "gather", "merge"]


async def test_histories_hold_no_contact(company: EmulatorThread, app: Worker) -> None:
    """What the host keeps for ever are ids, numbers and times: no name, no address, not even of a user."""
    host = DurableHost(app)
    await mirror(app, host, await handed_over(app))
    kept = json.dumps([(one.text, one.output, one.history) for one in host.instances.values()])
    assert not any(word in kept for word in ("Grace", "Turing", "@", "ada", "contoso"))


async def test_many_shards_are_handed_on_in_slices(company: EmulatorThread, app: Worker) -> None:
    """However many shards there are, no orchestrator replays more than a slice of them."""
    host = DurableHost(app)
    await mirror(app, host, await handed_over(app, shard_size=1))
    assert_mirrored(company)
    assert {one.name for one in host.instances.values()} == {"mirror_in_shards", "mirror_slice"}
    assert [json.loads(text)["step"] for text in host.activities].count("scatter") == len(PEOPLE)


async def twice(_text: str, call: Callable[[], Awaitable[str]]) -> str:
    """To two processes at once."""
    return (await asyncio.gather(call(), call()))[0]


async def again_later(_text: str, call: Callable[[], Awaitable[str]]) -> str:
    """Once more when it is done."""
    await call()
    return await call()


class LoseFirst:
    """The first answer to each step is lost after the step was carried out."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def __call__(self, text: str, call: Callable[[], Awaitable[str]]) -> str:
        answer = await call()
        if text not in self.seen:
            self.seen.add(text)
            raise InvocationFailedError(RpcException(message="the worker is gone"))
        return answer


class DieFirst(LoseFirst):
    """The first process that gets a step is gone before it has begun."""

    async def __call__(self, text: str, call: Callable[[], Awaitable[str]]) -> str:
        if text not in self.seen:
            self.seen.add(text)
            raise InvocationFailedError(RpcException(message="the worker is gone"))
        return await call()


@pytest.mark.parametrize("deliver", [twice, again_later, LoseFirst(), DieFirst()])
async def test_a_step_may_be_delivered_in_any_way(
    company: EmulatorThread,
    app: Worker,
    deliver: Callable[[str, Callable[[], Awaitable[str]]], Awaitable[str]],
) -> None:
    """At once, again, or with its answer lost: everybody has everything, once, and the report counts it once."""
    ended = await mirror(app, DurableHost(app, deliver), await handed_over(app))
    assert ended.status == "Completed"
    assert_mirrored(company)
    finished = app.events("tenant_finished")[-1]
    assert (finished["outcome"], finished["gathered"], finished["scattered"]) == ("ok", 3, 11)


async def test_a_tenants_runs_never_go_on_side_by_side(
    company: EmulatorThread, app: Worker, state: SqliteStateStore
) -> None:
    """While an orchestration goes on, the next run of its tenant is refused, and nothing replaces it."""
    host = DurableHost(app)
    first, second = await handed_over(app), await handed_over(app)
    async with client_binding(host) as client:
        await app.deliver("start_shards", first, client=client)
        await app.deliver("start_shards", second, client=client)
        await host.run()
    assert_mirrored(company)
    (skipped,) = app.events("run_skipped")
    record = await state.run(only_tenant(company).id, skipped["run_id"])
    assert record
    assert record.outcome == "skipped"
    assert record.run_id in second


async def test_a_failed_run_is_a_failed_orchestration(company: EmulatorThread, app: Worker) -> None:
    """The host shows it with counts for a message, and the report on record says why."""
    message = await handed_over(app)
    only_tenant(company).client_secret = "renewed and not told"
    ended = await mirror(app, DurableHost(app), message)
    assert ended.status == "Failed"
    assert "failures in 1 of 1 tenants" in str(ended.output)
    finished = app.events("tenant_finished")[-1]
    assert (finished["outcome"], finished["error"]) == ("failed", "SignIn")


async def test_a_shard_that_dies_for_good_costs_only_its_mailboxes(company: EmulatorThread, app: Worker) -> None:
    """After three rounds its mailboxes have failed, the others are mirrored, and the next run makes it good."""

    async def deliver(text: str, call: Callable[[], Awaitable[str]]) -> str:
        asked = json.loads(text)
        if asked["step"] == "scatter" and (asked["errand"]["round"] > 1 or asked["number"] == 1):
            raise InvocationFailedError(RpcException(message="out of memory"))
        return await call()

    ended = await mirror(app, DurableHost(app, deliver), await handed_over(app))
    assert ended.status == "Failed"
    finished = app.events("tenant_finished")[-1]
    assert (finished["mailboxes"], finished["mailboxes_failed"]) == (5, 2)
    await mirror(app, DurableHost(app), await handed_over(app))
    assert_mirrored(company)


async def test_a_requested_run_goes_on_in_shards(company: EmulatorThread, app: Worker) -> None:
    """Whoever asked finds the run under the address that they were given, first going on and then with its report."""
    answer = await app.request("POST", "/api/sync", b"{}")
    (message,) = await app.deliver("requested_sync", answer.queued[0])
    url = f"/api/runs/{answer.body['run_id']}"
    assert (await app.request("GET", url)).body["outcome"] in ("running", "unfinished")
    await mirror(app, DurableHost(app), message)
    shown = (await app.request("GET", url)).body
    assert (shown["outcome"], shown["tenants"][0]["step1"]["created"]) == ("ok", 3)


async def test_old_histories_are_forgotten(company: EmulatorThread, app: Worker) -> None:
    """The host would keep them for ever: those that ended more than a week ago go; if that fails, the run goes on."""
    host = DurableHost(app)
    await mirror(app, host, await handed_over(app))
    (purged,) = host.purged
    assert purged["runtimeStatus"] == "Completed,Failed,Terminated"
    days = datetime.now(UTC) - datetime.fromisoformat(purged["createdTimeTo"])
    assert timedelta(days=7) <= days < timedelta(days=8)
    assert app.events("purge_failed") == []


@pytest.mark.parametrize("body", [b'{"dryRun": true}', b'{"users": ["ada@contoso.example"]}'])
async def test_some_runs_stay_in_their_process(company: EmulatorThread, app: Worker, body: bytes) -> None:
    """Whoever asks for a plan waits for it; chosen users are few, and no address of theirs gets into a history."""
    answer = await app.request("POST", "/api/sync", body)
    assert await app.deliver("requested_sync", answer.queued[0]) == []
    assert app.events("run_summary")[0]["outcome"] == "ok"


@pytest.mark.parametrize("text", ["", "{}", '[{"tenant_id": 1}]'])
async def test_a_message_of_somebody_else_starts_nothing(app: Worker, text: str) -> None:
    """It is logged by its id, and the host takes it for done."""
    host = DurableHost(app)
    async with client_binding(host) as client:
        await app.deliver("start_shards", text, client=client)
    assert [event["message_id"] for event in app.events("message_dropped")] == ["message-1"]
    assert host.instances == {}
