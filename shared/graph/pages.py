"""Pages of a list or of a delta round, stepped without I/O: ask `url`, feed the page, until `done`.

A page may be short or empty and not be the last; items may come again, and the last occurrence wins
(microsoft-graph-docs, delta-query-overview.md; microsoft-graph-docs-contrib#8153).
"""

from collections.abc import Iterable, Mapping
from typing import Final

Row = Mapping[str, object]
MOST_PAGES: Final = 50_000
MOST_EMPTY_PAGES: Final = 1_000


class PageError(ValueError):
    """The pages make no sense: nothing of them may be used."""


class Pager:
    """One list or round; `rows` counts only once `done`, `page` is what the last page told of them."""

    def __init__(self, first: str, *, delta: bool = False) -> None:
        """`first` is the URL to begin with; a `delta` round ends with a delta link, a list without any link."""
        self.url = first
        self.done = False
        self.delta_link = ""
        self.page: Mapping[str, Row] = {}
        self._delta = delta
        self.dropped = 0
        self._rows: dict[str, Row] = {}
        self._removed: dict[str, None] = {}
        self._seen = {first}
        self._pages = 0
        self._empty = 0

    @property
    def rows(self) -> Mapping[str, Row]:
        """The rows by id, each as it came last, without what was removed."""
        return self._rows

    @property
    def removed(self) -> tuple[str, ...]:
        """Ids that were last told as removed, those never seen here among them."""
        return tuple(self._removed)

    def feed(self, page: Mapping[str, object]) -> None:
        """Take a page in; raises `PageError`, and the whole is void."""
        rows = page.get("value")
        if not isinstance(rows, list):
            raise PageError("a page without rows")
        taken = [self._take(row) for row in rows]
        self.page = {identity: self._rows[identity] for identity in taken if identity in self._rows}
        self._empty = 0 if rows else self._empty + 1
        self._pages += 1
        self._turn(_link(page, "@odata.nextLink"), _link(page, "@odata.deltaLink"))

    def drop(self, identities: Iterable[str]) -> None:
        """Keep nothing of these rows; what comes again later counts."""
        for identity in identities:
            self.dropped += 1
            self._rows.pop(identity, None)

    def _take(self, row: object) -> str:
        identity = row.get("id") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(identity, str) or not identity:
            raise PageError("a row without an id")
        earlier = self._rows.pop(identity, None)
        self._removed.pop(identity, None)
        if "@removed" in row:
            self._removed[identity] = None
        else:
            # A changed item may come with its changed properties alone; what is missing is not cleared.
            self._rows[identity] = {**earlier, **row} if earlier else row
        return identity

    def _turn(self, next_link: str, delta_link: str) -> None:
        if next_link:
            self._go_to(next_link)
        elif self._delta and not delta_link:
            raise PageError("a round without an end")
        else:
            self.delta_link = delta_link
            self.done = True

    def _go_to(self, link: str) -> None:
        if link in self._seen:
            raise PageError("pages that go in a circle")
        if self._pages >= MOST_PAGES or self._empty >= MOST_EMPTY_PAGES:
            raise PageError("pages without an end")
        self._seen.add(link)
        self.url = link


def _link(page: Mapping[str, object], name: str) -> str:
    link = page.get(name)
    if link is None or link == "":
        return ""
    if not isinstance(link, str):
        raise PageError("a link that is no text")
    return link
