"""What the state tells of the past: the runs, and what became of a contact, by whom, when and in which run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.errors import StateDamagedError
from shared.ports import StateStore
from shared.sync.contact import EMPTY, Contact, Email, FieldValue, field_json
from shared.sync.mergebase import Version
from shared.sync.records import RunRecord
from shared.sync.report import iso
from shared.sync.stamp import SyncId


class Event(StrEnum):
    """What a version did to its contact."""

    CREATED = "created"
    RECORDED = "first remembered"
    CHANGED = "changed"
    DELETED = "deleted"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version as a person asks for it; `fields` has the values before and after, `by` a UPN, an id or "undo"."""

    number: int
    at: datetime
    by: str
    run_id: str
    event: Event
    fields: Mapping[str, tuple[FieldValue | None, FieldValue | None]]

    def to_json(self) -> dict[str, object]:
        """The entry as `--json` prints it."""
        fields = {
            name: {"from": field_json(name, before), "to": field_json(name, after)}
            for name, (before, after) in self.fields.items()
        }
        return {
            "version": self.number,
            "at": iso(self.at),
            "by": self.by,
            "run_id": self.run_id,
            "event": self.event.value,
            "fields": fields,
        }


@dataclass(frozen=True, slots=True)
class Story:
    """A contact's history, newest entry first."""

    sync_id: SyncId
    name: str
    email: str
    is_deleted: bool
    entries: tuple[Entry, ...]

    def to_json(self) -> dict[str, object]:
        """The story as `--json` prints it."""
        return {
            "sync_id": self.sync_id,
            "name": self.name,
            "email": self.email,
            "deleted": self.is_deleted,
            "history": [entry.to_json() for entry in self.entries],
        }


async def latest_runs(state: StateStore, tenant_id: str, limit: int) -> Sequence[RunRecord]:
    """The latest runs with their reports, newest first."""
    heads = await state.runs(tenant_id, limit)
    return [await state.run(tenant_id, head.run_id) or head for head in heads]


async def find(state: StateStore, tenant_id: str, words: str) -> Sequence[Version]:
    """The current versions of the contacts meant, by name: its SyncId, an address, or a part of the display name.

    A whole SyncId, address or name is taken before parts of names.
    """
    wanted = words.strip().casefold()
    versions = sorted((await state.current_versions(tenant_id)).values(), key=_by_name)
    exact = [version for version in versions if wanted in _handles(version)]
    return exact or [version for version in versions if wanted in version.contact.text("displayName").casefold()]


async def tell(state: StateStore, tenant_id: str, version: Version, limit: int) -> Story:
    """The history of the contact whose current version this is, its latest `limit` entries."""
    names = await _names(state, tenant_id)
    entries = list(entries_of(await state.versions(tenant_id, version.sync_id), names))
    contact = version.contact
    return Story(
        version.sync_id,
        contact.text("displayName"),
        contact.primary_email,
        version.is_deleted,
        tuple(reversed(entries[-limit:])),
    )


async def _names(state: StateStore, tenant_id: str) -> Mapping[str, str]:
    try:
        checkpoints = await state.checkpoints(tenant_id)
    except StateDamagedError:
        return {}  # an id says who it was just as well
    return {mailbox: checkpoint.name for mailbox, checkpoint in checkpoints.items()}


def entries_of(versions: Iterable[Version], names: Mapping[str, str]) -> Iterable[Entry]:
    """A contact's versions, oldest first, as what each of them changed."""
    before: Version | None = None
    for version in versions:
        event = _event(before, version)
        old = before.contact if before else EMPTY
        fields = {} if event is Event.DELETED else _fields(old, version.contact)
        by = names.get(version.by, version.by)
        yield Entry(version.number, version.at, by, version.run_id, event, fields)
        before = version


def _event(before: Version | None, version: Version) -> Event:
    if version.is_deleted:
        return Event.DELETED
    if before is None:
        return Event.CREATED if version.is_new else Event.RECORDED
    return Event.RESTORED if before.is_deleted else Event.CHANGED


def _fields(old: Contact, new: Contact) -> Mapping[str, tuple[FieldValue | None, FieldValue | None]]:
    return {name: (old.get(name), new.get(name)) for name in sorted(new.differing(old))}


def _by_name(version: Version) -> tuple[str, SyncId]:
    return version.contact.text("displayName").casefold(), version.sync_id


def _handles(version: Version) -> set[str]:
    emails = version.contact.get("emailAddresses")
    addresses = emails if isinstance(emails, tuple) else ()
    keys = {email.key.casefold() for email in addresses if isinstance(email, Email)}
    return {version.sync_id.casefold(), version.contact.text("displayName").casefold(), *keys} - {""}
