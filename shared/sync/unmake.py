"""Which cards of a contact whose making is undone are the mirror's copies, where no link says so.

Of a card that bears the contact's marker and that no link knows, or only one that was made of the card itself:

    the card                                                            what is done
    ----------------------------------------------------------------    ------------------------------------
    the contact's SyncId was derived from it                            it is a person's own: it stays
    made in one go since the run began, holds what the run's            it is a copy: it goes
      version held, is open, and alone in its mailbox
    anything else                                                       it may be a person's: it stays, and is told

What stays is remembered as it is, or the next run would take it for news and share it again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.sync.identity import derived_sync_id
from shared.sync.links import link_as_it_is
from shared.sync.mergebase import Version
from shared.sync.records import StoredLink
from shared.sync.replica import Item
from shared.sync.report import Problem, counted
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId

_ONE_GO: Final = timedelta(seconds=1)
"""A person's own card gets its marker by a second write, which moves the time of its last change."""

_SKEW: Final = timedelta(minutes=10)
"""Entra accepts a clock that is wrong by five minutes; a card this much older than the run was not made by it."""

_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Presumed:
    """What a mailbox's cards were taken for: links to remember, and the contacts of which a card stays in doubt."""

    links: tuple[StoredLink, ...] = ()
    left: tuple[SyncId, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmade:
    """The contacts that a run had made and that are undone: their deleted versions, and when the run began."""

    versions: Mapping[SyncId, Version]
    began_at: datetime

    def presume(self, items: Sequence[Item], links: Sequence[StoredLink], rules: Rules) -> Presumed:
        """Judge one mailbox's cards, given its links."""
        known = {link.item_id: link for link in links}
        holders = {known[item.item_id].sync_id: item.item_id for item in items if item.item_id in known}
        made: list[StoredLink] = []
        left: list[SyncId] = []
        for sync_id, cards in sorted(self._cards(items, known, rules).items()):
            item = min(cards, key=lambda card: (card.item_id not in known, card.created_at, card.item_id))
            is_alone = len(cards) == 1 and holders.get(sync_id, item.item_id) == item.item_id
            is_copy = is_alone and self._is_copy(item, sync_id, rules)
            if is_copy or self._is_news(item, sync_id, holders.get(sync_id)):
                made.append(self._link(item, sync_id, rules, is_ours=is_copy))
            if not is_copy and self._is_doubtful(item, known.get(item.item_id), sync_id, rules):
                left.append(sync_id)
        return Presumed(tuple(made), tuple(left))

    def own(self, sync_id: SyncId, cards: Iterable[Item]) -> Iterator[StoredLink]:
        """Links of cards that only their content makes the contact's: people's own, as they were before the run."""
        for item in cards:
            if item.modified_at < self.began_at:
                yield link_as_it_is(item, self.versions[sync_id])

    def _cards(
        self, items: Iterable[Item], known: Mapping[str, StoredLink], rules: Rules
    ) -> Mapping[SyncId, Sequence[Item]]:
        """The cards in question, by contact; one that is linked as the mirror's own is in none."""
        cards: dict[SyncId, list[Item]] = defaultdict(list)
        for item in items:
            link = known.get(item.item_id)
            sync_id = link.sync_id if link else _claimed(item, rules)
            if sync_id in self.versions and not (link and link.is_ours):
                cards[sync_id].append(item)
        return cards

    def _is_copy(self, item: Item, sync_id: SyncId, rules: Rules) -> bool:
        if rules.withholds(item) or item.marker != sync_id or _is_source(item, sync_id, rules):
            return False
        is_since = item.created_at >= self.began_at.replace(microsecond=0)
        is_untouched = item.modified_at - item.created_at <= _ONE_GO
        return is_since and is_untouched and not item.contact.differing(self.versions[sync_id].contact)

    def _is_news(self, item: Item, sync_id: SyncId, holder: str | None) -> bool:
        """Whether the card would speak although nobody has: no link knows it, or the run has written it since."""
        if holder is None:
            return True
        return holder == item.item_id and not item.contact.differing(self.versions[sync_id].contact)

    def _is_doubtful(self, item: Item, link: StoredLink | None, sync_id: SyncId, rules: Rules) -> bool:
        is_older = link is not None and item.created_at < self.began_at - _SKEW
        return not is_older and not _is_source(item, sync_id, rules)

    def _link(self, item: Item, sync_id: SyncId, rules: Rules, *, is_ours: bool) -> StoredLink:
        link = link_as_it_is(item, self.versions[sync_id])
        return replace(link, is_ours=is_ours, is_withheld=rules.withholds(item))


def _claimed(item: Item, rules: Rules) -> SyncId:
    marked = item.marker or (item.stamp.sync_id if item.stamp else None)
    return marked or derived_sync_id(rules.tenant_id, item)


def _is_source(item: Item, sync_id: SyncId, rules: Rules) -> bool:
    return derived_sync_id(rules.tenant_id, item) == sync_id


def in_doubt(mailbox: str, sync_ids: Sequence[SyncId]) -> Problem:
    """The line about a mailbox's cards that stay."""
    message = f"{_contacts(sync_ids)}: it cannot be told whether the card is the mirror's copy or a person's own."
    return _line(mailbox, message, "Look at the cards, and delete by hand those that nobody wants.")


def edited(sync_ids: Sequence[SyncId]) -> Problem:
    """The line about contacts that stay everywhere."""
    message = f"{_contacts(sync_ids)}: somebody has edited or made a card of it since the run."
    return _line("", message, "Nothing: the next run shares the edit.")


def touched(mailbox: str, sync_id: SyncId) -> Problem:
    """The line about a copy that turns out not to be as the run left it when it is to be removed."""
    message = f"{_contacts([sync_id])}: the card has been edited, or is private."
    return _line(mailbox, message, "Look at the card, and delete it by hand if nobody wants it.")


def is_short(problems: Iterable[Problem]) -> bool:
    """Whether a line says that something stays."""
    return any(problem.code == "NotRemoved" for problem in problems)


def _line(mailbox: str, message: str, hint: str) -> Problem:
    return Problem(mailbox, "NotRemoved", message, hint)


def _contacts(sync_ids: Sequence[SyncId]) -> str:
    named = ", ".join(sync_ids[:_NAMED]) + (", …" if len(sync_ids) > _NAMED else "")
    verb = "stays" if len(sync_ids) == 1 else "stay"
    return f"{counted(len(sync_ids), 'contact')} {verb} ({named})"
