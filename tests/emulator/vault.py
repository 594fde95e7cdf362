"""Key Vault: secrets behind a challenge, and certificates, which are read as secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulator.entra import VAULT_AUDIENCE, Entra
from tests.emulator.ids import object_id
from tests.emulator.replies import Reply
from tests.emulator.world import World, locked


@dataclass(slots=True)
class _Secret:
    value: str
    enabled: bool
    content_type: str
    version: str
    expires: int | None = None


class Vault:
    """One vault; `tenant_id` is the tenant its challenge names, the first tenant added if it is empty."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant_id = ""
        self._secrets: dict[str, _Secret] = {}
        self._forbidden: set[str] = set()

    @locked
    def set(self, name: str, value: str, *, enabled: bool = True, content_type: str = "text/plain") -> None:
        """Keep a secret; a certificate is a secret whose value is PEM or base64 of a PFX (application/x-pkcs12)."""
        self._secrets[name.lower()] = _Secret(value, enabled, content_type, object_id(name, value).replace("-", ""))

    @locked
    def expire(self, name: str, at: int) -> None:
        """Give a secret a last second, in Unix time; the vault hands it out all the same."""
        self._secrets[name.lower()].expires = at

    @locked
    def forbid(self, name: str) -> None:
        """Let the reader have no right to this secret."""
        self._forbidden.add(name.lower())

    @locked
    def disable(self, name: str) -> None:
        """Disable a secret."""
        self._secrets[name.lower()].enabled = False

    @locked
    def remove(self, name: str) -> None:
        """Delete a secret."""
        self._secrets.pop(name.lower(), None)

    @locked
    def reset(self) -> None:
        """Empty the vault."""
        self.tenant_id = ""
        self._secrets.clear()
        self._forbidden.clear()

    def read(self, segments: list[str], query: Mapping[str, str], authorization: str, entra: Entra) -> Reply:
        """Answer GET /secrets/{name}/{version}, or the list of secrets."""
        if "api-version" not in query:
            return Reply(400, _error("BadParameter", "AKV10046: The api-version query parameter is missing."))
        if entra.vault_token(authorization) is None:
            authority = f"{self.world.address}/{self.tenant_id}"
            challenge = f'Bearer authorization="{authority}", resource="{VAULT_AUDIENCE}"'
            return Reply(
                401,
                _error("Unauthorized", "AKV10000: Request is missing a Bearer or PoP token."),
                {"WWW-Authenticate": challenge},
            )
        if len(segments) < 2 or not segments[1]:
            return Reply(200, {"value": [self._properties(name) for name in self._secrets], "nextLink": None})
        return self._secret(segments[1].lower(), segments[2] if len(segments) > 2 else "")

    def _secret(self, name: str, version: str) -> Reply:
        if name in self._forbidden:
            return Reply(
                403, _error("Forbidden", "Caller is not authorized to perform action on resource.", "ForbiddenByRbac")
            )
        secret = self._secrets.get(name)
        if secret is None or version not in {"", secret.version}:
            message = f"A secret with (name/id) {name} was not found in this key vault."
            return Reply(404, _error("SecretNotFound", message))
        if not secret.enabled:
            message = "Operation get is not allowed on a disabled secret."
            return Reply(403, _error("Forbidden", message, "SecretDisabled"))
        return Reply(200, {"value": secret.value, **self._properties(name)})

    def _properties(self, name: str) -> dict[str, Any]:
        secret = self._secrets[name]
        return {
            "id": f"{self.world.address}/secrets/{name}/{secret.version}",
            "contentType": secret.content_type,
            "attributes": {
                "enabled": secret.enabled,
                "created": 1_700_000_000,
                "updated": 1_700_000_000,
                **({"exp": secret.expires} if secret.expires else {}),
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
            "tags": {},
        }


def _error(code: str, message: str, inner: str = "") -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return {"error": error}
