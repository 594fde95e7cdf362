"""How Exchange answers for a mailbox that cannot be used."""

from typing import Final

from tests.emulator.calls import Call
from tests.emulator.directory import DirectoryUser, MailboxState
from tests.emulator.replies import GraphError
from tests.emulator.switches import Switches

_ABSENT: Final = frozenset({MailboxState.NONE, MailboxState.INACTIVE, MailboxState.ON_PREMISES})
_NOT_FOUND: Final = ("MailboxNotEnabledForRESTAPI", "ResourceNotFound", "ErrorInvalidUser")
_BLOCKED: Final = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."


def check_mailbox(call: Call, user: DirectoryUser, switches: Switches) -> None:
    """Raise what Graph answers when the mailbox is not healthy."""
    user.mailbox.requests_seen += 1
    state = user.state
    if state is MailboxState.HEALTHY:
        return
    if state in _ABSENT:
        raise _absent(user, switches)
    if state is MailboxState.FLAPPING and user.mailbox.requests_seen % 2:
        raise _not_found("ErrorInvalidUser", user)
    if state is MailboxState.OVER_QUOTA and _stores_something(call):
        raise GraphError(403, "ErrorQuotaExceeded", "Mailbox has exceeded maximum mailbox size.")
    error = _OTHERS.get(state)
    if error is not None:
        raise GraphError(*error)


_OTHERS: Final = {
    MailboxState.BLOCKED: (403, "ErrorAccessDenied", _BLOCKED),
    MailboxState.MOVING: (503, "ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later."),
    MailboxState.NO_SUBSCRIPTION: (401, "UnknownError", ""),
    MailboxState.NO_ADDRESS: (400, "ErrorMissingEmailAddress", "The SMTP address is missing."),
}


def _stores_something(call: Call) -> bool:
    """Delta too: its state is kept in the mailbox (microsoft-graph-docs#5730)."""
    return call.route.operation.endswith((".delta", ".create", ".update", ".upload"))


def _absent(user: DirectoryUser, switches: Switches) -> GraphError:
    code = switches.not_found_code
    if code == "varying":
        order = (MailboxState.INACTIVE, MailboxState.ON_PREMISES, MailboxState.NONE)
        code = _NOT_FOUND[(order.index(user.state) + user.mailbox.requests_seen - 1) % len(_NOT_FOUND)]
    return _not_found(code, user)


def _not_found(code: str, user: DirectoryUser) -> GraphError:
    messages = {
        "ResourceNotFound": "Resource could not be discovered.",
        "ErrorInvalidUser": f"The requested user '{user.user_principal_name}' is invalid.",
    }
    usual = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return GraphError(404, code, messages.get(code, usual))
