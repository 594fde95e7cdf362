"""A memory made of the hub: what it holds is what everybody last agreed on, where nothing else is remembered."""

from collections.abc import Iterable, Mapping

from shared.sync.mergebase import Version, Versions
from shared.sync.operations import lacks_stamp
from shared.sync.records import StoredLink
from shared.sync.replica import Item, Observation
from shared.sync.rules import Rules
from shared.sync.stamp import SyncId


def versions_of(hub: Observation, rules: Rules, last: int = 0) -> dict[SyncId, Version]:
    """The hub's mirrored and open contacts as first versions, in the order of their SyncIds.

    Numbers go on from `last`: a link that has outlived its versions must not take one of these for its base.
    """
    items = _alone(item for item in hub.items if not rules.withholds(item))
    return {
        sync_id: Version(
            number=number,
            sync_id=sync_id,
            contact=item.contact,
            at=item.modified_at,
            by=item.mailbox,
            created_by=item.stamp.created_by if item.stamp else "",
        )
        for number, (sync_id, item) in enumerate(sorted(items.items()), start=last + 1)
    }


def links_to_agreeing(spoke: Observation, versions: Versions, rules: Rules) -> list[StoredLink]:
    """Links of the cards that bear marker and stamp of a contact, are open, and hold exactly what its version does."""
    return [
        StoredLink(spoke.replica.mailbox, item.item_id, sync_id, item.change_marker, version.number)
        for sync_id, item in _alone(spoke.items).items()
        if (version := versions.get(sync_id)) and _agrees(item, version, rules)
    ]


def _agrees(item: Item, version: Version, rules: Rules) -> bool:
    if version.is_deleted or rules.withholds(item) or lacks_stamp(item, version.sync_id):
        return False
    return not item.contact.differing(version.contact)


def _alone(items: Iterable[Item]) -> Mapping[SyncId, Item]:
    """By SyncId the items that bear it alone in their mailbox: of several it is for pairing to say which one counts."""
    found: dict[SyncId, Item | None] = {}
    for item in items:
        if item.marker:
            found[item.marker] = None if item.marker in found else item
    return {sync_id: item for sync_id, item in found.items() if item}
