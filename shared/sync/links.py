"""What to remember of a card after it was written, or found to need no write."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.sync.contact import FieldValue
from shared.sync.mergebase import Link, Version
from shared.sync.records import StoredLink
from shared.sync.replica import Draft, Item

Residue = Mapping[str, FieldValue | None]


@dataclass(frozen=True, slots=True)
class Written:
    """A write and what came of it: the card before, what was written, the card after."""

    version: Version
    before: Item
    draft: Draft
    after: Item
    link: Link | None = None


def link_of_new(item: Item, version: Version) -> StoredLink:
    """The link of a card that was just created: what came back otherwise is residue, for nobody has edited it yet."""
    return _stored(item, version, _residue(item, version), is_ours=True, marker=item.change_marker)


def link_after(written: Written) -> StoredLink:
    """The link of a card that was just changed.

    A field of our own request that came back otherwise is residue. Any other field that is not the version's is a
    person's edit: the change marker is forgotten, so that the next run looks again, and if it was not even as it was
    read just before, the base stays.
    """
    before, after, version, draft = written.before, written.after, written.version, written.draft.fields
    differing = after.contact.differing(version.contact)
    ours = differing & draft.keys()
    residue = {name: after.contact.get(name) for name in ours}
    is_ours = written.link.is_ours if written.link else False
    if written.link and after.contact.differing(before.contact) - draft.keys():
        return _stored(after, written.link.base, written.link.residue, is_ours=is_ours, marker="")
    return _stored(after, version, residue, is_ours=is_ours, marker="" if differing - ours else after.change_marker)


def link_to(item: Item, version: Version, link: Link | None) -> StoredLink:
    """The link of a card that agrees with the version, but for the residue that it still holds."""
    residue = link.residue if link else {}
    kept = {name: value for name, value in residue.items() if item.contact.get(name) == value}
    return _stored(item, version, kept, is_ours=link.is_ours if link else False, marker=item.change_marker)


def link_as_it_is(item: Item, version: Version) -> StoredLink:
    """The link of a card that is left as it is although it differs: what differs is nobody's edit."""
    return _stored(item, version, _residue(item, version), is_ours=False, marker=item.change_marker)


def link_of_private(item: Item, link: Link) -> StoredLink:
    """The link of a mirrored card that has become private: its base stays for the day when it is open again."""
    return StoredLink(
        item.mailbox,
        item.item_id,
        link.sync_id,
        item.change_marker,
        link.base.number,
        link.residue,
        is_ours=link.is_ours,
        is_withheld=True,
    )


def _residue(item: Item, version: Version) -> Residue:
    return {name: item.contact.get(name) for name in item.contact.differing(version.contact)}


def _stored(item: Item, base: Version, residue: Residue, *, is_ours: bool, marker: str) -> StoredLink:
    return StoredLink(item.mailbox, item.item_id, base.sync_id, marker, base.number, residue, is_ours=is_ours)
