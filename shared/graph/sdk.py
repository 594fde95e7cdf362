"""The official SDK's client, set up so that it makes requests ready for the wire and sends none itself.

Its models cost 2 ms of CPU a contact (msgraph-sdk-python#584), its retry handler sends a POST again on 504, its batch
classes lose JSON bodies (kiota-python#737), and each request through it takes a millisecond. What it adds to a
request, sign-in, user agent and telemetry, is the same for a while: it is asked for that once in a while.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.response_handler import ResponseHandler
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.middleware import UserAgentHandler
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]
from msgraph_core.middleware import GraphTelemetryHandler  # type: ignore[import-untyped]

from shared.config.model import Cloud

Dress = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives what every request to Graph bears; raises what the credential raises."""

_OF_THE_MOMENT: Final = frozenset(
    {"accept-encoding", "client-request-id", "connection", "content-length", "content-type", "host"}
)
"""Headers that are one request's own, or the connection's."""


class _Mirror(httpx.AsyncBaseTransport):
    """Instead of a wire: answers with the headers that would have been sent."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=request.headers)


class _Headers(ResponseHandler):
    """The answer's headers: no models, no error mapping."""

    async def handle_response_async(self, response: Any, _error_map: Any = None) -> Any:
        return dict(response.headers)


def dresser(cloud: Cloud, credential: Any) -> Dress:
    """What the SDK adds to a request of this cloud, with the credential's token for its Graph alone."""
    client = httpx.AsyncClient(transport=_Mirror())
    telemetry = GraphTelemetryHandler(options=options["GraphTelemetryHandlerOption"])
    GraphClientFactory.create_with_custom_middleware([UserAgentHandler(), telemetry], client=client)
    auth = AzureIdentityAuthenticationProvider(
        credential, scopes=[cloud.scope], allowed_hosts=[urlsplit(cloud.graph_url).hostname or ""]
    )
    adapter = GraphRequestAdapter(auth, client=client)
    # Without this every URL would hold a double slash (apache/airflow#52367).
    adapter.base_url = cloud.graph_url
    # Constructing the client registers the parsers that the adapter needs.
    GraphServiceClient(request_adapter=adapter)
    handler = ResponseHandlerOption(_Headers())

    async def dress() -> Mapping[str, str]:
        request = RequestInformation(Method.POST)
        request.url = f"{cloud.graph_url}/$batch"
        request.add_request_options([handler])
        headers: Any = await adapter.send_primitive_async(request, "bytes", None)
        return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_MOMENT}

    return dress
