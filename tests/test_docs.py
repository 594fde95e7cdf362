"""The documents tell the truth: what there is, is documented, and what is documented is there."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from shared import errors
from shared.cli.main import commands
from shared.config import PREFIX, SETTINGS
from shared.graph.failures import ROWS, Scope, Where, error_for
from shared.graph.faults import Fault
from tests.test_architecture import ROOT, shipped, tracked

DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]


@cache
def text(name: str) -> str:
    """A document's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def error_codes() -> set[str]:
    """The code of every error that the mirror raises: those of the classes, and those given where one is raised."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MirrorError)]
    raised = [node.value for call in calls() for node in call.keywords if node.arg == "code"]
    places = {"Problem": 1, "Finding": 3, "Failure": 0}
    reported = [
        call.args[place]
        for name, place in places.items()
        for call in calls()
        if _is_call_of(call, name) and len(call.args) > place
    ]
    unknown = error_for(Fault(418), Where(Scope.FOLDER))
    return {
        *(kind.code for kind in kinds if kind is not errors.MirrorError),
        *(row.code for row in ROWS),
        *words([*raised, *reported]),
        unknown.code,
    }


def event_names() -> set[str]:
    """Every event name that the code logs."""
    places = {"log_event": 2, "log_crash": 1}
    return words(
        call.args[place]
        for name, place in places.items()
        for call in calls()
        if _is_call_of(call, name) and len(call.args) > place
    )


def words(nodes: Iterable[ast.expr]) -> set[str]:
    """The literal strings among the expressions."""
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@cache
def calls() -> tuple[ast.Call, ...]:
    """Every call in the shipped code."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in shipped()]
    return tuple(node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))


def _is_call_of(call: ast.Call, name: str) -> bool:
    return name in {getattr(call.func, "id", None), getattr(call.func, "attr", None)}


def command_words() -> Iterator[str]:
    """Every command with `python -m shared` before it, and every option."""
    for name, command in commands.commands.items():
        yield f"python -m shared {name}"
        yield from (max(each.opts, key=len) for each in command.params if isinstance(each, click.Option))


def test_every_setting_of_the_documents_exists() -> None:
    """No document tells of a variable that nothing reads."""
    known = {row.variable for row in SETTINGS}
    # The misspelt names that people have copied are documented as such, and lack one letter of the prefix.
    told = {(path.name, name) for path in DOCUMENTS for name in re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", _read(path))}
    assert {(path, name) for path, name in told if name not in known} == set()


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_error_code_is_in_the_runbook(code: str) -> None:
    """Whoever meets a code finds in docs/operations.md what it means and what to do."""
    assert f"`{code}`" in text("docs/operations.md")


@pytest.mark.parametrize("event", sorted(event_names()))
def test_every_event_is_in_the_runbook(event: str) -> None:
    """Whoever writes a query finds the event names in docs/operations.md."""
    assert f"`{event}`" in text("docs/operations.md")


def test_every_code_and_event_of_the_runbook_exists() -> None:
    """The tables of docs/operations.md hold no code and no event that is gone."""
    rows = set(re.findall(r"^\| *`(\w+)` *\|", text("docs/operations.md"), re.MULTILINE))
    settings = {name for row in SETTINGS for name in (row.variable, row.key)}
    assert rows - error_codes() - event_names() - settings == set()


@pytest.mark.parametrize("word", sorted(set(command_words())))
def test_every_command_and_option_is_documented(word: str) -> None:
    """README.md or docs/operations.md shows each command and option by name."""
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text("README.md") + text("docs/operations.md"))


def test_every_command_of_the_documents_exists() -> None:
    """No document shows a command that is gone."""
    shown = {(path.name, name) for path in DOCUMENTS for name in re.findall(r"python -m shared ([a-z]+)", _read(path))}
    assert {(path, name) for path, name in shown if name not in commands.commands} == set()


def test_every_target_of_the_documents_exists() -> None:
    """No document tells of a make target that is gone."""
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    pattern = re.compile(r"(?:`|^ *)make ([a-z]+)(?=`|$| {2})", re.MULTILINE)
    shown = {(path.name, name) for path in DOCUMENTS for name in pattern.findall(_read(path))}
    assert {(path, name) for path, name in shown if name not in targets} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link is a file of the project, and its anchor a heading there."""
    links = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", _read(path))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not _leads_somewhere(path, link)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(path: Path) -> None:
    """A file or folder named in a document is there."""
    named = re.findall(r"`((?:shared|docs|tests|infra|\.ci)/[\w./-]*)`", _read(path))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_decision_is_listed() -> None:
    """The table of the decisions has a row for each record, in order."""
    records = sorted(path.name for path in DOCUMENTS if re.match(r"\d{4}-", path.name))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", text("docs/decisions/README.md")) == records


def _read(path: Path) -> str:
    return text(str(path.relative_to(ROOT)))


def _leads_somewhere(path: Path, link: str) -> bool:
    name, _, anchor = unquote(link).partition("#")
    target = path.parent / name if name else path
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(path: Path) -> set[str]:
    """The anchors that GitHub and GitLab make of a document's headings."""
    headings = re.findall(r"^#+ +(.+?) *$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
