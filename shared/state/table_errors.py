"""What a failure of the Azure table means, as a sentence that names the storage account, and what to do.

The codes are those of learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes and
learn.microsoft.com/rest/api/storageservices/table-service-error-codes. A foreign error's text is not passed on.
"""

import re
from dataclasses import dataclass
from typing import Final

from azure.core.exceptions import (
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import StateError

_CODE: Final = re.compile(r"\w{1,60}")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What is wrong, as the end of a sentence that begins with the storage account, and what to do."""

    end: str
    hint: str


_UNREACHABLE: Final = _Trouble(
    "cannot be reached",
    "Check AUTOMATION_SYNCCONTACTS_STATE_URL, name resolution, and the account's firewall: az storage account show "
    "--name {account} --query '[primaryEndpoints.table, publicNetworkAccess]'.",
)
_NO_ROLE: Final = _Trouble(
    "may not be used by this identity",
    "Allow it (and wait some minutes): az role assignment create --role 'Storage Table Data Contributor' --assignee "
    "<object id of the identity> --scope $(az storage account show --name {account} --query id --output tsv).",
)
_NO_IDENTITY: Final = _Trouble(
    "cannot be used: there is no identity to use it with",
    "On Azure: az functionapp identity assign --name <app> --resource-group <group>. Elsewhere: az login, or set "
    "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
)
_REFUSED: Final = _Trouble(
    "does not accept this key or identity",
    "Check the key in the connection string, the identity's tenant, and this machine's clock.",
)
_NO_KEYS: Final = _Trouble(
    "does not accept keys",
    "Set AUTOMATION_SYNCCONTACTS_STATE_URL to https://{account}.table.core.windows.net, which uses the app's identity.",
)
_NETWORK: Final = _Trouble(
    "cannot be used from here: the account's firewall keeps this machine out",
    "Let its network in: az storage account network-rule add --account-name {account} --ip-address <address>, "
    "or give the app a private endpoint.",
)
_NO_TABLE: Final = _Trouble(
    "has lost its table, or the account has none",
    "The next run makes it anew. If this stays, use a storage account of kind StorageV2.",
)
_BUSY: Final = _Trouble("is busy or down", "Nothing to do: the next run tries again.")
_NO_TABLES: Final = _Trouble("does not answer as a table", "Check AUTOMATION_SYNCCONTACTS_STATE_URL.")

_BY_CODE: Final = {
    "AuthorizationPermissionMismatch": _NO_ROLE,
    "AuthorizationFailure": _NETWORK,
    "PublicAccessNotPermitted": _NETWORK,
    "KeyBasedAuthenticationNotPermitted": _NO_KEYS,
    "AuthenticationFailed": _REFUSED,
    "InvalidAuthenticationInfo": _REFUSED,
    "TableNotFound": _NO_TABLE,
    "TableBeingDeleted": _NO_TABLE,
    "ResourceNotFound": _NO_TABLE,
}


def state_error(error: Exception, account: str) -> StateError:
    """The error for the operator."""
    trouble = _meaning(error)
    return StateError(
        f"The state in the storage account {account} {trouble.end}.", hint=trouble.hint.format(account=account)
    )


def error_code(error: Exception) -> str:
    """The service's code of an error, "" without one."""
    code = getattr(error, "error_code", None)
    found = _CODE.fullmatch(str(getattr(code, "value", code) or ""))
    return found[0] if found else ""


def _meaning(error: Exception) -> _Trouble:
    if isinstance(error, ServiceRequestError | ServiceResponseError | TimeoutError):
        return _UNREACHABLE
    if known := _BY_CODE.get(error_code(error)):
        return known
    if isinstance(error, ClientAuthenticationError):
        return _REFUSED if error.status_code else _NO_IDENTITY
    return _by_status(getattr(error, "status_code", None) or 0, error_code(error))


def _by_status(status: int, code: str) -> _Trouble:
    if status < 400:
        return _NO_TABLES
    if status in {401, 403}:
        return _REFUSED
    if status in {408, 429} or status >= 500:
        return _BUSY
    return _Trouble(f"refuses a request (status {status}, code {code or 'none'})", "Check the account, and try again.")
