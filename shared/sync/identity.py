"""What tells one contact from another when neither link nor marker does: address, name, or the whole content."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from shared.sync.contact import field_json
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


def name_of(item: Item) -> str:
    """The display name as it is compared: any case, blanks folded."""
    return " ".join(item.contact.text("displayName").casefold().split())


def share_a_word(one: str, other: str) -> bool:
    """Whether two names have a word in common; a missing name contradicts nobody."""
    return not one or not other or not set(one.split()).isdisjoint(other.split())


@dataclass(frozen=True, slots=True)
class Keys:
    """How this run's items are told apart.

    `names` says which name counts as which for an address that alone is no identity.
    """

    names: Mapping[tuple[str, str], str]

    def key(self, item: Item) -> Key:
        """The item's key: address (with the name where several share it), else name, else whole content."""
        email, name = item.contact.primary_email, name_of(item)
        if email:
            return ("email", email, self.names.get((email, name), ""))
        if name:
            return ("name", name)
        if item.contact.fields:
            fields = item.contact.fields.items()
            return ("content", *sorted(f"{name}={field_json(name, value)}" for name, value in fields))
        return ("item", item.mailbox, item.item_id)


def keys_of(items: Iterable[Item], *, names_agree: bool) -> Keys:
    """The keys for one run.

    Where one replica holds an address on several names (info@), address and name pair together. With `names_agree`
    only names that share a word, directly or through a third, pair by address.
    """
    names: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in items:
        if email := item.contact.primary_email:
            names[email][item.mailbox].add(name_of(item))
    table: dict[tuple[str, str], str] = {}
    for email, by_mailbox in names.items():
        everybody = set().union(*by_mailbox.values())
        if any(len(held) > 1 for held in by_mailbox.values()):
            table |= {(email, name): name for name in everybody}
        elif names_agree:
            table |= {(email, name): circle for name, circle in _circles(everybody).items()}
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
