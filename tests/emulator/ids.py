"""Ids as Exchange makes them: long, case-sensitive, and some that differ only in the case of one letter."""

import hashlib
import re
import uuid
from base64 import urlsafe_b64encode

WELL_FORMED = re.compile(r"[A-Za-z0-9_\-]{60,}={0,2}\Z")
IMMUTABLE_PREFIX = "AAkALgAAAAAAHYQDEapmEc2by"


def encode_number(number: int) -> str:
    """A number as 12 letters of base64url: numbers 26 apart can differ by case alone."""
    return urlsafe_b64encode(number.to_bytes(9, "big")).decode()


class IdMaker:
    """The ids of one mailbox. Classic ids are about 140 characters long, immutable ids 71 (davmail isItemId)."""

    def __init__(self, mailbox_id: str) -> None:
        digest = urlsafe_b64encode(hashlib.sha512(mailbox_id.encode()).digest()).decode()
        self._long = digest[:83]
        self._short = digest[:22]
        self._key = digest[40:56]
        self._last = 0

    def _next(self) -> int:
        self._last += 1
        return self._last

    def classic(self) -> str:
        """A classic item id; an item that moves gets a new one."""
        return f"AAMkA{self._long}{'A' * 36}{encode_number(self._next())}AAA="

    def immutable(self) -> str:
        """An immutable item id."""
        return f"{IMMUTABLE_PREFIX}{self._short}{'A' * 12}{encode_number(self._next())}"

    def folder(self) -> str:
        """A folder id; it never changes."""
        return f"AAMkA{self._long}AuAAAAAAC{encode_number(self._next())}AAA="

    def change_key(self, sequence: int) -> str:
        """The change key after so many changes of the mailbox."""
        return f"EQAAABYAAAC{self._key}{encode_number(sequence)}="


def is_immutable(item_id: str) -> bool:
    """Whether the id has the immutable form."""
    return item_id.startswith(IMMUTABLE_PREFIX)


def object_id(*parts: str) -> str:
    """A GUID that is the same each time for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "emulator:" + "/".join(parts)))
