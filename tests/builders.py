"""Contacts, cards and replicas with one interesting difference each, for tests that read as stories."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

from shared.sync.contact import Contact, normalise
from shared.sync.mergebase import NO_MEMORY, Memory, Version
from shared.sync.plan import Plan, reconcile
from shared.sync.replica import Item, Observation, Replica
from shared.sync.rules import Rules
from shared.sync.stamp import Stamp, SyncId

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
HUB = Replica("hub", "hub@contoso.com", is_hub=True, folder="folder")
RULES = Rules("tenant")
_NUMBERS = count(1)


def at(hours: float) -> datetime:
    """So many hours after the start."""
    return START + timedelta(hours=hours)


def spoke(name: str) -> Replica:
    """A spoke whose mailbox id is its name."""
    return Replica(name, f"{name}@contoso.com")


def guid(number: int) -> SyncId:
    """A SyncId."""
    return SyncId(f"00000000-0000-4000-8000-{number:012d}")


def contact(name: str = "", email: str = "", **fields: object) -> Contact:
    """A normalised contact."""
    raw: dict[str, object] = {"displayName": name, **fields}
    if email:
        raw["emailAddresses"] = [{"address": email, "name": name}]
    return normalise(raw)


def card(
    mailbox: str,
    content: Contact,
    *,
    hours: float = 0,
    sync_id: SyncId | None = None,
    item_id: str = "",
    **more: object,
) -> Item:
    """A card; with `sync_id` it bears our marker and stamp."""
    stamp = Stamp(sync_id, "maker@contoso.com", "2026-01-01T00:00:00Z", "maker@contoso.com") if sync_id else None
    values: dict[str, object] = {"created_at": at(hours), "modified_at": at(hours), "marker": sync_id, "stamp": stamp}
    return Item(mailbox, item_id or f"item-{next(_NUMBERS):06d}", "marker-1", content, **(values | more))  # type: ignore[arg-type]


def plan(
    hub: Iterable[Item], *spokes: tuple[str, Iterable[Item]], rules: Rules = RULES, memory: Memory = NO_MEMORY
) -> Plan:
    """The plan for these replicas."""
    observed = [Observation(spoke(name), tuple(items)) for name, items in spokes]
    return reconcile(Observation(HUB, tuple(hub)), observed, rules, memory, at(1000))


def spelt(value: object) -> str:
    """A value to the letter, with what comparing ignores (the names of addresses) and sets in order."""
    return re.sub(r"frozenset\(\{(.*?)\}\)", lambda found: f"{{{sorted(found[1].split(', '))}}}", repr(value))


def version(content: Contact, sync_id: SyncId | None = None, number: int = 1) -> Version:
    """A version of a contact, written by the hub at the start."""
    return Version(number, sync_id or guid(1), content, at(0), "hub")
