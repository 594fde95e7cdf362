"""All traffic with Graph: requests of many mailboxes, packed into batches and tried again as the policy says."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

from shared.errors import MirrorError
from shared.graph.answers import Answer, Doubtful, Lost, UnreadableBodyError
from shared.graph.batch import Room, SubRequest, encode, take_apart
from shared.graph.faults import Fault, fault_of
from shared.graph.lanes import Lanes, Waiting
from shared.graph.policy import Action, Attempt, Chance, Verdict, decide
from shared.ports import Clock, Traffic

Outcome = Answer | Lost | Doubtful
_TURNS_TO_GATHER: Final = 4
_FAILED_DEPENDENCY: Final = 424
_JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json", "Accept": "application/json"}


class Wire(Protocol):
    """The one way to Graph."""

    @property
    def base_url(self) -> str:
        """Graph's address with the version, no slash at the end."""

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Send one HTTP request; only a `MirrorError` may be raised."""

    def renew_token(self) -> None:
        """Ask for a fresh token before the next request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be out at a time."""

    batches: int = 24
    answer_bytes: int = 48_000_000


class Dispatcher:
    """Carries requests to Graph in batches; open it with `async with`."""

    def __init__(
        self,
        wire: Wire,
        clock: Clock,
        traffic: Traffic,
        limits: Limits | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        """`jitter` gives numbers from 0 to 1."""
        self._wire, self._clock, self._traffic, self._limits = wire, clock, traffic, limits or Limits()
        self._jitter = jitter or random.SystemRandom().random
        self._lanes = Lanes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Future[Outcome]] = set()
        self._pumping = False
        self._batches_out = 0
        self._bytes_out = 0
        self._holds = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in tuple(self._asked):
            future.cancel()

    async def request(self, request: SubRequest, *, tried: int = 0) -> Outcome:
        """The final answer to a request, after all retries; a POST of unknown fate comes back `Doubtful`.

        `tried` counts earlier attempts of the caller's own. Raises `SignInError` when there is no token.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        self._lanes.add(Waiting(request, future, number=tried + 1))
        self._pump_soon()
        return await future

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._spawn(self._pump())

    async def _pump(self) -> None:
        """Send what may be sent, once all that one answer woke has queued its next request."""
        for _ in range(_TURNS_TO_GATHER):
            await asyncio.sleep(0)
        self._pumping = False
        while self._may_send():
            batch = self._lanes.take(Room())
            if not batch:
                return
            self._batches_out += 1
            self._bytes_out += sum(waiting.request.answer_bytes for waiting in batch)
            self._spawn(self._carry(batch))

    def _may_send(self) -> bool:
        limits = self._limits
        return not self._holds and self._batches_out < limits.batches and self._bytes_out < limits.answer_bytes

    async def _carry(self, batch: list[Waiting]) -> None:
        try:
            answers = await self._post(batch)
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._fail(batch, error)
            answers = []
        finally:
            self._batches_out -= 1
            self._bytes_out -= sum(waiting.request.answer_bytes for waiting in batch)
            for waiting in batch:
                self._lanes.done(waiting.request.mailbox)
        for waiting, answer in zip(batch, answers, strict=False):
            self._settle(waiting, answer, alone=len(batch) == 1)
        self._pump_soon()

    def _fail(self, batch: list[Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(_copy(error))

    async def _post(self, batch: list[Waiting]) -> list[Answer | Lost]:
        now = self._clock.monotonic()
        for waiting in batch:
            waiting.first_sent = now if waiting.first_sent is None else waiting.first_sent
        body = encode([waiting.request for waiting in batch])
        self._traffic.requests += 1
        self._traffic.batches += 1
        answer = await self._wire.send("POST", f"{self._wire.base_url}/$batch", _JSON, body)
        self._traffic.bytes += len(body) + (len(answer.body) if isinstance(answer, Answer) else 0)
        return _answers(answer, len(batch))

    def _settle(self, waiting: Waiting, answer: Answer | Lost, *, alone: bool) -> None:
        if isinstance(answer, Answer) and answer.ok:
            _resolve(waiting, answer)
            return
        fault = fault_of(answer)
        verdict = self._judge(waiting, answer, fault, alone=alone)
        self._traffic.throttled += verdict.throttled
        if verdict.action is Action.GIVE_UP:
            _resolve(waiting, answer)
        elif verdict.wait_seconds > 0:
            self._spawn(self._later(waiting, answer, verdict, everybody=fault.whole_batch and verdict.throttled))
        else:
            self._go_on(waiting, answer, verdict)

    def _judge(self, waiting: Waiting, answer: Answer | Lost, fault: Fault, *, alone: bool) -> Verdict:
        since = self._clock.monotonic() if waiting.first_sent is None else waiting.first_sent
        attempt = Attempt(
            method=waiting.request.method,
            number=waiting.number,
            elapsed_seconds=self._clock.monotonic() - since,
            sent=not (isinstance(answer, Lost) and not answer.sent),
            renewed=waiting.renewed,
            alone=alone,
        )
        headers = answer.headers if isinstance(answer, Answer) else None
        return decide(fault, attempt, Chance(self._clock.now(), self._jitter()), headers)

    async def _later(self, waiting: Waiting, answer: Answer | Lost, verdict: Verdict, *, everybody: bool) -> None:
        """Wait, with the mailbox (or all of them) paused when it is throttled, and go on."""
        mailbox = waiting.request.mailbox
        self._holds += everybody
        if verdict.throttled:
            self._lanes.pause(mailbox)
        try:
            await self._clock.sleep(verdict.wait_seconds)
        finally:
            self._holds -= everybody
            if verdict.throttled:
                self._lanes.resume(mailbox)
        self._go_on(waiting, answer, verdict)
        self._pump_soon()

    def _go_on(self, waiting: Waiting, answer: Answer | Lost, verdict: Verdict) -> None:
        if verdict.action is Action.VERIFY:
            _resolve(waiting, Doubtful(answer))
            return
        if verdict.action is Action.RENEW_TOKEN:
            self._wire.renew_token()
            waiting.renewed = True
        waiting.alone = waiting.alone or verdict.action is Action.ISOLATE
        waiting.number += verdict.action is Action.RETRY
        self._traffic.retried += 1
        self._lanes.add(waiting, first=True)


def _answers(answer: Answer | Lost, count: int) -> list[Answer | Lost]:
    """One answer for each request: its own, or the batch's for all alike.

    A throttled request may turn the whole batch's status into 424, with the answers in it all the same
    (concepts/throttling.md against concepts/json-batching.md).
    """
    if isinstance(answer, Lost):
        return [answer] * count
    try:
        if answer.ok or answer.status == _FAILED_DEPENDENCY:
            return take_apart(answer.body, count)
    except UnreadableBodyError:
        if answer.ok:
            return [Lost("UnreadableBatch")] * count
    return [Answer(answer.status, answer.headers, answer.body, whole_batch=True)] * count


def _resolve(waiting: Waiting, outcome: Outcome) -> None:
    if not waiting.future.done():
        waiting.future.set_result(outcome)


def _copy(error: Exception) -> Exception:
    """An error of its own for each who waits: a shared one would gather all their tracebacks."""
    if isinstance(error, MirrorError):
        return type(error)(error.message, hint=error.hint, code=error.code)
    return error
