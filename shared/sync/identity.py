"""What tells one contact from another when neither link nor marker does: address, name, or the whole content."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.sync.contact import Contact, field_json, with_display_name
from shared.sync.replica import Item
from shared.sync.stamp import SyncId

Key = tuple[str, ...]
"""Items with equal keys are the same contact, unless something better tells them apart."""


def derived_sync_id(tenant_id: str, item: Item) -> SyncId:
    """The SyncId of a contact whose first card is `item`.

    It depends on nothing else, so that a run cut off before the stamp was written cannot make a second one.
    """
    namespace = uuid5(NAMESPACE_URL, f"contacts-mirror:{tenant_id.lower()}")
    return SyncId(str(uuid5(UUID(str(namespace)), f"{item.mailbox}\n{item.item_id}")))


def next_sync_id(sync_id: SyncId) -> SyncId:
    """Another id for a card whose derived one is somebody else's by now; always the same one."""
    return SyncId(str(uuid5(UUID(str(sync_id)), "next")))


def name_of(contact: Contact) -> str:
    """The display name as it is compared: any case, blanks folded, "" if it only repeats the address."""
    name = " ".join(with_display_name(contact).text("displayName").casefold().split())
    return "" if name == contact.primary_email else name


def share_a_word(one: str, other: str) -> bool:
    """Whether two names have a word in common; a missing name contradicts nobody."""
    return not one or not other or not set(one.split()).isdisjoint(other.split())


@dataclass(frozen=True, slots=True)
class Keys:
    """How this run's contacts are told apart.

    `names` says which name counts as which for an address that alone is no identity.
    """

    names: Mapping[tuple[str, str], str]

    def key(self, contact: Contact) -> Key:
        """The contact's key: address (with the name where several share it), else name, else whole content."""
        email, name = contact.primary_email, name_of(contact)
        if email:
            return ("email", email, self.names.get((email, name), ""))
        if name:
            return ("name", name)
        return ("content", *sorted(f"{name}={field_json(name, value)}" for name, value in contact.fields.items()))


def keys_of(cards: Iterable[tuple[str, Contact]], *, names_agree: bool) -> Keys:
    """The keys for one run, from all its cards, each with its mailbox.

    An address is no identity where a replica holds it several times and the names differ (info@): there, address and
    name pair together. Otherwise it is one, or with `names_agree` only for names that share a word, directly or
    through a third.
    """
    held: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    names_of: dict[int, tuple[Contact, str]] = {}  # most mailboxes hold the very same value
    for mailbox, contact in cards:
        if email := contact.primary_email:
            known = names_of.get(id(contact)) or names_of.setdefault(id(contact), (contact, name_of(contact)))
            held[email][mailbox].append(known[1])
    table: dict[tuple[str, str], str] = {}
    for email, by_mailbox in held.items():
        names = set().union(*by_mailbox.values())
        if len(names - {""}) > 1:
            is_shared = any(len(theirs) > 1 for theirs in by_mailbox.values())
            circles = {name: name for name in names} if is_shared else _circles(names) if names_agree else {}
            table |= {(email, name): circle for name, circle in circles.items()}
    return Keys(table)


def _circles(names: set[str]) -> dict[str, str]:
    """Every name with the least name of its circle, names in a circle being joined by shared words."""
    circles: list[set[str]] = []
    for name in sorted(names - {""}):
        words = set(name.split())
        near = [circle for circle in circles if any(not words.isdisjoint(other.split()) for other in circle)]
        circles = [circle for circle in circles if circle not in near] + [{name}.union(*near)]
    table = {name: min(circle) for circle in circles for name in circle}
    table[""] = min(table.values()) if len(circles) == 1 else ""
    return table
