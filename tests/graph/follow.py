"""A caller that follows a replica's delta links, and remembers what it was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import ItemChangedError
from shared.ports import TenantServices
from shared.sync.replica import Changes, Draft, Item, Replica
from tests.emulator import Mailbox


@dataclass
class Memory:
    """What a caller remembers of a replica: its items, and where to go on."""

    services: TenantServices
    replica: Replica
    link: str = ""
    items: dict[str, Item] = field(default_factory=dict)
    asked: list[Sequence[str]] = field(default_factory=list)

    @classmethod
    async def of(cls, services: TenantServices, replica: Replica) -> "Memory":
        """Everything observed."""
        memory = cls(services, replica)
        observation = await services.contacts.observe(replica)
        memory.link, memory.items = observation.delta_link, {item.item_id: item for item in observation.items}
        return memory

    async def known(self, item_ids: Sequence[str]) -> Mapping[str, str]:
        """The change markers remembered."""
        self.asked.append(item_ids)
        return {item_id: self.items[item_id].change_marker for item_id in item_ids if item_id in self.items}

    async def changes(self, link: str | None = None) -> Changes | None:
        """What happened since."""
        return await self.services.contacts.changes(self.replica, self.link if link is None else link, self.known)

    async def catch_up(self) -> Changes:
        """The same, and taken in."""
        changes = await self.changes()
        assert changes is not None
        for item_id in changes.removed:
            self.items.pop(item_id, None)
        self.items.update({item.item_id: item for item in changes.items})
        self.link = changes.delta_link
        return changes

    async def write(self, item: Item, draft: Draft) -> None:
        """Update a card as the engine does, and remember it."""
        for _ in range(5):
            try:
                self.items[item.item_id] = await self.services.contacts.update(self.replica, item, draft)
            except ItemChangedError:
                item = (await self.services.contacts.read(self.replica, item.item_id)).item
            else:
                return
        raise AssertionError("never written")


def fill(box: Mailbox, count: int = 8) -> list[str]:
    """Cards in a mailbox."""
    return [
        box.add_contact({"givenName": f"Given{number}", "surname": "Person", "title": "Ms"}) for number in range(count)
    ]
