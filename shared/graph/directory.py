"""A tenant's users: the port's promises kept over Graph."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.graph import queries, wire
from shared.graph.calls import Calls, Listing, each, wanted
from shared.graph.failures import Scope, Where
from shared.graph.faults import Fault
from shared.graph.pages import Row
from shared.ports import User

_DIRECTORY: Final = Where(Scope.DIRECTORY)
_LANE: Final = "directory"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_PAGE_ANSWER_BYTES: Final = 700_000


class GraphDirectory:
    """Implements `shared.ports.Directory`."""

    def __init__(self, calls: Calls) -> None:
        """All requests go through `calls`."""
        self._calls = calls

    async def licensed_users(self) -> Sequence[User]:
        """Everybody with a licence, each once, by user id; guests and disabled accounts too.

        The index behind the filter is eventually consistent and may miss somebody (msgraph-sdk-powershell#2112).
        Raises `PrivilegeError` and other `TenantError`s.
        """
        rows = await self._rows(queries.licensed_users(), queries.ADVANCED)
        if isinstance(rows, Fault) and rows.status in (400, 501):
            rows = await self._rows(queries.all_users(), _NO_HEADERS)
            return _users(row for row in wanted(rows, _DIRECTORY).values() if row.get("assignedLicenses"))
        # A filter may also be ignored in silence; what has no licence is not believed to have one.
        return _users(row for row in wanted(rows, _DIRECTORY).values() if row.get("assignedLicenses") != [])

    async def still_licensed(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Those of these users who have a licence, each read by id, which is not the index's eventual truth."""
        rows = await each(user_ids, self._one)
        return _users(row for row in rows if row.get("assignedLicenses"))

    async def _one(self, user_id: str) -> Row:
        """The user's row, an empty one if there is no such user any more."""
        row = await self._calls.try_get(_lane(user_id), queries.one_user(user_id), _NO_HEADERS, _DIRECTORY)
        if isinstance(row, Fault):
            return {} if row.status in (400, 404) else wanted(row, _DIRECTORY)
        return row

    async def find_user(self, name: str) -> User | None:
        """The user with this UPN (any case), object id or e-mail address; None when there is none."""
        name = name.strip()
        if not name or name in (".", "..") or not name.isprintable():
            return None
        row = await self._calls.try_get(_lane(name), queries.one_user(name), _NO_HEADERS, _DIRECTORY)
        if not isinstance(row, Fault):
            return _user(row)
        if row.status not in (400, 404):
            wanted(row, _DIRECTORY)
        return await self._find_by_mail(name) if "@" in name else None

    async def _find_by_mail(self, address: str) -> User | None:
        """The user with this address, main or alias; of several the one with the smallest id."""
        for path in (queries.users_with_mail(address), queries.users_with_alias(address)):
            rows = await self._calls.try_list(Listing(_lane(address), path), _DIRECTORY)
            if isinstance(rows, Fault) and rows.status == 400:
                continue
            if users := _users(wanted(rows, _DIRECTORY).values()):
                return users[0]
        return None

    async def _rows(self, first: str, headers: Mapping[str, str]) -> Mapping[str, Row] | Fault:
        listing = Listing(_LANE, first, headers, answer_bytes=_PAGE_ANSWER_BYTES)
        return await self._calls.try_list(listing, _DIRECTORY)


def _lane(name: str) -> str:
    return f"{_LANE}/{name.casefold()}"


def _users(rows: Iterable[Row]) -> list[User]:
    users = [_user(row) for row in rows]
    return sorted((user for user in users if user.user_id), key=lambda user: user.user_id)


def _user(row: Row) -> User:
    user_id = wire.row_id(row)
    return User(
        user_id=user_id,
        user_principal_name=_text(row.get("userPrincipalName")) or user_id,
        mail=_text(row.get("mail")),
        aliases=_aliases(row.get("proxyAddresses")),
    )


def _text(raw: object) -> str:
    return raw.strip() if isinstance(raw, str) else ""


def _aliases(raw: object) -> tuple[str, ...]:
    """The SMTP addresses among the proxy addresses."""
    texts = [text for text in raw if isinstance(text, str)] if isinstance(raw, list) else []
    return tuple(text[5:].strip() for text in texts if text.lower().startswith("smtp:"))
