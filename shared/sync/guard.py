"""Is it plausible that so much was deleted on purpose?"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from shared.sync.mergebase import NOTHING_HELD, Memory, Removals
from shared.sync.replica import Observation
from shared.sync.rules import Deletions, Rules
from shared.sync.stamp import SyncId

ALWAYS_ALLOWED: Final = 10
"""So many contacts may always be deleted in a run."""

WORTH_GUARDING: Final = 10
"""A replica that held so many cards and holds none of them any more was emptied, not tidied."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no deletion is carried out: how many contacts it would be, how many may be, and which replicas look empty."""

    contacts: int
    allowed: int
    emptied: tuple[str, ...]


def removals(memory: Memory, observations: Iterable[Observation]) -> Removals:
    """What was removed, as far as the observations prove it: named as removed, or missing from a whole reading."""
    gone: dict[SyncId, set[str]] = {}
    read = {one.replica.mailbox: (one, {item.item_id for item in one.items}) for one in observations}
    for link in memory.links.values():
        observation, present = read.get(link.mailbox, (None, set()))
        if observation is None or link.item_id in present:
            continue
        if observation.is_whole or link.item_id in observation.removed:
            gone.setdefault(link.sync_id, set()).add(link.mailbox)
    return {sync_id: frozenset(mailboxes) for sync_id, mailboxes in gone.items()}


def counts_as_deletion(removed_from: Collection[str], hub: str, rules: Rules) -> bool:
    """Whether the policy takes these removals for a deletion of the contact."""
    if rules.policy is Deletions.EVERYWHERE:
        return bool(removed_from)
    return rules.policy is Deletions.HUB and hub in removed_from


def guard(deletions: Collection[SyncId], hub: str, memory: Memory, gone: Removals, rules: Rules) -> Refusal | None:
    """The refusal, None if the deletions are plausible or were released by `allowed_deletes`."""
    alive = sum(not version.is_deleted for version in memory.versions.values())
    usual = max(ALWAYS_ALLOWED, alive * rules.max_delete_percent // 100)
    released = rules.allowed_deletes is not None and len(deletions) <= rules.allowed_deletes
    emptied = tuple(_emptied(memory, gone, hub, rules)) if deletions else ()
    if not deletions or released or (len(deletions) <= usual and not emptied):
        return None
    return Refusal(len(deletions), max(usual, rules.allowed_deletes or 0), emptied)


def _emptied(memory: Memory, gone: Removals, hub: str, rules: Rules) -> Iterable[str]:
    """The replicas, of those whose deletions count, that lost all of ten remembered cards or more."""
    lost = Counter(mailbox for mailboxes in gone.values() for mailbox in mailboxes)
    linked = Counter(link.mailbox for link in memory.links.values())
    for mailbox in sorted(lost):
        is_heard = mailbox == hub or rules.policy is Deletions.EVERYWHERE
        is_all = linked[mailbox] == lost[mailbox] and not memory.held.get(mailbox, NOTHING_HELD)
        if is_heard and is_all and lost[mailbox] >= WORTH_GUARDING:
            yield mailbox
