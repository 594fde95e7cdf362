"""The house rules that no other tool holds: import directions, sizes, words, and nothing of one machine in the tree."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import shared

ROOT = Path(__file__).parents[1]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_PARAMETERS = 6

# One term per idea: these are the ones that we do not use, and what to say instead.
WORDS = {
    r"master": "hub, or the name of the thing",
    r"slave": "spoke",
    r"white-?list(ed|ing)?": "allow list",
    r"black-?list(ed|ing)?": "quarantine",
    r"mutex(es)?": "lease",
    r"rate-?limited": "throttled",
    r"(?<!-)what-?if": "dry run",  # PowerShell has a switch of that name
    r"onboard(ed|ing)?": "enrol",
    r"GAL folder": "hub",
    r"TODO|FIXME|XXX|HACK": "an issue, or the work itself",
}
# Marks of one machine: home folders, scratch folders, and the hosts of package mirrors in what should be a plain lock.
MACHINE = re.compile(
    r"(?<!\w)/((home|Users|tmp)/\w+|root\b)|--(extra-)?index-url|--find-links|--trusted-host|://\S+/simple\b"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[Path, ...]:
    """Every text file of the project, as git lists it: what is ignored is no part of it."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(path for name in done.stdout.splitlines() if (path := ROOT / name).is_file())


def shipped() -> list[Path]:
    """The code that goes to Azure."""
    return [path for path in tracked() if path.suffix == ".py" and not path.is_relative_to(ROOT / "tests")]


def functions(path: Path) -> Iterator[Function]:
    """The functions and methods of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def place(path: Path, node: Function) -> str:
    """Where a reader finds it."""
    return f"{path.relative_to(ROOT)}: {node.name}"


def length(node: Function) -> int:
    """Lines of a function from `def` to its end, its docstring not counted."""
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def parameters(node: Function) -> int:
    """How many arguments a caller has to think of."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([each for each in given if each.arg not in {"self", "cls"}])


def test_imports_point_inward() -> None:
    """The contracts of pyproject.toml hold: a pure core, adapters that do not see each other, one composition root."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_short() -> None:
    """A file that grows past a few screens holds more than one thing."""
    sizes = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in shipped()}
    assert {str(path): size for path, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    """A function fits on a screen, and half of them in ten lines."""
    sizes = {place(path, node): length(node) for path in shipped() for node in functions(path)}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}
    assert sorted(sizes.values())[len(sizes) // 2] <= 10


def test_parameters_are_few() -> None:
    """What needs more arguments needs a value object."""
    counts = {place(path, node): parameters(node) for path in shipped() for node in functions(path)}
    assert {name: count for name, count in counts.items() if count > MAX_PARAMETERS} == {}


def test_every_test_says_what_it_shows() -> None:
    """The docstring of a test is the behaviour in a sentence."""
    tests = [path for path in tracked() if path.name.startswith("test_") and path.suffix == ".py"]
    silent = [
        place(path, node)
        for path in tests
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("word", WORDS)
def test_words(word: str) -> None:
    """Each idea has one name in code, documents and messages."""
    pattern = re.compile(rf"\b({word})\b", re.IGNORECASE if word.islower() else 0)
    assert _found(pattern) == [], f"say: {WORDS[word]}"


def test_nothing_of_one_machine() -> None:
    """No path of somebody's machine and no package host: a clone works anywhere."""
    assert _found(MACHINE) == []


def test_requirements_are_locked() -> None:
    """Every dependency of pyproject.toml is pinned with hashes, and both locks agree on what they share."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime, development = locked(ROOT / "requirements.txt"), locked(ROOT / "tests/requirements.txt")
    assert {_name(each) for each in project["project"]["dependencies"]} <= set(runtime)
    assert {_name(each) for each in project["dependency-groups"]["dev"]} <= set(development)
    assert {name: pins for name, pins in development.items() if runtime.get(name, pins) != pins} == {}


def test_one_version() -> None:
    """What the app says of itself is what the project is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert shared.__version__ == project["project"]["version"]


def _found(pattern: re.Pattern[str]) -> list[str]:
    here = Path(__file__)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        if path != here and path.suffix != ".png"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def locked(path: Path) -> dict[str, set[str]]:
    """The pins of a lock file by name without extras; fails on a line that is not pinned with at least one hash."""
    pins: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\w)", path.read_text(encoding="utf-8")):
        if entry.startswith("#"):
            continue
        match = re.match(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", entry)
        assert match, entry
        assert "--hash=sha256:" in entry, entry
        pins.setdefault(match[1], set()).add(match[2])
    return pins


def _name(requirement: str) -> str:
    match = re.match(r"[\w-]+", requirement)
    assert match
    return match[0]
