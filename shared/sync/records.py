"""What the state holds beside versions, as values: a mailbox's progress, its links as rows, runs and leases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.sync.contact import FieldValue
from shared.sync.replica import Duplicate
from shared.sync.stamp import SyncId
from shared.sync.value import value


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A write refused for good; it is tried again when the item (its change marker) or the version changes.

    What looks like for good may have been an outage: so it is tried once a day, too. `at` is when it was refused, UTC.
    """

    sync_id: SyncId
    item_id: str
    change_marker: str
    version: int
    reason: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a mailbox is, in one row, so that a quiet run touches nothing else of it.

    `watermark`: all versions up to this number are scattered to it, but for the contacts in `pending`. The delta link
    covers only what is in the hub and whose scatter is confirmed; "" means that everything has to be read.
    """

    mailbox: str
    name: str
    folder: str = ""
    delta_link: str = field(default="", repr=False)
    watermark: int = 0
    pending: tuple[SyncId, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    enrolled_at: datetime | None = None
    succeeded_at: datetime | None = None
    read_whole_at: datetime | None = None
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))
    """By item id, the cards that were left aside."""
    newest: int = 0
    """In the hub's checkpoint: the number of the tenant's newest version."""


NO_RESIDUE: Final[Mapping[str, FieldValue | None]] = MappingProxyType({})


@value
class StoredLink:
    """A link as it is kept: its base by number.

    `is_ours` if the mirror made the card, so that undoing may remove it; `is_withheld` while the card is private.
    """

    mailbox: str
    item_id: str
    sync_id: SyncId
    change_marker: str
    base: int
    residue: Mapping[str, FieldValue | None] = field(default_factory=lambda: NO_RESIDUE)
    is_ours: bool = False
    is_withheld: bool = False


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One tenant's part of a run; `first_version` is the number of the first version that it made, 0 without one.

    `report` is the tenant's JSON report. It may hold names, as a report does, and never a note or a secret.
    """

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    first_version: int = 0
    report: Mapping[str, object] = field(default_factory=dict, repr=False)


QUEUED: Final = "queued"
"""The outcome on record of a run that was accepted and has not begun."""

UNFINISHED: Final = "unfinished"
"""The outcome on record of a run that is still going on, or was killed."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a tenant's lease; `since` is UTC."""

    run_id: str
    host: str
    process: int
    since: datetime


@dataclass(frozen=True, slots=True)
class RunPart:
    """One tenant's part of a run, as the state knows it now: a record, the lease while the run has it, or both."""

    tenant_id: str
    record: RunRecord | None
    held: Holder | None = None

    @property
    def began_at(self) -> datetime:
        """When it began; of a run that waits, when it was asked for."""
        known = [self.record.started_at] if self.record else []
        return (known + ([self.held.since] if self.held else []))[0]
