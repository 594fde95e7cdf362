"""How Exchange takes a contact's properties, and how it gives them back: seldom as they were written."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from tests.emulator.clock import stamp
from tests.emulator.contract import ADDRESS_PARTS, ADDRESSES, LISTS, TEXTS, TRIO
from tests.emulator.replies import BadRequestError, GraphError
from tests.emulator.storage import Fields, Item
from tests.emulator.switches import Switches

NAME_PARTS: Final = ("title", "givenName", "middleName", "surname", "generation")
OFTEN_EMPTY_STRINGS: Final = ("assistantName", "manager", "personalNotes", "fileAs")
_VALID_ADDRESS: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+\Z")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
UNSET: Final[Fields] = {
    **dict.fromkeys(TEXTS),
    "birthday": None,
    **{name: [] for name in (*LISTS, "emailAddresses")},
    **{name: {} for name in ADDRESSES},
    **dict.fromkeys(TRIO),
}
_NOTE_CUT: Final = 256


class CardRules:
    """The rules of one mailbox; `directory_name` knows the directory's name for a lower-cased address."""

    def __init__(self, switches: Switches, directory_name: Callable[[str], str | None]) -> None:
        self._switches = switches
        self._directory_name = directory_name

    def write(self, stored: Fields, sent: Mapping[str, Any], *, creating: bool) -> set[str]:
        """Put what was sent into the stored fields as Exchange would; returns the names that were touched.

        Raises:
            GraphError: when Exchange refuses a value.
        """
        touched = set(sent)
        for name, value in sent.items():
            taker = _TAKERS.get(name, CardRules._take_text)
            kept = taker(self, name, value, stored, creating)
            if kept:
                stored[name] = kept
            else:
                stored.pop(name, None)
        if any(name in sent for name in TRIO):
            self._write_trio(stored, sent)
            touched.add("emailAddresses")
        self._compute(stored, sent, touched, creating=creating)
        return touched

    def _take_text(self, name: str, value: str | None, stored: Fields, creating: bool) -> str | None:
        if value is None:
            return None
        longest = self._switches.max_string_length
        if longest is not None and len(value) > longest:
            raise BadRequestError(f"The value of {name} exceeds the maximum length.", "ErrorPropertyValidationFailure")
        return value.strip() if self._switches.trim_strings else value

    def _take_notes(self, name: str, value: str | None, stored: Fields, creating: bool) -> str | None:
        form = self._switches.normalise_line_ends
        if value is None or form == "keep":
            return value
        return _BREAK.sub("\r\n" if form == "crlf" else "\n", value)

    def _take_list(self, name: str, value: list[str] | None, stored: Fields, creating: bool) -> list[str]:
        switches = self._switches
        limits = {"businessPhones": 2, "homePhones": switches.max_home_phones, "imAddresses": switches.max_im_addresses}
        kept = list(value or ())
        _limit(name, kept, limits.get(name))
        return kept

    def _take_categories(self, name: str, value: list[str] | None, stored: Fields, creating: bool) -> list[str]:
        return list(dict.fromkeys(value or ()))

    def _take_address(
        self, name: str, value: Mapping[str, str | None] | None, stored: Fields, creating: bool
    ) -> dict[str, str]:
        if value is None:
            if creating and self._switches.null_address_on_post_fails:
                raise GraphError(
                    500, "ErrorInternalServerError", "An internal server error occurred. The operation failed."
                )
            return {}
        merged = dict(value)
        if not self._switches.address_patch_replaces:
            merged = {**stored.get(name, {}), **value}
        return {part: text for part in ADDRESS_PARTS if (text := merged.get(part))}

    def _take_birthday(self, name: str, value: str | None, stored: Fields, creating: bool) -> str | None:
        if not value:
            return None
        try:
            day = date.fromisoformat(value) if len(value) == 10 else _utc_day(value)
        except ValueError as error:
            raise BadRequestError(
                f"Cannot convert the literal '{value}' to the expected type 'Edm.DateTimeOffset'.", "RequestBodyRead"
            ) from error
        return f"{day.isoformat()}T11:59:00Z"

    def _take_emails(
        self, name: str, value: list[Mapping[str, str | None]] | None, stored: Fields, creating: bool
    ) -> list[dict[str, str]]:
        sent = list(value or ())
        _limit("emailAddresses", sent, 3)
        before = {}
        if self._switches.email_name_sticks and not creating:
            before = {e["address"].lower(): e["name"] for e in stored.get(name, ()) if "address" in e}
        return [self._email(entry, before) for entry in sent if entry.get("address") or entry.get("name")]

    def _email(self, entry: Mapping[str, str | None], before: Mapping[str, str]) -> dict[str, str]:
        address, name = entry.get("address") or "", entry.get("name") or ""
        if not address or (self._switches.invalid_email_loses_address and not _VALID_ADDRESS.match(address)):
            return {"name": name or address}
        key = address.lower()
        directory = self._directory_name(key) if self._switches.directory_overrides_email_names else None
        return {"name": directory or before.get(key) or name or address, "address": address}

    def _take_nothing(self, name: str, value: object, stored: Fields, creating: bool) -> None:
        """Properties that are kept elsewhere or, as parentFolderId, ignored."""

    def _write_trio(self, stored: Fields, sent: Mapping[str, Any]) -> None:
        if "emailAddresses" in sent and not self._switches.email_trio_wins:
            return
        slots = [*stored.get("emailAddresses", ()), {}, {}, {}][:3]
        for slot, name in enumerate(TRIO):
            if name in sent:
                slots[slot] = self._email(sent[name] or {}, {}) if sent[name] else {}
        stored["emailAddresses"] = [slot for slot in slots if slot.get("address") or slot.get("name")]

    def _compute(self, stored: Fields, sent: Mapping[str, Any], touched: set[str], *, creating: bool) -> None:
        named = any(part in sent for part in NAME_PARTS)
        if "displayName" not in sent and (creating or (named and self._switches.regenerate_display_name)):
            _keep(stored, "displayName", self._generated_name(stored))
            touched.add("displayName")
        given, surname = stored.get("givenName", ""), stored.get("surname", "")
        if (creating or named) and "initials" not in sent and self._switches.fill_initials:
            _keep(stored, "initials", "".join(f"{part[:1]}." for part in (given, surname) if part))
        if (creating or named) and "fileAs" not in sent and self._switches.fill_file_as:
            _keep(stored, "fileAs", ", ".join(part for part in (surname, given) if part))

    def _generated_name(self, stored: Fields) -> str:
        name = " ".join(stored[part] for part in NAME_PARTS if stored.get(part))
        if name or not self._switches.display_name_falls_back:
            return name
        emails = [entry.get("address") or entry["name"] for entry in stored.get("emailAddresses", ())]
        return stored.get("companyName") or (emails[0] if emails else "")

    def render(self, item: Item, folder_name: str, *, is_default: bool) -> Fields:
        """All of a card's properties but its id, as an answer holds them; not to be changed, it is kept."""
        key = (self._switches.version, folder_name)
        if item.rendered_for != key:
            item.rendered = self._rendered(item, "" if is_default else folder_name)
            item.rendered_for = key
        return item.rendered

    def _rendered(self, item: Item, injected: str) -> Fields:
        out = {
            "@odata.etag": item.etag(),
            "createdDateTime": stamp(item.created),
            "lastModifiedDateTime": stamp(item.modified),
            "changeKey": item.change_key,
            "parentFolderId": item.folder.id,
            **UNSET,
        }
        if self._switches.empty_strings_instead_of_null:
            out.update(dict.fromkeys(OFTEN_EMPTY_STRINGS, ""))
        out.update(item.fields)
        self._add_trio(out)
        self._arrange_categories(out, injected)
        return out

    def _add_trio(self, out: Fields) -> None:
        if self._switches.national_cloud:
            for name in TRIO:
                del out[name]
            return
        for name, entry in zip(TRIO, out["emailAddresses"], strict=False):
            out[name] = entry

    def _arrange_categories(self, out: Fields, injected: str) -> None:
        categories = list(out["categories"])
        if self._switches.shuffle_categories:
            categories.reverse()
        if injected and self._switches.inject_folder_category and injected not in categories:
            categories.append(injected)
        out["categories"] = categories

    def cut_note(self, note: str) -> str:
        """The note as a listing gives it (microsoft-graph-docs#17598)."""
        switches = self._switches
        if note and switches.truncate_notes_in_lists and note[0] in "\r\n":
            return (_BREAK.sub("", note) if switches.strip_leading_breaks else note)[:_NOTE_CUT]
        return note[:_NOTE_CUT] if note and switches.truncate_all_notes_in_lists else note


_TAKERS: Final[Mapping[str, Callable[[CardRules, str, Any, Fields, bool], Any]]] = {
    "personalNotes": CardRules._take_notes,
    **dict.fromkeys(LISTS, CardRules._take_list),
    "categories": CardRules._take_categories,
    **dict.fromkeys(ADDRESSES, CardRules._take_address),
    "emailAddresses": CardRules._take_emails,
    "birthday": CardRules._take_birthday,
    **dict.fromkeys(
        (
            *TRIO,
            "parentFolderId",
            "extensions",
            "singleValueExtendedProperties",
            "multiValueExtendedProperties",
            "@odata.type",
        ),
        CardRules._take_nothing,
    ),
}


def _keep(stored: Fields, name: str, value: str) -> None:
    if value:
        stored[name] = value
    else:
        stored.pop(name, None)


def _limit(name: str, entries: list[Any], most: int | None) -> None:
    if most is not None and len(entries) > most:
        shown = name[:1].upper() + name[1:]
        raise BadRequestError(
            f"The multi value property {shown} has {len(entries)} entries, "
            f"that exceeds the max allowed value of {most}",
            "ErrorInvalidArgument",
        )


def _utc_day(text: str) -> date:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
