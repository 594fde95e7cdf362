"""The settings that the core decides by, as one value."""

from dataclasses import dataclass

from shared.sync.replica import Item


@dataclass(frozen=True, slots=True)
class Rules:
    """A tenant's rules; `tenant_id` goes into every derived SyncId."""

    tenant_id: str
    update_existing: bool = True
    names_agree: bool = False
    exclude_private: bool = True
    exclude_categories: frozenset[str] = frozenset()

    def withholds(self, item: Item) -> bool:
        """Whether the card neither gives nor takes: it is private, or bears an excluded category (any case)."""
        if self.exclude_private and item.private:
            return True
        excluded = {name.casefold() for name in self.exclude_categories}
        return bool(excluded) and any(name.casefold() in excluded for name in item.contact.categories)
