"""The package that Azure gets, as `make package` left it: what is in it, and that it runs with nothing beside it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.scripts.package import LIBRARIES, UNUSED, app_files
from tests.app.conftest import ROOT, names, needs_worker, only_tenant
from tests.app.test_triggers import FUNCTIONS
from tests.emulator import EmulatorThread
from tests.test_architecture import locked

pytestmark = needs_worker

PACKAGE = ROOT / "dist" / "contacts-mirror.zip"


def is_library(name: str) -> bool:
    """Whether a file is somebody else's."""
    return name.startswith(f"{LIBRARIES.as_posix()}/")


@pytest.fixture(scope="module")
def package() -> Iterator[ZipFile]:
    """The package, if it is one of this very project."""
    if not PACKAGE.exists():
        pytest.skip("there is no dist/contacts-mirror.zip: run `make package` first")
    with ZipFile(PACKAGE) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if not is_library(name)}
        if {name for name in content if not name.endswith(".pyc")} != set(app_files()) or any(
            (ROOT / name).read_bytes() != content[name] for name in app_files()
        ):
            pytest.skip("dist/contacts-mirror.zip is of another state of the project: run `make package` again")
        yield archive


def test_it_holds_the_app_and_nothing_private(package: ZipFile) -> None:
    """No setting of a developer's machine, no test, no document, no template of the infrastructure."""
    ours = {name for name in package.namelist() if not is_library(name) and not name.endswith(".pyc")}
    assert {name for name in ours if not name.startswith("shared/")} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }
    assert {Path(name).suffix for name in ours if name.startswith("shared/")} == {".py", ".jinja"}
    assert not [name for name in ours if re.search(r"settings|secret|\.env|\.pem|\.pfx|\.db$|(^|/)tests?/", name)]


def test_it_holds_every_locked_library_for_linux(package: ZipFile) -> None:
    """All that requirements.txt pins for Linux and Python 3.13 is there, with no binary of another system."""
    there = {
        tuple(re.sub(r"[-_.]+", "-", part).lower() for part in found.groups())
        for name in package.namelist()
        if (found := re.fullmatch(rf"{LIBRARIES.as_posix()}/([^/]+?)-([^-/]+)\.dist-info/METADATA", name))
    }
    missing = {
        name
        for name, pins in locked(ROOT / "requirements.txt").items()
        if not any((re.sub(r"[-_.]+", "-", name).lower(), re.sub(r"[-_.]+", "-", pin)) in there for pin in pins)
    }
    assert missing == set()
    binaries = [name for name in package.namelist() if re.search(r"\.(so|pyd|dll|dylib)$", name)]
    assert binaries
    assert [
        name for name in binaries if not re.search(r"(x86_64-linux-gnu|abi3|manylinux\w*)\.so$|\.libs/", name)
    ] == []


def test_it_is_compiled_for_a_read_only_place(package: ZipFile) -> None:
    """Each module has bytecode of Python 3.13 that is never checked against its source: times mean nothing there."""
    compiled = {name for name in package.namelist() if name.endswith(".pyc")}
    sources = [name for name in package.namelist() if name.endswith(".py") and not UNUSED.search(f"/{name}")]
    expected = {re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-313.pyc", name) for name in sources}
    assert expected == compiled
    for name in compiled:
        with package.open(name) as file:
            head = file.read(8)
        assert head[:4] == MAGIC_NUMBER
        assert int.from_bytes(head[4:], "little") == 0b01, name


def test_it_runs_with_nothing_beside_it(package: ZipFile, microsoft365: EmulatorThread, tmp_path: Path) -> None:
    """Started by the worker that is in it, it indexes, answers and mirrors; no module comes from anywhere else.

    The Graph SDK's generated classes stay packed: that nothing needs them is why they are not compiled.
    """
    folder, beside = tmp_path / "app", tmp_path / "beside"
    package.extractall(folder, [name for name in package.namelist() if not UNUSED.search(f"/{name}")])
    harness = ROOT / "tests" / "app" / "harness"
    shutil.copytree(harness, beside / "tests/app/harness", ignore=shutil.ignore_patterns("__pycache__"))
    program = beside / "tests/app/harness/packaged.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(folder)],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "functions": sorted(FUNCTIONS),
        "health": 200,
        "outcome": "ok",
        "foreign": [],
        "worker": "azure_functions_runtime/__init__.py",
    }
    assert names(only_tenant(microsoft365), "bob") == {"Grace Hopper"}
