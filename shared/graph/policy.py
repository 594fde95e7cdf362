"""The retry policy as one table: what an answer asks for, given what was sent. Pure: time and chance are arguments.

Unknown means stop. A create whose fate is unknown is never simply sent again (Q&A 5529013: a 429 inside a batch whose
write had been applied); it is looked up by its marker first. A change of a card is never simply sent again at all: it
was decided on the card as it was before the wait, and whether If-Match is honoured on contacts is not documented.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from shared.graph.faults import NO_ANSWER, Fault

LONGEST_WAIT_SECONDS: Final = 300.0
LONGEST_TRY_SECONDS: Final = 1200.0
FIRST_BACKOFF_SECONDS: Final = 1.0
MANY: Final = 8
FEW: Final = 3
TWICE: Final = 2
CHANGES: Final = ("PATCH", "DELETE")
"""The methods that change a card which was looked at before."""


class Action(Enum):
    """What to do with a request that failed."""

    GIVE_UP = "give up"
    RETRY = "retry after the wait"
    VERIFY = "look at what is there after the wait, then retry"
    RENEW_TOKEN = "get a fresh token, then retry"  # noqa: S105 - a description
    ISOLATE = "retry in a batch of its own"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The request that failed: its method, how often and since when (seconds) it was tried.

    `sent` is false when it surely never left, `renewed` once a fresh token was got for it, `alone` when it had its
    batch to itself.
    """

    method: str
    number: int = 1
    elapsed_seconds: float = 0.0
    sent: bool = True
    renewed: bool = False
    alone: bool = True

    def may_harm(self, rule: "Rule") -> bool:
        """Whether sending it again could make a second card, or overwrite what a person saved meanwhile."""
        return (rule.ambiguous and self.sent) if self.method == "POST" else self.method in CHANGES


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do and how long to wait before; `throttled` pauses the mailbox and not just this request.

    A `final` one is looked at, and not sent again.
    """

    action: Action
    wait_seconds: float = 0.0
    throttled: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what it fits (empty: anything), how often to send in all, and whether a write may have been done."""

    why: str
    attempts: int
    ambiguous: bool
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    throttled: bool = False
    methods: tuple[str, ...] = ()

    def fits(self, fault: Fault, method: str) -> bool:
        """Whether the row is about this fault of a request with this method."""
        if self.methods and method not in self.methods:
            return False
        if self.statuses and fault.status not in self.statuses:
            return False
        if not self.codes and not self.phrases:
            return True
        return fault.has(*self.codes) or fault.says(*self.phrases)


RULES: Final[tuple[Rule, ...]] = (
    Rule("the request body was lost on the way (corso)", MANY, ambiguous=False,
         statuses=(400,), phrases=("io error during request payload read",)),
    Rule("seen in a short outage for valid properties (msgraph-sdk-dotnet#450)", TWICE, ambiguous=False,
         statuses=(400,), codes=("requestbodyread",)),
    Rule("seen for healthy mailboxes too (graph-explorer#4038)", FEW, ambiguous=False,
         statuses=(404,), codes=("errorinvaliduser",)),
    Rule("two writers met, or Exchange was at work; on a read, too (Q&A 271870)", FEW, ambiguous=False,
         statuses=(412,), methods=("GET",)),
    Rule("too many connections to the mailbox (graph-explorer#4056)", MANY, ambiguous=True,
         codes=("errortoomanyobjectsopened",), throttled=True),
    Rule("throttled; a write was once applied nevertheless (Q&A 5529013)", MANY, ambiguous=True,
         statuses=(429,), throttled=True),
    Rule("a throttled neighbour failed the batch (concepts/throttling.md)", MANY, ambiguous=True,
         statuses=(424, 509), throttled=True),
    Rule("data that stays corrupt", 1, ambiguous=False, codes=("errorcorruptdata",)),
    Rule("at times the answer to permanent faults (msgraph-sdk-dotnet#2368)", FEW, ambiguous=True, statuses=(500,)),
    Rule("a timeout, a gateway or a store that is away", MANY, ambiguous=True, statuses=(408, 502, 503, 504)),
    Rule("the connection was lost", MANY, ambiguous=True, statuses=(NO_ANSWER,)),
)  # fmt: skip
"""First fit wins; what fits none is final."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What the outside gives to a decision: the time (UTC), and a number from 0 to 1 that spreads the waits."""

    now: datetime
    jitter: float = 0.0


def decide(fault: Fault, attempt: Attempt, chance: Chance, headers: Mapping[str, str] | None = None) -> Verdict:
    """What to do now that `fault` came back on `attempt`; the answer's headers may ask for a wait."""
    if fault.status == 401:
        return Verdict(Action.GIVE_UP if attempt.renewed else Action.RENEW_TOKEN)
    if fault.whole_batch and fault.status in (400, 413) and not attempt.alone:
        return Verdict(Action.ISOLATE)
    rule = next((rule for rule in RULES if rule.fits(fault, attempt.method)), None)
    if rule is None:
        return Verdict(Action.GIVE_UP)
    asked = (headers or {}).get("retry-after")
    wait = wait_seconds(asked, attempt.number, chance)
    throttled = rule.throttled or _asks_for_a_wait(fault, asked, chance)
    if _exhausted(attempt, rule, wait):
        return Verdict(_last_word(rule, attempt), throttled=throttled, final=True)
    action = Action.VERIFY if attempt.may_harm(rule) else Action.RETRY
    return Verdict(action, wait, throttled)


def _asks_for_a_wait(fault: Fault, asked: str | None, chance: Chance) -> bool:
    """Whether a 503 is throttling by another name: then it says how long to wait (concepts/errors.md)."""
    return fault.status == 503 and parse_retry_after(asked, chance.now) is not None


def _exhausted(attempt: Attempt, rule: Rule, wait: float) -> bool:
    return attempt.number >= rule.attempts or attempt.elapsed_seconds + wait > LONGEST_TRY_SECONDS


def _last_word(rule: Rule, attempt: Attempt) -> Action:
    """Even the last failed create is looked up: it may be there."""
    return Action.VERIFY if attempt.method == "POST" and attempt.may_harm(rule) else Action.GIVE_UP


def wait_seconds(retry_after: str | None, number: int, chance: Chance) -> float:
    """Seconds to wait before the next attempt: what Graph asks for, else exponential back-off; five minutes at most.

    Retry-After was seen as integer, fraction and date, always "1", and missing (msgraph-sdk-javascript#297,
    msgraph-sdk-dotnet#250). From the second time on the back-off counts if it is longer: what was asked for was not
    enough. Jitter is added, never taken off.
    """
    asked = parse_retry_after(retry_after, chance.now)
    backoff = FIRST_BACKOFF_SECONDS * 2.0 ** min(max(number, 1) - 1, 16)
    if asked is not None and (number <= 1 or asked >= backoff):
        return min(asked + chance.jitter, LONGEST_WAIT_SECONDS)
    return min(backoff * (1.0 + chance.jitter), LONGEST_WAIT_SECONDS)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """The seconds that the header asks for; None when it says nothing usable, or a time that has passed."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, now)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(text: str, now: datetime) -> float:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return math.nan
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - now).total_seconds()
