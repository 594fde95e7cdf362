"""Putting one tenant's adapters together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.config.model import Tenant
from shared.graph.auth import TenantCredential
from shared.graph.calls import Calls
from shared.graph.contacts import GraphContactStore
from shared.graph.directory import GraphDirectory
from shared.graph.dispatcher import Dispatcher, Limits
from shared.graph.timed import Timed
from shared.graph.transport import open_transport
from shared.ports import Clock, TenantServices, Traffic


@asynccontextmanager
async def open_tenant(
    tenant: Tenant,
    credential: TenantCredential,
    clock: Clock,
    *,
    trust: str | None = None,
    proxy: str = "",
    limits: Limits | None = None,
) -> AsyncIterator[TenantServices]:
    """All that one tenant's run talks to, closed at the end; the credential stays open, it is the caller's.

    `trust` is the path of a file of CA certificates, None for the usual ones; `proxy` the URL of an HTTP proxy, "" for
    none; `limits` what may be out at a time, None for the usual, shared with nobody.
    """
    traffic = Traffic()
    async with (
        open_transport(tenant.cloud, credential, clock, trust=trust, proxy=proxy) as transport,
        Dispatcher(Timed(transport, clock, traffic), clock, traffic, limits) as dispatcher,
    ):
        calls = Calls(dispatcher, transport.base_url)
        yield TenantServices(credential, GraphDirectory(calls), GraphContactStore(calls, clock), clock, traffic)
