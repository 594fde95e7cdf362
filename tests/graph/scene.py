"""A tenant on the emulator, reached through the real adapter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.config.model import ClientSecret, Cloud, Secret
from shared.config.model import Tenant as TenantSettings
from shared.graph.auth import sign_in
from shared.graph.dispatcher import Limits
from shared.graph.services import open_tenant
from shared.ports import TenantServices, User
from shared.sync.replica import Replica
from tests.emulator import Emulator, Tenant
from tests.emulator.faults import Scene
from tests.emulator.replies import Reply

ANNA, BEN, HUB = "anna@contoso.com", "ben@contoso.com", "hub@contoso.com"


def settings(emulator: Emulator, tenant: Tenant) -> TenantSettings:
    """The tenant as an operator would configure it."""
    cloud = Cloud(
        "Emulator", emulator.graph_url, emulator.authority_url, "https://graph.microsoft.com/.default", known=False
    )
    return TenantSettings(tenant.id, tenant.client_id, HUB, ClientSecret(Secret(tenant.client_secret)), cloud)


def staffed(emulator: Emulator) -> Tenant:
    """Add a tenant with two users and a shared mailbox."""
    tenant = emulator.add_tenant(None, domain="contoso.com")
    tenant.add_user(ANNA)
    tenant.add_user(BEN)
    tenant.add_shared_mailbox(HUB)
    return tenant


@dataclass(frozen=True)
class Says:
    """A fault: a request of a batch is answered with this JSON instead."""

    body: Any
    status: int = 200

    def before(self, scene: Scene) -> Reply | None:
        """Answer at once."""
        return Reply(self.status, self.body)

    def after(self, scene: Scene, reply: Reply) -> Reply:
        """Change nothing."""
        return reply


@asynccontextmanager
async def opened(emulator: Emulator, tenant: Tenant, limits: Limits | None = None) -> AsyncIterator[TenantServices]:
    """The adapter's services for the tenant, signed in with azure-identity; waits pass on the emulator's clock."""
    known = settings(emulator, tenant)
    async with (
        await sign_in(known, None, trust=emulator.ca_file) as credential,
        open_tenant(known, credential, emulator.clock, trust=emulator.ca_file, limits=limits) as services,
    ):
        yield services


async def user(services: TenantServices, name: str) -> User:
    """The user of this name."""
    found = await services.directory.find_user(name)
    assert found is not None
    return found


async def spoke(services: TenantServices, name: str = ANNA) -> Replica:
    """The user's default contacts."""
    found = await user(services, name)
    return Replica(found.user_id, found.user_principal_name)


async def hub(services: TenantServices) -> Replica:
    """The hub, made when it is not there."""
    mailbox = await user(services, HUB)
    found = await services.contacts.find_hub(mailbox, "All Contacts")
    return (found or await services.contacts.create_hub(mailbox, "All Contacts")).replica
