"""The same job written the obvious way with the Graph SDK: its models in, its models out, a few requests at a time."""

import asyncio
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.models.contact import Contact
from msgraph.generated.models.contact_folder import ContactFolder
from msgraph.generated.users.item.contacts.contacts_request_builder import ContactsRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]

from tests.bench.server import HUB_FOLDER

_PREFIX: Final = "AUTOMATION_SYNCCONTACTS_"
_PAGE: Final = 999
_AT_A_TIME: Final = 4
_SYNC_ID: Final = re.compile(r"SyncId=([0-9a-f-]{36})")
_COPIED: Final = (
    "display_name", "given_name", "middle_name", "surname", "nick_name", "title", "generation", "company_name",
    "job_title", "department", "office_location", "profession", "manager", "assistant_name", "spouse_name", "children",
    "business_phones", "home_phones", "mobile_phone", "email_addresses", "im_addresses", "business_address",
    "home_address", "other_address", "business_home_page", "birthday",
)  # fmt: skip


class Job:
    """One run for one tenant."""

    def __init__(self, client: GraphServiceClient, tenant: dict[str, str]) -> None:
        self.client, self.tenant = client, tenant
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Users to the shared mailbox, then the shared mailbox to users."""
        users = await self._users()
        hub = await self._hub()
        for name, owner in users:
            mine = self.client.users.by_user_id(name).contacts
            cards = await self._cards(mine)
            await _each(cards, partial(self._stamp, mine, owner))
            await self._copy(cards, hub, owner)
        book = await self._cards(hub)
        boxes = [self.client.users.by_user_id(name).contacts for name, _ in users]
        await _each(boxes, lambda mine: self._copy(book, mine, self.tenant["ClientId"]))

    async def _users(self) -> list[tuple[str, str]]:
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            filter="assignedLicenses/$count ne 0", count=True, select=["id", "userPrincipalName"], top=_PAGE
        )
        request = RequestConfiguration(query_parameters=query)
        request.headers.add("ConsistencyLevel", "eventual")
        builder = self.client.users
        page = await builder.get(request_configuration=request)
        rows = list((page and page.value) or ())
        while page and page.odata_next_link:
            page = await builder.with_url(page.odata_next_link).get(request_configuration=request)
            rows += (page and page.value) or ()
        return [(row.id or "", row.user_principal_name or "") for row in rows]

    async def _hub(self) -> Any:
        folders = self.client.users.by_user_id(self.tenant["GlobalAddressBookUserId"]).contact_folders
        page = await folders.get()
        found = [row for row in (page and page.value) or () if row.display_name == HUB_FOLDER]
        folder = found[0] if found else await folders.post(ContactFolder(display_name=HUB_FOLDER))
        assert folder is not None
        return folders.by_contact_folder_id(folder.id or "").contacts

    async def _cards(self, builder: Any) -> list[Contact]:
        query = ContactsRequestBuilder.ContactsRequestBuilderGetQueryParameters(top=_PAGE)
        page = await builder.get(request_configuration=RequestConfiguration(query_parameters=query))
        rows = list(page.value or ())
        while page.odata_next_link:
            page = await builder.with_url(page.odata_next_link).get()
            rows += page.value or ()
        self.counts["read"] += len(rows)
        return rows

    async def _stamp(self, mine: Any, owner: str, card: Contact) -> None:
        note = card.personal_notes or ""
        if _SYNC_ID.search(note):
            return
        tags = f"SyncId={uuid.uuid4()};CreatedBy={owner};LastUpdatedAt={card.last_modified_date_time};"
        body = Contact(display_name=card.display_name, personal_notes=f"{note}\r\n{tags}LastUpdatedBy={owner}".strip())
        await mine.by_contact_id(card.id).patch(body)
        card.personal_notes = body.personal_notes
        self.counts["stamped"] += 1

    async def _copy(self, cards: list[Contact], target: Any, owner: str) -> None:
        index: dict[tuple[str, str], Contact] = {}
        for there in await self._cards(target):
            for key in _keys(there):
                index.setdefault(key, there)

        async def bring(card: Contact) -> None:
            found = next((index[key] for key in _keys(card) if key in index), None)
            fields = {name: getattr(card, name) for name in _COPIED if getattr(card, name)}
            if found is None:
                note = (_SYNC_ID.search(card.personal_notes or "") or [""])[0]
                await target.post(Contact(**fields, personal_notes=f"{note};CreatedBy={owner}"))
                self.counts["created"] += 1
            elif _differs(card, found) and _is_newer(card, found):
                await target.by_contact_id(found.id).patch(Contact(**fields))
                self.counts["updated"] += 1

        await _each(cards, bring)


async def _each(items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """The work on each item, a few at a time."""
    places = asyncio.Semaphore(_AT_A_TIME)

    async def one(item: Any) -> None:
        async with places:
            await work(item)

    await asyncio.gather(*map(one, items))


def _keys(card: Contact) -> list[tuple[str, str]]:
    emails = [entry.address or "" for entry in card.email_addresses or ()]
    found = _SYNC_ID.search(card.personal_notes or "")
    candidates = (("id", found[1] if found else ""), ("email", emails[0].lower() if emails else ""),
                  ("name", card.display_name or ""))  # fmt: skip
    return [(kind, value) for kind, value in candidates if value]


def _differs(card: Contact, other: Contact) -> bool:
    return any(_plain(getattr(card, name)) != _plain(getattr(other, name)) for name in _COPIED)


def _plain(value: Any) -> Any:
    """A value that can be compared: the SDK's objects carry their bookkeeping along."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if hasattr(value, "address"):
        return (value.name, value.address)
    if hasattr(value, "street"):
        return (value.street, value.city, value.state, value.postal_code, value.country_or_region)
    return value


def _is_newer(card: Contact, other: Contact) -> bool:
    mine, theirs = card.last_modified_date_time, other.last_modified_date_time
    return mine is not None and theirs is not None and mine > theirs


async def main() -> None:
    """Do the whole job once."""
    (tenant,) = json.loads(os.environ[f"{_PREFIX}MICROSOFT_TENANTS_JSON"])
    credential = ClientSecretCredential(
        tenant["TenantId"],
        tenant["ClientId"],
        tenant["ClientSecret"],
        authority=os.environ[f"{_PREFIX}AUTHORITY_URL"],
        disable_instance_discovery=True,
        connection_verify=os.environ["SSL_CERT_FILE"],
    )
    scopes = ["https://graph.microsoft.com/.default"]
    async with credential, httpx.AsyncHTTPTransport() as wire:  # given, because the SDK's own is never closed
        client = GraphClientFactory.create_with_default_middleware(client=httpx.AsyncClient(transport=wire, timeout=60))
        adapter = GraphRequestAdapter(AzureIdentityAuthenticationProvider(credential, scopes=scopes), client=client)
        adapter.base_url = os.environ[f"{_PREFIX}GRAPH_URL"]
        job = Job(GraphServiceClient(request_adapter=adapter), tenant)
        await job.run()
    print(json.dumps(job.counts))  # noqa: T201 - the result, for the process that measures


if __name__ == "__main__":
    asyncio.run(main())
