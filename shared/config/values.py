"""What a setting's raw value means: small parsers from anything JSON or an environment variable can hold.

Each takes the raw value and returns the typed one, or raises `BadValueError`, whose text completes the sentence
"<name of the setting> ...". No text ever repeats a long value: it might be a secret in the wrong place.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from shared.config.model import Secret

E = TypeVar("E", bound=StrEnum)

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@/\\?<>\"]+@[^\s@/\\?<>\"]+")
_SECRET_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_TABLE_HOST = re.compile(r"[a-z0-9]{3,24}\.table\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)")
_VAULT_HOST = re.compile(r"[a-z0-9-]{3,24}\.vault\.(azure\.net|usgovcloudapi\.net|azure\.cn)")

_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})
_LONGEST_SHOWN = 20  # the values of Entra's secrets have 34 characters and more


class BadValueError(ValueError):
    """The value cannot be this setting's."""


def is_unset(value: object) -> bool:
    """Whether the value means that nothing was configured: null, blank text, an empty list or object."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value in ([], {})


def shown(value: object) -> str:
    """The value as a message may show it: in full only when it is too short to be a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str):
        short = len(value) <= _LONGEST_SHOWN and value.isprintable()
        return f'"{value}"' if short else f"a text of {len(value)} characters"
    return str(value) if isinstance(value, float) or abs(_int(value)) < 10**15 else "a huge number"


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def text(value: object) -> str:
    """Any text, without blanks at its ends."""
    if not isinstance(value, str):
        raise BadValueError(f"must be text in quotation marks, not {shown(value)}")
    return value.strip()


def secret(value: object) -> Secret:
    """A text that no message will ever show."""
    if not isinstance(value, str):
        raise BadValueError("must be text in quotation marks")
    return Secret(value.strip())


def boolean(value: object) -> bool:
    """True or false, as JSON has them or as words in any case."""
    word = value.strip().casefold() if isinstance(value, str) else value
    if isinstance(word, str | int | float) and (word in _TRUE or word == 1):
        return True
    if isinstance(word, str | int | float) and (word in _FALSE or word == 0):
        return False
    raise BadValueError(f"must be true or false (or yes, no, 1, 0), not {shown(value)}")


def number(value: object) -> int | float:
    """A number, or a text that is one."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise BadValueError(f"must be a number, not {shown(value)}")


def whole(low: int, high: int) -> Callable[[object], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(value: object) -> int:
        found = number(value)
        if not low <= found <= high or found != int(found):
            raise BadValueError(f"must be a whole number from {low} to {high}, not {shown(value)}")
        return int(found)

    return parse


def minutes(value: object) -> float:
    """A positive number of minutes, at most a day."""
    found = number(value)
    if not 0 < found <= 1440:
        raise BadValueError(f"must be a number of minutes above 0 and up to 1440, not {shown(value)}")
    return float(found)


def choice(kind: type[E]) -> Callable[[object], E]:
    """A parser of an enum's values, in any case."""

    def parse(value: object) -> E:
        word = value.strip().casefold() if isinstance(value, str) else ""
        for member in kind:
            if member.value.casefold() == word:
                return member
        known = ", ".join(member.value for member in kind)
        raise BadValueError(f"must be one of {known}, not {shown(value)}")

    return parse


def domain(value: object) -> str:
    """A domain name with at least one dot."""
    found = text(value)
    if len(found) > 253 or not _DOMAIN.fullmatch(found):
        raise BadValueError("must be a domain such as contoso.onmicrosoft.com")
    return found


def tenant(value: object) -> str:
    """A tenant's GUID or one of its domains."""
    found = text(value)
    if not GUID.fullmatch(found) and (len(found) > 253 or not _DOMAIN.fullmatch(found)):
        raise BadValueError("must be the tenant's GUID or one of its domains, such as contoso.onmicrosoft.com")
    return found


def mailbox(value: object) -> str:
    """A mailbox by user principal name, e-mail address or object id."""
    found = text(value)
    if not GUID.fullmatch(found) and (not found.isprintable() or not _ADDRESS.fullmatch(found)):
        raise BadValueError("must be a user principal name, an e-mail address or an object id (GUID)")
    return found


def several(value: object, *, parse: Callable[[object], str]) -> tuple[str, ...]:
    """A list, or one text with commas or semicolons between; blanks and repetitions (any case) are left out."""
    parts: list[object] = list(re.split("[,;]", value)) if isinstance(value, str) else []
    if isinstance(value, list):
        parts = value
    elif not isinstance(value, str):
        raise BadValueError(f"must be a list, or text with commas between, not {shown(value)}")
    found: dict[str, str] = {}
    for position, part in enumerate(parts, start=1):
        if not is_unset(part):
            item = _entry(part, position, parse)
            found.setdefault(item.casefold(), item)
    return tuple(found.values())


def _entry(part: object, position: int, parse: Callable[[object], str]) -> str:
    try:
        return parse(part)
    except BadValueError as error:
        raise BadValueError(f"has a wrong entry (number {position}): it {error}") from None


def mailboxes(value: object) -> tuple[str, ...]:
    """Several mailboxes."""
    return several(value, parse=mailbox)


def words(value: object) -> tuple[str, ...]:
    """Several texts."""
    return several(value, parse=text)


def secret_name(value: object) -> str:
    """A name that a Key Vault secret or certificate can have."""
    found = text(value)
    if not _SECRET_NAME.fullmatch(found):
        raise BadValueError("must be a name of 1 to 127 letters, digits and hyphens, as Key Vault demands")
    return found


def _https(value: object, example: str) -> SplitResult:
    """The parts of an https address without user, query and fragment."""
    wrong = BadValueError(f"must be an address such as {example}")
    try:
        parts = urlsplit(text(value))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "https":
        raise BadValueError(f"must begin with https://, as in {example}")
    if not _HOST.fullmatch(host) or port == 0 or parts.username is not None:
        raise wrong
    if parts.query or parts.fragment or not re.fullmatch(r"[A-Za-z0-9_./~-]*", parts.path):
        raise wrong
    return parts


def _joined(parts: SplitResult) -> str:
    return f"https://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def graph_url(value: object) -> str:
    """Another Graph endpoint, its version included."""
    example = "https://localhost:8443/v1.0"
    parts = _https(value, example)
    if not parts.path.rstrip("/").endswith("/v1.0"):
        raise BadValueError(f"must end with the version, as in {example}")
    return _joined(parts)


def authority_url(value: object) -> str:
    """Another sign-in endpoint."""
    return _joined(_https(value, "https://localhost:8443"))


def vault_url(value: object) -> str:
    """A vault's address, by https, without a secret's path."""
    parts = _https(value, "https://contoso-mirror.vault.azure.net")
    if parts.path.strip("/"):
        raise BadValueError("must be the vault's address alone, without the path of a secret")
    return _joined(parts)


def is_azure_vault(url: str) -> bool:
    """Whether the vault is one of Azure's clouds rather than a stand-in."""
    return _VAULT_HOST.fullmatch(urlsplit(url).hostname or "") is not None


def state_url(value: object) -> str:
    """Where the state lives: a file, memory, or tables of a storage account."""
    found = text(value)
    if found.casefold() in {"memory:", "azurewebjobsstorage"}:
        return "memory:" if found.casefold() == "memory:" else "AzureWebJobsStorage"
    if re.fullmatch(r"sqlite:///.*[^/].*", found) and found.isprintable() and not re.search(r"[?#]", found):
        return found
    wrong = BadValueError(
        "must be sqlite:///relative.db, sqlite:////absolute/path.db, memory:, AzureWebJobsStorage or "
        "https://<account>.table.core.windows.net, without a key or a signature"
    )
    try:
        parts = _https(found, "https://account.table.core.windows.net")
    except BadValueError:
        raise wrong from None
    if parts.path.strip("/") or not _TABLE_HOST.fullmatch(parts.hostname or ""):
        raise wrong
    return _joined(parts)
