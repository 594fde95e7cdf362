"""A stand-in for the Durable Functions extension: it keeps histories, replays orchestrators and delivers activities.

It speaks the extension's protocol with workers of azure-functions-durable 1.x: an orchestrator gets its whole history
as JSON and answers with the actions that it wants, of which the first must be those that it wanted before. Timers fire
at once.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.durable_functions.models.utils import http_utils

from tests.app.harness.messages import TypedData
from tests.app.harness.worker import InvocationFailedError, Worker

_FAILURE = "\n\n$OutOfProcData$:"
_NOW = "2026-01-01T00:00:00+00:00"


class Event(IntEnum):
    """Entries of a history, as DurableTask numbers them."""

    EXECUTION_STARTED = 0
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_CREATED = 7
    SUB_COMPLETED = 8
    SUB_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13


class Action(IntEnum):
    """What an orchestrator may want, as the SDK numbers it."""

    ACTIVITY = 0
    ACTIVITY_WITH_RETRY = 1
    SUB_ORCHESTRATION = 2
    WHEN_ANY = 11
    WHEN_ALL = 12


Deliver = Callable[[str, Callable[[], Awaitable[str]]], Awaitable[str]]
"""Delivers an activity's input: calls the worker as often as it likes, and gives the answer that is taken."""


async def once(_text: str, call: Callable[[], Awaitable[str]]) -> str:
    """As on a good day."""
    return await call()


@dataclass
class Instance:
    """An orchestration."""

    id: str
    name: str
    text: str | None
    parent: "tuple[Instance, int] | None" = None
    status: str = "Pending"
    output: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    news: list[dict[str, Any]] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    retries: dict[int, int] = field(default_factory=dict)
    """By timer, the task that it puts off."""
    numbers: int = 0

    def number(self) -> int:
        """The next event's or task's number."""
        self.numbers += 1
        return self.numbers - 1


class DurableHost:
    """Orchestrations of one worker; `deliver` is how activities reach it."""

    def __init__(self, worker: Worker, deliver: Deliver = once) -> None:
        self.worker = worker
        self.instances: dict[str, Instance] = {}
        self.activities: list[str] = []
        """The input of each activity that was asked for, in order."""
        self.purged: list[dict[str, str]] = []
        """Which histories were to be forgotten."""
        self.longest = 0
        """The most entries that a history has had."""
        self._deliver = deliver
        self._ready: list[Instance] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self, name: str, text: str | None, instance_id: str, parent: tuple[Instance, int] | None = None) -> None:
        """Start an orchestration; one of that id that is there already is replaced."""
        instance = Instance(instance_id, name, text, parent)
        self.instances[instance_id] = instance
        self._tell(instance, Event.EXECUTION_STARTED, Name=name, Input=text, Version="")

    async def run(self) -> None:
        """Go on until nothing is left to do."""
        while self._ready or self._under_way:
            while self._ready:
                await self._turn(self._ready.pop(0))
            if self._under_way:
                done, self._under_way = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()

    def _tell(self, instance: Instance, kind: Event, **more: Any) -> None:
        instance.news.append(_event(kind, **more))
        if instance not in self._ready:
            self._ready.append(instance)

    async def _turn(self, instance: Instance) -> None:
        """Replay an orchestrator up to what has happened since, and carry out what it wants then."""
        if instance.status not in ("Pending", "Running"):
            return
        instance.status = "Running"
        for event in instance.history:
            event["IsPlayed"] = True
        instance.history.append(_event(Event.ORCHESTRATOR_STARTED))
        news, instance.news = instance.news, []
        for event in news:
            instance.history.append(event)
            self._retry(instance, event)
        state, failure = await self._ask(instance)
        actions = list(_flat(state["actions"]))
        wanted = [json.dumps(action, sort_keys=True) for action in actions]
        assert wanted[: len(instance.wanted)] == instance.wanted, "the orchestrator does not repeat itself"
        for action in actions[len(instance.wanted) :]:
            self._carry_out(instance, action)
        instance.wanted = wanted
        instance.history.append(_event(Event.ORCHESTRATOR_COMPLETED))
        self.longest = max(self.longest, len(instance.history))
        if failure or state["isDone"]:
            self._end(instance, "Failed" if failure else "Completed", failure or state.get("output"))

    async def _ask(self, instance: Instance) -> tuple[dict[str, Any], str]:
        payload = {
            "history": instance.history,
            "input": instance.text,
            "instanceId": instance.id,
            "isReplaying": len(instance.history) > 2,
            "parentInstanceId": instance.parent[0].id if instance.parent else None,
            "upperSchemaVersion": 0,
            "upperSchemaVersionNew": 2,
            "maximumShortTimerDuration": "3.00:00:00",
            "longRunningTimerIntervalDuration": "3.00:00:00",
        }
        try:
            return json.loads(await self.worker.trigger(instance.name, TypedData(string=json.dumps(payload)))), ""
        except InvocationFailedError as error:
            message, found, rest = str(error).partition(_FAILURE)
            if not found:
                raise
            return json.loads(rest), message

    def _carry_out(self, instance: Instance, action: dict[str, Any]) -> None:
        number = instance.number()
        instance.tasks[number] = action
        name, text = action["functionName"], str(action["input"])
        assert name in self.worker.functions, name
        if action["actionType"] == Action.SUB_ORCHESTRATION:
            instance.history.append(_event(Event.SUB_CREATED, number, Name=name))
            self.start(name, text, f"{instance.id}:{number}", (instance, number))
        else:
            instance.history.append(_event(Event.TASK_SCHEDULED, number, Name=name))
            self._under_way.add(asyncio.ensure_future(self._activity(instance, number, name, text)))

    async def _activity(self, instance: Instance, number: int, name: str, text: str) -> None:
        self.activities.append(json.loads(text))
        try:
            answer = await self._deliver(json.loads(text), lambda: self.worker.trigger(name, TypedData(string=text)))
        except InvocationFailedError as error:
            self._tell(instance, Event.TASK_FAILED, TaskScheduledId=number, Reason=str(error), Details="")
        else:
            self._tell(instance, Event.TASK_COMPLETED, TaskScheduledId=number, Result=answer)

    def _retry(self, instance: Instance, event: dict[str, Any]) -> None:
        """A failed activity is asked for again after a timer, as often as its options say; a last timer ends it."""
        if event["EventType"] == Event.TASK_FAILED:
            number = event["TaskScheduledId"]
            if instance.tasks[number]["actionType"] == Action.ACTIVITY_WITH_RETRY:
                timer = instance.number()
                instance.retries[timer] = number
                instance.history.append(_event(Event.TIMER_CREATED, timer, FireAt=_NOW))
                self._tell(instance, Event.TIMER_FIRED, TimerId=timer, FireAt=_NOW)
        elif event["EventType"] == Event.TIMER_FIRED:
            number = instance.retries.pop(event["TimerId"])
            action = instance.tasks[number]
            attempts = instance.attempts.pop(number, 1)
            if attempts < action["retryOptions"]["maxNumberOfAttempts"]:
                instance.attempts[instance.numbers] = attempts + 1
                self._carry_out(instance, action)

    def _end(self, instance: Instance, status: str, output: Any) -> None:
        instance.status, instance.output = status, output
        if instance.parent is None:
            return
        parent, number = instance.parent
        if status == "Completed":
            self._tell(parent, Event.SUB_COMPLETED, TaskScheduledId=number, Result=json.dumps(output))
        else:
            self._tell(parent, Event.SUB_FAILED, TaskScheduledId=number, Reason=str(output), Details="")


def _event(kind: Event, number: int = -1, **more: Any) -> dict[str, Any]:
    return {"EventType": int(kind), "EventId": number, "IsPlayed": False, "Timestamp": _NOW, **more}


def _flat(actions: Any) -> Iterator[dict[str, Any]]:
    for action in actions:
        if isinstance(action, list):
            yield from _flat(action)
        elif action["actionType"] in (Action.WHEN_ANY, Action.WHEN_ALL):
            yield from _flat(action["compoundActions"])
        else:
            yield action


@asynccontextmanager
async def client_binding(host: DurableHost) -> AsyncIterator[TypedData]:
    """What a function gets that starts orchestrations: where the extension listens."""

    async def start(request: web.Request) -> web.Response:
        host.start(request.match_info["name"], await request.json(), request.match_info["id"])
        return web.json_response({"id": request.match_info["id"]}, status=202)

    async def status(request: web.Request) -> web.Response:
        found = host.instances.get(request.match_info["id"])
        if found is None:
            return web.json_response({}, status=404)
        shown = {"name": found.name, "instanceId": found.id, "runtimeStatus": found.status, "input": found.text}
        times = {"createdTime": "2026-01-01T00:00:00Z", "lastUpdatedTime": "2026-01-01T00:00:00Z"}
        return web.json_response({**shown, **times, "output": found.output, "customStatus": None}, status=200)

    async def purge(request: web.Request) -> web.Response:
        host.purged.append(dict(request.query))
        return web.json_response({"instancesDeleted": 0})

    app = web.Application()
    app.router.add_delete("/instances/", purge)
    app.router.add_post("/orchestrators/{name}/{id}", start)
    app.router.add_get("/instances/{id}", status)
    async with TestServer(app) as server:
        base = str(server.make_url("")).rstrip("/")
        instance = f"{base}/instances/INSTANCEID"
        told = {
            "taskHubName": "hub",
            "rpcBaseUrl": f"{base}/",
            "baseUrl": base,
            "requiredQueryStringParameters": "code=x",
            "creationUrls": {"createNewInstancePostUri": f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"},
            "managementUrls": {"id": "INSTANCEID", "statusQueryGetUri": instance, "purgeHistoryDeleteUri": instance},
        }
        try:
            yield TypedData(string=json.dumps(told))
        finally:
            await http_utils._close_session()  # a worker keeps it for life, a test ends
