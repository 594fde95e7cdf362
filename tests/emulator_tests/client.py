"""A plain client of the emulator: tokens by hand, requests as they are typed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from tests.emulator import Emulator, Mailbox, Tenant
from tests.emulator.certificates import certificates

IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
EVENTUAL = {"ConsistencyLevel": "eventual"}
SCOPE = "https://graph.microsoft.com/.default"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.raw)

    @property
    def code(self) -> str:
        """Graph's error code."""
        return str(self.json["error"]["code"])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a page."""
        return list(self.json["value"])


class Client:
    """One application of one tenant."""

    def __init__(self, emulator: Emulator, tenant: Tenant, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.tenant = tenant
        self._session = session
        self.token = ""

    async def sign_in(self, **changes: str) -> Answer:
        """Ask for a token, with some form fields otherwise."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.tenant.client_id,
            "client_secret": self.tenant.client_secret,
            "scope": SCOPE,
            **changes,
        }
        tenant = form.pop("tenant", self.tenant.id)
        url = f"{self.emulator.authority_url}/{tenant}/oauth2/v2.0/token"
        answer = await self.send("POST", url, data={name: value for name, value in form.items() if value})
        if answer.status == 200:
            self.token = answer.json["access_token"]
        return answer

    async def send(self, method: str, url: str, **details: Any) -> Answer:
        """Any request; a URL that begins with / is Graph's."""
        whole = url if url.startswith("https:") else self.emulator.graph_url + url
        headers = dict(details.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        async with self._session.request(method, URL(whole, encoded=True), headers=headers, **details) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def get(self, url: str, **headers: str) -> Answer:
        """Read; blanks in the URL are encoded."""
        return await self.send("GET", url.replace(" ", "%20"), headers=headers)

    async def post(self, url: str, body: object, **headers: str) -> Answer:
        """Create."""
        return await self.send("POST", url, json=body, headers=headers)

    async def patch(self, url: str, body: object, **headers: str) -> Answer:
        """Change."""
        return await self.send("PATCH", url, json=body, headers=headers)

    async def batch(self, *requests: dict[str, Any]) -> Answer:
        """Send a batch; ids are the positions, from 0."""
        numbered = [{"id": str(number), **request} for number, request in enumerate(requests)]
        return await self.post("/$batch", {"requests": numbered})

    async def pages(self, url: str, **headers: str) -> list[Answer]:
        """All pages of a list or of a delta round."""
        pages = [await self.get(url, **headers)]
        while "@odata.nextLink" in pages[-1].json:
            pages.append(await self.get(pages[-1].json["@odata.nextLink"], **headers))
        return pages


@dataclass(frozen=True)
class Scene:
    """A tenant with Anna, Ben and a shared mailbox, and a client that has signed in."""

    emulator: Emulator
    tenant: Tenant
    client: Client

    @property
    def anna(self) -> Mailbox:
        """Anna's mailbox."""
        return self.tenant.mailbox("anna@contoso.com")

    @property
    def hub(self) -> Mailbox:
        """The shared mailbox."""
        return self.tenant.mailbox("hub@contoso.com")


@asynccontextmanager
async def playing(emulator: Emulator, **tenant_details: Any) -> AsyncIterator[Scene]:
    """Set the scene on an emulator that serves."""
    tenant = emulator.add_tenant(domain="contoso.com", **tenant_details)
    tenant.add_user("anna@contoso.com")
    tenant.add_user("ben@contoso.com")
    tenant.add_shared_mailbox("hub@contoso.com")
    connector = aiohttp.TCPConnector(ssl=certificates().client_context())
    async with aiohttp.ClientSession(connector=connector) as session:
        client = Client(emulator, tenant, session)
        await client.sign_in()
        yield Scene(emulator, tenant, client)


def write(method: str, url: str, body: object, **headers: str) -> dict[str, Any]:
    """A request of a batch that has a body."""
    return {"method": method, "url": url, "body": body, "headers": {"Content-Type": "application/json", **headers}}


ANNA = "/users/anna@contoso.com"
HUB = "/users/hub@contoso.com"
