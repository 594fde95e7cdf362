"""Asking Graph for objects and for whole lists: the dispatcher's answers as rows, faults as values or as our errors."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from shared.errors import MailboxError, TenantError
from shared.graph.answers import NO_HEADERS, Answer, Doubtful, UnreadableBodyError, decode_object
from shared.graph.batch import SubRequest
from shared.graph.dispatcher import Dispatcher
from shared.graph.failures import Scope, Where, bad_answer, error_for
from shared.graph.faults import Fault, fault_of, restarts_round
from shared.graph.pages import PageError, Pager, Row
from shared.graph.transport import relative_to

_MOST_ROUNDS: Final = 4
_PAGE_ANSWER_BYTES: Final = 500_000
Sift = Callable[[Mapping[str, Row]], Awaitable[Collection[str]]]
"""Tells of a page's rows the ids of those that are of no interest, so that they take no memory."""
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list or delta round to read to its end."""

    mailbox: str
    first: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    delta: bool = False
    answer_bytes: int = _PAGE_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Round:
    """A list or delta round that was read to its end: rows by id, ids told as removed, and the link to go on from.

    `dropped` is how many rows were told besides that are of no interest.
    """

    rows: Mapping[str, Row] = field(repr=False)
    removed: tuple[str, ...] = ()
    delta_link: str = field(default="", repr=False)
    dropped: int = 0


class Calls:
    """What the adapters ask Graph with."""

    def __init__(self, dispatcher: Dispatcher, base_url: str) -> None:
        """`base_url` is the only place that links may lead to."""
        self._dispatcher = dispatcher
        self._base_url = base_url

    async def send(self, request: SubRequest, after: Doubtful | None = None) -> Answer | Fault | Doubtful:
        """The final answer, errors as faults; only a write can be `Doubtful`, then sent again with that as `after`."""
        outcome = await self._dispatcher.request(request, after)
        if isinstance(outcome, Doubtful) or (isinstance(outcome, Answer) and outcome.ok):
            return outcome
        return fault_of(outcome)

    async def try_get(self, mailbox: str, path: str, headers: Mapping[str, str], where: Where) -> Row | Fault:
        """The object at `path`, or why it was not given; raises the error for an answer that is no object."""
        outcome = await self.send(SubRequest(mailbox, "GET", path, headers))
        match outcome:
            case Answer(body=body):
                return row_in(body, where)
            case Doubtful(cause):
                return fault_of(cause)
            case Fault():
                return outcome

    async def get(self, mailbox: str, path: str, headers: Mapping[str, str], where: Where) -> Row:
        """The object at `path`; raises what its fault means."""
        return wanted(await self.try_get(mailbox, path, headers, where), where)

    async def try_round(self, listing: Listing, where: Where) -> Round | Fault:
        """The whole, begun anew when a page's link has expired; or the fault that stopped it."""
        outcome: Round | Fault = Fault(0)
        for _ in range(_MOST_ROUNDS):
            outcome = await self._round(listing, where)
            if not isinstance(outcome, Fault) or not restarts_round(outcome):
                return outcome
        return outcome

    async def try_follow(self, listing: Listing, where: Where, sift: Sift) -> Round | Fault:
        """The round that a stored link begins (`first`, absolute, followed as it is); never begun anew.

        Raises `MailboxError` for a link that leads elsewhere.
        """
        return await self._round(replace(listing, first=self._path_of(listing.first, where)), where, sift)

    async def try_list(self, listing: Listing, where: Where) -> Mapping[str, Row] | Fault:
        """All rows by id, read to the end; or the fault that stopped it."""
        outcome = await self.try_round(listing, where)
        return outcome if isinstance(outcome, Fault) else outcome.rows

    async def list(self, listing: Listing, where: Where) -> Mapping[str, Row]:
        """All rows by id; raises what a fault means."""
        return wanted(await self.try_list(listing, where), where)

    async def _round(self, listing: Listing, where: Where, sift: Sift | None = None) -> Round | Fault:
        pager = Pager(listing.first, delta=listing.delta)
        while not pager.done:
            path = listing.first if pager.url == listing.first else self._path_of(pager.url, where)
            request = SubRequest(listing.mailbox, "GET", path, listing.headers, answer_bytes=listing.answer_bytes)
            outcome = await self.send(request)
            if isinstance(outcome, Doubtful):
                return fault_of(outcome.cause)
            if isinstance(outcome, Fault):
                return outcome
            _feed(pager, row_in(outcome.body, where), where)
            if sift and pager.page:
                pager.drop(await sift(pager.page))
        return Round(pager.rows, pager.removed, pager.delta_link, pager.dropped)

    def _path_of(self, url: str, where: Where) -> str:
        """The path of a link in an answer, which is untrusted and must lead to our Graph."""
        try:
            return relative_to(self._base_url, url)
        except MailboxError as error:
            kind = TenantError if where.scope is Scope.DIRECTORY else MailboxError
            raise kind(error.message, hint=error.hint, code=error.code) from error


def _feed(pager: Pager, page: Row, where: Where) -> None:
    try:
        pager.feed(page)
    except PageError as error:
        raise bad_answer(where, str(error)) from error


def row_in(body: bytes, where: Where) -> Row:
    """The object in a body; raises the error for a success that cannot be understood."""
    try:
        return decode_object(body)
    except UnreadableBodyError as error:
        raise bad_answer(where, str(error)) from error


def wanted(outcome: T | Fault, where: Where) -> T:
    """The outcome, unless it is a fault: that is raised as the error it means."""
    if isinstance(outcome, Fault):
        raise error_for(outcome, where)
    return outcome


async def both(first: Coroutine[None, None, T], second: Coroutine[None, None, U]) -> tuple[T, U]:
    """Both results; if one fails, the other is stopped."""
    one, two = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(one, two)
    finally:
        await _stop((one, two))


async def each(items: Iterable[T], work: Callable[[T], Awaitable[U]]) -> list[U]:
    """The work on each item, side by side, results in order; if one fails, the others are stopped."""
    tasks: list[asyncio.Future[U]] = [asyncio.ensure_future(work(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _stop(tasks)


async def _stop(tasks: Iterable[asyncio.Future[Any]]) -> None:
    unfinished = [task for task in tasks if not task.done()]
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
