"""Undoing a run: what was current before it becomes current again, as an edit like any other.

For every contact of which the run made a version:

    before the run    since the run           what is done
    --------------    --------------------    --------------------------------------------------------------
    it was there      nobody changed it       its content from before the run is current again
    it was there      somebody changed it     only what the run changed, and nobody since, goes back
    it was there,     nobody brought it       it comes back
      the run         back
      deleted it
    it was deleted    nobody changed it       it is removed again
    it was not there  nobody changed it       it is removed
    (no matter what)  somebody changed it     it stays as it is
    not remembered    (no matter what)        it stays as it is

Removed are the copies that the mirror made and nobody has edited; a person's own card stays, no longer shared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.sync.contact import Contact, FieldValue, field_json
from shared.sync.mergebase import UNDO, Version
from shared.sync.stamp import SyncId


class Fate(StrEnum):
    """What undoing does to a contact."""

    CHANGED = "changed"
    RESTORED = "restored"
    REMOVED = "removed"
    KEPT = "kept"


class Reason(StrEnum):
    """Why a contact, or some of its fields, stays as it is."""

    NONE = ""
    EDITED = "changed since the run"
    DELETED = "deleted since the run"
    ALIVE = "came back since the run"
    FORGOTTEN = "its content before the run is not remembered"
    SAME = "already as it was before the run"


@dataclass(frozen=True, slots=True)
class Step:
    """One contact: what it is now, what it shall be, and the fields that stay although the run changed them."""

    fate: Fate
    current: Version
    contact: Contact
    kept: tuple[str, ...] = ()
    reason: Reason = Reason.NONE

    @property
    def sync_id(self) -> SyncId:
        """Which contact it is."""
        return self.current.sync_id

    @property
    def name(self) -> str:
        """What a person calls the contact."""
        return self.current.contact.text("displayName") or self.current.contact.primary_email

    @property
    def fields(self) -> Mapping[str, tuple[FieldValue | None, FieldValue | None]]:
        """What goes back, by field: the value now and the value that it gets."""
        now, then = self.current.contact, self.contact
        return {name: (now.get(name), then.get(name)) for name in sorted(now.differing(then))}

    def to_json(self) -> dict[str, object]:
        """The step as `--json` prints it."""
        fields = {
            name: {"from": field_json(name, now), "to": field_json(name, then)}
            for name, (now, then) in self.fields.items()
        }
        return {
            "action": self.fate.value,
            "sync_id": self.sync_id,
            "name": self.name,
            "fields": fields,
            "kept": list(self.kept),
            "reason": self.reason.value,
        }


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What undoing a run would do, contact by contact."""

    run_id: str
    steps: tuple[Step, ...]

    @property
    def moving(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.fate is not Fate.KEPT)

    @property
    def sync_ids(self) -> frozenset[SyncId]:
        """The contacts that change."""
        return frozenset(step.sync_id for step in self.moving)

    def versions(self, last: int, now: datetime, run_id: str) -> tuple[Version, ...]:
        """What is to be current; numbers go on from `last`, and it is the run `run_id` that says so."""
        return tuple(
            replace(
                step.current,
                number=last + place,
                contact=step.contact,
                at=now,
                by=UNDO,
                run_id=run_id,
                is_deleted=step.fate is Fate.REMOVED,
                is_new=False,
            )
            for place, step in enumerate(self.moving, start=1)
        )


def plan_undo(run_id: str, histories: Iterable[Sequence[Version]]) -> UndoPlan:
    """The plan, given the histories, oldest version first, of all contacts of which the run made one."""
    steps = [_step(run_id, history) for history in histories]
    return UndoPlan(run_id, tuple(sorted(steps, key=lambda step: (step.fate, step.sync_id))))


def _step(run_id: str, history: Sequence[Version]) -> Step:
    theirs = [place for place, version in enumerate(history) if version.run_id == run_id]
    done, current = history[theirs[-1]], history[-1]
    before = history[theirs[0] - 1] if theirs[0] else None
    if before is None and not any(history[place].is_new for place in theirs):
        return _keep(current, Reason.FORGOTTEN)
    if before is None or before.is_deleted:
        return _unmake(done, current)
    if done.is_deleted:
        return _bring_back(before, current)
    return _turn_back(before, done, current)


def _unmake(done: Version, current: Version) -> Step:
    if current.is_deleted:
        return _keep(current, Reason.SAME if done.is_deleted or current.by == UNDO else Reason.DELETED)
    if current.contact.differing(done.contact):
        return _keep(current, Reason.EDITED)
    return Step(Fate.REMOVED, current, current.contact)


def _bring_back(before: Version, current: Version) -> Step:
    if not current.is_deleted:
        return _keep(current, Reason.ALIVE)
    return Step(Fate.RESTORED, current, before.contact)


def _turn_back(before: Version, done: Version, current: Version) -> Step:
    if current.is_deleted:
        return _keep(current, Reason.DELETED)
    changed = done.contact.differing(before.contact)
    since = current.contact.differing(done.contact)
    kept = tuple(sorted(changed & since & current.contact.differing(before.contact)))
    fields = dict(current.contact.fields)
    for name in changed - since:
        value = before.contact.get(name)
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    contact = Contact(fields)
    if not contact.differing(current.contact):
        return _keep(current, Reason.EDITED if kept else Reason.SAME, kept)
    return Step(Fate.CHANGED, current, contact, kept, Reason.EDITED if kept else Reason.NONE)


def _keep(current: Version, reason: Reason, kept: tuple[str, ...] = ()) -> Step:
    return Step(Fate.KEPT, current, current.contact, kept, reason)
