"""The stamp: our four tags in a card's note, read and written without touching the person's text.

The note is the person's. Whatever is not our stamp is kept to the letter, blank lines and a sentence that
happens to say "SyncId" included.
"""

import re
from dataclasses import dataclass
from typing import Final, NewType

SyncId = NewType("SyncId", str)
"""A contact's identity across replicas: a lower-case GUID."""

_GUID: Final = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_TAG: Final = r"(?:CreatedBy|LastUpdatedAt|LastUpdatedBy)=[^;\r\n]*"
_BREAK: Final = r"(?:\r\n|\n|\r)"
_ONE_LINE: Final = rf"SyncId={_GUID}(?:;{_TAG})*;?[ \t]*"
_TAG_LINES: Final = rf"(?:{_TAG};?[ \t]*{_BREAK})*SyncId={_GUID};?[ \t]*(?:{_BREAK}{_TAG};?[ \t]*)*"
_STAMP: Final = re.compile(rf"(?:\A|{_BREAK})(?P<tags>{_TAG_LINES}|{_ONE_LINE})(?=\Z|{_BREAK})")
_PAIR: Final = re.compile(r"(SyncId|CreatedBy|LastUpdatedAt|LastUpdatedBy)=([^;\r\n]*)")


@dataclass(frozen=True, slots=True)
class Stamp:
    """The four tags; `updated_at` is UTC in ISO 8601, the others a UPN or an id."""

    sync_id: SyncId
    created_by: str = ""
    updated_at: str = ""
    updated_by: str = ""

    def line(self) -> str:
        """The stamp as the one line that stands last in a note."""
        tags = (
            f"SyncId={self.sync_id}",
            f"CreatedBy={_safe(self.created_by)}",
            f"LastUpdatedAt={_safe(self.updated_at)}",
            f"LastUpdatedBy={_safe(self.updated_by)}",
        )
        return ";".join(tags)


def _safe(value: str) -> str:
    return re.sub(r"[;\r\n]", " ", value).strip()
