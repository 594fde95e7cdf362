"""A plain client: user by user, contact by contact, one request after the other, with no memory and no batches.

It does what a script does that was written for the job in an afternoon: step 1 takes every user's contacts to the
shared mailbox, step 2 takes them from there to every user, matched by SyncId, else address, else name.
"""

import json
import os
import re
import ssl
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import httpx

from tests.bench.server import HUB_FOLDER

_PREFIX: Final = "AUTOMATION_SYNCCONTACTS_"
_PAGE: Final = 999
COPIED: Final = (
    "displayName", "givenName", "middleName", "surname", "nickName", "title", "generation", "companyName", "jobTitle",
    "department", "officeLocation", "profession", "manager", "assistantName", "spouseName", "children",
    "businessPhones", "homePhones", "mobilePhone", "emailAddresses", "imAddresses", "businessAddress", "homeAddress",
    "otherAddress", "businessHomePage", "birthday",
)  # fmt: skip
_SYNC_ID: Final = re.compile(r"SyncId=([0-9a-f-]{36})")
Card = dict[str, Any]


class Client:
    """Sends one request after the other."""

    def __init__(self) -> None:
        (self.tenant,) = json.loads(os.environ[f"{_PREFIX}MICROSOFT_TENANTS_JSON"])
        self._root = os.environ[f"{_PREFIX}GRAPH_URL"]
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        self._http = httpx.Client(verify=context, timeout=60)
        self.authorization = f"Bearer {self._token()}"
        self._http.headers["Authorization"] = self.authorization

    def _token(self) -> str:
        authority = os.environ[f"{_PREFIX}AUTHORITY_URL"]
        form = {
            "grant_type": "client_credentials",
            "client_id": self.tenant["ClientId"],
            "client_secret": self.tenant["ClientSecret"],
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = self._http.post(f"{authority}/{self.tenant['TenantId']}/oauth2/v2.0/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    def rows(self, path: str, **headers: str) -> Iterator[Card]:
        """All rows, page by page."""
        url = f"{self._root}{path}"
        while url:
            page = self._http.get(url, headers=headers).raise_for_status().json()
            yield from page["value"]
            url = page.get("@odata.nextLink", "")

    def users(self) -> list[Card]:
        """All licensed users."""
        advanced = "$filter=assignedLicenses/$count ne 0&$count=true&$select=id,userPrincipalName&$top=999"
        return list(self.rows(f"/users?{advanced}", ConsistencyLevel="eventual"))

    def cards(self, path: str) -> list[Card]:
        """All cards of a mailbox or folder."""
        return list(self.rows(f"{path}?$top={_PAGE}"))

    def send(self, method: str, path: str, body: Card) -> Card:
        """Write something, and give what came back."""
        answer = self._http.request(method, f"{self._root}{path}", json=body)
        return dict(answer.raise_for_status().json())


class Index:
    """The cards of one mailbox, to be found by SyncId, else by address, else by name."""

    def __init__(self, cards: list[Card]) -> None:
        self._by: dict[tuple[str, str], Card] = {}
        for card in cards:
            for key in keys(card):
                self._by.setdefault(key, card)

    def match(self, card: Card) -> Card | None:
        """The card that is the same contact."""
        return next((self._by[key] for key in keys(card) if key in self._by), None)


def keys(card: Card) -> list[tuple[str, str]]:
    """What a card is known by, the surest first."""
    emails = [entry.get("address", "") for entry in card.get("emailAddresses") or ()]
    found = _SYNC_ID.search(card.get("personalNotes") or "")
    candidates = (("id", found[1] if found else ""), ("email", emails[0].lower() if emails else ""),
                  ("name", card.get("displayName") or ""))  # fmt: skip
    return [(kind, value) for kind, value in candidates if value]


def stamped(card: Card, owner: str) -> str:
    """The note with a SyncId in it."""
    note = card.get("personalNotes") or ""
    if _SYNC_ID.search(note):
        return note
    moment = card["lastModifiedDateTime"]
    tags = f"SyncId={uuid.uuid4()};CreatedBy={owner};LastUpdatedAt={moment};LastUpdatedBy={owner}"
    return f"{note}\r\n{tags}" if note else tags


def copy_cards(client: Client, sources: list[Card], target: str, owner: str, counts: Counter[str]) -> None:
    """Bring a mailbox's cards to another place, one by one."""
    index = Index(client.cards(target))
    for card in sources:
        counts["read"] += 1
        found = index.match(card)
        note = (_SYNC_ID.search(card["personalNotes"]) or [""])[0]
        fields = {name: card[name] for name in COPIED if card.get(name)}
        if found is None:
            client.send("POST", target, {**fields, "personalNotes": stamped({**card, "personalNotes": note}, owner)})
            counts["created"] += 1
        elif any(card[name] != found[name] for name in COPIED) and _is_newer(card, found):
            client.send("PATCH", f"{target}/{found['id']}", fields)
            counts["updated"] += 1


def _is_newer(card: Card, other: Card) -> bool:
    return bool(card["lastModifiedDateTime"] > other["lastModifiedDateTime"])


def hub_folder(client: Client, hub: str) -> str:
    """The path of the shared folder's cards; it is made when it is missing."""
    folders = f"/users/{hub}/contactFolders"
    rows = [row for row in client.rows(folders) if row["displayName"] == HUB_FOLDER]
    folder = rows[0] if rows else client.send("POST", folders, {"displayName": HUB_FOLDER})
    return f"{folders}/{folder['id']}/contacts"


def main() -> None:
    """Do the whole job once."""
    client, counts = Client(), Counter[str]()
    users = client.users()
    hub = hub_folder(client, client.tenant["GlobalAddressBookUserId"])
    for user in users:
        mine = f"/users/{user['id']}/contacts"
        cards = client.cards(mine)
        for card in cards:
            if not _SYNC_ID.search(card["personalNotes"]):
                note = {"personalNotes": stamped(card, user["userPrincipalName"])}
                card.update(client.send("PATCH", f"{mine}/{card['id']}", {**note, "displayName": card["displayName"]}))
                counts["stamped"] += 1
        copy_cards(client, cards, hub, user["userPrincipalName"], counts)
    for user in users:
        mine = f"/users/{user['id']}/contacts"
        copy_cards(client, client.cards(hub), mine, client.tenant["ClientId"], counts)
    print(json.dumps(counts))  # noqa: T201 - the result, for the process that measures


if __name__ == "__main__":
    main()
