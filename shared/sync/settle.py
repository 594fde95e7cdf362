"""What of a whole reading has to be kept: not the cards that are as they were last agreed on.

A tenant read whole, once in a while, is contacts times mailboxes cards; what is left of it here is what a delta round
would have told, and it is planned like one.
"""

from collections.abc import Sequence, Set
from dataclasses import replace

from shared.sync.mergebase import Held, Version, Versions
from shared.sync.operations import lacks_stamp
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId


def settle(observation: Observation, links: Sequence[StoredLink], versions: Versions, rules: Rules) -> Observation:
    """The reading without its settled cards, given all links of the mailbox and the newest version of every contact.

    A contact that lives and has no settled card there is pending, for its card may be missing.
    """
    by_item = {link.item_id: link for link in links}
    settled: set[SyncId] = set()
    items: list[Item] = []
    for item in observation.items:
        link = by_item.pop(item.item_id, None)
        if link and _is_settled(item, link, versions.get(link.sync_id), rules):
            settled.add(link.sync_id)
        else:
            items.append(item)
    return replace(
        observation,
        items=tuple(items),
        removed=tuple(sorted(by_item)),
        is_whole=False,
        is_settled=True,
        watermark=max((version.number for version in versions.values()), default=0),
        pending=tuple(one for one, version in versions.items() if one not in settled and not version.is_deleted),
    )


def held_by(observation: Observation, alive: Set[SyncId]) -> Held:
    """Of a settled reading, the contacts with a settled card there: those that are alive and not pending."""
    return Held(alive, frozenset(observation.pending))


def refreshed(
    observation: Observation, links: Sequence[StoredLink], versions: Versions, rules: Rules
) -> tuple[Observation, list[StoredLink]]:
    """The changes that say something, and the links of cards that have got a new change marker and nothing else.

    Exchange works on a card once more after a write (microsoft-graph-docs-contrib#7644), so the hour after a first run
    tells of every card.
    """
    by_item = {link.item_id: link for link in links}
    items: list[Item] = []
    touched: list[StoredLink] = []
    for item in observation.items:
        link = by_item.get(item.item_id)
        touch = replace(link, change_marker=item.change_marker) if link else None
        if touch and _is_settled(item, touch, versions.get(touch.sync_id), rules):
            touched.append(touch)
        else:
            items.append(item)
    return replace(observation, items=tuple(items)), touched


def _is_settled(item: Item, link: StoredLink, version: Version | None, rules: Rules) -> bool:
    """Whether the card is the remembered one, untouched, open, stamped, and at the newest version."""
    if version is None or version.is_deleted or link.base != version.number or link.is_withheld:
        return False
    if link.residue and not rules.update_existing:
        return False  # it was left as it was, and pairing goes by what it holds
    if link.change_marker != item.change_marker or lacks_stamp(item, link.sync_id) or rules.withholds(item):
        return False
    return not item.contact.differing(version.contact.bent_by(link.residue))
