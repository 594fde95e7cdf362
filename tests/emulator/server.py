"""The emulator as a server: a Microsoft 365 on https://localhost."""

import asyncio
import json
import time
import uuid
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from tests.emulator.calls import Call
from tests.emulator.certificates import certificates
from tests.emulator.clock import EmulatorClock, http_date
from tests.emulator.directory import DEFAULT_ROLES, Tenant
from tests.emulator.entra import IDENTITY_HEADER, Entra
from tests.emulator.graph import Graph, make_call
from tests.emulator.replies import JSON_TYPE, BadRequestError, DropConnectionError, Reply
from tests.emulator.switches import Switches
from tests.emulator.vault import Vault
from tests.emulator.world import World

_VERSION: Final = "/v1.0"
_SETTING: Final = "AUTOMATION_SYNCCONTACTS_"


class Emulator:
    """A local Microsoft 365: sign-in, Key Vault and Graph v1.0 on one port, `port` or any that is free.

    As an async context manager it serves in the running loop. People's doings (tenants, users, mailboxes, faults,
    switches, clock, vault) may come from any thread at any time.
    """

    def __init__(self, *, switches: Switches | None = None, port: int = 0, clock: EmulatorClock | None = None) -> None:
        self.world = World(clock or EmulatorClock(), switches or Switches())
        self.tenants: dict[str, Tenant] = {}
        self.entra = Entra(self.world, self.tenants)
        self.vault = Vault(self.world)
        self._graph = Graph(self.world, self.tenants, self.entra)
        self._port = port
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> "Emulator":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to serve."""
        runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        context = certificates().server_context()
        await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=context, backlog=512).start()
        self._runner = runner
        self._port = runner.addresses[0][1]
        self.world.address = f"https://localhost:{self._port}"

    async def stop(self) -> None:
        """Serve no more."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    @property
    def graph_url(self) -> str:
        """Root of Graph, with its version."""
        return self.world.address + _VERSION

    @property
    def authority_url(self) -> str:
        """Root of the sign-in."""
        return self.world.address

    @property
    def vault_url(self) -> str:
        """The vault."""
        return self.world.address

    @property
    def ca_file(self) -> str:
        """Path of the PEM file with the authority that signed the server's certificate."""
        return certificates().ca_file

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's time."""
        return self.world.clock

    @property
    def switches(self) -> Switches:
        """How Microsoft 365 behaves; change it at any time."""
        return self.world.switches

    @property
    def log(self) -> Any:
        """All requests."""
        return self._graph.log

    @property
    def http_requests(self) -> int:
        """How many HTTP requests to Graph are in the log."""
        return self._graph.log.http_requests

    @property
    def faults(self) -> Any:
        """The faults that wait."""
        return self._graph.faults

    def most_at_once(self, user_id: str) -> int:
        """The most requests to a mailbox (by object id) that ran at the same time."""
        return self._graph.throttle.most_at_once(user_id)

    def forget_delta_tokens(self) -> None:
        """Drop all delta tokens of all mailboxes."""
        with self.world.lock:
            self._graph.delta.forget()

    def add_tenant(
        self,
        tenant_id: str | None = None,
        *,
        domain: str = "contoso.com",
        client_id: str = "",
        client_secret: str = "",
        roles: tuple[str, ...] = DEFAULT_ROLES,
    ) -> Tenant:
        """Add a tenant with an application that has these roles; ids and secret are made up if they are not given."""
        with self.world.lock:
            tenant = Tenant(self.world, tenant_id or str(uuid.uuid4()), domain, self.vault)
            tenant.client_id = client_id or tenant.client_id
            tenant.client_secret = client_secret or tenant.client_secret
            tenant.roles = tuple(roles)
            self.tenants[tenant.id] = tenant
            self.vault.tenant_id = self.vault.tenant_id or tenant.id
        return tenant

    def environment(self) -> dict[str, str]:
        """All the variables that a process of the mirror needs to work with this emulator."""
        tenants = [
            {
                "TenantId": tenant.id,
                "ClientId": tenant.client_id,
                "ClientSecret": tenant.client_secret,
                "GlobalAddressBookUserId": tenant.hub,
            }
            for tenant in self.tenants.values()
        ]
        return {
            f"{_SETTING}GRAPH_URL": self.graph_url,
            f"{_SETTING}AUTHORITY_URL": self.authority_url,
            f"{_SETTING}MICROSOFT_TENANTS_JSON": json.dumps(tenants),
            f"{_SETTING}STATE_URL": "memory:",
            "SSL_CERT_FILE": self.ca_file,
        }

    def identity_environment(self) -> dict[str, str]:
        """The variables that give a process a managed identity, as App Service sets them."""
        return {"IDENTITY_ENDPOINT": f"{self.world.address}/msi/token", "IDENTITY_HEADER": IDENTITY_HEADER}

    def reset(self) -> None:
        """Empty everything: tenants, tokens, vault, faults, log, limits; switches and clock as at the beginning."""
        with self.world.lock:
            self.tenants.clear()
            self.entra.reset()
            self.vault.reset()
            self._graph.reset()
            self.world.reset()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            reply = await self._answer(request)
        except DropConnectionError:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        return self._response(request, reply)

    async def _answer(self, request: web.BaseRequest) -> Reply:
        arrived = time.monotonic()
        raw = await request.read()
        target, headers = _target(request), _headers(request)
        if target.startswith(f"{_VERSION}/"):
            call = make_call(request.method, target.removeprefix(_VERSION), headers, None, self.graph_url)
            call.arrived = arrived
            return await self._graph_reply(call, raw)
        with self.world.lock:
            call = make_call(request.method, target, headers, None, self.world.address)
            return self._graph.intercept(call, lambda: self._other(call, raw))

    def _other(self, call: Call, body: bytes) -> Reply:
        segments = call.segments or [""]
        if segments[0] == "secrets" and call.method == "GET":
            return self.vault.read(segments, call.query, call.headers.get("authorization", ""), self.entra)
        if segments[0] == "msi":
            return self.entra.managed_identity(call.query, call.headers.get("x-identity-header", ""))
        if segments[1:] == ["oauth2", "v2.0", "token"] and call.method == "POST":
            return self.entra.token(segments[0], body)
        if segments[1:] == ["v2.0", ".well-known", "openid-configuration"]:
            return self.entra.discovery(segments[0])
        return Reply(404, {"error": {"code": "ResourceNotFound", "message": "Invalid version or path."}})

    async def _graph_reply(self, call: Call, raw: bytes) -> Reply:
        call.size = len(raw)
        try:
            call.body = _decoded(raw, call.headers.get("content-type", ""))
        except BadRequestError as error:
            return self._graph.errors.reply(error)
        return await self._graph.answer(call)

    def _response(self, request: web.BaseRequest, reply: Reply) -> web.Response:
        headers = {
            "request-id": str(uuid.uuid4()),
            "client-request-id": request.headers.get("client-request-id", ""),
            "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Emulator","Ring":"1"}}',
            "Date": http_date(self.world.clock.now()),
            **reply.headers,
        }
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        if isinstance(reply.body, bytes):
            return web.Response(status=reply.status, headers=headers, body=reply.body)
        headers.setdefault("Content-Type", JSON_TYPE)
        return web.Response(status=reply.status, headers=headers, body=msgspec.json.encode(reply.body))


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """The headers by lower-cased name; a preference may come in several."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    prefer = request.headers.getall("Prefer", [])
    if len(prefer) > 1:
        headers["prefer"] = ", ".join(prefer)
    return headers


def _target(request: web.BaseRequest) -> str:
    """Path and query as they were sent, still encoded."""
    target = request.raw_path
    if "://" in target[:8]:
        parts = urlsplit(target)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
    return target


def _decoded(raw: bytes, content_type: str) -> Any:
    if not raw:
        return None
    if not content_type.startswith("application/json"):
        return raw
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise BadRequestError("Unable to read JSON request payload. Please ensure that it is of valid JSON.") from error
