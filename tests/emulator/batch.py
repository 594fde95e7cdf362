"""JSON batching: up to twenty requests in one, four at a time, answered in any order."""

from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.emulator.calls import Call, split_path, split_query
from tests.emulator.replies import JSON_TYPE, BadRequestError, Reply
from tests.emulator.world import World

MAX_REQUESTS: Final = 20
MOST_TO_A_MAILBOX: Final = 4
_KEYS: Final = frozenset({"id", "method", "url", "headers", "body", "dependsOn", "atomicityGroup"})
_METHODS: Final = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
Respond = Callable[[Sequence[Call], float], Awaitable[list[Reply]]]
_BODILESS: Final = ("/permanentDelete",)


@dataclass(slots=True)
class _Part:
    """One request of a batch."""

    id: str
    call: Call
    after: Sequence[str] = field(default_factory=list)


class Batch:
    """Runs batches; `respond` answers requests whose time began together, `refuse` one that is too many."""

    def __init__(self, world: World, respond: Respond, refuse: Callable[[Call], Reply]) -> None:
        self._world = world
        self._respond = respond
        self._refuse = refuse

    async def run(self, call: Call) -> Reply:
        """Answer a whole batch; a batch that cannot be understood is a 400."""
        entries = _entries(call)
        parts = [self._part(call, entry, call.size // len(entries)) for entry in entries]
        _check_order(parts)
        replies = self._refuse_excess(parts)
        waiting = [part for part in parts if part.id not in replies]
        began = call.arrived
        while waiting:
            ready = [part for part in waiting if all(parent in replies for parent in part.after)]
            await self._run_some(ready[: self._world.switches.batch_concurrency], replies, began)
            began += self._world.switches.service_seconds
            waiting = [part for part in waiting if part.id not in replies]
        return self._response(parts, replies)

    def _refuse_excess(self, parts: Sequence[_Part]) -> dict[str, Reply]:
        """The fifth and later requests to one mailbox, as clusters of 2020 to 2022 did (microsoft-graph-docs#8760)."""
        if not self._world.switches.batch_concurrency_enforced:
            return {}
        counts: Counter[str] = Counter()
        refused = {}
        for part in parts:
            mailbox = "/".join(part.call.segments[:2]).lower()
            counts[mailbox] += 1
            if mailbox.startswith("users/") and counts[mailbox] > MOST_TO_A_MAILBOX and not part.after:
                refused[part.id] = self._refuse(part.call)
        return refused

    async def _run_some(self, ready: Sequence[_Part], replies: dict[str, Reply], began: float) -> None:
        going: list[_Part] = []
        for part in ready:
            if any(replies[parent].status >= 400 for parent in part.after):
                replies[part.id] = _failed_dependency()
            else:
                going.append(part)
        answers = await self._respond([part.call for part in going], began) if going else []
        for part, answer in zip(going, answers, strict=True):
            replies[part.id] = answer

    def _part(self, batch: Call, entry: dict[str, Any], size: int) -> _Part:
        url: str = entry["url"]
        path, _, query = url.partition("?")
        headers = {name.lower(): str(value) for name, value in (entry.get("headers") or {}).items()}
        headers["authorization"] = batch.headers.get("authorization", "")
        body = entry.get("body")
        part = Call(entry["method"].upper(), url, split_path(path), split_query(query), headers, body, True, batch.base)
        part.size = size
        return _Part(entry["id"], part, entry.get("dependsOn") or ())

    def _response(self, parts: Sequence[_Part], replies: dict[str, Reply]) -> Reply:
        switches = self._world.switches
        order = list(parts)
        if switches.shuffle_batch_responses:
            self._world.dice.shuffle(order)
        lower = switches.batch_header_case == "lower"
        responses = [_shown(part.id, replies[part.id], lower=lower) for part in order if replies[part.id].status]
        throttled = any(reply.status == 429 for reply in replies.values())
        return Reply(switches.batch_throttled_status if throttled else 200, {"responses": responses})


def _entries(call: Call) -> list[dict[str, Any]]:
    if call.batched:
        raise BadRequestError("A batch cannot hold a batch.")
    requests = call.body.get("requests") if isinstance(call.body, dict) else None
    if not isinstance(requests, list) or not requests:
        raise BadRequestError("Invalid batch payload format.")
    if len(requests) > MAX_REQUESTS:
        raise BadRequestError("Number of requests inside batch exceeds the limit.")
    for entry in requests:
        _check_entry(entry)
    ids = {entry["id"].lower() for entry in requests}
    if len(ids) != len(requests):
        raise BadRequestError("Request Id has to be unique in a batch.")
    return requests


def _check_entry(entry: object) -> None:
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
        raise BadRequestError("Invalid batch payload format.")
    request_id, method, url = entry.get("id"), entry.get("method"), entry.get("url")
    if not isinstance(request_id, str) or not request_id:
        raise BadRequestError("Request Id cannot be null or empty.")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise BadRequestError(f"Invalid method for request id : {request_id}.")
    if not isinstance(url, str) or not url or "://" in url or url.startswith("/v1.0/"):
        raise BadRequestError(f"Invalid URL for request id : {request_id}. It must be relative.")
    if not isinstance(entry.get("headers") or {}, dict):
        raise BadRequestError(f"Invalid headers for request id : {request_id}.")
    _check_write(entry, method.upper(), url)


def _check_write(entry: dict[str, Any], method: str, url: str) -> None:
    if method not in {"POST", "PATCH", "PUT"} or url.endswith(_BODILESS):
        return
    names = {name.lower() for name in entry.get("headers") or {}}
    if "body" not in entry or "content-type" not in names:
        raise BadRequestError(f"Write request id : {entry['id']} does not contain Content-Type header or body.")


def _check_order(parts: Sequence[_Part]) -> None:
    seen: set[str] = set()
    for part in parts:
        for parent in part.after:
            if parent not in seen:
                raise BadRequestError(f"Invalid dependsOn of request id : {part.id}.")
        seen.add(part.id)


def _failed_dependency() -> Reply:
    error = {"code": "FailedDependency", "message": "A request that this one depends on failed."}
    return Reply(424, {"error": error})


def _shown(request_id: str, reply: Reply, *, lower: bool) -> dict[str, Any]:
    headers = dict(reply.headers)
    shown: dict[str, Any] = {"id": request_id, "status": reply.status, "headers": headers}
    if isinstance(reply.body, bytes):
        is_image = headers.get("Content-Type", "").startswith("image/")
        shown["body"] = b64encode(reply.body).decode() if is_image else reply.body.decode("utf-8", "replace")
    elif reply.body is not None:
        headers.setdefault("Content-Type", JSON_TYPE)
        shown["body"] = reply.body
    if lower:
        shown["headers"] = {name.lower(): value for name, value in headers.items()}
    return shown
