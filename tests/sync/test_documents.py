"""The documents of the rules and of the architecture say what the code does."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import shared
from shared.sync.contact import FIELDS, NOT_COMPARED

ROOT = Path(__file__).parents[2]


@cache
def text(name: str) -> str:
    """A document's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The part of a document under a heading."""
    return text(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def field_rows() -> list[str]:
    """The table of what is compared, a row for each kind of field."""
    fields = {id(kind): [name for name in FIELDS if FIELDS[name] is kind] for kind in FIELDS.values()}
    reasons = {id(kind): kind.reason for kind in FIELDS.values()}
    return [f"| {', '.join(f'`{name}`' for name in names)} | {reasons[key]} |" for key, names in fields.items()]


def left_out_rows() -> list[str]:
    """The table of what is not compared, a row for each property."""
    return [f"| `{name}` | {reason} |" for name, reason in NOT_COMPARED.items()]


@pytest.mark.parametrize("row", [*field_rows(), *left_out_rows()])
def test_the_field_tables_are_the_codes(row: str) -> None:
    """docs/sync-rules.md gives every property of a contact with its reason."""
    assert f"\n{row}\n" in text("docs/sync-rules.md")


def test_the_field_tables_hold_nothing_else() -> None:
    """No row of the document is about a property that the code does not know."""
    named = re.findall(r"^\| (`.*?) \|", section("docs/sync-rules.md", "What is compared"), re.MULTILINE)
    names = [name for cell in named for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(names) == sorted([*FIELDS, *NOT_COMPARED])


def test_every_test_that_is_named_exists() -> None:
    """Who wants to see a promise proved finds the test under the name in docs/sync-rules.md."""
    found = {
        name: set(re.findall(r"^(?:async )?def (test_\w+)|^(Test\w+) =", text(name), re.MULTILINE))
        for name in set(re.findall(r"`(tests/[\w/]+\.py)`", text("docs/sync-rules.md")))
    }
    known = {one or other for names in found.values() for one, other in names}
    named = set(re.findall(r"`([tT]est_?\w+)`", text("docs/sync-rules.md")))
    assert len(named) > 25
    assert named - known == set()


def test_every_invariant_is_in_the_document() -> None:
    """Each property of test_invariants.py is listed with the promise that it proves."""
    tests = set(re.findall(r"^def (test_\w+)", text("tests/sync/test_invariants.py"), re.MULTILINE))
    assert tests - set(re.findall(r"`(test_\w+)`", section("docs/sync-rules.md", "Promises"))) == set()


def test_every_known_defect_is_in_the_document() -> None:
    """Each known way to lose data is told with the test that shows it closed."""
    tests = re.findall(r"^async def (test_\d\d_\w+)", text("tests/engine/test_defects.py"), re.MULTILINE)
    told = re.findall(r"`(test_\d\d_\w+)`", section("docs/sync-rules.md", "Sixteen ways to lose data"))
    assert told == tests


def layers() -> list[set[str]]:
    """The layers of the import contracts in pyproject.toml, the outermost first."""
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (inward,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [set(re.findall(r"shared\.(\w+)", layer)) for layer in inward["layers"]]


def test_the_layer_table_is_the_import_contract() -> None:
    """docs/architecture.md lists the layers of pyproject.toml in their order, with every package in its own."""
    rows = re.findall(r"^\| \d \| ([^|]*) \|", section("docs/architecture.md", "Layers"), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers()


def test_the_map_has_every_package() -> None:
    """shared/__init__.py tells of each module and package, and of no other."""
    entries = re.findall(r"^    (\w[\w, ]*?)  ", shared.__doc__ or "", re.MULTILINE)
    told = {name for entry in entries for name in entry.split(", ")}
    packages = (
        path for path in (ROOT / "shared").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    )
    assert told == {path.stem for path in packages} - {"__init__", "__main__"}
