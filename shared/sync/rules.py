"""The settings that the core decides by, as one value."""

from dataclasses import dataclass
from enum import StrEnum

from shared.sync.replica import Item


class Deletions(StrEnum):
    """What a deletion means."""

    RESTORE = "restore"
    """Nothing is ever deleted: what is missing anywhere is put back."""
    HUB = "hub"
    """What is deleted from the hub is deleted everywhere; what a user deletes comes back."""
    EVERYWHERE = "everywhere"
    """A deletion anywhere counts."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A tenant's rules; `tenant_id` goes into every derived SyncId.

    `max_delete_percent` of the hub's contacts, but always ten, may be deleted in a run without being asked, or as many
    as `allowed_deletes` says. With `restores_deletes` what is missing is put back in this run whatever the policy.
    """

    tenant_id: str
    update_existing: bool = True
    names_agree: bool = False
    exclude_private: bool = True
    exclude_categories: frozenset[str] = frozenset()
    deletions: Deletions = Deletions.RESTORE
    max_delete_percent: int = 10
    allowed_deletes: int | None = None
    restores_deletes: bool = False

    @property
    def policy(self) -> Deletions:
        """The deletion policy of this run."""
        return Deletions.RESTORE if self.restores_deletes else self.deletions

    def withholds(self, item: Item) -> bool:
        """Whether the card neither gives nor takes: it is private, or bears an excluded category (any case)."""
        if self.exclude_private and item.private:
            return True
        if not self.exclude_categories:
            return False
        excluded = {name.casefold() for name in self.exclude_categories}
        return any(name.casefold() in excluded for name in item.contact.categories)
