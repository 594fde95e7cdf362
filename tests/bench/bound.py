"""The shortest time that latency and Graph's limits allow for a piece of work. Pure.

Outlook takes four requests at a time for one mailbox, and ten thousand in ten minutes; mailboxes do not limit each
other (microsoft-graph-docs, throttling-limits). Whether a batch is carried out four requests at a time or more makes no
difference here: batches of four reach this bound under either reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Final

MAILBOX_CONCURRENCY: Final = 4
WINDOW_REQUESTS: Final = 10_000
WINDOW_SECONDS: Final = 600.0
_CARDS_A_PAGE: Final = 250
_USERS_A_PAGE: Final = 999


class Work(Enum):
    """The pieces of work that are measured."""

    FIRST = "first distribution"
    ECHO = "first hour after it"
    QUIET = "quiet hour"
    EDIT = "one edit"
    EDITS = "1 % edited"
    LOST = "lost state"


@dataclass(frozen=True, slots=True)
class Step:
    """Requests that the busiest spoke and the hub need; `depth` of them have to wait for each other."""

    spoke: int = 0
    hub: int = 0
    depth: int = 1


def bound_seconds(steps: Sequence[Step], latency_seconds: float) -> float:
    """The least time for steps that follow each other: by latency, and by what a mailbox takes in ten minutes."""
    by_latency = sum(_rounds(step) for step in steps) * latency_seconds
    busiest = max((sum(step.spoke for step in steps), sum(step.hub for step in steps)))
    full_windows = max(0, busiest - 1) // WINDOW_REQUESTS
    return max(by_latency, full_windows * WINDOW_SECONDS)


def _rounds(step: Step) -> int:
    return max(step.depth, ceil(max(step.spoke, step.hub) / MAILBOX_CONCURRENCY))


def steps(work: Work, mailboxes: int, contacts: int) -> list[Step]:
    """What the work needs at least, for so many mailboxes and contacts that were dealt out to them in turn."""
    roster = Step(depth=ceil(mailboxes / _USERS_A_PAGE))
    own = ceil(contacts / mailboxes)
    match work:
        case Work.FIRST:
            look = Step(depth=1 + max(1, ceil(own / _CARDS_A_PAGE)))
            stamps_read_first = 2 * own
            scatter = Step(spoke=contacts - own + stamps_read_first, depth=2)
            return [roster, look, Step(hub=contacts), scatter]
        case Work.ECHO:
            pages = max(1, ceil(contacts / _CARDS_A_PAGE))
            return [roster, Step(depth=pages)]
        case Work.QUIET:
            return [roster, Step()]
        case Work.EDIT:
            return [roster, Step(), *_spread(1, mailboxes)]
        case Work.EDITS:
            return [roster, Step(), *_spread(edits(contacts), mailboxes)]
        case Work.LOST:
            pages = max(1, ceil(contacts / _CARDS_A_PAGE))
            return [roster, Step(), Step(depth=pages)]


def edits(contacts: int) -> int:
    """How many contacts are one in a hundred, and at least one."""
    return max(1, contacts // 100)


def _spread(count: int, mailboxes: int) -> list[Step]:
    """Read what was edited, and write it everywhere; a card is read by its id before it is written."""
    return [Step(spoke=ceil(count / mailboxes)), Step(hub=2 * count, depth=2), Step(spoke=2 * count, depth=2)]
