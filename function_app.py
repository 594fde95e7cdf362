"""The Function app's triggers, and nothing else: `shared.serving` says what each of them does."""

import os

import azure.functions as func

from shared import telemetry
from shared.config import scale_out
from shared.config.model import ScaleOut
from shared.manual.call import Answer, Call
from shared.serving import App
from shared.shards.message import SHARDS_QUEUE

RUN_QUEUE = "contacts-mirror-runs"
STORAGE = "AzureWebJobsStorage"

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
telemetry.quiet_libraries()
if scale_out(os.environ) is not ScaleOut.INLINE:
    from shared.orchestration import blueprint

    app.register_functions(blueprint)


@app.timer_trigger(
    arg_name="timer", schedule="%AUTOMATION_SYNCCONTACTS_SCHEDULE%", run_on_startup=False, use_monitor=True
)
@app.queue_output(arg_name="shards", queue_name=SHARDS_QUEUE, connection=STORAGE)
async def scheduled_sync(timer: func.TimerRequest, shards: func.Out[str]) -> None:
    """Mirror all tenants. The host does not repeat a failed timer: the next hour's run goes on."""
    _hand_over(shards, await _app().timed_run(is_late=timer.past_due))


@app.route("sync", methods=["POST"])
@app.queue_output(arg_name="message", queue_name=RUN_QUEUE, connection=STORAGE)
async def request_sync(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
    """Put a run on the queue and answer at once: Azure cuts an HTTP answer off after 230 seconds."""
    answer = await _app().request_sync(_call(req))
    if answer.message:
        message.set(answer.message)
    return _response(answer)


@app.queue_trigger(arg_name="message", queue_name=RUN_QUEUE, connection=STORAGE)
@app.queue_output(arg_name="shards", queue_name=SHARDS_QUEUE, connection=STORAGE)
async def requested_sync(message: func.QueueMessage, shards: func.Out[str]) -> None:
    """Carry out a run of the queue, once: host.json's `maxDequeueCount` keeps the host from repeating a failed one."""
    _hand_over(shards, await _app().requested_run(message.get_body(), str(message.id)))


@app.route("runs", methods=["GET"])
async def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """Tell of the latest runs."""
    return _response(await _app().list_runs(_call(req)))


@app.route("runs/{run_id}", methods=["GET"])
async def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Tell of one run: what it did, or where it is."""
    return _response(await _app().show_run(_call(req)))


@app.route("health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 -- the binding wants its parameter
    """Say whether a run could begin."""
    return _response(await _app().health())


def _hand_over(shards: func.Out[str], message: str | None) -> None:
    if message:
        shards.set(message)


def _app() -> App:
    # aiohttp reads SSL_CERT_FILE once, at its import, which may be before it is set.
    return App(os.environ, trust=os.environ.get("SSL_CERT_FILE"))


def _call(req: func.HttpRequest) -> Call:
    return Call(
        req.url, req.get_body(), req.headers.get("accept", ""), dict(req.params), req.route_params.get("run_id", "")
    )


def _response(answer: Answer) -> func.HttpResponse:
    return func.HttpResponse(
        answer.content, status_code=answer.status, headers=answer.headers, mimetype=answer.content_type, charset="utf-8"
    )
