"""Graph's errors and what they mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from shared.graph.answers import Answer, Lost
from shared.graph.failures import Scope, Where, error_for, error_for_write, refuses_delta
from shared.graph.faults import Fault, fault_of, restarts_round

FOLDER, ITEM, NEW = Where(Scope.FOLDER), Where(Scope.ITEM), Where(Scope.NEW_ITEM)
DIRECTORY, HUB = Where(Scope.DIRECTORY), Where(Scope.FIND_HUB, is_hub=True)


def answer(status: int, code: str = "", message: str = "", *, whole_batch: bool = False) -> Answer:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Answer(status, {"request-id": "1-2-3"}, body, whole_batch)


@pytest.mark.parametrize(
    ("status", "code", "message", "where", "error", "ours"),
    [
        (404, "MailboxNotEnabledForRESTAPI", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (404, "ResourceNotFound", "Resource could not be discovered.", FOLDER, MailboxSkippedError, "NoMailbox"),
        (404, "ErrorInvalidUser", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (404, "errorinvaliduser", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (404, "Request_ResourceNotFound", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (400, "ErrorMissingEmailAddress", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (401, "UnknownError", "", FOLDER, MailboxSkippedError, "NoMailbox"),
        (401, "InvalidAuthenticationToken", "", FOLDER, MailboxError, "TokenRefused"),
        (403, "ErrorAccessDenied", "Access is denied.", FOLDER, MailboxSkippedError, "MailboxRefused"),
        (403, "ErrorAccessDenied", "[RAOP] : Blocked by tenant", FOLDER, MailboxSkippedError, "MailboxRefused"),
        (403, "Authorization_RequestDenied", "", FOLDER, PrivilegeError, "InsufficientPrivileges"),
        (403, "ErrorQuotaExceeded", "", FOLDER, MailboxError, "MailboxFull"),
        (403, "ErrorQuotaExceeded", "", NEW, MailboxError, "MailboxFull"),
        (507, "", "", ITEM, MailboxError, "MailboxFull"),
        (404, "ErrorItemNotFound", "", ITEM, ItemGoneError, "ItemGone"),
        (404, "ErrorItemNotFound", "", NEW, MailboxError, "FolderGone"),
        (404, "ErrorItemNotFound", "", FOLDER, MailboxError, "FolderGone"),
        (404, "ErrorSyncFolderNotFound", "", FOLDER, MailboxError, "FolderGone"),
        (404, "", "", ITEM, ItemError, "GraphError"),
        (412, "ErrorIrresolvableConflict", "", ITEM, ItemChangedError, "ItemChanged"),
        (412, "", "", ITEM, ItemChangedError, "ItemChanged"),
        (500, "ErrorCorruptData", "", ITEM, ItemRefusedError, "ItemCorrupt"),
        (500, "ErrorInternalServerError", "", NEW, ItemRefusedError, "ItemRefused"),
        (500, "", "", FOLDER, MailboxError, "GraphUnavailable"),
        (413, "", "", ITEM, ItemRefusedError, "ItemTooLarge"),
        (400, "ErrorMessageSizeExceeded", "", NEW, ItemRefusedError, "ItemTooLarge"),
        (400, "RequestBodyRead", "", NEW, ItemRefusedError, "ItemInvalid"),
        (400, "ErrorInvalidIdMalformed", "Id is malformed.", ITEM, ItemRefusedError, "ItemInvalid"),
        (400, "x", "IO error during request payload read", ITEM, MailboxError, "MailboxUnavailable"),
        (503, "ErrorMailboxStoreUnavailable", "", ITEM, MailboxError, "MailboxUnavailable"),
        (503, "ErrorMailboxMoveInProgress", "", FOLDER, MailboxError, "MailboxUnavailable"),
        (429, "ApplicationThrottled", "", ITEM, MailboxError, "Throttled"),
        (503, "", "", ITEM, MailboxError, "GraphUnavailable"),
        (410, "SyncStateNotFound", "", FOLDER, MailboxError, "DeltaRefused"),
        (400, "ErrorInvalidUrlQueryFilter", "", FOLDER, MailboxError, "GraphError"),
        (302, "", "", FOLDER, MailboxError, "GraphError"),
        (403, "Authorization_RequestDenied", "", DIRECTORY, PrivilegeError, "InsufficientPrivileges"),
        (503, "", "", DIRECTORY, TenantError, "TenantFailed"),
        (404, "ErrorInvalidUser", "", HUB, HubNotFoundError, "HubNotFound"),
        (404, "MailboxNotEnabledForRESTAPI", "", HUB, HubNotFoundError, "HubNotFound"),
        (404, "Request_ResourceNotFound", "", HUB, HubNotFoundError, "HubNotFound"),
        (403, "ErrorAccessDenied", "", HUB, PrivilegeError, "InsufficientPrivileges"),
    ],
)
def test_each_error_has_its_meaning(
    status: int, code: str, message: str, where: Where, error: type[MirrorError], ours: str
) -> None:
    """The table of errors, row by row: class, stable code, and a hint for the operator."""
    raised = error_for(fault_of(answer(status, code, message)), where)
    assert type(raised) is error
    assert raised.code == ours
    assert raised.hint
    assert "1-2-3" in raised.message


def test_a_refused_token_is_the_tenants_failure() -> None:
    """When Graph refuses a batch as a whole, no mailbox is to blame."""
    raised = error_for(fault_of(answer(401, "InvalidAuthenticationToken", whole_batch=True)), FOLDER)
    assert isinstance(raised, SignInError)


def test_a_hub_that_refuses_us_names_the_permission() -> None:
    """The operator reads what to grant."""
    assert "Contacts.ReadWrite" in error_for(fault_of(answer(403, "ErrorAccessDenied")), HUB).hint
    assert "User.Read.All" in error_for(fault_of(answer(403)), DIRECTORY).hint


def test_no_answer_is_the_mailboxs_failure() -> None:
    """A lost connection is never taken for an empty mailbox."""
    assert error_for(fault_of(Lost("ReadTimeout")), FOLDER).code == "GraphUnavailable"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"null",
        b"[]",
        b'{"error":null}',
        b'{"error":"no"}',
        b'{"error":{"code":5}}',
        b"\xff",
    ],
)
def test_a_body_that_is_no_error_object_is_read_all_the_same(body: bytes) -> None:
    """Gateways answer with HTML or nothing; the status still counts."""
    fault = fault_of(Answer(503, {}, body))
    assert (fault.status, fault.codes) == (503, ())


@pytest.mark.parametrize("inner", ["innerError", "innererror"])
def test_nested_codes_count(inner: str) -> None:
    """The specific code may sit deeper, under either spelling, in any case."""
    body = json.dumps({"error": {"code": "Generic", inner: {"code": "SYNCSTATENOTFOUND", "request-id": "abc"}}})
    fault = fault_of(Answer(400, {}, body.encode()))
    assert fault.has("syncstatenotfound")
    assert fault.request_id == "abc"
    assert restarts_round(fault)


def test_an_error_nested_without_end_is_cut() -> None:
    """A body cannot keep us busy."""
    body = b'{"error":' + b'{"code":"a","innerError":' * 500 + b"null" + b"}" * 500 + b"}"
    assert len(fault_of(Answer(500, {}, body)).codes) < 20


@given(st.text(max_size=80), st.text(max_size=80), st.integers(400, 599), st.sampled_from(list(Scope)), st.booleans())
def test_no_text_of_graphs_gets_into_a_message(
    code: str, message: str, status: int, scope: Scope, is_hub: bool
) -> None:
    """Messages hold our words, a code and a request id; whatever Graph wrote beside them stays out."""
    secret = f"zq{message}qz"
    raised = error_for(fault_of(answer(status, code, secret)), Where(scope, is_hub))
    assert secret not in raised.message + raised.hint
    assert "\n" not in raised.message
    assert raised.code.isalnum()


@pytest.mark.parametrize(
    ("fault", "restart"),
    [
        (Fault(410), True),
        (Fault(410, ("syncstatenotfound",)), True),
        (Fault(400, ("syncstateinvalid",)), True),
        (Fault(400, ("resyncrequired",)), True),
        (Fault(400, ("directory_expiredpagetoken",)), True),
        (Fault(400, message="parameter 'deltatoken' not supported for this request."), True),
        (Fault(400, ("badrequest",)), False),
        (Fault(404, ("erroritemnotfound",)), False),
        (Fault(503), False),
    ],
)
def test_an_expired_link_begins_the_round_anew(fault: Fault, *, restart: bool) -> None:
    """All names of an expired token mean the same."""
    assert restarts_round(fault) is restart


@pytest.mark.parametrize(
    ("fault", "listable"),
    [
        (Fault(403, ("errorquotaexceeded",)), True),
        (Fault(403, ("erroraccessdenied",)), False),
        (Fault(400, ("badrequest",)), True),
        (Fault(404, ("unknownsegment",)), True),
        (Fault(404, ("errorinvaliduser",)), False),
        (Fault(404, ("erroritemnotfound",)), False),
        (Fault(501), True),
        (Fault(503), False),
        (Fault(0), False),
    ],
)
def test_a_refused_delta_may_still_be_listed(fault: Fault, *, listable: bool) -> None:
    """A full mailbox and a cloud without delta are listed; a mailbox that is not there is not."""
    assert refuses_delta(fault) is listable


@pytest.mark.parametrize(
    ("status", "code", "whole_batch", "error", "ours"),
    [
        (429, "ApplicationThrottled", False, ItemBusyError, "Throttled"),
        (503, "", False, ItemBusyError, "GraphUnavailable"),
        (504, "UnknownError", False, ItemBusyError, "GraphUnavailable"),
        (503, "", True, MailboxError, "GraphUnavailable"),
        (429, "", True, MailboxError, "Throttled"),
        (502, "", False, MailboxError, "GraphUnavailable"),
        (503, "ErrorMailboxMoveInProgress", False, MailboxError, "MailboxUnavailable"),
        (500, "", False, ItemRefusedError, "ItemRefused"),
    ],
)
@pytest.mark.parametrize("where", [ITEM, NEW, Where(Scope.ITEM, is_hub=True)])
def test_a_write_that_was_put_off_by_itself_may_be_the_cards_matter(
    where: Where, status: int, code: str, whole_batch: bool, error: type[MirrorError], ours: str
) -> None:
    """Not so one that failed with its batch, and not where Graph names the mailbox as the cause."""
    raised = error_for_write(fault_of(answer(status, code, whole_batch=whole_batch)), where)
    assert (type(raised), raised.code) == (error, ours)
    assert raised.hint
