"""infra/scripts/grant.sh on a stand-in for the Azure CLI: what it grants, that it repeats nothing, what it refuses."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import ROOT
from tests.delivery.directory import EMPTY, ROLES

SCRIPT = ROOT / "infra" / "scripts" / "grant.sh"
APP = "11111111-1111-4111-8111-111111111111"
IDENTITY = "22222222-2222-4222-8222-222222222222"
BOTH = set(ROLES.values())


class Directory:
    """A tenant's directory, and the script run on it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "directory.json"
        self._folder = folder
        self.set(**EMPTY)
        program = folder / "az"
        stand_in = Path(__file__).with_name("directory.py")
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(stand_in))} "$@"\n')
        program.chmod(0o755)

    @property
    def state(self) -> dict[str, Any]:
        """What is in it, and what was asked."""
        found = json.loads(self._file.read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def set(self, **changes: Any) -> None:
        """Change what is in it."""
        known = self.state if self._file.exists() else {}
        self._file.write_text(json.dumps({**known, **changes}), encoding="utf-8")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, "PATH": path, "FAKE_DIRECTORY": str(self._file)}
        return subprocess.run([str(SCRIPT), *words], env=environ, capture_output=True, text=True, check=False)

    def writes(self) -> list[str]:
        """The commands so far that change something."""
        commands = [" ".join(call) for call in self.state["calls"]]
        return [one for one in commands if " create " in f" {one} " or "POST" in one or "DELETE" in one]


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """An empty one."""
    return Directory(tmp_path)


def test_an_app_registration_gets_both_permissions_once(directory: Directory) -> None:
    """The enterprise application is made when missing; the second time all is so already and nothing is written."""
    first = directory.run("graph", "--app", APP)
    assert first.returncode == 0, first.stderr
    assert set(directory.state["grants"][f"object-of-{APP}"]) == BOTH
    before = directory.writes()
    second = directory.run("graph", "--app", APP)
    assert second.returncode == 0
    assert second.stdout.splitlines() == ["is so: User.Read.All is granted", "is so: Contacts.ReadWrite is granted"]
    assert directory.writes() == before


def test_a_managed_identity_gets_them_too(directory: Directory) -> None:
    """Its object id is where the grants go."""
    assert directory.run("graph", "--principal", IDENTITY).returncode == 0
    assert set(directory.state["grants"][IDENTITY]) == BOTH


def test_with_a_scope_the_tenant_wide_grant_goes(directory: Directory) -> None:
    """Grants add up, so what Exchange grants for some mailboxes must not be granted for all."""
    directory.run("graph", "--app", APP)
    for expected in ("done: take the tenant-wide", "is so: Contacts.ReadWrite is not granted"):
        done = directory.run("graph", "--app", APP, "--scoped")
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        assert set(directory.state["grants"][f"object-of-{APP}"]) == {ROLES["User.Read.All"]}


@pytest.mark.parametrize(
    "words",
    [("graph", "--app", APP), ("graph", "--principal", IDENTITY), ("federate", "--app", APP, "--principal", IDENTITY)],
)
def test_a_dry_run_writes_nothing(directory: Directory, words: tuple[str, ...]) -> None:
    """It says what would be done, even where the enterprise application is still missing."""
    done = directory.run(*words, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would: " in done.stdout
    assert directory.writes() == []


@pytest.mark.parametrize(
    ("cloud", "issuer", "audience"),
    [
        ("AzureCloud", "https://login.microsoftonline.com/home-tenant/v2.0", "api://AzureADTokenExchange"),
        ("AzureUSGovernment", "https://login.microsoftonline.us/home-tenant/v2.0", "api://AzureADTokenExchangeUSGov"),
    ],
)
def test_a_registration_trusts_an_identity_once(directory: Directory, cloud: str, issuer: str, audience: str) -> None:
    """Issuer, subject and audience are those of the identity's tenant and cloud."""
    directory.set(cloud=cloud)
    for _ in range(2):
        done = directory.run("federate", "--app", APP, "--principal", IDENTITY)
        assert done.returncode == 0, done.stderr
    (credential,) = directory.state["federated"][APP]
    assert (credential["issuer"], credential["subject"], credential["audiences"]) == (issuer, IDENTITY, [audience])


def test_another_tenant_gets_the_address_to_agree_at(directory: Directory) -> None:
    """Nothing is granted for it: its own administrator does that."""
    done = directory.run("consent", "--app", APP, "--tenant", "fabrikam.example")
    assert done.stdout.strip() == (
        f"https://login.microsoftonline.com/fabrikam.example/v2.0/adminconsent?client_id={APP}"
        "&scope=https://graph.microsoft.com/.default"
    )
    assert directory.writes() == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "grant.sh graph"),
        (("grant",), "grant.sh graph"),
        (("graph",), "--app is missing"),
        (("graph", "--app"), "--app needs a value"),
        (("graph", "--app", "contoso"), "--app must be an id"),
        (("graph", "--app", APP, "--principal", IDENTITY), "not both"),
        (("graph", "--app", APP, "--force"), "Unknown option --force"),
        (("federate", "--app", APP), "--principal is missing"),
        (("consent", "--app", APP, "--tenant", "a/b"), "--tenant must be"),
    ],
)
def test_a_wrong_call_is_said_in_a_sentence(directory: Directory, words: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, and nobody was asked for anything."""
    done = directory.run(*words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert directory.state["calls"] == []


def test_help_shows_every_command_and_option(directory: Directory) -> None:
    """The head of the script is its help."""
    done = directory.run("--help")
    assert done.returncode == 0
    for word in ("graph", "federate", "consent", "--app", "--principal", "--tenant", "--scoped", "--dry-run"):
        assert word in done.stdout


def test_who_is_not_signed_in_is_told_how(directory: Directory) -> None:
    """The CLI's own message stays, and the way in comes with it."""
    directory.set(signed_out=True)
    done = directory.run("graph", "--app", APP)
    assert done.returncode == 1
    assert "az login --tenant" in done.stderr
    assert directory.writes() == []


def test_the_scripts_are_free_of_known_slips() -> None:
    """Shellcheck finds nothing in any shell script of the project."""
    program = Path(sys.executable).parent / "shellcheck"
    found = str(program) if program.exists() else shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not there: it comes with the development tools")
    scripts = [ROOT / ".ci/run", ROOT / ".ci/find-python", *sorted((ROOT / "infra/scripts").glob("*.sh"))]
    done = subprocess.run([found, *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
