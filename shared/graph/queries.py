"""The paths that are asked for, relative to the version root and URL-encoded. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from shared.graph.wire import FLAGS, MARKER, SELECTED
from shared.sync.replica import Replica

LIST_PAGE: Final = 250
IDS_PAGE: Final = 999
DELTA_PAGE: Final = 250
USERS_PAGE: Final = 999
_USER_FIELDS: Final = "id,userPrincipalName,mail,proxyAddresses,assignedLicenses"
_SAFE: Final = "$=&(),;:'/!*-._~"
_IMMUTABLE: Final = 'IdType="ImmutableId"'
ADVANCED: Final[Mapping[str, str]] = {"ConsistencyLevel": "eventual"}
DEFAULT_FOLDER: Final = "contacts"


@lru_cache(maxsize=4096)  # a mailbox is named in each of its requests
def segment(text: str) -> str:
    """A part of a path, wholly encoded: guests' names hold "#", and some hold an apostrophe."""
    return quote(text, safe="")


def literal(text: str) -> str:
    """A text inside an OData expression, quoted and encoded."""
    return "'" + quote(text.replace("'", "''"), safe="") + "'"


@lru_cache(maxsize=8)
def prefer(page_size: int | None = None) -> Mapping[str, str]:
    """The header that every request sends again: ids keep their form only by it (outlook-immutable-id.md)."""
    paged = f"{_IMMUTABLE}, odata.maxpagesize={page_size}" if page_size else _IMMUTABLE
    return MappingProxyType({"Prefer": paged})


def _expression(text: str) -> str:
    return quote(text, safe=_SAFE)


_SELECT: Final = "$select=" + ",".join(("id", *SELECTED))
_SELECT_IDS: Final = "$select=id,changeKey"
_ANY_FLAG: Final = " or ".join(f"id eq '{flag}'" for flag in FLAGS)
_EXPAND: Final = _expression(f"$expand=singleValueExtendedProperties($filter={_ANY_FLAG})")


def folder(mailbox: str, folder_id: str) -> str:
    """The contact folder."""
    return f"/users/{segment(mailbox)}/contactFolders/{segment(folder_id)}"


def cards(replica: Replica) -> str:
    """The collection of the replica's cards."""
    if replica.folder == DEFAULT_FOLDER:
        return f"/users/{segment(replica.mailbox)}/contacts"
    return f"{folder(replica.mailbox, replica.folder)}/contacts"


def delta_round(replica: Replica, folder_id: str) -> str:
    """The first page of a whole round; the documented form needs the folder's real id."""
    return f"{folder(replica.mailbox, folder_id)}/contacts/delta?{_SELECT}"


def whole_list(replica: Replica) -> str:
    """All cards with their flags."""
    return f"{cards(replica)}?{_SELECT}&{_EXPAND}"


def flag_list(replica: Replica) -> str:
    """All cards' flags."""
    return f"{cards(replica)}?{_SELECT_IDS}&{_EXPAND}"


def id_list(replica: Replica) -> str:
    """All cards' ids."""
    return f"{cards(replica)}?{_SELECT_IDS}"


def bare_card(replica: Replica, item_id: str) -> str:
    """One card, to write to."""
    return f"{cards(replica)}/{segment(item_id)}"


def one_card(replica: Replica, item_id: str) -> str:
    """One card, whole and with its flags."""
    return f"{bare_card(replica, item_id)}?{_SELECT}&{_EXPAND}"


def cards_with_marker(replica: Replica, marker: str) -> str:
    """The cards that bear this marker (singlevaluelegacyextendedproperty-get.md)."""
    value = literal(marker)
    test = _expression(f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARKER}' and ep/value eq ") + value + ")"
    return f"{cards(replica)}?$filter={test}&{_SELECT}&{_EXPAND}"


def any_marked(mailbox: str, folder_id: str) -> str:
    """A card of the folder that bears any marker of ours."""
    test = _expression(f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARKER}' and ep/value ne '')")
    return f"{folder(mailbox, folder_id)}/contacts?$filter={test}&$select=id&$top=1"


def one_folder(replica: Replica) -> str:
    """The replica's folder itself."""
    return f"{folder(replica.mailbox, replica.folder)}?$select=id"


def default_folder(mailbox: str) -> str:
    """The default contact folder: in no listing, and its name is in the user's language (docs#6273, corso#4176)."""
    return f"{folder(mailbox, DEFAULT_FOLDER)}?$select=id"


def any_parent(mailbox: str) -> str:
    """A card of the default folder, which names that folder."""
    return f"/users/{segment(mailbox)}/contacts?$top=1&$select=id,parentFolderId"


def folders(mailbox: str) -> str:
    """The collection of contact folders."""
    return f"/users/{segment(mailbox)}/contactFolders"


def any_folder(mailbox: str) -> str:
    """The id of any contact folder: the least that can be asked of a mailbox."""
    return f"{folders(mailbox)}?$top=1&$select=id"


def folders_named(mailbox: str, name: str) -> str:
    """The contact folders of this name."""
    return f"{folders(mailbox)}?$filter=displayName%20eq%20{literal(name)}&$select=id,displayName"


def licensed_users() -> str:
    """Users with a licence, by the directory's index (aad-advanced-queries.md)."""
    test = "assignedLicenses/$count%20ne%200"
    return f"/users?$filter={test}&$count=true&$select={_USER_FIELDS}&$top={USERS_PAGE}"


def all_users() -> str:
    """All users with their licences."""
    return f"/users?$select={_USER_FIELDS}&$top={USERS_PAGE}"


def one_user(name: str) -> str:
    """The user with this object id or UPN."""
    return f"/users/{segment(name)}?$select={_USER_FIELDS}"


def users_with_mail(address: str) -> str:
    """Users with this e-mail address."""
    return f"/users?$filter=mail%20eq%20{literal(address)}&$select={_USER_FIELDS}"


def users_with_alias(address: str) -> str:
    """Users with this address among all of theirs."""
    return f"/users?$filter=proxyAddresses/any(p:p%20eq%20{literal('smtp:' + address)})&$select={_USER_FIELDS}"
