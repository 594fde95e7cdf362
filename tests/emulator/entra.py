"""Entra: the token endpoint, the tokens, and the managed identity's endpoint."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from tests.emulator.assertions import is_signed
from tests.emulator.clock import stamp
from tests.emulator.directory import Tenant
from tests.emulator.replies import GraphError, Reply
from tests.emulator.world import World

GRAPH_AUDIENCES: Final = (
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
)
VAULT_AUDIENCE: Final = "https://vault.azure.net"
TOKEN_SECONDS: Final = 3599
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
IDENTITY_HEADER: Final = "emulated-identity"


@dataclass(frozen=True, slots=True)
class Token:
    """What was issued: for whom, for what, and when it ends (seconds since 1970)."""

    tenant_id: str
    client_id: str
    audience: str
    roles: frozenset[str]
    expires: float


class AadstsError(Exception):
    """A refusal of the token endpoint; `number` is the AADSTS code."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.number, self.message = status, error, number, message


class Entra:
    """Issues tokens and knows the ones it issued."""

    def __init__(self, world: World, tenants: Mapping[str, Tenant]) -> None:
        self._world = world
        self._tenants = tenants
        self._issued: dict[str, Token] = {}
        self._refused: set[str] = set()

    def reset(self) -> None:
        """Forget all tokens."""
        self._issued.clear()
        self._refused.clear()

    def discovery(self, tenant: str) -> Reply:
        """The OpenID document that a synchronous credential reads first."""
        root = f"{self._world.address}/{tenant}"
        return Reply(
            200,
            {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "issuer": f"{root}/v2.0",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
            },
        )

    def token(self, tenant: str, form: bytes) -> Reply:
        """Answer a client-credentials request."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        try:
            token = self._grant(tenant, fields)
        except AadstsError as refusal:
            return self._refusal(refusal)
        body = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS}
        return Reply(200, {**body, "access_token": token})

    def _grant(self, tenant_name: str, fields: Mapping[str, str]) -> str:
        tenant = self._tenant(tenant_name)
        if fields.get("grant_type") != "client_credentials":
            raise AadstsError(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        audience, _, rest = fields.get("scope", "").rpartition("/.default")
        if rest or not audience:
            raise AadstsError(400, "invalid_scope", 1002012, "The provided value for scope is not valid.")
        if fields.get("client_id") != tenant.client_id:
            message = f"Application with identifier '{fields.get('client_id')}' was not found in the directory."
            raise AadstsError(400, "unauthorized_client", 700016, message)
        _check_secret(tenant, fields)
        return self.issue(tenant.id, tenant.client_id, audience, tenant.roles)

    def _tenant(self, name: str) -> Tenant:
        for tenant in self._tenants.values():
            if name.lower() in {tenant.id.lower(), tenant.domain.lower()}:
                return tenant
        if "." not in name and not _is_guid(name):
            message = f"Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain."
            raise AadstsError(400, "invalid_request", 900023, message)
        message = f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID."
        raise AadstsError(400, "invalid_tenant", 90002, message)

    def issue(self, tenant_id: str, client_id: str, audience: str, roles: tuple[str, ...]) -> str:
        """A new token, shaped as a JWT; nothing reads its signature."""
        now = self._world.clock.seconds
        expires = now + TOKEN_SECONDS
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(expires),
            "appid": client_id,
            "tid": tenant_id,
            "uti": uuid.uuid4().hex,
            **({"roles": list(roles)} if roles else {}),
        }
        token = ".".join((_part({"typ": "JWT", "alg": "RS256", "kid": "emulator"}), _part(claims), "c2lnbmF0dXJl"))
        self._issued[token] = Token(tenant_id, client_id, audience, frozenset(roles), expires)
        return token

    def _refusal(self, refusal: AadstsError) -> Reply:
        trace, correlation, when = str(uuid.uuid4()), str(uuid.uuid4()), stamp(self._world.clock.now())
        text = (
            f"AADSTS{refusal.number}: {refusal.message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\n"
            f"Timestamp: {when}"
        )
        body = {
            "error": refusal.error,
            "error_description": text,
            "error_codes": [refusal.number],
            "timestamp": when,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refusal.number}",
        }
        return Reply(refusal.status, body)

    def refuse(self, authorization: str) -> None:
        """Let a token count as expired from now on."""
        self._refused.add(authorization.partition(" ")[2])

    def expire_all(self) -> None:
        """Let all tokens issued so far count as expired."""
        self._refused.update(self._issued)

    def graph_token(self, authorization: str) -> Token:
        """What a Graph request's Authorization header says.

        Raises:
            GraphError: 401 when it is missing, forged, expired or meant for somebody else.
        """
        token = self._known(authorization)
        if token.audience not in GRAPH_AUDIENCES and not token.audience.startswith("https://localhost"):
            raise _unauthorized("Access token validation failure. Invalid audience.")
        return token

    def vault_token(self, authorization: str) -> Token | None:
        """What a vault request's Authorization header says; None when it does not suffice."""
        try:
            token = self._known(authorization)
        except GraphError:
            return None
        return token if token.audience == VAULT_AUDIENCE else None

    def _known(self, authorization: str) -> Token:
        text = authorization.partition(" ")[2]
        if not text:
            raise _unauthorized("Access token is empty.")
        token = self._issued.get(text)
        if token is None:
            raise _unauthorized("CompactToken parsing failed with error code: 80049217")
        if text in self._refused or token.expires <= self._world.clock.seconds:
            raise _unauthorized("Lifetime validation failed, the token is expired.")
        return token

    def managed_identity(self, query: Mapping[str, str], header: str) -> Reply:
        """A token for the Function app's own identity, as the App Service endpoint gives it."""
        if header != IDENTITY_HEADER:
            return Reply(400, {"statusCode": 400, "message": "Identity header is missing or wrong"})
        resource = query.get("resource", "").removesuffix("/.default")
        tenant_id = next(iter(self._tenants), str(uuid.UUID(int=0)))
        token = self.issue(tenant_id, "managed-identity", resource, ())
        expires = int(self._issued[token].expires)
        return Reply(
            200, {"access_token": token, "expires_on": str(expires), "resource": resource, "token_type": "Bearer"}
        )


def _unauthorized(message: str) -> GraphError:
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def _check_secret(tenant: Tenant, fields: Mapping[str, str]) -> None:
    if "client_assertion" in fields:
        is_good = fields.get("client_assertion_type") == _ASSERTION_TYPE and is_signed(
            fields["client_assertion"], tenant.certificates
        )
        if not is_good:
            raise AadstsError(401, "invalid_client", 700027, "Client assertion failed signature validation.")
        return
    if not fields.get("client_secret"):
        message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise AadstsError(401, "invalid_client", 7000216, message)
    if fields["client_secret"] != tenant.client_secret:
        message = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{tenant.client_id}'."
        )
        raise AadstsError(401, "invalid_client", 7000215, message)
    if tenant.secret_expired:
        message = f"The provided client secret keys for app '{tenant.client_id}' are expired."
        raise AadstsError(401, "invalid_client", 7000222, message)


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")
