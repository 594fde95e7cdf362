"""Commands that only look: they leave the state as it is, damaged, of a newer release or not there at all."""

import sqlite3
from pathlib import Path

import pytest

from tests.cli.terminal import PREFIX, run
from tests.engine.office import Office, person

LOOKING = (("history",), ("history", "Grace"), ("undo", "run-1", "--dry-run"), ("undo", "run-1", "--yes"))


def placed(environ: dict[str, str], file: Path) -> dict[str, str]:
    """The settings with the state in this file."""
    return {**environ, f"{PREFIX}STATE_URL": f"sqlite:///{file}"}


def contents(folder: Path) -> dict[str, bytes]:
    """All files, with what is in them."""
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def damaged(folder: Path) -> Path:
    """A file that is no state."""
    file = folder / "state.db"
    file.write_bytes(b"no database at all, and longer than a header of a hundred bytes" * 200)
    return file


@pytest.mark.parametrize("arguments", LOOKING)
def test_a_damaged_file_is_told_and_left(environ: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """One sentence, exit code 1, and the file is where it was, as it was."""
    lasting = placed(environ, damaged(tmp_path))
    before = contents(tmp_path)
    ended = run(lasting, *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert "is damaged. The next run puts it aside." in ended.text
    assert contents(tmp_path) == before


def test_a_newer_releases_file_is_told_and_left(office: Office, environ: dict[str, str], tmp_path: Path) -> None:
    """Whoever looks back is told to install that release; a dry run plans without the memory, and says so."""
    lasting = placed(environ, tmp_path / "state.db")
    office.box("ann").add_contact(person("Grace", "grace@x.org"))
    run(lasting, "sync")
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    before = contents(tmp_path)["state.db"]
    ended = run(lasting, "history")
    assert ended.code == 1
    assert "written by a newer release" in ended.text
    assert "install the newer release again" in ended.text
    assert run(lasting, "sync", "--dry-run").code == 0
    assert contents(tmp_path) == {"state.db": before}


def test_a_dry_run_leaves_a_damaged_file(office: Office, environ: dict[str, str], tmp_path: Path) -> None:
    """It plans from what it reads, and its report says what the next run will do with the file."""
    lasting = placed(environ, damaged(tmp_path))
    before = contents(tmp_path)
    office.box("ann").add_contact(person("Grace", "grace@x.org"))
    (tenant,) = run(lasting, "sync", "--dry-run", "--json").report["tenants"]
    assert [(one["code"], "The next run puts it aside" in one["message"]) for one in tenant["problems"]] == [
        ("StateDamaged", True)
    ]
    assert tenant["step1"]["created"] == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize("arguments", [("sync", "--dry-run"), ("history",), ("undo", "run-1", "--dry-run")])
def test_no_file_is_made(environ: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Where nothing was remembered, nothing is after a look."""
    run(placed(environ, tmp_path / "new" / "state.db"), *arguments)
    assert contents(tmp_path) == {}
