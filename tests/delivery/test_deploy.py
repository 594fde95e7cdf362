"""infra/scripts/deploy.sh with a stand-in for the Azure CLI that notes its calls and lists functions."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.app.conftest import ROOT
from tests.app.test_triggers import FUNCTIONS, IN_SHARDS

SCRIPT = ROOT / "infra" / "scripts" / "deploy.sh"
STAND_IN = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in *config-zip*) exit "${REFUSED:-0}" ;; *"function list"*) printf 'app/%s\\n' $FOUND ;; esac
"""


def deploy(folder: Path, *, found: set[str], **environ: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Publish to a host that finds these functions; what came of it, and the calls."""
    program, calls = folder / "az", folder / "calls"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    calls.touch()
    known = {"AZURE_RESOURCE_GROUP": "group", "AZURE_FUNCTION_APP": "mirror", "TRIES": "2", "PAUSE": "0"}
    values = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls), "FOUND": " ".join(found)}
    done = subprocess.run(
        [str(SCRIPT), str(folder / "package.zip")],
        env={**os.environ, **known, **values, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a package in it."""
    (tmp_path / "package.zip").touch()
    return tmp_path


@pytest.mark.parametrize("found", [FUNCTIONS, FUNCTIONS | IN_SHARDS])
def test_a_package_is_published_and_seen(folder: Path, found: set[str]) -> None:
    """It is done when the host lists every function of function_app.py, or those of runs in shards with them."""
    done, calls = deploy(folder, found=found)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"published: {len(found)} functions")
    assert calls[0].startswith("functionapp deployment source config-zip --resource-group group --name mirror --src")
    assert len(calls) == 2


@pytest.mark.parametrize("found", [set(), FUNCTIONS - {"health"}, FUNCTIONS | IN_SHARDS - {"take_step"}])
def test_a_function_that_is_missing_is_a_failure(folder: Path, found: set[str]) -> None:
    """An app that starts without its functions looks fine in the portal; here it does not."""
    done, calls = deploy(folder, found=found)
    assert done.returncode == 1
    assert "has found only" in done.stderr
    assert len(calls) == 3


def test_a_package_that_is_refused_is_a_failure(folder: Path) -> None:
    """Nothing is taken for published then."""
    done, calls = deploy(folder, found=FUNCTIONS, REFUSED="1")
    assert (done.returncode, len(calls)) == (1, 1)
    assert "was not taken" in done.stderr


@pytest.mark.parametrize("missing", ["AZURE_RESOURCE_GROUP", "AZURE_FUNCTION_APP"])
def test_where_to_publish_must_be_said(folder: Path, missing: str) -> None:
    """A variable that came out empty stops it before anything is contacted."""
    done, calls = deploy(folder, found=FUNCTIONS, **{missing: ""})
    assert (done.returncode, calls) == (2, [])
    assert missing in done.stderr


def test_there_must_be_a_package(tmp_path: Path) -> None:
    """The message says how to get one."""
    done, calls = deploy(tmp_path, found=FUNCTIONS)
    assert (done.returncode, calls) == (2, [])
    assert "make package" in done.stderr
