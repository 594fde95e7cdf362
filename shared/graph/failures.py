"""Graph's errors mapped to ours: one row each, with its stable code and hint.

What leaves here holds Graph's code and request id, and never a body, a name or an address.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from shared.errors import (
    HubNotFoundError,
    ItemBusyError,
    ItemChangedError,
    ItemError,
    ItemGoneError,
    ItemRefusedError,
    MailboxError,
    MailboxSkippedError,
    MirrorError,
    PrivilegeError,
    SignInError,
    TenantError,
)
from shared.graph.faults import NO_ANSWER, Fault


class Scope(Enum):
    """What a request was about; the same answer means another thing in each."""

    DIRECTORY = "directory"
    FIND_HUB = "find hub"
    FOLDER = "folder"
    ITEM = "item"
    NEW_ITEM = "new item"


@dataclass(frozen=True, slots=True)
class Where:
    """What a request was about, and whether in the hub."""

    scope: Scope
    is_hub: bool = False


_CHECK_USER: Final = "Check in the Exchange admin center that the user has a cloud mailbox and a plan with Exchange."
_CHECK_HUB: Final = "Check that the shared mailbox exists in Exchange Online and is spelt as there (UPN, object id)."
_GRANT: Final = (
    "Grant the application permission Contacts.ReadWrite with admin consent, or put the mailbox into the scope of "
    "its Exchange role (RBAC for Applications) or access policy; a change takes up to two hours."
)
_GRANT_DIRECTORY: Final = "Grant the application permission User.Read.All with admin consent."
_NEXT_RUN: Final = "Nothing to do: the next run tries again."
_FREE_SPACE: Final = "Free space in the mailbox or raise its quota."
_MEND_CARD: Final = "Open the card in Outlook, mend or retype it and save it: it is tried again when it changes."


@dataclass(frozen=True, slots=True)
class _Row:
    """One error: it fits by status (none: any), code or phrase (none: any)."""

    error: type[MirrorError]
    code: str
    message: str
    hint: str
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()
    whole_batch: bool | None = None

    def fits(self, fault: Fault, where: Where) -> bool:
        """Whether this row is about the fault."""
        if self.statuses and fault.status not in self.statuses:
            return False
        if self.scopes and where.scope not in self.scopes:
            return False
        if self.whole_batch is not None and self.whole_batch != fault.whole_batch:
            return False
        if not self.codes and not self.phrases:
            return True
        return fault.has(*self.codes) or fault.says(*self.phrases)


_ITEM: Final = (Scope.ITEM, Scope.NEW_ITEM)

ROWS: Final[tuple[_Row, ...]] = (
    _Row(
        SignInError,
        "TokenRefused",
        "Graph refused the application's token.",
        "Check tenant id, client id and cloud of this tenant, and the clock of this machine.",
        statuses=(401,),
        whole_batch=True,
    ),
    _Row(
        MailboxError,
        "TokenRefused",
        "Graph refused the application's token for this mailbox.",
        _NEXT_RUN,
        statuses=(401,),
        codes=("invalidauthenticationtoken",),
    ),
    _Row(
        MailboxSkippedError,
        "NoMailbox",
        "The user has no Exchange Online mailbox.",
        _CHECK_USER,
        statuses=(401,),
    ),
    _Row(
        PrivilegeError,
        "InsufficientPrivileges",
        "The application may not read the tenant's users.",
        _GRANT_DIRECTORY,
        statuses=(403,),
        scopes=(Scope.DIRECTORY,),
    ),
    _Row(
        PrivilegeError,
        "InsufficientPrivileges",
        "The application lacks a permission of Microsoft Graph.",
        _GRANT,
        codes=("authorization_requestdenied",),
    ),
    _Row(
        MailboxError,
        "MailboxFull",
        "The mailbox is full.",
        _FREE_SPACE,
        codes=("errorquotaexceeded", "quotalimitreached"),
    ),
    _Row(MailboxError, "MailboxFull", "The mailbox is full.", _FREE_SPACE, statuses=(507,)),
    _Row(
        MailboxSkippedError,
        "MailboxRefused",
        "Exchange does not let the application into this mailbox.",
        _GRANT,
        statuses=(403,),
    ),
    _Row(
        MailboxSkippedError,
        "NoMailbox",
        "The mailbox is missing, inactive, soft-deleted or on-premises.",
        _CHECK_USER,
        statuses=(404,),
        codes=("mailboxnotenabledforrestapi", "resourcenotfound", "errorinvaliduser", "mailboxnotsupportedforrestapi"),
    ),
    _Row(
        MailboxSkippedError,
        "NoMailbox",
        "The user was not found, or has no e-mail address.",
        _CHECK_USER,
        codes=("request_resourcenotfound", "errormissingemailaddress", "errornonexistentmailbox", "extensionerror"),
    ),
    _Row(
        ItemGoneError,
        "ItemGone",
        "The card is not there any more.",
        _NEXT_RUN,
        statuses=(404,),
        codes=("erroritemnotfound", "itemnotfound"),
        scopes=(Scope.ITEM,),
    ),
    _Row(
        MailboxError,
        "FolderGone",
        "The contact folder was not found.",
        _NEXT_RUN,
        codes=("erroritemnotfound", "errorsyncfoldernotfound", "errorfoldernotfound", "itemnotfound"),
        statuses=(404,),
    ),
    _Row(
        ItemChangedError,
        "ItemChanged",
        "The card was saved by somebody else in between.",
        _NEXT_RUN,
        codes=("errorirresolvableconflict", "resourcemodified"),
        scopes=_ITEM,
    ),
    _Row(
        ItemChangedError,
        "ItemChanged",
        "The card was saved by somebody else in between.",
        _NEXT_RUN,
        statuses=(412,),
        scopes=_ITEM,
    ),
    _Row(
        ItemRefusedError,
        "ItemCorrupt",
        "Exchange calls the card's data corrupt.",
        _MEND_CARD,
        codes=("errorcorruptdata",),
        scopes=_ITEM,
    ),
    _Row(
        ItemRefusedError,
        "ItemTooLarge",
        "The card is too large for Exchange.",
        _MEND_CARD,
        codes=("errormessagesizeexceeded",),
        scopes=_ITEM,
    ),
    _Row(
        ItemRefusedError,
        "ItemTooLarge",
        "The card is too large for Exchange.",
        _MEND_CARD,
        statuses=(413,),
        scopes=_ITEM,
    ),
    _Row(
        MailboxError,
        "MailboxUnavailable",
        "The mailbox is being moved or its store is offline.",
        _NEXT_RUN,
        codes=(
            "errormailboxstoreunavailable",
            "errormailboxmoveinprogress",
            "mailboxinfostale",
            "errortoomanyobjectsopened",
            "servicenotavailable",
        ),
    ),
    _Row(
        MailboxError,
        "MailboxUnavailable",
        "Graph could not read the request, time and again.",
        _NEXT_RUN,
        statuses=(400,),
        phrases=("io error during request payload read",),
    ),
    _Row(
        ItemRefusedError,
        "ItemInvalid",
        "Exchange does not accept the card's content.",
        _MEND_CARD,
        statuses=(400, 422),
        scopes=_ITEM,
    ),
    _Row(
        ItemRefusedError,
        "ItemRefused",
        "Exchange failed on this card time and again.",
        _MEND_CARD,
        statuses=(500,),
        scopes=_ITEM,
        whole_batch=False,
    ),
    _Row(
        MailboxError,
        "Throttled",
        "Graph asked us to wait for longer than this run can.",
        _NEXT_RUN,
        statuses=(424, 429, 509),
    ),
    _Row(
        MailboxError,
        "DeltaRefused",
        "Graph lost track of the folder's changes time and again.",
        _NEXT_RUN,
        codes=("syncstatenotfound", "syncstateinvalid", "resyncrequired"),
    ),
    _Row(
        MailboxError,
        "GraphUnavailable",
        "Graph did not answer, or could not.",
        _NEXT_RUN,
        statuses=(NO_ANSWER, 408, 500, 502, 503, 504),
    ),
)
"""First fit wins. A row's code is what `docs/operations.md` explains."""


_PUTS_OFF: Final = (429, 503, 504)
_MAY_BE_THE_CARDS: Final = ("Throttled", "GraphUnavailable")


def error_for(fault: Fault, where: Where) -> MirrorError:
    """The error that the fault means there; never fails, an unknown fault is the mailbox's (or the item's) failure."""
    row = next((row for row in ROWS if row.fits(fault, where)), None)
    kind, code, message, hint = (
        (row.error, row.code, row.message, row.hint)
        if row
        else (_unknown(where), "GraphError", "Graph gave an error that is not known here.", _NEXT_RUN)
    )
    text = f"{message} ({fault.trace()})"
    if where.scope is Scope.DIRECTORY:
        return kind(text, hint=hint, code=code) if issubclass(kind, TenantError) else TenantError(text, hint=_NEXT_RUN)
    if where.is_hub or where.scope is Scope.FIND_HUB:
        return _hub_error(kind, code, text, hint)
    return kind(text, hint=hint, code=code)


def error_for_write(fault: Fault, where: Where) -> MirrorError:
    """As `error_for`, for a write of one card: `ItemBusyError` if it was put off by itself, not with its batch."""
    error = error_for(fault, where)
    if fault.whole_batch or fault.status not in _PUTS_OFF or error.code not in _MAY_BE_THE_CARDS:
        return error
    return ItemBusyError(error.message, hint=error.hint, code=error.code)


def _unknown(where: Where) -> type[MirrorError]:
    return ItemError if where.scope in _ITEM else MailboxError


def _hub_error(kind: type[MirrorError], code: str, text: str, hint: str) -> MirrorError:
    """A hub that refuses us or is not there is the tenant's failure."""
    if kind is MailboxSkippedError and code == "MailboxRefused":
        return PrivilegeError(f"The shared mailbox: {text}", hint=_GRANT)
    if kind is MailboxSkippedError:
        return HubNotFoundError(f"The shared mailbox: {text}", hint=_CHECK_HUB)
    return kind(text, hint=hint, code=code)


def bad_answer(where: Where, what: str) -> MirrorError:
    """The error for a success that cannot be understood; `what` is a fixed phrase."""
    kind: type[MirrorError] = TenantError if where.scope is Scope.DIRECTORY else _unknown(where)
    return kind(f"Graph's answer could not be understood: {what}.", hint=_NEXT_RUN, code="BadAnswer")


def refuses_delta(fault: Fault) -> bool:
    """Whether the folder may still be listed although its delta is refused.

    A full mailbox has no room for the sync state (microsoft-graph-docs#5730), and China has no delta for contacts.
    """
    if fault.status == 403:
        return fault.has("errorquotaexceeded")
    if fault.status == 404:
        row = next((row for row in ROWS if row.fits(fault, Where(Scope.FOLDER))), None)
        return row is None
    return fault.status in (400, 405, 500, 501)
