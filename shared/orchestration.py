"""Runs in shards on Durable Functions: `shared.shards.workflow`, driven by an orchestration for each tenant.

Registered only if AUTOMATION_SYNCCONTACTS_SCALE_OUT says so. The history holds ids, numbers and times, never a contact.
An orchestrator is replayed from its beginning at every turn, which costs it the square of its steps; so it hands them
on in slices, each an orchestration of its own.
"""

import logging
import os
from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import azure.durable_functions as df
import azure.functions as func

from shared.clock import SystemClock
from shared.serving import App
from shared.shards.ending import End
from shared.shards.errand import Errand
from shared.shards.message import SHARDS_QUEUE, read_call, read_done, read_errand, read_errands, write
from shared.shards.workflow import Call, Done, workflow
from shared.telemetry import log_crash, log_event

_STORAGE: Final = "AzureWebJobsStorage"
# The input of so many steps is less than 45 kB, beyond which each message takes a detour over a blob.
_SLICE: Final = 80
_RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=30_000, max_number_of_attempts=3)
_GOES_ON: Final = frozenset(
    {
        df.OrchestrationRuntimeStatus.Running,
        df.OrchestrationRuntimeStatus.Pending,
        df.OrchestrationRuntimeStatus.ContinuedAsNew,
        df.OrchestrationRuntimeStatus.Suspended,
    }
)
_OVER: Final = (
    df.OrchestrationRuntimeStatus.Completed,
    df.OrchestrationRuntimeStatus.Failed,
    df.OrchestrationRuntimeStatus.Terminated,
)
_KEPT: Final = timedelta(days=7)
_SEARCHED: Final = timedelta(days=60)
_LOG = logging.getLogger("contacts_mirror")
Tasks = Generator[Any, Any, list[Done]]

blueprint = df.Blueprint()


class RunFailedInShardsError(Exception):
    """The run has ended with failures; the message has counts only, for the host shows it."""


def instance_id(errand: Errand) -> str:
    """The orchestration's id: one a tenant, so that its runs never go on side by side."""
    return f"contacts-mirror-{errand.tenant_id}"


@blueprint.queue_trigger(arg_name="message", queue_name=SHARDS_QUEUE, connection=_STORAGE)
@blueprint.durable_client_input(client_name="client")
async def start_shards(message: func.QueueMessage, client: df.DurableOrchestrationClient) -> None:
    """Start the orchestration of each tenant that goes on in shards, unless its last one still goes on."""
    errands = read_errands(message.get_body())
    if errands is None:
        log_event(_LOG, logging.ERROR, "message_dropped", message_id=str(message.id))
        return
    for errand in errands:
        # To start an id that exists would replace it silently.
        status = await client.get_status(instance_id(errand))
        if status and status.runtime_status in _GOES_ON:
            await app().refuse_errand(errand)
        else:
            await client.start_new("mirror_in_shards", instance_id(errand), write(errand))
    await _forget_old(client, SystemClock().now())


async def _forget_old(client: df.DurableOrchestrationClient, now: datetime) -> None:
    """The host keeps histories for ever; what runs did is on record elsewhere."""
    try:
        await client.purge_instance_history_by(now - _SEARCHED, now - _KEPT, list(_OVER))
    except Exception as error:  # noqa: BLE001 - the runs are started; what is kept too long only takes room
        log_crash(_LOG, "purge_failed", error)


@blueprint.orchestration_trigger(context_name="context")
def mirror_in_shards(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """One tenant's run; fails when the run has failed, so that the host shows it."""
    steps = workflow(read_errand(context.get_input(expected_type=str)))
    calls = next(steps)
    while True:
        done = yield from _side_by_side(context, calls)
        try:
            calls = steps.send(done)
        except StopIteration as ended:
            return _outcome(ended.value)


@blueprint.orchestration_trigger(context_name="context")
def mirror_slice(context: df.DurableOrchestrationContext) -> Generator[Any, Any, list[str]]:
    """Some of a run's shards, all in the same step."""
    done = yield from _steps(context, [read_call(text) for text in context.get_input(expected_type=list)])
    return [write(one) for one in done]


@blueprint.activity_trigger(input_name="call")
async def take_step(call: str) -> str:
    """One step of a run, for one shard or for all of them."""
    return await app().take_step(call)


def _side_by_side(context: df.DurableOrchestrationContext, calls: Sequence[Call]) -> Tasks:
    if len(calls) <= 1:
        return (yield from _steps(context, calls))
    slices = [[write(call) for call in calls[start : start + _SLICE]] for start in range(0, len(calls), _SLICE)]
    tasks = [context.call_sub_orchestrator("mirror_slice", some, expected_type=list) for some in slices]
    found = yield from _all(context, tasks)
    return [
        one
        for some, done in zip(slices, found, strict=True)
        for one in (map(read_done, done) if done else [_BROKEN_OFF] * len(some))
    ]


def _steps(context: df.DurableOrchestrationContext, calls: Sequence[Call]) -> Tasks:
    tasks = [context.call_activity_with_retry("take_step", _RETRY, write(call), expected_type=str) for call in calls]
    found = yield from _all(context, tasks)
    return [read_done(one) if one else _BROKEN_OFF for one in found]


def _all(context: df.DurableOrchestrationContext, tasks: Sequence[Any]) -> Generator[Any, Any, list[Any]]:
    """What came of each task; None of one that failed, which keeps nobody from waiting for the others."""
    if not tasks:
        return []
    try:
        return list((yield context.task_all(list(tasks))))
    except Exception:  # noqa: BLE001 - what was raised, a task's own failure, is asked for again below
        found = []
        for task in tasks:
            try:
                found.append((yield task))
            except Exception:  # noqa: BLE001 - as above; the step itself has logged why
                found.append(None)
        return found


_BROKEN_OFF: Final = Done(end=End.BROKEN_OFF)


def _outcome(done: Done) -> str:
    if done.failure or done.end:
        raise RunFailedInShardsError(done.failure or "The run could not be put on record.")
    return "ended"


def app() -> App:
    """The app in the environment as it is now."""
    return App(os.environ, trust=os.environ.get("SSL_CERT_FILE"))
