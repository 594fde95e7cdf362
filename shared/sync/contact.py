"""A contact as a value, and the one table of what is compared and why.

Field names are Graph's own property names. An absent field has no entry: Exchange gives back null,
"", a missing key, {} or [] for one and the same cleared field, so all of them are *absent*.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from types import MappingProxyType
from typing import Final

ADDRESS_PARTS: Final = ("street", "city", "state", "postalCode", "countryOrRegion")


@dataclass(frozen=True, slots=True, eq=False)
class Email:
    """An e-mail address; two are equal if their addresses are, in any case.

    The name is carried but not compared: the tenant's directory overrides it
    (microsoft-graph-docs#19265).
    """

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """The address as it is compared."""
        return self.address.lower()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Email) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """A postal address in Graph's five parts, in the order of `ADDRESS_PARTS`; an empty part is ""."""

    parts: tuple[str, str, str, str, str]


FieldValue = str | tuple[str, ...] | tuple[Email, ...] | PostalAddress | frozenset[str]


def _text(raw: object) -> str | None:
    if not isinstance(raw, str):
        return None
    if "\r" in raw:
        raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    return raw.strip() or None


def _texts(raw: object) -> tuple[str, ...] | None:
    if not isinstance(raw, list | tuple):
        return None
    return tuple([text for text in map(_text, raw) if text]) or None


def _emails(raw: object) -> tuple[Email, ...] | None:
    if not isinstance(raw, list | tuple):
        return None
    return tuple([email for email in map(_email, raw) if email]) or None


def _email(raw: object) -> Email | None:
    if not isinstance(raw, Mapping):
        return None
    address = _text(raw.get("address"))
    return Email(address, _text(raw.get("name")) or "") if address else None


def _address(raw: object) -> PostalAddress | None:
    if not isinstance(raw, Mapping):
        return None
    street, city, state, code, country = (_text(raw.get(part)) or "" for part in ADDRESS_PARTS)
    parts = (street, city, state, code, country)
    return PostalAddress(parts) if any(parts) else None


def _date(raw: object) -> str | None:
    try:
        return date.fromisoformat((_text(raw) or "")[:10]).isoformat()
    except ValueError:
        return None


def _categories(raw: object) -> frozenset[str] | None:
    texts = _texts(raw)
    return frozenset(texts) if texts else None


def _text_json(value: FieldValue | None) -> object:
    return value


def _list_json(value: FieldValue | None) -> object:
    return list(value) if isinstance(value, tuple) else []


def _emails_json(value: FieldValue | None) -> object:
    emails = value if isinstance(value, tuple) else ()
    return [{"address": e.address, "name": e.name or e.address} for e in emails if isinstance(e, Email)]


def _address_json(value: FieldValue | None) -> object:
    parts = value.parts if isinstance(value, PostalAddress) else ("",) * len(ADDRESS_PARTS)
    return dict(zip(ADDRESS_PARTS, (part or None for part in parts), strict=True))


def _date_json(value: FieldValue | None) -> object:
    return f"{value}T11:59:00Z" if value else None


def _set_json(value: FieldValue | None) -> object:
    return sorted(value) if isinstance(value, frozenset) else []


@dataclass(frozen=True, slots=True)
class Kind:
    """How a sort of field is made comparable, and how it is written."""

    normalise: Callable[[object], FieldValue | None]
    to_json: Callable[[FieldValue | None], object]
    reason: str


TEXT: Final = Kind(_text, _text_json, "trimmed, line ends unified: clients differ in both")
LIST: Final = Kind(_texts, _list_json, "trimmed entries in their order, empty ones dropped")
EMAILS: Final = Kind(
    _emails, _emails_json, "by lower-cased address in order; the name is the directory's, not ours (#19265)"
)
ADDRESS: Final = Kind(_address, _address_json, "all five parts together: PATCH may replace or merge them")
DATE: Final = Kind(_date, _date_json, "the date alone: Exchange sets the time to 11:59 (MS-ASCNTC Birthday)")
SET: Final = Kind(
    _categories, _set_json, "a set without the hub folder's name: order is not kept, the name is injected"
)

FIELDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "displayName",
                "givenName",
                "middleName",
                "surname",
                "nickName",
                "title",
                "generation",
                "yomiGivenName",
                "yomiSurname",
                "yomiCompanyName",
                "companyName",
                "jobTitle",
                "department",
                "officeLocation",
                "profession",
                "manager",
                "assistantName",
                "spouseName",
                "mobilePhone",
                "businessHomePage",
            ),
            TEXT,
        ),
        "children": LIST,
        "businessPhones": LIST,
        "homePhones": LIST,
        "imAddresses": LIST,
        "emailAddresses": EMAILS,
        "businessAddress": ADDRESS,
        "homeAddress": ADDRESS,
        "otherAddress": ADDRESS,
        "birthday": DATE,
        "categories": SET,
    }
)
"""Every field that is mirrored, and how."""

_NORMALISERS: Final = {name: kind.normalise for name, kind in FIELDS.items()}
_WRITERS: Final = {name: kind.to_json for name, kind in FIELDS.items()}

NOT_COMPARED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "personalNotes": "private: the text never leaves its mailbox; only the stamp in it is ours",
        "fileAs": "computed by Exchange, and a matter of personal taste",
        "initials": "computed by Exchange",
        "id": "the item's, not the contact's",
        "changeKey": "the item's: Exchange moves it without anybody's edit",
        "parentFolderId": "the item's",
        "createdDateTime": "the item's",
        "lastModifiedDateTime": "the item's: says when, not what",
        "primaryEmailAddress": "mirrors emailAddresses; absent from national clouds",
        "secondaryEmailAddress": "mirrors emailAddresses; absent from national clouds",
        "tertiaryEmailAddress": "mirrors emailAddresses; absent from national clouds",
    }
)
"""Every other property of Graph's contact, and why it is left out."""


NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Contact:
    """A person's record, normalised: equal contacts mean the same to a person."""

    fields: Mapping[str, FieldValue]

    def get(self, field: str) -> FieldValue | None:
        """The field's value, None when absent."""
        return self.fields.get(field)

    def text(self, field: str) -> str:
        """The field's text, "" when absent."""
        value = self.fields.get(field)
        return value if isinstance(value, str) else ""

    def differing(self, other: "Contact") -> frozenset[str]:
        """The fields in which the two differ."""
        if self.fields is other.fields or self.fields == other.fields:
            return NOTHING  # nearly always, and told at once
        names = self.fields.keys() | other.fields.keys()
        return frozenset(name for name in names if self.fields.get(name) != other.fields.get(name))

    def bent_by(self, residue: Mapping[str, FieldValue | None]) -> "Contact":
        """The contact as a server gives it back that has these values instead, None for absent."""
        if not residue:
            return self
        fields = {**self.fields, **residue}
        return Contact({name: value for name, value in fields.items() if value is not None})

    @property
    def primary_email(self) -> str:
        """The first e-mail address in lower case, "" without one."""
        emails = self.fields.get("emailAddresses")
        first = emails[0] if isinstance(emails, tuple) else None
        return first.key if isinstance(first, Email) else ""

    @property
    def categories(self) -> frozenset[str]:
        """The categories, maybe none."""
        value = self.fields.get("categories")
        return value if isinstance(value, frozenset) else frozenset()


EMPTY: Final = Contact(MappingProxyType({}))


def normalise(raw: Mapping[str, object], *, without_categories: Iterable[str] = ()) -> Contact:
    """The contact in Graph's JSON `raw`; a member of a wrong type counts as absent.

    `without_categories` are the names that Graph may inject into a folder's items (corso#2784), compared in any case.
    """
    fields: dict[str, FieldValue] = {}
    for name, value in raw.items():
        # Most fields of most cards are empty, in one of the ways that mean absent.
        if not value or (normalised := _NORMALISERS.get(name)) is None:
            continue
        normal = normalised(value)
        if normal is not None:
            fields[name] = normal
    return Contact(_drop_categories(fields, without_categories) if "categories" in fields else fields)


def _drop_categories(fields: dict[str, FieldValue], names: Iterable[str]) -> dict[str, FieldValue]:
    categories = fields.get("categories")
    injected = {name.casefold() for name in names}
    if isinstance(categories, frozenset) and injected:
        kept = frozenset(name for name in categories if name.casefold() not in injected)
        fields.pop("categories")
        if kept:
            fields["categories"] = kept
    return fields


def field_json(field: str, value: FieldValue | None) -> object:
    """What to write so that Graph stores `value` in `field`; None clears it (null for a text, [] for a list)."""
    return _WRITERS[field](value)


def fingerprint(contact: Contact) -> str:
    """Sixteen digits that are equal for contacts that are equal, and say nothing of them."""
    spelt = "\n".join(f"{name}={_spelt(value)}" for name, value in sorted(contact.fields.items()))
    return sha256(spelt.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _spelt(value: FieldValue) -> str:
    if isinstance(value, frozenset):
        return repr(sorted(value))
    return repr([one.key if isinstance(one, Email) else one for one in value] if isinstance(value, tuple) else value)


def with_display_name(contact: Contact) -> Contact:
    """The contact with a display name, made of its names, company or address, when it has none.

    Exchange would make one of its own, and not the same in every mailbox. Its form for names is title, given, middle,
    surname and generation (as seen by alcionai/corso).
    """
    if contact.get("displayName"):
        return contact
    parts = (contact.text(name) for name in ("title", "givenName", "middleName", "surname", "generation"))
    name = " ".join(part for part in parts if part) or contact.text("companyName") or contact.primary_email
    return Contact({**contact.fields, "displayName": name}) if name else contact
