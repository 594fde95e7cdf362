"""The pipelines for GitHub and GitLab: they parse, and what they name is there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.cli.main import commands
from shared.config import PREFIX, SETTINGS
from tests.app.conftest import ROOT

GITHUB = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"
PIPELINES = [*GITHUB, GITLAB]


def read(path: Path) -> dict[Any, Any]:
    """A pipeline's document."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def strings(node: object) -> Iterator[str]:
    """All texts in a document."""
    if isinstance(node, str):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from strings(inner)


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    for job in workflow["jobs"].values():
        yield from job["steps"]


def jobs() -> dict[str, Any]:
    """GitLab's jobs by name; templates begin with a dot."""
    other = {"stages", "default", "variables"}
    return {name: job for name, job in read(GITLAB).items() if name not in other and not name.startswith(".")}


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_what_it_runs_is_there(path: Path) -> None:
    """Every make target, script, test file and command that a job runs exists."""
    text = "\n".join(strings(read(path)))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= targets
    files = re.findall(r"(?<![\w/.$-])((?:\.ci|infra|tests)/[\w./-]+)", text)
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert set(re.findall(r"python -m shared (\w+)", text)) <= set(commands.commands)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_every_setting_it_names_exists(path: Path) -> None:
    """A misspelt one would be no setting at all."""
    named = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert named <= {row.variable for row in SETTINGS}


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_actions_are_pinned_and_rights_are_few(path: Path) -> None:
    """A whole version of each action, read access to the code, and a token for Azure only where one signs in."""
    workflow = read(path)
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", one)] == []
    signs_in = any(one.startswith("azure/login@") for one in used)
    assert workflow["permissions"] == {"contents": "read"} | ({"id-token": "write"} if signs_in else {})
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_images_are_pinned() -> None:
    """A whole version of each image."""
    images = [read(GITLAB)["default"]["image"], *(job["image"] for job in jobs().values() if "image" in job)]
    assert [one for one in images if not re.search(r":\d+\.\d+\.\d+(-\w+)?$", one)] == []


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_nobody_signs_in_with_a_secret(path: Path) -> None:
    """Azure is reached by the job's own token: no publish profile, no password."""
    text = path.read_text(encoding="utf-8").lower()
    assert not re.search(r"publish-profile|--password|client-secret|secrets\.", text)


def test_gitlab_jobs_belong_to_stages_and_each_other() -> None:
    """What a job extends, needs or is staged in is there, and none runs in pipelines that it is not for."""
    document = read(GITLAB)
    for name, job in jobs().items():
        assert job["stage"] in document["stages"], name
        assert job.get("extends", ".libraries") in document, name
        assert set(job.get("needs", [])) <= set(jobs()), name
        assert job["rules"], name
    schedules = [name for name, job in jobs().items() if any("schedule" in rule["if"] for rule in job["rules"])]
    assert schedules == ["mirror"]


def test_the_scheduled_mirror_remembers_and_ends_in_time() -> None:
    """It needs a table for its state, runs alone, and stops by itself before its job is killed."""
    mirror = jobs()["mirror"]
    assert f"${PREFIX}STATE_URL" in mirror["rules"][0]["if"]
    assert mirror["resource_group"]
    minutes = int(mirror["timeout"].split()[0])
    assert int(mirror["variables"][f"{PREFIX}TIME_BUDGET_MINUTES"]) <= minutes - 5
    assert "python -m shared sync --report report.html" in mirror["script"]


def test_both_deployments_publish_what_was_tested() -> None:
    """Build, test of the package, then the script that publishes it, in this order."""
    github = [step["run"] for step in steps(read(ROOT / ".github/workflows/deploy.yml")) if "run" in step]
    gitlab = [*jobs()["package"]["script"], jobs()["deploy"]["script"][-1]]
    assert (
        github
        == gitlab
        == [
            "make package",
            ".venv/bin/python -m pytest -q tests/app/test_package.py",
            "infra/scripts/deploy.sh dist/contacts-mirror.zip",
        ]
    )
