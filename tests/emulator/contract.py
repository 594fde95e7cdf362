"""What Graph's schema knows, checked on every request: paths, methods, query options, body properties.

`check` refuses what Graph refuses for its schema alone, before any mailbox is looked at. A test compares the table with
what the official SDK knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from tests.emulator.replies import BadRequestError, GraphError

TEXTS: Final = (
    "displayName", "fileAs", "initials", "givenName", "middleName", "surname", "nickName", "title", "generation",
    "yomiGivenName", "yomiSurname", "yomiCompanyName", "companyName", "jobTitle", "department", "officeLocation",
    "profession", "manager", "assistantName", "spouseName", "mobilePhone", "businessHomePage", "personalNotes",
)  # fmt: skip
LISTS: Final = ("businessPhones", "homePhones", "imAddresses", "children", "categories")
ADDRESSES: Final = ("businessAddress", "homeAddress", "otherAddress")
TRIO: Final = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
READ_ONLY: Final = ("id", "changeKey", "createdDateTime", "lastModifiedDateTime", "@odata.etag", "@odata.context")
NAVIGATION: Final = ("extensions", "singleValueExtendedProperties", "multiValueExtendedProperties", "photo")
ADDRESS_PARTS: Final = ("street", "city", "state", "postalCode", "countryOrRegion")

CONTACT_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(LISTS, "texts"),
    **dict.fromkeys(ADDRESSES, "address"),
    **dict.fromkeys(TRIO, "email"),
    "emailAddresses": "emails",
    "birthday": "date",
    "parentFolderId": "text",
    "singleValueExtendedProperties": "properties",
    "multiValueExtendedProperties": "objects",
    "extensions": "objects",
    **dict.fromkeys(READ_ONLY, "read only"),
}
"""Every property of a contact's body, and what kind of JSON it takes."""

CONTACT: Final = frozenset(CONTACT_KINDS) - {"@odata.etag", "@odata.context", *NAVIGATION}
FOLDER: Final = frozenset({"id", "displayName", "parentFolderId"})
FOLDER_KINDS: Final[Mapping[str, str]] = {"displayName": "text", "parentFolderId": "text", "id": "read only"}
USER: Final = frozenset((
    "aboutMe", "accountEnabled", "ageGroup", "assignedLicenses", "assignedPlans", "authorizationInfo", "birthday",
    "businessPhones", "city", "companyName", "consentProvidedForMinor", "country", "createdDateTime", "creationType",
    "customSecurityAttributes", "deletedDateTime", "department", "deviceEnrollmentLimit", "displayName",
    "employeeHireDate", "employeeId", "employeeLeaveDateTime", "employeeOrgData", "employeeType", "externalUserState",
    "externalUserStateChangeDateTime", "faxNumber", "givenName", "hireDate", "id", "identities", "identityParentId",
    "imAddresses", "interests", "isManagementRestricted", "isResourceAccount", "jobTitle", "lastPasswordChangeDateTime",
    "legalAgeGroupClassification", "licenseAssignmentStates", "mail", "mailNickname", "mailboxSettings", "mobilePhone",
    "mySite", "officeLocation", "onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesExtensionAttributes",
    "onPremisesImmutableId", "onPremisesLastSyncDateTime", "onPremisesProvisioningErrors", "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier", "onPremisesSyncEnabled", "onPremisesUserPrincipalName", "otherMails",
    "passwordPolicies", "passwordProfile", "pastProjects", "postalCode", "preferredDataLocation", "preferredLanguage",
    "preferredName", "print", "provisionedPlans", "proxyAddresses", "responsibilities", "schools", "securityIdentifier",
    "serviceProvisioningErrors", "showInAddressList", "signInActivity", "signInSessionsValidFromDateTime", "skills",
    "state", "streetAddress", "surname", "usageLocation", "userPrincipalName", "userType",
))  # fmt: skip

LIST_OPTIONS: Final = frozenset(["$count", "$expand", "$filter", "$orderby", "$search", "$select", "$skip", "$top"])
ITEM_OPTIONS: Final = frozenset({"$expand", "$select"})
TOKENS: Final = frozenset({"$skiptoken", "$deltatoken"})
NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method: the operation it stands for and what it accepts; `mailbox` routes go to Exchange."""

    operation: str
    options: frozenset[str] = NONE
    properties: frozenset[str] = NONE
    body: Mapping[str, str] = field(default_factory=dict)
    mailbox: bool = True
    write: bool = False


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    methods: dict[str, Route] = field(default_factory=dict)


_LIST_CONTACTS: Final = Route("contacts.list", LIST_OPTIONS | {"$skiptoken"}, CONTACT)
_CONTACT_ROUTES: Final = {
    "": {
        "GET": _LIST_CONTACTS,
        "POST": Route("contacts.create", body=CONTACT_KINDS, write=True),
    },
    "/$count": {"GET": Route("contacts.count", frozenset({"$filter", "$search"}))},
    "/delta": {"GET": Route("contacts.delta", LIST_OPTIONS | TOKENS, CONTACT)},
    "/{}": {
        "GET": Route("contacts.get", ITEM_OPTIONS, CONTACT),
        "PATCH": Route("contacts.update", body=CONTACT_KINDS, write=True),
        "DELETE": Route("contacts.delete", write=True),
    },
    "/{}/permanentDelete": {"POST": Route("contacts.purge", write=True)},
    "/{}/photo": {"GET": Route("photo.get", ITEM_OPTIONS)},
    "/{}/photo/$value": {
        "GET": Route("photo.download"),
        "PUT": Route("photo.upload", write=True),
        "PATCH": Route("photo.upload", write=True),
        "DELETE": Route("photo.delete", write=True),
    },
}
_FOLDER_ROUTES: Final = {
    "": {
        "GET": Route("folders.list", LIST_OPTIONS, FOLDER),
        "POST": Route("folders.create", body=FOLDER_KINDS, write=True),
    },
    "/$count": {"GET": Route("folders.count", frozenset({"$filter", "$search"}))},
    "/{}": {
        "GET": Route("folders.get", ITEM_OPTIONS, FOLDER),
        "PATCH": Route("folders.update", body=FOLDER_KINDS, write=True),
        "DELETE": Route("folders.delete", write=True),
    },
    "/{}/permanentDelete": {"POST": Route("folders.purge", write=True)},
}
_USER_LIST: Final = LIST_OPTIONS - {"$skip"} | {"$skiptoken"}
_OTHER_ROUTES: Final = {
    "$batch": {"POST": Route("batch", mailbox=False)},
    "users": {"GET": Route("users.list", _USER_LIST, USER, mailbox=False)},
    "users/$count": {"GET": Route("users.count", frozenset({"$filter", "$search"}), mailbox=False)},
    "users/{}": {"GET": Route("users.get", ITEM_OPTIONS, USER, mailbox=False)},
    "users/{}/licenseDetails": {"GET": Route("users.licences", LIST_OPTIONS, mailbox=False)},
    "users/{}/mailboxSettings": {"GET": Route("settings.get", ITEM_OPTIONS)},
    "users/{}/mailboxSettings/userPurpose": {"GET": Route("settings.purpose", ITEM_OPTIONS)},
    "users/{}/translateExchangeIds": {"POST": Route("ids.translate")},
    "organization": {"GET": Route("organization.list", LIST_OPTIONS, mailbox=False)},
    "subscribedSkus": {"GET": Route("skus.list", LIST_OPTIONS, mailbox=False)},
}


def routes() -> dict[str, dict[str, Route]]:
    """Every path template with its methods; `{}` stands for an id."""
    known = dict(_OTHER_ROUTES)
    for tail, methods in _FOLDER_ROUTES.items():
        known[f"users/{{}}/contactFolders{tail}"] = methods
        known[f"users/{{}}/contactFolders/{{}}/childFolders{tail}"] = methods
    for owner in ("users/{}", "users/{}/contactFolders/{}", "users/{}/contactFolders/{}/childFolders/{}"):
        for tail, methods in _CONTACT_ROUTES.items():
            known[f"{owner}/contacts{tail}"] = methods
    return known


def _tree() -> _Node:
    root = _Node()
    for template, methods in routes().items():
        node = root
        for part in template.split("/"):
            if part == "{}":
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(part.lower(), _Node())
        node.methods = methods
    return root


_TREE: Final = _tree()


def find_route(method: str, segments: list[str]) -> tuple[Route, list[str]]:
    """The route of a request and the ids in its path; raises what Graph answers when there is none."""
    node, ids = _TREE, []
    for segment in segments:
        following = node.literals.get(segment.lower())
        if following is None:
            following = node.parameter
            ids.append(segment)
        if following is None:
            raise BadRequestError(f"Resource not found for the segment '{segment}'.")
        node = following
    route = node.methods.get(method)
    if route is None:
        if not node.methods:
            raise BadRequestError(f"Resource not found for the segment '{segments[-1] if segments else ''}'.")
        raise GraphError(
            405, "ErrorInvalidRequest", f"Method '{method}' not allowed. The OData request is not supported."
        )
    return route, ids


def check_query(route: Route, query: Mapping[str, str]) -> None:
    """Refuse query options that the path does not take; names without $ are ignored as Graph does."""
    for name in query:
        if name.startswith("$") and name not in route.options:
            raise BadRequestError(f"The query parameter '{name}' is not supported.")
    if "$select" in query:
        selected(route, query["$select"])


def selected(route: Route, select: str) -> tuple[str, ...] | None:
    """The properties asked for, None for all of them."""
    names = _split(select)
    for name in names:
        if name not in route.properties and route.properties:
            owner = "Microsoft.OutlookServices.Contact" if route.mailbox else "microsoft.graph.user"
            raise BadRequestError(f"Could not find a property named '{name}' on type '{owner}'.")
    return names or None


@lru_cache(maxsize=256)
def _split(select: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in select.split(",") if name.strip())


def check_body(route: Route, body: object) -> dict[str, object]:
    """Refuse a body that is no object, or has a property that does not exist, is read only or of another type."""
    if not isinstance(body, dict):
        raise BadRequestError(
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is valid JSON."
        )
    for name, value in body.items():
        kind = route.body.get(name)
        if kind is None:
            if name != "@odata.type":
                raise unknown_property(name)
        elif value is not None or kind == "read only":
            _CHECKS[kind](name, value)
    return body


def unknown_property(name: str) -> GraphError:
    """The 400 for a member that the type does not have."""
    return BadRequestError(
        f"The property '{name}' does not exist on type 'Microsoft.OutlookServices.Contact'. Make sure to only use "
        "property names that are defined by the type or mark the type as open type.",
        "RequestBodyRead",
    )


def _mistyped(name: str) -> GraphError:
    return BadRequestError(
        f"Cannot convert a value of property '{name}' to the type that it has.", "UnableToDeserializePostBody"
    )


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise _mistyped(name)


def _texts(name: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _mistyped(name)


def _members(name: str, value: object, allowed: frozenset[str]) -> None:
    if not isinstance(value, dict):
        raise _mistyped(name)
    for key, entry in value.items():
        if key not in allowed:
            raise unknown_property(key)
        if entry is not None and not isinstance(entry, str):
            raise _mistyped(f"{name}/{key}")


_EMAIL: Final = frozenset({"name", "address", "@odata.type"})
_POSTAL: Final = frozenset({*ADDRESS_PARTS, "@odata.type"})
_PROPERTY: Final = frozenset({"id", "value", "@odata.type"})


def _email(name: str, value: object) -> None:
    _members(name, value, _EMAIL)


def _address(name: str, value: object) -> None:
    _members(name, value, _POSTAL)


def _each(name: str, value: object, allowed: frozenset[str]) -> None:
    if not isinstance(value, list):
        raise _mistyped(name)
    for entry in value:
        _members(name, entry, allowed)


def _emails(name: str, value: object) -> None:
    _each(name, value, _EMAIL)


def _properties(name: str, value: object) -> None:
    _each(name, value, _PROPERTY)


def _objects(name: str, value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _mistyped(name)


def _read_only(name: str, value: object) -> None:
    raise BadRequestError(
        f"Unable to read JSON request payload. The property '{name}' is read only and cannot be written."
    )


_CHECKS: Final = {
    "text": _text,
    "texts": _texts,
    "address": _address,
    "email": _email,
    "emails": _emails,
    "date": _text,
    "properties": _properties,
    "objects": _objects,
    "read only": _read_only,
}
