"""Users and what else the directory tells, over HTTP."""

from collections.abc import Mapping
from typing import Any, Final

from tests.emulator.calls import Call
from tests.emulator.contract import selected
from tests.emulator.directory import E3_SKU, EXCHANGE_PLAN, DirectoryUser
from tests.emulator.filters import parse_filter
from tests.emulator.listing import order_by
from tests.emulator.replies import BadRequestError, GraphError, Reply
from tests.emulator.throttle import Throttle
from tests.emulator.world import World

DEFAULT_PROPERTIES: Final = (
    "businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName",
)  # fmt: skip
_UNSUPPORTED: Final = "Request_UnsupportedQuery"
_DEFAULT_PAGE: Final = 100
_MAX_PAGE: Final = 999


class Users:
    """The handlers of the directory."""

    def __init__(self, world: World, throttle: Throttle) -> None:
        self._world = world
        self._throttle = throttle

    def listing(self, call: Call) -> Reply:
        """A page of the tenant's users."""
        headers = self._throttle.identity(call)
        size = _page_size(call)
        offset = self._offset(call)
        rows = self._matching(call)
        rows = order_by(call, rows, lambda row, name: row.get(name))
        select = selected(call.route, call.query.get("$select", "")) or DEFAULT_PROPERTIES
        body: dict[str, Any] = {"@odata.context": f"{call.base}/$metadata#users"}
        if _is_counted(call) and _is_eventual(call) and not offset:
            body["@odata.count"] = len(rows)
        body["value"] = [{name: row.get(name) for name in select} for row in rows[offset : offset + size]]
        if offset + size < len(rows):
            issued = int(self._world.clock.seconds)
            advanced = int(self._is_advanced(call))
            body["@odata.nextLink"] = call.link(skiptoken=f"RFNwdAIAAQ-{offset + size}-{issued}-{advanced}")
        return Reply(200, body, headers)

    def _offset(self, call: Call) -> int:
        token = call.query.get("$skiptoken")
        if token is None:
            return 0
        parts = token.split("-")
        if len(parts) != 4 or not all(part.isdecimal() for part in parts[1:]):
            raise BadRequestError("The skip token is malformed.", "Request_BadRequest")
        offset, issued, advanced = (int(part) for part in parts[1:])
        if self._world.clock.seconds - issued > self._world.switches.expired_users_page_seconds:
            raise BadRequestError(
                "The specified page token value has expired and can not be included in your request.",
                "Directory_ExpiredPageToken",
            )
        if advanced and not _is_eventual(call):
            raise BadRequestError("Unsupported Query.", _UNSUPPORTED)
        return offset

    def _is_advanced(self, call: Call) -> bool:
        text = call.query.get("$filter", "").lower()
        return "/$count" in text or "assignedplans" in text or " ne " in text or "endswith" in text

    def _matching(self, call: Call) -> list[Mapping[str, Any]]:
        text = call.query.get("$filter")
        advanced = self._is_advanced(call)
        self._check_filter(call, text or "", advanced=advanced)
        rows = [
            self._record(user, indexed=advanced) for user in call.tenant.users.values() if self._seen(user, advanced)
        ]
        if text is None:
            return rows
        try:
            fits = parse_filter(text)
        except BadRequestError as error:
            raise BadRequestError("Invalid filter clause.", "Request_BadRequest") from error
        return [row for row in rows if fits(row)]

    def _seen(self, user: DirectoryUser, advanced: bool) -> bool:
        young = self._world.clock.seconds - user.created < self._world.switches.index_lag_seconds
        return not advanced or (user.indexed and not young)

    def _record(self, user: DirectoryUser, *, indexed: bool) -> Mapping[str, Any]:
        record = user.record()
        since = self._world.clock.seconds - user.licence_changed
        if indexed and user.licence_changed and since < self._world.switches.index_lag_seconds:
            record["assignedLicenses"] = [] if user.licensed else [{"skuId": E3_SKU, "disabledPlans": []}]
        return record

    def _check_filter(self, call: Call, text: str, *, advanced: bool) -> None:
        switches = self._world.switches
        lowered = text.lower()
        if "skuid ne" in lowered and not switches.licence_filter_sku_ne_null_supported:
            raise BadRequestError(
                "Unsupported or invalid query filter clause specified for property 'assignedLicenses' "
                "of resource 'User'.",
                _UNSUPPORTED,
            )
        if "assignedlicenses/$count" in lowered and not switches.licence_filter_count_supported:
            raise BadRequestError("The request uses a filter property that is not indexed", _UNSUPPORTED)
        needs_count = advanced and "skuid ne" not in lowered
        if (advanced and not _is_eventual(call)) or (needs_count and not _is_counted(call)):
            raise BadRequestError("Unsupported Query.", _UNSUPPORTED)

    def count(self, call: Call) -> Reply:
        """How many users there are; only with ConsistencyLevel."""
        headers = self._throttle.identity(call)
        if not _is_eventual(call):
            raise BadRequestError("$count is not currently supported.", "Request_BadRequest")
        call.query["$count"] = "true"
        return Reply(200, str(len(self._matching(call))).encode(), {"Content-Type": "text/plain", **headers})

    def get(self, call: Call) -> Reply:
        """One user."""
        headers = self._throttle.identity(call)
        select = selected(call.route, call.query.get("$select", "")) or DEFAULT_PROPERTIES
        record = call.user.record()
        context = {"@odata.context": f"{call.base}/$metadata#users/$entity"}
        return Reply(200, {**context, **{name: record.get(name) for name in select}}, headers)

    def licences(self, call: Call) -> Reply:
        """A user's licences."""
        plan = {
            "servicePlanId": EXCHANGE_PLAN,
            "servicePlanName": "EXCHANGE_S_ENTERPRISE",
            "provisioningStatus": "Success",
        }
        licence = {"id": E3_SKU, "skuId": E3_SKU, "skuPartNumber": "SPE_E3", "servicePlans": [plan]}
        return Reply(200, {"value": [licence] if call.user.licensed else []}, self._throttle.identity(call))

    def organization(self, call: Call) -> Reply:
        """The tenant."""
        domain = {"name": call.tenant.domain, "isDefault": True, "isInitial": False}
        shown = {"id": call.tenant.id, "displayName": call.tenant.domain, "verifiedDomains": [domain]}
        return Reply(200, {"value": [shown]}, self._throttle.identity(call))

    def skus(self, call: Call) -> Reply:
        """The licences that the tenant has."""
        used = sum(user.licensed for user in call.tenant.users.values())
        sku = {"id": E3_SKU, "skuId": E3_SKU, "skuPartNumber": "SPE_E3", "consumedUnits": used}
        return Reply(200, {"value": [sku]}, self._throttle.identity(call))

    def settings(self, call: Call) -> Reply:
        """A user's mailbox settings."""
        return Reply(200, {"userPurpose": call.user.purpose, "timeZone": "UTC"})

    def purpose(self, call: Call) -> Reply:
        """What a mailbox is for: user, shared, room and so on."""
        return Reply(200, {"value": call.user.purpose})


def unknown_user(name: str) -> GraphError:
    """The 404 for a user that is not there."""
    message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def _page_size(call: Call) -> int:
    text = call.query.get("$top")
    if text is None:
        return _DEFAULT_PAGE
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_PAGE:
        raise BadRequestError(
            f"Invalid page size specified: '{text}'. Must be between 1 and {_MAX_PAGE} inclusive.",
            "Request_UnsupportedQuery",
        )
    return int(text)


def _is_eventual(call: Call) -> bool:
    return call.headers.get("consistencylevel", "").lower() == "eventual"


def _is_counted(call: Call) -> bool:
    return call.query.get("$count", "").lower() == "true" or "$skiptoken" in call.query
