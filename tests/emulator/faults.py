"""Faults and edits injected at a chosen request."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.emulator.calls import Call
from tests.emulator.clock import http_date, in_seconds
from tests.emulator.contacts import CONFLICT
from tests.emulator.entra import Entra
from tests.emulator.replies import DropConnectionError, GraphError, Reply
from tests.emulator.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an action takes place."""

    world: World
    entra: Entra
    call: Call


class Action(Protocol):
    """What a fault does. `before` may answer instead of Graph, or raise; `after` may change what was answered."""

    def before(self, scene: Scene) -> Reply | None:
        """Act before the request is carried out; None lets it go on."""

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Act when it was carried out."""


class _Action:
    """An action that does nothing."""

    def before(self, scene: Scene) -> Reply | None:
        return None

    def after(self, scene: Scene, reply: Reply) -> Reply:
        return reply


@dataclass(frozen=True, slots=True)
class Answer(_Action):
    """Answer instead of Graph: an error with this code, or `body` as it is (b"" is an empty body, HTML works)."""

    status: int
    code: str = "UnknownError"
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def _reply(self) -> Reply:
        if self.body is None:
            raise GraphError(self.status, self.code, self.message, dict(self.headers))
        kind = "text/html" if self.body.lstrip().startswith(b"<") else "application/json"
        return Reply(self.status, self.body, {"Content-Type": kind, **self.headers})

    def before(self, scene: Scene) -> Reply | None:
        """Answer at once."""
        return self._reply()


@dataclass(frozen=True, slots=True)
class ApplyThenAnswer(Answer):
    """Carry the request out, and then answer with an error: a write of unknown fate."""

    def before(self, scene: Scene) -> Reply | None:
        """Let it be carried out."""
        return None

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Answer with the error all the same."""
        return self._reply()


@dataclass(frozen=True, slots=True)
class Drop(_Action):
    """Drop the connection; nothing is carried out."""

    def before(self, scene: Scene) -> Reply | None:
        """End the connection."""
        raise DropConnectionError


@dataclass(frozen=True, slots=True)
class ApplyThenDrop(_Action):
    """Carry the request out and drop the connection."""

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """End the connection."""
        raise DropConnectionError


@dataclass(frozen=True, slots=True)
class Throttled(_Action):
    """A 429 with this Retry-After.

    A text is sent as it is, a number as seconds, a negative one as the HTTP date so far ahead; None sends none.
    """

    retry_after: str | float | None = 1
    code: str = "ApplicationThrottled"
    status: int = 429
    applied: bool = False

    def _raise(self, scene: Scene) -> Reply:
        value = self.retry_after
        if isinstance(value, int | float):
            value = http_date(in_seconds(scene.world.clock.now(), -value)) if value < 0 else f"{value:g}"
        headers = {} if value is None else {"Retry-After": value}
        raise GraphError(self.status, self.code, "Application is over its MailboxConcurrency limit.", headers)

    def before(self, scene: Scene) -> Reply | None:
        """Refuse, unless it shall be carried out first."""
        return None if self.applied else self._raise(scene)

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Refuse though it was carried out (a 429 in a batch was once seen so)."""
        return self._raise(scene)


@dataclass(frozen=True, slots=True)
class Delay(_Action):
    """Let so many seconds of the emulator's clock pass before the request is carried out."""

    seconds: float

    def before(self, scene: Scene) -> Reply | None:
        """Advance the clock."""
        scene.world.clock.advance(self.seconds)
        return None


@dataclass(frozen=True, slots=True)
class ExpireToken(_Action):
    """Let the request's token be expired from now on: 401 until a new one comes."""

    def before(self, scene: Scene) -> Reply | None:
        """Refuse the token."""
        scene.entra.refuse(scene.call.headers.get("authorization", ""))
        raise GraphError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")


@dataclass(frozen=True, slots=True)
class SpuriousUnauthorized(_Action):
    """A 401 for a token that is good."""

    def before(self, scene: Scene) -> Reply | None:
        """Refuse this once."""
        raise GraphError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")


@dataclass(frozen=True, slots=True)
class Conflict(_Action):
    """A 412, whatever If-Match says."""

    def before(self, scene: Scene) -> Reply | None:
        """Refuse the write."""
        raise GraphError(*CONFLICT)


@dataclass(frozen=True, slots=True)
class Run(_Action):
    """Call a function just before or just after the request is carried out, to edit a mailbox for example."""

    first: Callable[[], object] | None = None
    then: Callable[[], object] | None = None

    def before(self, scene: Scene) -> Reply | None:
        """Call the one."""
        if self.first:
            self.first()
        return None

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Call the other."""
        if self.then:
            self.then()
        return reply


@dataclass(frozen=True, slots=True)
class Omit(_Action):
    """Carry a request of a batch out and leave its response out."""

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Mark the response as not to be sent."""
        return Reply(0)


@dataclass(kw_only=True)
class Fault:
    """An action, and the requests that it happens to.

    `method` and `mailbox` (a UPN) are compared whole, `path` is a regular expression searched in the path after the
    version with its ids decoded; empty fits all. `batched` True means requests within a batch, False HTTP requests
    (a batch as a whole has the path `/$batch`), None both. Of the requests that fit, it happens to the `nth` and those
    after it, `count` times (None: for ever); with `every` to each so manieth, with `probability` to that share of them.
    """

    action: Action
    method: str = ""
    path: str = ""
    mailbox: str = ""
    batched: bool | None = None
    nth: int = 1
    every: int | None = None
    probability: float | None = None
    seed: int = 1
    count: int | None = 1
    seen: int = 0
    happened: int = 0

    def __post_init__(self) -> None:
        self._pattern = re.compile(self.path)
        self._dice = random.Random(self.seed)

    def fits(self, call: Call) -> bool:
        """Whether it can happen to this request."""
        return (
            (not self.method or self.method == call.method)
            and (self.batched is None or self.batched == call.batched)
            and (not self.mailbox or self.mailbox.lower() == call.mailbox.lower())
            and self._pattern.search(call.path) is not None
        )

    def take(self, call: Call) -> bool:
        """Count the request; whether it happens to this one."""
        if not self.fits(call) or (self.count is not None and self.happened >= self.count):
            return False
        self.seen += 1
        if self.probability is not None:
            due = self._dice.random() < self.probability
        elif self.every is not None:
            due = self.seen % self.every == 0
        else:
            due = self.seen >= self.nth
        self.happened += due
        return due


class Faults(list[Fault]):
    """The faults that wait; the first one that is due happens."""

    def add(self, fault: Fault) -> Fault:
        """Add a fault; its `happened` tells later how often it struck."""
        self.append(fault)
        return fault

    def take(self, call: Call) -> Action | None:
        """What happens to this request, if anything."""
        for fault in self:
            if fault.take(call):
                return fault.action
        return None
