"""The queries as texts: Azure's own parser takes them, and the fields they read are those that are logged."""

import re
from pathlib import Path

import pytest

from tests.infra import kusto
from tests.infra.template import FOLDER
from tests.infra.workspace import alerts, panels, queries
from tests.npm import MissingError
from tests.test_docs import text

WRONG = {
    "operator": "AppTraces | summarise count()",
    "column": "AppTraces | where Mesage == ''",
    "reserved word": "AppTraces | summarize last = count()",
}


def test_azure_understands_every_query(tmp_path: Path) -> None:
    """Parsed and bound to the tables' columns by the parser that the portal uses; what is wrong does not pass it."""
    try:
        kusto.PARSER.install()
    except MissingError as reason:
        pytest.skip(str(reason))
    found = kusto.complaints(queries() | WRONG, tmp_path)
    assert [one for one in found if one["query"] not in WRONG] == []
    assert {one["query"] for one in found} == set(WRONG)


def test_every_query_is_used() -> None:
    """No file without a rule or a panel, and no rule that loads another's file."""
    rules = {f"alerts/{name}.kql" for name in alerts()}
    assert set(queries()) == rules | {f"workbook/{name}.kql" for name in panels()}
    loads = [rule["query"]["function"]["parameters"]["file_path"] for rule in [*alerts().values(), *panels().values()]]
    assert sorted(loads) == sorted(queries())


@pytest.mark.parametrize("name", sorted(queries()))
def test_every_field_is_logged(name: str) -> None:
    """What a query reads of a line is among the fields of docs/operations.md, and so is each event."""
    rows = re.findall(r"^\| `(\w+)` \| [\w, ]+ \| .* \| (.*) \|$", text("docs/operations.md"), re.MULTILINE)
    fields = {field for _, listed in rows for field in re.findall(r"[a-z_]+", listed)} | {"event"}
    query = queries()[name]
    read = {one or other for one, other in re.findall(r'line(?:\.(\w+)|\["(\w+)"\])', query)}
    assert read - fields == set()
    events = set(re.findall(r'"([a-z]+_[a-z_]+)"', query))
    assert events - {event for event, _ in rows} == set()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.kql")), ids=lambda path: path.stem)
def test_every_query_says_what_it_asks(path: Path) -> None:
    """The first line is a sentence."""
    assert re.match(r"// [A-Z].*\.$", path.read_text(encoding="utf-8").splitlines()[0])
