"""One request to Graph, of its own or within a batch, ready to be answered."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, unquote_plus

from tests.emulator.contract import Route

if TYPE_CHECKING:
    from tests.emulator.directory import DirectoryUser, Tenant

_PAGE_SIZE: Final = re.compile(r"(?:odata\.)?maxpagesize\s*=\s*(\d+)", re.IGNORECASE)
_IMMUTABLE: Final = re.compile(r"""IdType\s*=\s*"?ImmutableId"?""", re.IGNORECASE)
_PARENTHESES: Final = re.compile(r"([A-Za-z$.]+)\('(.*)'\)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the Prefer header asks for."""

    immutable_ids: bool = False
    page_size: int | None = None

    def applied(self) -> dict[str, str]:
        """The header that says which of them was obeyed."""
        return {"Preference-Applied": 'IdType="ImmutableId"'} if self.immutable_ids else {}


@lru_cache(maxsize=256)
def preferences(header: str) -> Preferences:
    """Read a Prefer header."""
    size = _PAGE_SIZE.search(header)
    return Preferences(_IMMUTABLE.search(header) is not None, int(size[1]) if size else None)


@dataclass(slots=True)
class Call:
    """A request after its path was understood; header names are in lower case, `arrived` is by `time.monotonic`."""

    method: str
    url: str
    segments: list[str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any = None
    batched: bool = False
    base: str = ""
    size: int = 0
    arrived: float = field(default_factory=time.monotonic)
    route: Route = field(default_factory=lambda: Route(""))
    ids: list[str] = field(default_factory=list)
    client_id: str = ""
    roles: frozenset[str] = frozenset()
    _tenant: "Tenant | None" = None
    _user: "DirectoryUser | None" = None

    @property
    def tenant(self) -> "Tenant":
        """The tenant whose token came along."""
        assert self._tenant is not None
        return self._tenant

    @property
    def user(self) -> "DirectoryUser":
        """The user that the path names."""
        assert self._user is not None
        return self._user

    def of(self, tenant: "Tenant", client_id: str, roles: frozenset[str]) -> None:
        """Note whose token came along."""
        self._tenant, self.client_id, self.roles = tenant, client_id, roles

    def about(self, user: "DirectoryUser | None") -> None:
        """Note whom the path names, if it names somebody there is."""
        self._user = user

    @property
    def mailbox(self) -> str:
        """The user principal name of the mailbox, "" without one."""
        return self._user.user_principal_name if self._user else ""

    @property
    def prefer(self) -> Preferences:
        """What the Prefer header asks for."""
        return preferences(self.headers.get("prefer", ""))

    @property
    def path(self) -> str:
        """The path from the version on, with its ids as they are meant."""
        return "/" + "/".join(self.segments)

    def link(self, **options: str) -> str:
        """This request's absolute URL, with some query options set otherwise."""
        query = {**self.query, **{f"${name}": value for name, value in options.items()}}
        path = "/".join(quote(segment, safe="$@'()") for segment in self.segments)
        return f"{self.base}/{path}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def split_path(raw: str) -> list[str]:
    """The segments of an encoded path; `users('x')` counts as two, `delta()` as delta."""
    segments: list[str] = []
    for part in raw.strip("/").split("/") if raw.strip("/") else []:
        text = unquote(part) if "%" in part else part
        if text.endswith("()"):
            text = text[:-2].removeprefix("microsoft.graph.")
        match = _PARENTHESES.match(text) if text.endswith("')") else None
        if match:
            segments += [match[1], match[2].replace("''", "'")]
        else:
            segments.append(text)
    return segments


def split_query(raw: str) -> dict[str, str]:
    """The query options of an encoded query."""
    if not raw:
        return {}
    pairs = (part.partition("=") for part in raw.split("&") if part)
    return {unquote(name): unquote_plus(value) for name, _, value in pairs}
