"""The real worker package, driven in this process as the Functions host drives it: init, metadata, load, invoke."""

import importlib
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from tests.app.harness import messages
from tests.app.harness.messages import ParameterBinding, RpcHttp, StatusResult, TypedData

_RUNTIME = "azure_functions_runtime"
KEY = "a-function-key"
"""What each request bears, and no answer may hold."""


# The worker's shell keeps it so: tasks inherit it from the invocation that starts them, threads do not.
_INVOCATION: ContextVar[str] = ContextVar("invocation", default="")


class InvocationFailedError(Exception):
    """What the portal would show of a failed call."""

    def __init__(self, failure: messages.RpcException) -> None:
        super().__init__(failure.message)
        self.stack_trace = failure.stack_trace


@dataclass(frozen=True)
class LogLine:
    """All that reaches the host of a log record."""

    level: str
    text: str
    logger: str = ""
    """For tests: the host itself does not get it."""
    invocation_id: str = ""
    """Whose line it is; "" for a line of a thread, of which the host cannot know and which it drops."""

    @property
    def event(self) -> dict[str, Any]:
        """The line's JSON object; {} for a line that is none."""
        try:
            parsed = json.loads(self.text)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


@dataclass(frozen=True)
class HttpAnswer:
    """An answer, with the messages that went to the queue beside it."""

    status: int
    text: str
    headers: dict[str, str]
    """By name in lower case."""
    queued: list[str]

    @property
    def body(self) -> Any:
        """The answer's JSON."""
        return json.loads(self.text)


class _HostLog(logging.Handler):
    def __init__(self, lines: list[LogLine]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        is_ours = threading.current_thread() is threading.main_thread()
        invocation_id = _INVOCATION.get() if is_ours else ""
        self.lines.append(LogLine(record.levelname, record.getMessage(), record.name, invocation_id))


@dataclass
class Worker:
    """A worker with the app indexed and loaded; `functions` is what the host was told of them."""

    runtime: ModuleType
    app_directory: Path
    functions: dict[str, messages.RpcFunctionMetadata] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)

    async def start(self) -> None:
        """Begin as a fresh worker: the app is indexed at once."""
        reply = await self._ask(
            "worker_init_request", capabilities={}, function_app_directory=str(self.app_directory), host_version="4"
        )
        _check(reply.result)
        await self._load()

    async def specialise(self, environment: Mapping[str, str]) -> None:
        """Begin as a waiting worker that gets app and environment later; it empties `os.environ` first."""
        reply = await self._ask(
            "function_environment_reload_request",
            environment_variables=dict(environment),
            function_app_directory=str(self.app_directory),
        )
        _check(reply.result)
        await self._load()

    def bindings(self, name: str) -> dict[str, dict[str, Any]]:
        """A function's bindings by type, as the host receives them."""
        raw = (json.loads(text) for text in self.functions[name].raw_bindings)
        return {binding["type"]: binding for binding in raw}

    async def fire_timer(self, name: str) -> list[str]:
        """Let the schedule's time come; what was put on queues."""
        status = {"Last": "2026-01-01T00:00:00+00:00", "Next": "2026-01-01T01:00:00+00:00"}
        due = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
        return _queued(await self._invoke(name, TypedData(json=json.dumps(due))))

    async def trigger(self, name: str, data: TypedData) -> str:
        """Let an orchestrator or an activity go on; its answer as JSON."""
        answer = (await self._invoke(name, data)).return_value
        return str(answer.json if answer.json is not None else json.dumps(answer.string))

    async def request(self, method: str, address: str, body: bytes = b"", accept: str = "*/*") -> HttpAnswer:
        """Send an HTTP request and give the answer with the messages that went to the queue beside it.

        `address` is path and query, as `/api/runs?limit=1`; every request bears a key.
        """
        path, _, query = address.partition("?")
        name, params = self._routed(method, path)
        http = RpcHttp(
            method=method,
            url=f"https://app.invalid{path}?{query}&code={KEY}",
            headers={"accept": accept},
            params=params,
            query={**dict(parse_qsl(query)), "code": KEY},
            body=TypedData(bytes=body),
        )
        reply = await self._invoke(name, TypedData(http=http))
        answer = reply.return_value.http
        headers = _lower(answer.headers)
        return HttpAnswer(int(answer.status_code), answer.body.bytes.decode(), headers, _queued(reply))

    def _routed(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """The function whose route fits, and what the route's names stand for."""
        for name in self.functions:
            route = self.bindings(name).get("httpTrigger")
            pattern = route and "/api/" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route["route"])
            found = re.fullmatch(pattern, path) if pattern else None
            if route and found and method in route["methods"]:
                return name, {key: unquote(value) for key, value in found.groupdict().items()}
        raise LookupError(f"no function answers {method} {path}")

    async def deliver(self, name: str, text: str, dequeue_count: int = 1, client: TypedData | None = None) -> list[str]:
        """Hand a queue's message over, and with it the `client` of orchestrations; what was put on queues."""
        times = dict.fromkeys(("InsertionTime", "ExpirationTime", "NextVisibleTime"), "2026-01-01T00:00:00+00:00")
        values = {key: TypedData(json=json.dumps(value)) for key, value in times.items()}
        values["DequeueCount"] = TypedData(json=json.dumps(dequeue_count))
        values |= {"Id": TypedData(string="message-1"), "PopReceipt": TypedData(string="receipt")}
        beside = {"client": client} if client else {}
        return _queued(await self._invoke(name, TypedData(string=text), values, beside))

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of one name."""
        return [line.event for line in self.log if line.event.get("event") == name]

    async def _load(self) -> None:
        reply = await self._ask("functions_metadata_request", function_app_directory=str(self.app_directory))
        _check(reply.result)
        for function in reply.function_metadata_results:
            loaded = await self._ask("function_load_request", function_id=function.function_id, metadata=function)
            _check(loaded.result)
            self.functions[function.name] = function

    async def _invoke(
        self,
        name: str,
        trigger: TypedData,
        metadata: Mapping[str, TypedData] | None = None,
        beside: Mapping[str, TypedData] | None = None,
    ) -> Any:
        function = self.functions[name]
        (parameter,) = (key for key, binding in function.bindings.items() if binding.type.endswith("Trigger"))
        inputs = {parameter: trigger, **(beside or {})}
        _INVOCATION.set(str(uuid4()))
        reply = await self._ask(
            "invocation_request",
            invocation_id=_INVOCATION.get(),
            function_id=function.function_id,
            input_data=[ParameterBinding(name=key, data=data) for key, data in inputs.items()],
            trigger_metadata=metadata or {},
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        _check(reply.result)
        return reply

    async def _ask(self, kind: str, **message: Any) -> Any:
        request = SimpleNamespace(**{kind: SimpleNamespace(**message)})
        properties = {"protos": messages, "host": "127.0.0.1"}
        return await getattr(self.runtime, kind)(SimpleNamespace(name="", request=request, properties=properties))


@contextmanager
def worker(app_directory: Path) -> Iterator[Worker]:
    """A worker that nothing of an earlier one survives in: the package keeps its registry in module globals."""
    root, lines = logging.getLogger(), list[LogLine]()
    handler, level = _HostLog(lines), root.level
    _forget(_RUNTIME, "function_app")
    runtime = importlib.import_module(_RUNTIME)
    root.addHandler(handler)
    root.setLevel(logging.INFO)  # as the worker's shell does
    runtime.start_threadpool_executor()
    try:
        yield Worker(runtime, app_directory, log=lines)
    finally:
        runtime.stop_threadpool_executor()
        root.setLevel(level)
        root.removeHandler(handler)
        _forget(_RUNTIME, "function_app")


def _queued(reply: Any) -> list[str]:
    return [binding.data.string for binding in reply.output_data]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _forget(*packages: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]


def _check(result: StatusResult) -> None:
    if result.status != StatusResult.Success:
        assert result.exception is not None
        raise InvocationFailedError(result.exception)
