"""Carries out one replica's operations, each by itself: what one item, or this mailbox, refuses stops nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from shared.errors import (
    ItemBusyError,
    ItemChangedError,
    ItemError,
    ItemGoneError,
    ItemRefusedError,
    MailboxError,
    MailboxSkippedError,
    MirrorError,
    TenantError,
)
from shared.ports import ContactStore
from shared.sync.draft import draft_for, may_delete, new_draft
from shared.sync.links import Written, link_after, link_as_it_is, link_of_new
from shared.sync.operations import CreateContact, DeleteContact, Operation, StampContact, UpdateContact
from shared.sync.progress import refusal_of
from shared.sync.records import Quarantined, StoredLink
from shared.sync.replica import Failure, Item
from shared.sync.report import Problem
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId
from shared.sync.unmake import touched

WORKERS: Final = 4
"""Operations under way at once in one mailbox: Exchange's limit per application and mailbox."""

CREATORS: Final = 2 * WORKERS
"""So many create: while four are at Exchange the next four are made ready, to leave as soon as there is room.

What is decided on a card just read must not wait for others between reading and writing.
"""

ATTEMPTS: Final = 2
"""How often a card is read and decided upon when somebody saves it at the same moment."""

MOST_PUT_OFF: Final = 2 * WORKERS
"""So many writes put off, with none done beside them, are the mailbox's failure: more than can be one card each."""

KEPT_AT_ONCE: Final = 200
"""So many confirmed writes are remembered together; of a run that is killed they are forgotten, and found by marker."""


_MEND_CARD: Final = (
    "Open the card in Outlook, retype it and save it: it is tried again when it changes, and once a day."
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes on beside the operations.

    Before each is asked whether the run `goes_on`, after it `done` is told; `keep` remembers links and forgets others.
    """

    goes_on: Callable[[], bool]
    done: Callable[[], None]
    keep: Callable[[Sequence[StoredLink], Sequence[SyncId]], Awaitable[None]]


@dataclass(slots=True)
class Applied:
    """What came of a replica's operations.

    `settled` are the contacts that were written or are gone, `undone` those whose operation was not carried out.
    """

    created: int = 0
    restored: int = 0
    updated: int = 0
    stamped: int = 0
    deleted: int = 0
    skipped: int = 0
    settled: set[SyncId] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    undone: set[SyncId] = field(default_factory=set)
    refused: list[Quarantined] = field(default_factory=list)
    failure: Failure | None = None
    tenant_error: TenantError | None = None

    @property
    def written(self) -> int:
        """How many cards were changed."""
        return self.created + self.updated + self.stamped + self.deleted

    @property
    def is_stopped(self) -> bool:
        """Whether the mailbox or the tenant cannot go on."""
        return self.failure is not None or self.tenant_error is not None

    def counted(self) -> "Applied":
        """What a report says of it: how many contacts, not which, for they are as many in each mailbox as there are."""
        return replace(self, settled=set(), undone=set())


def failure_of(error: MirrorError) -> Failure:
    """The error as a value."""
    return Failure(error.code, error.message, error.hint, skipped=isinstance(error, MailboxSkippedError))


async def apply(store: ContactStore, rules: Rules, operations: Sequence[Operation], beside: Beside) -> Applied:
    """Carry out the operations of one replica.

    A mailbox that cannot go on is `Applied.failure`, a tenant that cannot is `Applied.tenant_error`.
    """
    applied = Applied()
    creates = [one for one in operations if isinstance(one, CreateContact)]
    others = [one for one in operations if not isinstance(one, CreateContact)]
    async with asyncio.TaskGroup() as group:
        hand = _Hand(store, rules, applied, beside, group)
        await _share(hand, others, WORKERS)
        await _share(hand, creates, CREATORS)
    hand.judge()
    await hand.keep()
    return applied


async def _share(hand: "_Hand", operations: Sequence[Operation], workers: int) -> None:
    """Let so many carry these operations out; what they leave is `undone`."""
    pending = iter(operations)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(operations))):
            group.create_task(_work(hand, pending))
    hand.applied.undone.update(operation.stamp.sync_id for operation in pending)


async def _work(hand: "_Hand", pending: Iterator[Operation]) -> None:
    while not hand.applied.is_stopped and hand.beside.goes_on():
        operation = next(pending, None)
        if operation is None:
            return
        await hand.carry_out(operation)
        hand.beside.done()


@dataclass(frozen=True, slots=True)
class _PutOff:
    """A write that Graph put off until it was given up, and how many cards were `written` when it began."""

    operation: Operation
    error: ItemBusyError
    written: int

    def error_at(self, written: int) -> ItemError:
        """What it was, so many cards being written in the end: refused, if others were while it was not."""
        if written == self.written:
            return self.error
        message = f"Others of its mailbox were written, this card was not. {self.error.message}"
        return ItemRefusedError(message, hint=_MEND_CARD, code="ItemRefused")


@dataclass(frozen=True, slots=True)
class _Hand:
    """Carries out one operation after the other."""

    store: ContactStore
    rules: Rules
    applied: Applied
    beside: Beside
    group: asyncio.TaskGroup
    links: list[StoredLink] = field(default_factory=list)
    forgotten: list[SyncId] = field(default_factory=list)
    put_off: list[_PutOff] = field(default_factory=list)
    keeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self) -> None:
        """Remember what is confirmed."""
        links, forgotten = self._taken()
        if links or forgotten:
            await self._remember(links, forgotten)

    def _keep_beside(self) -> None:
        """Remember it while the work goes on, if it is enough and the last time is over.

        A worker that waited for it would fall behind the others, and its requests travel alone from then on.
        """
        if len(self.links) + len(self.forgotten) >= KEPT_AT_ONCE and not self.keeping.locked():
            self.group.create_task(self._remember(*self._taken()))

    def _taken(self) -> tuple[Sequence[StoredLink], Sequence[SyncId]]:
        links, forgotten = tuple(self.links), tuple(self.forgotten)
        self.links.clear()
        self.forgotten.clear()
        return links, forgotten

    async def _remember(self, links: Sequence[StoredLink], forgotten: Sequence[SyncId]) -> None:
        async with self.keeping:
            try:
                await self.beside.keep(links, forgotten)
            except TenantError as error:
                self.applied.tenant_error = error

    def judge(self) -> None:
        """Leave each card that was put off with what it was; of a mailbox that has failed they are all to do again."""
        if not self.applied.is_stopped:
            for one in self.put_off:
                self._leave(one.operation, one.error_at(self.applied.written))

    async def carry_out(self, operation: Operation) -> None:
        written = self.applied.written
        try:
            await self._do(operation)
        except ItemBusyError as error:
            self._put_off(_PutOff(operation, error, written))
        except ItemError as error:
            self._leave(operation, error)
        except MailboxError as error:
            self.applied.failure = failure_of(error)
            self.applied.undone.add(operation.stamp.sync_id)
        except TenantError as error:
            self.applied.tenant_error = error
        self._keep_beside()

    async def _do(self, operation: Operation) -> None:
        match operation:
            case CreateContact():
                await self._create(operation)
            case DeleteContact():
                await self._delete(operation)
            case _:
                await self._write(operation)

    async def _create(self, operation: CreateContact) -> None:
        draft = new_draft(operation)
        item = await self.store.create(operation.replica, draft)
        self.applied.created += 1
        self.applied.restored += operation.is_restored
        self._confirm(link_of_new(item, operation.version))

    async def _write(self, operation: UpdateContact | StampContact) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            card = await self.store.read(operation.replica, operation.item.item_id)
            draft = draft_for(operation, card, self.rules)
            if draft is None:
                return
            try:
                item = await self.store.update(operation.replica, card.item, draft)
            except ItemChangedError:
                if attempt == ATTEMPTS:
                    raise
            else:
                self._count(operation)
                self._confirm(link_after(Written(operation.version, card.item, draft, item, operation.link)))
                return

    async def _delete(self, operation: DeleteContact) -> None:
        with suppress(ItemGoneError):
            card = await self.store.read(operation.replica, operation.item.item_id)
            if not may_delete(operation, card, self.rules):
                self._spare(operation, card.item)
                return
            await self.store.delete(operation.replica, card.item)
            self.applied.deleted += 1
        self.forgotten.append(operation.version.sync_id)
        self.applied.settled.add(operation.version.sync_id)

    def _spare(self, operation: DeleteContact, item: Item) -> None:
        """Say that an undone contact's copy stays; if only a note is new, it is its owner's card from now on."""
        version = operation.version
        if version.is_undone:
            self.applied.problems.append(touched(operation.replica.name, version.sync_id))
            if not item.contact.differing(operation.link.ancestor()) and not self.rules.withholds(item):
                self.links.append(link_as_it_is(item, version))

    def _confirm(self, link: StoredLink) -> None:
        self.links.append(link)
        self.applied.settled.add(link.sync_id)

    def _count(self, operation: UpdateContact | StampContact) -> None:
        if isinstance(operation, StampContact):
            self.applied.stamped += 1
        else:
            self.applied.updated += 1

    def _put_off(self, latest: _PutOff) -> None:
        """Go on with the others, unless so many have fared alike since a card was written last."""
        self.applied.undone.add(latest.operation.stamp.sync_id)
        self.put_off.append(latest)
        if sum(one.written == self.applied.written for one in self.put_off) >= MOST_PUT_OFF:
            self.applied.failure = failure_of(latest.error)

    def _leave(self, operation: Operation, error: ItemError) -> None:
        self.applied.undone.add(operation.stamp.sync_id)
        if isinstance(error, ItemRefusedError):
            self.applied.refused.append(refusal_of(operation, error.code))
        what = f"Contact {operation.stamp.sync_id}: {error.message}"
        self.applied.problems.append(Problem(operation.replica.name, error.code, what, error.hint))
