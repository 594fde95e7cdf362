"""The Function app's triggers. No rule lives here: `shared.manual` decides, `shared.bootstrap` runs."""

import json
import logging
import os
from uuid import uuid4

import azure.functions as func

import shared
from shared import bootstrap, manual, telemetry
from shared.config.model import Settings
from shared.engine.options import RunOptions
from shared.errors import MirrorError

RUN_QUEUE = "contacts-mirror-runs"

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
logger = logging.getLogger("contacts_mirror")
telemetry.quiet_libraries()


@app.timer_trigger(
    arg_name="timer", schedule="%AUTOMATION_SYNCCONTACTS_SCHEDULE%", run_on_startup=False, use_monitor=True
)
async def scheduled_sync(timer: func.TimerRequest) -> None:
    """Mirror all tenants. The host does not repeat a failed timer: the next hour's run goes on."""
    telemetry.log_event(logger, logging.INFO, "timer_fired", past_due=timer.past_due)
    await _run(RunOptions())


@app.route("sync", methods=["POST"])
@app.queue_output(arg_name="message", queue_name=RUN_QUEUE, connection="AzureWebJobsStorage")
async def request_sync(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
    """Put a run on the queue and answer at once: Azure cuts an HTTP answer off after 230 seconds."""
    answer = manual.answer(req.get_body(), await _settings(), run_id=str(uuid4()))
    if answer.message:
        message.set(answer.message)
    return _response(answer)


@app.queue_trigger(arg_name="message", queue_name=RUN_QUEUE, connection="AzureWebJobsStorage")
async def requested_sync(message: func.QueueMessage) -> None:
    """Carry out a run of the queue, once: host.json's `maxDequeueCount` keeps the host from repeating a failed one."""
    options = manual.read_message(message.get_body())
    if options is None:
        telemetry.log_event(logger, logging.ERROR, "message_dropped", message_id=message.id)
        return
    await _run(options)


@app.route("health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 -- the binding wants its parameter
    """Say whether a run could begin."""
    return _response(manual.health(await _settings(), shared.__version__))


async def _run(options: RunOptions) -> None:
    try:
        report = await bootstrap.sync(os.environ, options, trust=_trust())
    except MirrorError as error:
        telemetry.log_event(logger, logging.ERROR, "run_refused", run_id=options.run_id, code=error.code)
        raise
    telemetry.log_report(logger, report)
    if failure := manual.failure(report):
        raise failure


async def _settings() -> Settings | MirrorError:
    try:
        return await bootstrap.settings(os.environ, trust=_trust())
    except MirrorError as error:
        return error


def _trust() -> str | None:
    """The CA certificates to go by: aiohttp reads the variable once, at its import, which may be before it is set."""
    return os.environ.get("SSL_CERT_FILE")


def _response(answer: manual.Answer) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(answer.body), status_code=answer.status, mimetype="application/json")
