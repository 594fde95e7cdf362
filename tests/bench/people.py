"""Made-up people with the fields that a usual business card fills; the same number is always the same person."""

import uuid
from typing import Any, Final

from tests.emulator import words

_LATIN: Final = words.SCRIPTS[0]
_LISTS: Final = ("categories", "children", "homePhones", "imAddresses")
_TEXTS: Final = (
    "assistantName", "birthday", "businessHomePage", "fileAs", "generation", "initials", "manager", "middleName",
    "nickName", "officeLocation", "profession", "spouseName", "title", "yomiCompanyName", "yomiGivenName",
    "yomiSurname",
)  # fmt: skip


def person(number: int) -> dict[str, Any]:
    """The card of one person: about 1,200 bytes as Graph lists it, an address that nobody else has."""
    given, surname = _pick(_LATIN.given, number), _pick(_LATIN.surnames, number // 3)
    name = f"{given[0]} {surname[0]} {number}"
    return {
        "displayName": name,
        "givenName": given[0],
        "surname": f"{surname[0]} {number}",
        "companyName": _pick(words.COMPANIES, number),
        "jobTitle": _pick(words.JOBS, number // 2),
        "department": _pick(words.DEPARTMENTS, number // 5),
        "emailAddresses": [{"address": f"{given[1]}.{number}@example.org", "name": name}],
        "mobilePhone": f"+49 170 {number:07}",
        "businessPhones": [f"+49 30 {number:07}"],
        "businessAddress": _address(number),
        "personalNotes": _pick(words.NOTES, number) if number % 4 == 0 else "",
    }


def listed(number: int) -> dict[str, Any]:
    """The same card with all that Graph tells of a contact when it is asked for everything: about 1,400 bytes."""
    ids = {"id": f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A{number:0120}", "parentFolderId": f"AQMkAGQ3{number:0112}"}
    versions = {"@odata.etag": f'W/"EQAAABYAAABNdXJyYXkgSGlsbAAB{number:08}"', "changeKey": f"EQAAABYAAABN{number:024}"}
    times = dict.fromkeys(("createdDateTime", "lastModifiedDateTime"), "2026-01-05T08:00:00Z")
    none: dict[str, Any] = {
        **dict.fromkeys(_TEXTS),
        **{name: [] for name in _LISTS},
        "homeAddress": {},
        "otherAddress": {},
    }
    return {**ids, **versions, **times, **none, **person(number)}


def mirrored(number: int) -> tuple[dict[str, Any], str]:
    """The card of one person as the mirror writes it into a mailbox, with the stamp in its note; and its marker."""
    sync_id = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    who = "somebody@contoso.example"
    stamp = f"SyncId={sync_id};CreatedBy={who};LastUpdatedAt=2026-01-05T08:00:00Z;LastUpdatedBy={who}"
    return {**person(number), "personalNotes": stamp}, sync_id


def _pick(choices: Any, number: int) -> Any:
    return choices[number % len(choices)]


def _address(number: int) -> dict[str, str]:
    city, _, code, country = _pick(words.CITIES, number)
    street = f"{_pick(words.STREETS, number)} {number % 200 + 1}"
    whole = {"street": street, "city": city, "postalCode": code, "countryOrRegion": country}
    return {part: text for part, text in whole.items() if text}
