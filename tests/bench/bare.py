"""A client that only sends: the creates of a first distribution, made ready before the first of them leaves.

Four at a time of each mailbox, in a batch of their own, all mailboxes side by side, and no look at what comes back:
that many creates a second this machine, this server and an HTTP client allow.
"""

import asyncio
import json
import os
import ssl
from collections.abc import Sequence
from typing import Final

import aiohttp

from tests.bench.bound import MAILBOX_CONCURRENCY
from tests.bench.sequential import COPIED, Card, Client

_GRAPH: Final = "AUTOMATION_SYNCCONTACTS_GRAPH_URL"
_JSON: Final = {"Content-Type": "application/json"}


async def main() -> None:
    """Give every mailbox the cards of all others."""
    client = Client()
    paths = [f"/users/{user['id']}/contacts" for user in client.users()]
    cards = {path: [_copied(card) for card in client.cards(path)] for path in paths}
    lacking = {path: [card for other in paths if other != path for card in cards[other]] for path in paths}
    work = [_batches(path, missing) for path, missing in lacking.items()]
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"]))
    headers = {"Authorization": client.authorization, **_JSON}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(*(_send(session, batches) for batches in work))
    print(json.dumps({"created": sum(map(len, lacking.values()))}))  # noqa: T201 - the result, for what measures


def _copied(card: Card) -> Card:
    return {name: card[name] for name in COPIED if card.get(name)}


def _batches(path: str, cards: Sequence[Card]) -> list[bytes]:
    """The bodies of the batches that make these cards."""
    fours = (cards[at : at + MAILBOX_CONCURRENCY] for at in range(0, len(cards), MAILBOX_CONCURRENCY))
    return [json.dumps({"requests": [_create(path, *one) for one in enumerate(four)]}).encode() for four in fours]


def _create(path: str, place: int, card: Card) -> dict[str, object]:
    return {"id": str(place), "method": "POST", "url": path, "headers": _JSON, "body": card}


async def _send(session: aiohttp.ClientSession, batches: Sequence[bytes]) -> None:
    for body in batches:
        async with session.post(f"{os.environ[_GRAPH]}/$batch", data=body) as answer:
            await answer.read()


if __name__ == "__main__":
    asyncio.run(main())
