"""Carries out one replica's operations, each by itself: what one item, or this mailbox, refuses stops nothing else."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.errors import ItemChangedError, ItemError, MailboxError, MailboxSkippedError, TenantError
from shared.ports import ContactStore
from shared.sync.draft import draft_for, new_draft
from shared.sync.plan import CreateContact, Operation, StampContact, UpdateContact
from shared.sync.replica import Failure
from shared.sync.report import Problem
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId

WORKERS: Final = 4
"""Operations under way at once in one mailbox: Exchange's limit per application and mailbox."""

ATTEMPTS: Final = 2
"""How often a card is read and decided upon when somebody saves it at the same moment."""


@dataclass(slots=True)
class Applied:
    """What came of a replica's operations; `undone` are the contacts whose operation was not carried out."""

    created: int = 0
    updated: int = 0
    stamped: int = 0
    problems: list[Problem] = field(default_factory=list)
    undone: set[SyncId] = field(default_factory=set)
    failure: Failure | None = None
    tenant_error: TenantError | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether the mailbox or the tenant cannot go on."""
        return self.failure is not None or self.tenant_error is not None


def failure_of(error: MailboxError | TenantError) -> Failure:
    """The error as a value."""
    return Failure(error.code, error.message, error.hint, skipped=isinstance(error, MailboxSkippedError))


async def apply(
    store: ContactStore, rules: Rules, operations: Sequence[Operation], done: Callable[[], None]
) -> Applied:
    """Carry out the operations of one replica; `done` is called after each.

    Raises `TenantError` when the tenant cannot go on. A mailbox that cannot go on is `Applied.failure`.
    """
    applied = Applied()
    pending = iter(operations)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(WORKERS, len(operations))):
            group.create_task(_work(_Hand(store, rules, applied), pending, done))
    if applied.tenant_error:
        raise applied.tenant_error
    applied.undone.update(operation.stamp.sync_id for operation in pending)
    return applied


async def _work(hand: "_Hand", pending: Iterator[Operation], done: Callable[[], None]) -> None:
    for operation in pending:
        await hand.carry_out(operation)
        done()
        if hand.applied.is_stopped:
            return


@dataclass(frozen=True, slots=True)
class _Hand:
    """Carries out one operation after the other."""

    store: ContactStore
    rules: Rules
    applied: Applied

    async def carry_out(self, operation: Operation) -> None:
        try:
            if isinstance(operation, CreateContact):
                await self._create(operation)
            else:
                await self._write(operation)
        except ItemError as error:
            self._leave(operation, error)
        except MailboxError as error:
            self.applied.failure = failure_of(error)
            self.applied.undone.add(operation.stamp.sync_id)
        except TenantError as error:
            self.applied.tenant_error = error

    async def _create(self, operation: CreateContact) -> None:
        await self.store.create(operation.replica, new_draft(operation))
        self.applied.created += 1

    async def _write(self, operation: UpdateContact | StampContact) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            card = await self.store.read(operation.replica, operation.item.item_id)
            draft = draft_for(operation, card, self.rules)
            if draft is None:
                return
            try:
                await self.store.update(operation.replica, card.item, draft)
            except ItemChangedError:
                if attempt == ATTEMPTS:
                    raise
            else:
                self._count(operation)
                return

    def _count(self, operation: UpdateContact | StampContact) -> None:
        if isinstance(operation, StampContact):
            self.applied.stamped += 1
        else:
            self.applied.updated += 1

    def _leave(self, operation: Operation, error: ItemError) -> None:
        self.applied.undone.add(operation.stamp.sync_id)
        what = f"Contact {operation.stamp.sync_id}: {error.message}"
        self.applied.problems.append(Problem(operation.replica.name, error.code, what, error.hint))
