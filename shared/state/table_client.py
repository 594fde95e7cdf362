"""One Azure table through `azure-data-tables`: made on first use, asked with patience, failures told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableClient

from shared.state.table_batch import MAX_CHANGES, Batch, Refusal, refusal, transactions
from shared.state.table_errors import error_code, state_error
from shared.state.table_rows import Row

TABLE: Final = "ContactsMirror"

# A table answers within a second; one that cannot be reached must not hold up a run for minutes.
PATIENCE: Final[dict[str, Any]] = {
    "connection_timeout": 5,
    "read_timeout": 30,
    "timeout": 60,
    "retry_total": 4,
    "retry_connect": 1,
    "retry_read": 2,
    "retry_status": 4,
    "retry_backoff_factor": 0.4,
    "retry_backoff_max": 10,
}
_WAIT_SECONDS: Final = 90
_PAUSES: Final = (0.1, 0.5)
_AT_ONCE: Final = 16
_T = TypeVar("_T")


class _RefusedError(HttpResponseError):
    """A transaction was not carried out."""

    def __init__(self, refused: Refusal) -> None:
        super().__init__(refused.code)
        self.status_code = refused.status
        self.error_code = refused.code


class _BusyError(_RefusedError):
    """A transaction was not carried out, and may be when it is sent again."""


_REPEATED: Final = (ServiceRequestError, ServiceResponseError, _BusyError)


class Table:
    """The table's rows. All methods raise `StateError`, whose sentence names the storage account."""

    def __init__(
        self, client: TableClient, credential: AsyncTokenCredential | None = None, *, read_only: bool = False
    ) -> None:
        """With `read_only` the table is not made: one that is not there reads as empty."""
        self._client = client
        self._credential = credential
        self._read_only = read_only
        parts = urlsplit(client.url)
        self._endpoint = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self._table_url = f"{self._endpoint}/{TABLE}"
        self._account = client.account_name or parts.netloc
        self._making = asyncio.Lock()
        self._is_ready = False
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def read(self, partition: str, key: str) -> tuple[Row, str] | None:
        """One row with its change marker, None when it is not there."""
        try:
            found = await self._do(lambda: self._client.get_entity(partition, key), ResourceNotFoundError)
        except ResourceNotFoundError:
            return None
        return _row(found), str(found.metadata["etag"])

    async def read_each(self, partition: str, keys: Iterable[str]) -> list[Row]:
        """Those of some rows of a partition that are there."""
        found = await asyncio.gather(*(self.read(partition, key) for key in keys))
        return [one[0] for one in found if one]

    async def query(self, condition: str, select: Sequence[str] = (), limit: int | None = None) -> list[Row]:
        """All rows that fulfil a condition, in the order of their keys; at most so many, with these properties only."""
        names = ["PartitionKey", "RowKey", *select] if select else None
        paged = self._client.query_entities(condition, select=names, results_per_page=min(limit or 1000, 1000))
        pages = paged.by_page()
        found: list[Row] = []
        while limit is None or len(found) < limit:
            page = await self._page(pages)
            if page is None:
                break
            found += page
        return found[:limit]

    async def _page(self, pages: Any) -> list[Row] | None:
        absent = (ResourceNotFoundError,) if self._read_only else ()
        with suppress(*absent):
            return await self._do(lambda: _next(pages), *absent)
        return None

    async def insert(self, row: Row) -> bool:
        """Write a row that is not there yet; false if it is."""
        return await self._try(lambda: self._client.create_entity(_entity(row)))

    async def replace(self, row: Row, marker: str) -> bool:
        """Write a row if it still has this change marker; false if it has not."""
        return await self._try(
            lambda: self._client.update_entity(
                _entity(row), UpdateMode.REPLACE, etag=marker, match_condition=MatchConditions.IfNotModified
            )
        )

    async def remove(self, row: Row, marker: str) -> bool:
        """Delete a row if it still has this change marker; false if it has another one."""
        return await self._try(
            lambda: self._client.delete_entity(
                row.partition, row.key, etag=marker, match_condition=MatchConditions.IfNotModified
            )
        )

    async def write(self, groups: Iterable[Sequence[Row]]) -> None:
        """Write groups of rows of one partition, each group at once, one after the other."""
        for rows in transactions(groups):
            batch = Batch(self._table_url)
            await self._transact(batch.content_type, batch.replacing(rows))

    async def erase(self, partition: str, keys: Sequence[str]) -> None:
        """Delete rows of a partition, whether they are there or not."""
        for start in range(0, len(keys), MAX_CHANGES):
            some = keys[start : start + MAX_CHANGES]
            batch = Batch(self._table_url)
            try:
                await self._transact(batch.content_type, batch.erasing(partition, some))
            except ResourceNotFoundError:  # one of them is not there, so none of them was deleted
                await asyncio.gather(*(self._erase_one(partition, key) for key in some))

    async def close(self) -> None:
        """Close the connections, and the credential."""
        await self._client.close()
        if self._credential is not None:
            await self._credential.close()

    async def _erase_one(self, partition: str, key: str) -> None:
        await self._do(lambda: self._client.delete_entity(partition, key))

    async def _try(self, change: Callable[[], Awaitable[object]]) -> bool:
        expected = (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError)
        try:
            await self._do(change, *expected)
        except expected:
            return False
        return True

    async def _transact(self, content_type: str, body: bytes) -> None:
        """Send a transaction, again if its answer was lost or the table is busy: repeated, it gives the same."""
        for pause in _PAUSES:
            with suppress(*_REPEATED):
                return await self._do(lambda: self._send(content_type, body), ResourceNotFoundError, *_REPEATED)
            await asyncio.sleep(pause)
        return await self._do(lambda: self._send(content_type, body), ResourceNotFoundError)

    async def _send(self, content_type: str, body: bytes) -> None:
        headers = {
            "Content-Type": content_type,
            "Accept": "application/json",
            "DataServiceVersion": "3.0",
            "MaxDataServiceVersion": "3.0;NetFx",
            "x-ms-version": self._client.api_version,
        }
        request = HttpRequest("POST", f"{self._endpoint}/$batch", headers=headers, content=body)
        # The library's way to send a request of one's own, with its sign-in and its repeats, has no public name.
        # Streamed, because it trips over the content type of the answer when it reads that itself.
        response = await self._client._client.send_request(request, stream=True)
        refused = refusal(response.status_code, await response.read())
        if refused is not None:
            raise _error(refused)

    async def _do(self, work: Callable[[], Awaitable[_T]], *expected: type[AzureError]) -> _T:
        try:
            async with self._places, asyncio.timeout(_WAIT_SECONDS):
                await self._make_ready()
                return await work()
        except (AzureError, TimeoutError) as error:
            self._is_ready = self._is_ready and error_code(error) != "TableNotFound"
            if isinstance(error, expected):
                raise
            raise state_error(error, self._account) from error
        except (ValueError, AttributeError, TypeError, LookupError) as error:
            # The library trips so over an answer that is no table's, as a proxy or a wrong address gives.
            raise state_error(error, self._account) from error

    async def _make_ready(self) -> None:
        async with self._making:
            if not self._is_ready and not self._read_only:
                with suppress(ResourceExistsError):
                    await self._client.create_table()
                self._is_ready = True


def _error(refused: Refusal) -> AzureError:
    if refused.is_absence:
        return ResourceNotFoundError()
    return _BusyError(refused) if refused.status >= 500 else _RefusedError(refused)


async def _next(pages: Any) -> list[Row] | None:
    page = await anext(pages, None)
    return None if page is None else [_row(entity) async for entity in page]


def _row(entity: TableEntity) -> Row:
    values = {name: value for name, value in entity.items() if isinstance(value, str | bytes)}
    return Row(entity["PartitionKey"], entity["RowKey"], values)


def _entity(row: Row) -> dict[str, Any]:
    return {**row.properties, "PartitionKey": row.partition, "RowKey": row.key}
