"""Which proxy leads to Graph, by the customary variables. Pure: the environment is handed in."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.errors import TenantError

_PORTS: Final = {"https": 443, "http": 80}


def proxy_for(environ: Mapping[str, str], url: str) -> str:
    """The URL of the proxy for `url`, "" for none: HTTPS_PROXY or ALL_PROXY, unless NO_PROXY names the host.

    Names in small letters go first, as curl and azure-identity have it. Raises `TenantError` for a proxy that
    is not one of HTTP; the sentence does not hold its URL, which may have a password in it.
    """
    target = urlsplit(url)
    chosen = _variable(environ, f"{target.scheme}_proxy") or _variable(environ, "all_proxy")
    if not chosen or _is_exempt(target, _variable(environ, "no_proxy")):
        return ""
    proxy = chosen if "://" in chosen else f"http://{chosen}"
    if not _is_usable(proxy):
        problem = f"The proxy in the environment variable {target.scheme.upper()}_PROXY or ALL_PROXY cannot be used."
        raise TenantError(problem, hint="Give it as http://host:port.")
    return proxy


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip() or environ.get(name.upper(), "").strip()


def _is_exempt(target: SplitResult, exempt: str) -> bool:
    """Whether a name in the list is the host's or that of a domain above it, with or without the port."""
    host = target.hostname or ""
    names = {name.strip().lower().removeprefix(".") for name in exempt.split(",")} - {""}
    places = (host, f"{host}:{target.port or _PORTS.get(target.scheme, 0)}")
    return "*" in names or any(place == name or place.endswith(f".{name}") for place in places for name in names)


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
