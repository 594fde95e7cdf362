"""Versions, links and the like with one interesting difference each."""

from datetime import datetime

from shared.sync.contact import Contact
from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Holder, RunRecord, StoredLink
from tests.builders import START, at, contact, guid

FULL: Contact = contact(
    "Zoë Müller 王",
    "Zoe.Mueller@Example.com",
    children=["Ann", "Ben"],
    homeAddress={"street": "1 High St\nBack door", "city": "Bonn", "countryOrRegion": "DE"},
    birthday="1980-02-29T11:59:00Z",
    categories=["Red", "blue"],
    businessPhones=["+49 228 1"],
)


def version(
    number: int, person: int = 1, *, hours: float = 0, content: Contact = FULL, is_deleted: bool = False
) -> Version:
    """The contact's value number so many."""
    return Version(number, guid(person), content, at(hours), "mailbox-1", "run-1", is_deleted)


def link(mailbox: str, person: int, *, base: int = 1, item_id: str = "", marker: str = "CQAA") -> StoredLink:
    """A link of a mailbox to a contact."""
    return StoredLink(mailbox, item_id or f"item-{person}", guid(person), marker, base)


def holder(name: str, *, process: int = 1, since: datetime = START) -> Holder:
    """A run on a host of its own."""
    return Holder(f"run-{name}", f"host-{name}", process, since)


def run(run_id: str, *, hours: float = 0, **report: object) -> RunRecord:
    """A finished run."""
    return RunRecord(run_id, at(hours), at(hours + 0.1), "ok", 7, report)


def checkpoint(mailbox: str, watermark: int = 0) -> Checkpoint:
    """A mailbox's progress."""
    return Checkpoint(mailbox, f"{mailbox}@contoso.com", delta_link=f"https://graph/{mailbox}", watermark=watermark)
