"""What was asked of the emulator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class RequestRecord:
    """One HTTP request, or one request of a batch; `status` is 0 while it is under way or when it was dropped.

    `url` is the path with its query, in Graph from the version on, in `service` "other" (sign-in, vault) from the root.
    """

    seq: int
    at: datetime
    method: str
    url: str
    batched: bool
    headers: Mapping[str, str] = field(repr=False)
    status: int = 0
    tenant: str = ""
    mailbox: str = ""
    service: str = "graph"

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.url.partition("?")[0]

    @property
    def is_write(self) -> bool:
        """Whether it was meant to change something; tokens and batches as such are no writes."""
        if self.service != "graph" or self.method == "GET":
            return False
        return not self.path.endswith(("/$batch", "/translateExchangeIds"))


class RequestLog(list[RequestRecord]):
    """All requests in the order in which they came; `clear()` at any time."""

    def writes(self, mailbox: str = "") -> list[RequestRecord]:
        """The requests that were meant to change something, in one mailbox (by UPN) or in all."""
        return [record for record in self if record.is_write and (not mailbox or record.mailbox == mailbox)]

    @property
    def http_requests(self) -> int:
        """How many HTTP requests there were to Graph; the requests within a batch do not count."""
        return sum(not record.batched and record.service == "graph" for record in self)
