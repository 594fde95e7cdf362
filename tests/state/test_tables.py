"""The state in an Azure table: keys, sizes, and what goes wrong with an account."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession, web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables.aio import TableServiceClient
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from shared.errors import StateDamagedError, StateError
from shared.ports import StateStore
from shared.state.codec import encode_holder
from shared.state.opening import open_state
from shared.state.table_batch import MAX_CHANGES, Batch, transactions
from shared.state.table_client import TABLE
from shared.state.table_errors import state_error
from shared.state.table_rows import Properties, Row, key, rows, values
from shared.state.tables import TableStateStore
from tests.builders import at
from tests.emulator.certificates import certificates
from tests.state.azurite import connection_string
from tests.state.builders import checkpoint, holder, link, version
from tests.state.conftest import open_tables

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "keep-alive", "content-encoding"}
DONE = b"--batch\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n--batch--"
text = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(text, min_size=2, max_size=2, unique=True))
def test_keys_are_safe_and_tell_all_ids_apart(ids: list[str]) -> None:
    """Also for a comparison that ignores case; every character may stand in a key, a URL and a filter."""
    first, second = map(key, ids)
    assert first.lower() != second.lower()
    for one in (first, second):
        assert re.fullmatch(r"[a-z0-9_-]{1,200}", one)


@example(1_500_000, 0, Random(1))
@given(st.sampled_from([0, 1, 4090, 63_990, 130_000]), st.integers(0, 20), st.randoms())
def test_values_of_any_size_come_back(size: int, more: int, chance: Random) -> None:
    """Whatever order their rows come in, beside those of others."""
    data = b"{" + Random(size).randbytes(size + more)
    found = [*rows("p", "k", data), *rows("p", "k2", b"{}"), *rows("q", "k", b"{}"), Row("p", "s", {"Number": "1"})]
    chance.shuffle(found)
    assert {(row.partition, row.key): value for row, value in values(found)} == {
        ("p", "k"): data,
        ("p", "k2"): b"{}",
        ("q", "k"): b"{}",
    }


def test_a_value_that_lacks_a_part_is_damaged() -> None:
    """Half a value is never taken for a whole one."""
    whole = rows("p", "k", b"{" + Random(1).randbytes(1_500_000))
    assert len(whole) > 2
    with pytest.raises(StateDamagedError):
        list(values(whole[:-1]))
    damaged: tuple[Properties, ...] = (
        {"Parts": "1", "Data0": b"garbage"},
        {"Parts": "1"},
        {"Parts": "many", "Data0": b"{}"},
        {"Parts": b"1", "Data0": b"{}"},
        {"Parts": "1000000000", "Data0": b"{}"},
    )
    for properties in damaged:
        with pytest.raises(StateDamagedError, match="A row of the state cannot be read"):
            list(values([Row("p", "k", properties)]))


@given(st.lists(st.lists(st.integers(0, 500_000), min_size=1, max_size=4), max_size=60))
def test_transactions_hold_whole_groups_within_the_limits(groups: list[list[int]]) -> None:
    """Nothing is lost or changes its order; a group is parted only if none can hold it."""
    made = [
        [Row("p", f"{place}.{number}", {"Data0": bytes(size)}) for number, size in enumerate(group)]
        for place, group in enumerate(groups)
    ]
    sent = list(transactions(made))
    assert {row.key for one in sent for row in one} == {row.key for group in made for row in group}
    for one in sent:
        assert 0 < len(one) <= MAX_CHANGES
        assert len(Batch("https://account.table.core.windows.net/Table").replacing(one)) < 1_000_000
    for group in made:
        homes = [number for number, one in enumerate(sent) if any(row in one for row in group)]
        assert len(homes) == 1 or sum(len(row.properties["Data0"]) for row in group) > 700_000
        assert group[0] in sent[homes[-1]], "the row that tells of the others is there last"


@asynccontextmanager
async def serving(answer: Handler, *, secure: bool = False) -> AsyncIterator[str]:
    """Something that answers instead of a storage account; gives its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates().server_context() if secure else None)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if secure else 'http'}://127.0.0.1:{port}/devstoreaccount1"
    finally:
        await runner.cleanup()


def refusing(status: int, code: str) -> Handler:
    """An account that answers everything so."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        body = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "secret details"}}}
        return web.json_response(body, status=status, headers={"x-ms-error-code": code})

    return answer


@pytest.mark.parametrize(
    ("status", "code", "sentence", "hint"),
    [
        (403, "AuthorizationPermissionMismatch", "may not be used by this identity", "Storage Table Data Contributor"),
        (403, "AuthorizationFailure", "firewall keeps this machine out", "network-rule add"),
        (403, "AuthenticationFailed", "does not accept this key or identity", "clock"),
        (403, "KeyBasedAuthenticationNotPermitted", "does not accept keys", "https://devstoreaccount1.table"),
        (401, "Whatever", "does not accept this key or identity", "identity's tenant"),
        (404, "ResourceNotFound", "has lost its table, or the account has none", "StorageV2"),
        (409, "TableBeingDeleted", "has lost its table", "next run"),
        (400, "OutOfRangeInput", r"refuses a request \(status 400, code OutOfRangeInput\)", "Check the account"),
    ],
)
async def test_refusals(status: int, code: str, sentence: str, hint: str) -> None:
    """Each says what is wrong with which account and what to do; the answer's own text is not passed on."""
    async with serving(refusing(status, code)) as address:
        store = open_tables(connection_string(address))
        with pytest.raises(StateError, match=sentence) as caught:
            await store.checkpoints("t")
        await store.close()
    assert "storage account devstoreaccount1" in caught.value.message
    assert hint in caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint


async def test_an_address_that_is_no_account() -> None:
    """A web page in its place, as from a proxy, is told as that."""

    async def page(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>Welcome</html>", content_type="text/html")

    async def list_of_nothing(_request: web.Request) -> web.StreamResponse:
        return web.json_response([1])

    async def list_of_nothing_later(request: web.Request) -> web.StreamResponse:
        return web.json_response([1], status=201 if request.path.endswith("Tables") else 200)

    for answer in (page, list_of_nothing, list_of_nothing_later):
        async with serving(answer) as address:
            store = open_tables(connection_string(address))
            with pytest.raises(StateError, match="does not answer as a table"):
                await store.acquire_lease("t", holder("a"), at(0), 60)
            await store.close()


def test_an_account_that_is_busy_or_down() -> None:
    """There is nothing to do but to wait for the next run."""
    for status in (408, 429, 500, 503):
        answer = HttpResponseError("secret details")
        answer.status_code = status
        error = state_error(answer, "account")
        assert error.message == "The state in the storage account account is busy or down."
        assert "next run" in error.hint


async def test_an_account_that_cannot_be_reached() -> None:
    """It is told within seconds, and the run's other tenants go on."""
    store = open_tables(connection_string("http://127.0.0.1:9/devstoreaccount1"))
    async with asyncio.timeout(8):
        with pytest.raises(StateError, match="cannot be reached") as caught:
            await store.checkpoints("t")
    assert "firewall" in caught.value.hint
    await store.close()


async def test_a_busy_table_is_asked_again() -> None:
    """A lost answer and a refusal for now are repeated: the same change twice is one change."""
    seen: list[bytes] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("$batch"):
            return web.json_response({}, status=201)
        seen.append(await request.read())
        if len(seen) == 1:
            assert request.transport
            request.transport.close()
        if len(seen) == 2:
            body = b'--b\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n{"odata.error":{"code":"ServerBusy"}}\r\n--b--'
            return web.Response(status=202, body=body, content_type="multipart/mixed")
        return web.Response(status=202, body=DONE, content_type="multipart/mixed")

    async with serving(answer) as address:
        store = open_tables(connection_string(address))
        await store.save_checkpoint("t", checkpoint("m"))
        await store.close()
    assert len(seen) == 3
    assert len(set(seen)) == 1


async def test_a_table_that_vanished_is_made_anew(storage: str, tenant: str) -> None:
    """Somebody deleted it while the app was running: one run is told so, the next begins with an empty state."""
    store = open_tables(storage)
    await store.save_checkpoint(tenant, checkpoint("m"))
    async with TableServiceClient.from_connection_string(storage) as service:
        await service.delete_table(TABLE)
    with pytest.raises(StateError, match="has lost its table"):
        await store.save_checkpoint(tenant, checkpoint("m"))
    assert await store.checkpoints(tenant) == {}
    await store.save_checkpoint(tenant, checkpoint("m"))
    assert await store.checkpoints(tenant) == {"m": checkpoint("m")}
    await store.close()


class Contested:
    """A table in which somebody else is always faster."""

    async def read(self, partition: str, row_key: str) -> tuple[Row, str]:
        (row,) = rows(partition, row_key, encode_holder(holder("old")), Until="2000")
        return row, "marker"

    async def replace(self, row: Row, marker: str) -> bool:
        return False


async def test_who_only_looks_makes_no_table(storage: str, tenant: str) -> None:
    """Without a table there is no run and no holder; once a run has made it, the same client reads it."""
    async with TableServiceClient.from_connection_string(storage) as service:
        await service.delete_table(TABLE)
        looking, working = open_tables(storage, read_only=True), open_tables(storage)
        assert list(await looking.runs(tenant)) == []
        assert await looking.lease_holder(tenant, at(0)) is None
        assert [table.name async for table in service.list_tables()] == []
        assert await working.acquire_lease(tenant, holder("a"), at(0), 60) is None
        assert await looking.lease_holder(tenant, at(0)) == holder("a")
        for store in (looking, working):
            await store.close()


async def test_a_lease_that_is_always_snatched_away() -> None:
    """It is asked for a few times, then the run is told."""
    store = TableStateStore(Contested())  # type: ignore[arg-type]
    with pytest.raises(StateError, match="many runs want its lease at once"):
        await store.acquire_lease("t", holder("a"), at(0), 60)


async def test_a_transaction_that_is_refused() -> None:
    """The code of the change that made it fail is told, once: repeating would not help."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("$batch"):
            return web.json_response({}, status=201)
        seen.append(request.path)
        body = b'--b\r\n\r\nHTTP/1.1 400 Bad\r\n\r\n{"odata.error":{"code":"EntityTooLarge"}}\r\n--b--'
        return web.Response(status=202, body=body, content_type="multipart/mixed")

    async with serving(answer) as address:
        store = open_tables(connection_string(address))
        with pytest.raises(StateError, match=r"status 400, code EntityTooLarge"):
            await store.save_checkpoint("t", checkpoint("m"))
        await store.close()
    assert len(seen) == 1


class Identity:
    """An identity with one token, or without any."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        if not self._token:
            raise ClientAuthenticationError("secret reasons")
        return AccessToken(self._token, 4_000_000_000)

    async def close(self) -> None:
        """Nothing to close."""


def by_identity(address: str, token: str) -> TableStateStore:
    """The store of an account that is used by identity, over TLS with a CA of one's own."""
    store = open_state(
        address,
        credential_factory=lambda: Identity(token),  # type: ignore[arg-type,return-value]
        trust=certificates().ca_file,
        default_folder=Path("nowhere"),
    )
    assert isinstance(store, TableStateStore)
    return store


async def test_by_identity() -> None:
    """Every request bears the token, transactions too."""
    seen: set[tuple[str, str]] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.add((request.path.rpartition("/")[2], request.headers["Authorization"]))
        if request.path.endswith("$batch"):
            return web.Response(status=202, body=DONE, content_type="multipart/mixed")
        return web.json_response({}, status=201)

    async with serving(answer, secure=True) as address:
        store = by_identity(address, "token")
        await store.save_checkpoint("t", checkpoint("m"))
        await store.close()
    assert seen == {("Tables", "Bearer token"), ("$batch", "Bearer token")}


async def test_without_an_identity() -> None:
    """The reason stays the library's; the sentence says how to get an identity."""
    store = by_identity("https://127.0.0.1:9/devstoreaccount1", "")
    with pytest.raises(StateError, match="no identity to use it with") as caught:
        await store.checkpoints("t")
    await store.close()
    assert "az login" in caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint


async def test_a_quiet_hour_reads_no_link(storage: str, tenant: str) -> None:
    """Lease, progress, versions since the watermark, progress, lease: eight requests, making the table included."""
    busy = open_tables(storage)
    await busy.save_links(tenant, "m", [link("m", person) for person in range(50)])
    await busy.add_versions(tenant, [version(number, number) for number in range(50)])
    await busy.save_checkpoint(tenant, checkpoint("m", 49))
    await busy.close()
    seen: list[str] = []
    async with recording(storage, seen) as store:
        await store.acquire_lease(tenant, holder("a"), at(0), 60)
        progress = await store.checkpoints(tenant)
        assert list(await store.versions_since(tenant, progress["m"].watermark + 1)) == []
        await store.save_checkpoint(tenant, replace(progress["m"], succeeded_at=at(1)))
        await store.release_lease(tenant, holder("a"))
    assert len(seen) == 8
    assert not [one for one in seen if "links" in one]


async def test_links_are_found_without_reading_the_mailbox(storage: str, tenant: str) -> None:
    """By contact it is one point read each, by item id one query."""
    filled = open_tables(storage)
    await filled.save_links(tenant, "m", [link("m", person) for person in range(300)])
    await filled.close()
    seen: list[str] = []
    async with recording(storage, seen) as store:
        two = [link("m", 7), link("m", 8)]
        assert len(await store.links_to(tenant, "m", [one.sync_id for one in two])) == 2
        assert sum("RowKey=" in one for one in seen) == len(seen) - 1 == 2
        del seen[:]
        found = await store.links_of_items(tenant, "m", [f"item-{number}" for number in range(20)])
        assert len(found) == 20
        assert len(seen) == 2


@asynccontextmanager
async def recording(storage: str, seen: list[str]) -> AsyncIterator[StateStore]:
    """A client of the account, by way of somebody who notes what it asks."""
    (account,) = re.findall(r"TableEndpoint=http://([^/;]+)", storage)

    async def relay(request: web.Request) -> web.StreamResponse:
        seen.append(unquote(str(request.rel_url)))
        url = URL(f"http://{account}{request.raw_path}", encoded=True)
        body = await request.read()
        async with session.request(request.method, url, headers=request.headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    async with ClientSession(skip_auto_headers=["Content-Type"]) as session, serving(relay) as address:
        store = open_tables(connection_string(address))
        try:
            yield store
        finally:
            await store.close()


def test_the_lock_file_names_no_registry() -> None:
    """Azurite's packages are pinned by hash, from wherever they are fetched."""
    lock = json.loads((Path(__file__).parents[1] / "azurite" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
