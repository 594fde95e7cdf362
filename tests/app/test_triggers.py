"""What the host is told of the app, and what goes to Azure."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from shared.config.schedule import schedule
from tests.app.conftest import ROOT, needs_worker
from tests.app.harness.worker import Worker, worker

HTTP = {
    "request_sync": ("FUNCTION", ["POST"], "sync"),
    "list_runs": ("FUNCTION", ["GET"], "runs"),
    "show_run": ("FUNCTION", ["GET"], "runs/{run_id}"),
    "health": ("FUNCTION", ["GET"], "health"),
}
FUNCTIONS = {"scheduled_sync", "requested_sync", *HTTP}
IN_SHARDS = {"start_shards", "mirror_in_shards", "mirror_slice", "take_step"}


def _extensions() -> dict[str, dict[str, object]]:
    extensions = _json("host.json")["extensions"]
    assert isinstance(extensions, dict)
    return extensions


def _json(name: str) -> dict[str, object]:
    parsed = json.loads((ROOT / name).read_text(encoding="utf-8"))
    assert isinstance(parsed, dict)
    return parsed


@needs_worker
def test_exactly_these_functions_are_indexed(app: Worker) -> None:
    """The host sees these functions and no more: one that is not registered would be missed by nobody else."""
    assert set(app.functions) == FUNCTIONS


@needs_worker
def test_the_timer_follows_the_setting(app: Worker) -> None:
    """The schedule is a setting, a start of the app is no reason to run, and missed hours are caught up once."""
    assert app.bindings("scheduled_sync") == {
        "timerTrigger": {
            "type": "timerTrigger",
            "direction": "IN",
            "name": "timer",
            "schedule": "%AUTOMATION_SYNCCONTACTS_SCHEDULE%",
            "runOnStartup": False,
            "useMonitor": True,
        },
        "queue": {
            "type": "queue",
            "direction": "OUT",
            "name": "shards",
            "queueName": "contacts-mirror-shards",
            "connection": "AzureWebJobsStorage",
        },
    }


@needs_worker
def test_http_needs_a_function_key(app: Worker) -> None:
    """Nobody asks for a run, for a report or for the app's health without a key."""
    bindings = {name: app.bindings(name) for name in app.functions}
    triggers = {name: found["httpTrigger"] for name, found in bindings.items() if "httpTrigger" in found}
    assert {name: (each["authLevel"], each["methods"], each["route"]) for name, each in triggers.items()} == HTTP


@needs_worker
def test_the_queue_that_is_written_is_the_queue_that_is_read(app: Worker) -> None:
    """A run that was accepted is a run that begins."""
    written, read = app.bindings("request_sync")["queue"], app.bindings("requested_sync")["queueTrigger"]
    assert (written["queueName"], written["connection"]) == ("contacts-mirror-runs", "AzureWebJobsStorage")
    assert (read["queueName"], read["connection"]) == (written["queueName"], written["connection"])


@needs_worker
def test_the_host_repeats_nothing(app: Worker) -> None:
    """A failed run is repeated by the next hour's run, never by the host."""
    assert _extensions()["queues"]["maxDequeueCount"] == 1
    assert [function.retry_options for function in app.functions.values()] == [None] * len(FUNCTIONS)


def test_the_host_of_runs_in_shards_is_careful() -> None:
    """It is told what does not fit a worker of one process: few steps at a time, looks no rarer than Flex wants."""
    host = _extensions()["durableTask"]
    # A hub's partitions are fixed once it is made, and another name is another hub: runs that go on would be lost.
    assert host["hubName"] == "ContactsMirror"
    assert host["storageProvider"] == {
        "type": "AzureStorage",
        "partitionCount": 4,
        "maxQueuePollingInterval": "00:00:10",
    }
    assert (host["maxConcurrentActivityFunctions"], host["maxConcurrentOrchestratorFunctions"]) == (2, 2)
    assert host["extendedSessionsEnabled"] is False


def test_the_host_logs_nothing_of_what_steps_are_told() -> None:
    """Inputs and answers stay in the hub, and a replay leaves no line."""
    assert _extensions()["durableTask"]["tracing"] == {"traceInputsAndOutputs": False, "traceReplayEvents": False}


@needs_worker
async def test_a_waiting_worker_that_gets_its_environment_later_indexes_the_same() -> None:
    """Flex Consumption hands app and environment to a worker that is already up."""
    before, directory = dict(os.environ), Path.cwd()
    try:
        with worker(ROOT) as running:
            await running.specialise(before)
            assert set(running.functions) == FUNCTIONS
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(directory)


@needs_worker
def test_every_setting_that_a_trigger_names_is_in_the_example(app: Worker) -> None:
    """A `%NAME%` that no setting provides would keep the host from starting that function."""
    raw = " ".join(text for function in app.functions.values() for text in function.raw_bindings)
    values = _json("local.settings.example.json")["Values"]
    assert isinstance(values, dict)
    assert set(re.findall(r"%(\w+)%", raw)) <= set(values)
    assert "AzureWebJobsStorage" in values
    assert schedule(values["AUTOMATION_SYNCCONTACTS_SCHEDULE"])


def test_importing_the_app_opens_nothing() -> None:
    """A cold start reads modules: no socket, no process, no file written, and not yet the SDK."""
    script = (
        "import sys; seen = []\n"
        "watched = {'socket.__new__', 'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.remove'}\n"
        "def hook(event, args):\n"
        "    if event in watched or (event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')):\n"
        "        seen.append((event, *map(str, args)))\n"
        "sys.addaudithook(hook)\n"
        "import function_app\n"
        "print(seen, 'msgraph' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_only_the_app_goes_to_azure() -> None:
    """`.funcignore` leaves the app: no test, no document, no setting of a developer's machine."""
    left_out = _git("ls-files", "--cached", "--ignored", "--exclude-from=.funcignore")
    shipped = _git("ls-files", "--cached") - left_out
    assert {name for name in shipped if not name.startswith("shared/")} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }


def _git(*arguments: str) -> set[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())
