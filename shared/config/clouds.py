"""Microsoft's clouds: where each signs in and where its Graph answers.

Source: learn.microsoft.com/graph/deployments.
"""

from dataclasses import replace
from enum import StrEnum
from urllib.parse import urlsplit

from shared.config.model import Cloud


class CloudName(StrEnum):
    """The clouds by the names that the Azure command line uses; DoD has its own Graph."""

    GLOBAL = "AzureCloud"
    US_GOVERNMENT = "AzureUSGovernment"
    US_DOD = "AzureUSGovernmentDoD"
    CHINA = "AzureChinaCloud"


_HOSTS = {
    CloudName.GLOBAL: ("graph.microsoft.com", "login.microsoftonline.com"),
    CloudName.US_GOVERNMENT: ("graph.microsoft.us", "login.microsoftonline.us"),
    CloudName.US_DOD: ("dod-graph.microsoft.us", "login.microsoftonline.us"),
    CloudName.CHINA: ("microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
}


def cloud(name: CloudName, *, graph_url: str = "", authority_url: str = "") -> Cloud:
    """The cloud, or a stand-in for it at the given addresses.

    With another Graph alone the token is asked for that host, without its port: Entra refuses one in a scope.
    With another authority as well the scope stays the cloud's own, since the stand-in answers for all of it.
    """
    graph, authority = _HOSTS[name]
    found = Cloud(
        name=name.value,
        graph_url=f"https://{graph}/v1.0",
        authority_url=f"https://{authority}",
        scope=f"https://{graph}/.default",
    )
    if authority_url:
        found = replace(found, authority_url=authority_url, known=False)
    if graph_url:
        scope = found.scope if authority_url else f"https://{_host(graph_url)}/.default"
        found = replace(found, graph_url=graph_url, scope=scope, known=False)
    return found


def _host(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host
