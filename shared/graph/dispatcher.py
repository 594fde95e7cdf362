"""All traffic with Graph: requests of many mailboxes, packed into batches and tried again as the policy says."""

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum
from itertools import zip_longest
from typing import Final, Protocol, Self

from msgspec import structs

from shared.errors import MirrorError
from shared.graph.answers import Answer, Doubtful, Lost, UnreadableBodyError
from shared.graph.batch import Room, SubRequest, encode, take_apart
from shared.graph.budget import Budgets
from shared.graph.commons import Commons
from shared.graph.faults import Fault, fault_of
from shared.graph.lanes import Lanes, Waiting
from shared.graph.pace import FIRST_BATCHES, MOST_BATCHES, Pace
from shared.graph.policy import Action, Attempt, Chance, Verdict, decide
from shared.ports import Clock, Traffic

Outcome = Answer | Lost | Doubtful
_TURNS_TO_GATHER: Final = 4
_PATIENCE_SECONDS: Final = 0.2
"""So long a few small requests wait for others to share a batch with, if any batch is out whose answer may bring them.

Batches of a few come back sooner than full ones, and would go out again as few, all through a quiet hour.
"""

_SLOW_SECONDS: Final = 10.0
"""A batch that takes longer has a mailbox in it that holds up the others; full pages on a slow line take less."""

_RETRY_AFTER: Final = "retry-after"
_FAILED_DEPENDENCY: Final = 424
_STOPS: Final = (429, 503, 509)
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
    """How much may be out at a time: batches to begin with and at most, and `budgets` for the mailboxes of the tenant.

    None for these stands for new ones; `commons` is what is shared with other tenants, None for nothing. What would
    have to wait beyond the `deadline` (a moment of the clock's monotonic seconds) is given up at once.
    """

    first_batches: int = FIRST_BATCHES
    batches: int = MOST_BATCHES
    budgets: Budgets | None = None
    commons: Commons | None = None
    deadline: float = math.inf


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
        limits = limits or Limits()
        self._wire, self._clock, self._traffic = wire, clock, traffic
        self._jitter = jitter or random.SystemRandom().random
        self._deadline = limits.deadline
        self._lanes = Lanes(budgets=limits.budgets)
        self._pace = Pace(limits.first_batches, limits.batches)
        self._member = (limits.commons or Commons()).join(self._pump_soon)
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Future[Outcome]] = set()
        self._pumping = False
        self._alarm: float | None = None
        self._holds = 0
        self._is_patient = False
        self._was_patient = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in tuple(self._asked):
            future.cancel()
        self._member.leave()

    async def request(self, request: SubRequest, after: Doubtful | None = None) -> Outcome:
        """The final answer to a request, after all retries; a write of unknown fate comes back `Doubtful`.

        `after` is what an earlier attempt at the same came to. Raises `SignInError` when there is no token.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = Waiting(request, future, self._clock.monotonic())
        if after:
            waiting.number, waiting.first_sent = after.number + 1, after.first_sent
        self._lanes.add(waiting)
        self._look_soon()
        self._asked.add(future)
        try:
            return await future
        finally:
            self._asked.discard(future)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_soon(self) -> None:
        """Send what may be sent, if anything may: each look costs turns of the loop, and most answers need none."""
        if self._lanes.some_wait or self._lanes.opens_at is not None or self._member.waits:
            self._pump_soon()
        else:
            self._pace.sent(self._member.out)

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._spawn(self._pump())

    async def _pump(self) -> None:
        """Send what may be sent, once all that one answer woke has queued its next request."""
        for _ in range(_TURNS_TO_GATHER):
            await asyncio.sleep(0)
        self._pumping = False
        now = self._clock.monotonic()
        self._send(now, patient=self._member.out > 0 and not (self._was_patient or self._lanes.is_hurried))
        self._was_patient = False
        if self._lanes.some_wait_for_company and not self._is_patient:
            self._is_patient = True
            self._spawn(self._be_patient())
        self._member.wait(waits=self._lanes.some_wait and self._may_send() and not self._member.free)

    def _send(self, now: float, *, patient: bool) -> None:
        self._lanes.open(now)
        while (batches := self._batches_free()) and (batch := self._lanes.take(Room(), now, batches, patient=patient)):
            answer_bytes = sum(waiting.request.answer_bytes for waiting in batch)
            self._member.take(answer_bytes)
            self._spawn(self._carry(batch, answer_bytes, now))
        self._pace.sent(self._member.out)
        self._set_alarm(now)

    async def _be_patient(self) -> None:
        await self._clock.sleep(_PATIENCE_SECONDS)
        self._is_patient, self._was_patient = False, True
        self._pump_soon()

    def _may_send(self) -> bool:
        return not self._holds and self._member.out < self._pace.limit

    def _batches_free(self) -> int:
        return min(self._pace.limit - self._member.out, self._member.free) if self._may_send() else 0

    def _set_alarm(self, now: float) -> None:
        """Look again when a mailbox whose budget is spent may go on, if there is time for it."""
        self._lanes.refuse(after=self._deadline)
        opens_at = self._lanes.opens_at
        if opens_at is not None and (self._alarm is None or opens_at < self._alarm):
            self._alarm = opens_at
            self._spawn(self._ring(opens_at - now))

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm = None
        self._pump_soon()

    async def _carry(self, batch: list[Waiting], answer_bytes: int, sent_at: float) -> None:
        answers: list[Answer | Lost] = []
        try:
            answers = await self._post(batch, sent_at)
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._fail(batch, error)
        finally:
            self._member.give_back(answer_bytes)
            slow = self._clock.monotonic() - sent_at > _SLOW_SECONDS
            for waiting, answer in zip_longest(batch, answers):
                self._lanes.done(waiting.request.mailbox, well=isinstance(answer, Answer) and answer.ok, slow=slow)
        self._learn(batch, answers, sent_at)
        if answers and all(isinstance(answer, Answer) and answer.ok for answer in answers):
            # What mailboxes with much to do have ready leaves before anybody looks at the answers.
            self._send(self._clock.monotonic(), patient=True)
        for waiting, answer in zip(batch, answers, strict=False):
            self._settle(waiting, answer, alone=len(batch) == 1)
        self._look_soon()

    def _fail(self, batch: list[Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.future.done():
                # One of its own for each who waits: a shared one would gather all their tracebacks.
                waiting.future.set_exception(copy(error) if isinstance(error, MirrorError) else error)

    async def _post(self, batch: list[Waiting], now: float) -> list[Answer | Lost]:
        for waiting in batch:
            waiting.first_sent = now if waiting.first_sent is None else waiting.first_sent
        body = encode([waiting.request for waiting in batch])
        self._traffic.requests += 1
        self._traffic.batches += 1
        answer = await self._wire.send("POST", f"{self._wire.base_url}/$batch", _JSON, body)
        self._traffic.bytes += len(body) + (len(answer.body) if isinstance(answer, Answer) else 0)
        return _answers(answer, len(batch))

    def _learn(self, batch: list[Waiting], answers: Sequence[Answer | Lost], sent_at: float) -> None:
        """Let the pace know how the batch fared."""
        if not answers:
            return
        now = self._clock.monotonic()
        match _trouble_of(answers):
            case _Trouble.NONE:
                self._pace.went_well(sent_at, now)
                for waiting, answer in zip(batch, answers, strict=False):
                    well = isinstance(answer, Answer) and answer.status not in _STOPS
                    self._pace.heard(waiting.request.mailbox, sent_at, now, well=well)
            case _Trouble.REFUSED:
                self._pace.was_refused(sent_at, now)
            case _Trouble.LOST:
                self._pace.was_lost(sent_at, now)

    def _settle(self, waiting: Waiting, answer: Answer | Lost, *, alone: bool) -> None:
        if isinstance(answer, Answer) and answer.ok:
            _resolve(waiting, answer)
            return
        fault = fault_of(answer)
        verdict = self._in_time(self._judge(waiting, answer, fault, alone=alone))
        self._traffic.throttled += verdict.throttled
        if verdict.action is Action.GIVE_UP:
            _resolve(waiting, answer)
        elif verdict.wait_seconds > 0:
            everybody = fault.whole_batch and verdict.throttled
            # Before anything else is sent: another batch may come back in this very turn.
            self._holds += everybody
            if verdict.throttled:
                self._lanes.pause(waiting.request.mailbox)
            self._spawn(self._later(waiting, answer, verdict, everybody=everybody))
        else:
            self._go_on(waiting, answer, verdict)

    def _in_time(self, verdict: Verdict) -> Verdict:
        """The verdict; the last word on the request, if its wait would end beyond the deadline."""
        if not verdict.wait_seconds or self._clock.monotonic() + verdict.wait_seconds <= self._deadline:
            return verdict
        action = verdict.action if verdict.action is Action.VERIFY else Action.GIVE_UP
        return replace(verdict, action=action, wait_seconds=0.0, final=True)

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
        """Wait, and go on; the mailbox (or all of them) was paused if it is throttled."""
        try:
            await self._clock.sleep(verdict.wait_seconds)
        finally:
            self._holds -= everybody
            if verdict.throttled:
                self._lanes.resume(waiting.request.mailbox)
        self._go_on(waiting, answer, verdict)
        self._pump_soon()

    def _go_on(self, waiting: Waiting, answer: Answer | Lost, verdict: Verdict) -> None:
        if verdict.action is Action.VERIFY:
            _resolve(waiting, Doubtful(answer, waiting.first_sent, waiting.number, verdict.final))
            return
        if verdict.action is Action.RENEW_TOKEN:
            self._wire.renew_token()
            waiting.renewed = True
        waiting.alone = waiting.alone or verdict.action is Action.ISOLATE
        waiting.number += verdict.action is Action.RETRY
        self._traffic.retried += 1
        self._lanes.add(waiting, first=True)


class _Trouble(Enum):
    NONE = "answered"
    REFUSED = "refused as a whole: too much, or too soon"
    LOST = "no answer, or none from Graph"


def _trouble_of(answers: Sequence[Answer | Lost]) -> _Trouble:
    """What became of a batch as a whole; that it was malformed, or its token refused, says nothing of the load."""
    first = answers[0]
    if all(isinstance(answer, Lost) for answer in answers):
        return _Trouble.LOST
    if not isinstance(first, Answer) or not first.whole_batch or first.status < 429:
        return _Trouble.NONE
    return _Trouble.REFUSED if first.status in _STOPS else _Trouble.LOST


def _answers(answer: Answer | Lost, count: int) -> list[Answer | Lost]:
    """One answer for each request: its own, or the batch's for all alike.

    A throttled request may turn the whole batch's status into 424, with the answers in it all the same
    (concepts/throttling.md against concepts/json-batching.md).
    """
    if isinstance(answer, Lost):
        return [answer] * count
    try:
        if answer.ok or answer.status == _FAILED_DEPENDENCY:
            return _told_to_wait(take_apart(answer.body, count), answer.headers.get(_RETRY_AFTER))
    except UnreadableBodyError:
        if answer.ok:
            return [Lost("UnreadableBatch")] * count
    return [Answer(answer.status, answer.headers, answer.body, whole_batch=True)] * count


def _told_to_wait(answers: list[Answer | Lost], retry_after: str | None) -> list[Answer | Lost]:
    """The answers; those that failed without saying how long to wait take what the batch says."""
    if retry_after is None:
        return answers
    return [
        structs.replace(answer, headers={**answer.headers, _RETRY_AFTER: retry_after})
        if isinstance(answer, Answer) and not answer.ok and _RETRY_AFTER not in answer.headers
        else answer
        for answer in answers
    ]


def _resolve(waiting: Waiting, outcome: Outcome) -> None:
    if not waiting.future.done():
        waiting.future.set_result(outcome)
