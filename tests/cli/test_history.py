"""`history` and `undo`, and what `sync` takes beyond a plain run, as an operator uses them."""

import json
import os
import pty
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.state.sqlite import SqliteStateStore
from shared.sync.records import QUEUED, UNFINISHED, Holder, RunRecord
from tests.cli.terminal import PREFIX, ROOT, TENANTS, command, run, surroundings
from tests.engine.office import Office, person

HUB_POLICY = {"DeletePolicy": "hub"}


@pytest.fixture
def lasting(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The settings with a state that outlives a process."""
    return {**environ, f"{PREFIX}STATE_URL": f"sqlite:///{tmp_path / 'state.db'}"}


def set_tenant(environ: Mapping[str, str], **changes: object) -> dict[str, str]:
    """The settings with some keys of the tenant changed."""
    (tenant,) = json.loads(environ[TENANTS])
    return {**environ, TENANTS: json.dumps([{**tenant, **changes}])}


def sync(environ: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """A run's report."""
    return run(environ, "sync", "--json", *arguments).report


def a_change(office: Office, environ: Mapping[str, str]) -> str:
    """Grace gets another number and Alan comes along; the id of the run that spreads both."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    sync(environ)
    office.emulator.clock.advance(3600)
    office.box("bob").edit_contact(office.card("bob", "Grace Hopper")["id"], {"mobilePhone": "2"})
    office.box("cem").add_contact(person("Alan Turing"))
    return str(sync(environ)["run_id"])


def test_the_runs_newest_first(office: Office, lasting: dict[str, str]) -> None:
    """With what each of them wrote; no mailbox is contacted for it."""
    run_id = a_change(office, lasting)
    seen = len(office.emulator.log)
    ended = run(lasting, "history")
    lines = [line for line in ended.out.splitlines() if line.startswith("  ")]
    assert (ended.code, len(lines), run_id in lines[0]) == (0, 2, True)
    assert "hub: 1 new, hub: 1 changed" in lines[0]
    assert len(run(lasting, "history", "--limit", "1", "--json").report["tenants"][0]["runs"]) == 1
    assert len(office.emulator.log) == seen


def test_a_contacts_history(office: Office, lasting: dict[str, str]) -> None:
    """Who changed which field from what to what, and in which run; as text and as JSON."""
    run_id = a_change(office, lasting)
    ended = run(lasting, "history", "HOPPER")
    assert f"changed by bob@contoso.com (run {run_id}) mobilePhone: 1 -> 2" in ended.text
    assert "created by ann@contoso.com" in ended.text
    (contact,) = run(lasting, "history", "grace@navy.mil", "--json").report["tenants"][0]["contacts"]
    assert contact["history"][0]["fields"] == {"mobilePhone": {"from": "1", "to": "2"}}
    assert len(run(lasting, "history", contact["sync_id"], "--limit", "1").out.splitlines()) == 3


def test_several_contacts_are_listed(office: Office, lasting: dict[str, str]) -> None:
    """Words that fit several name them all, with what to ask for."""
    a_change(office, lasting)
    ended = run(lasting, "history", "a")
    assert ended.code == 0
    assert "2 contacts fit; ask for one of them by its SyncId" in ended.out
    assert ended.out.index("Alan Turing") < ended.out.index("Grace Hopper <grace@navy.mil>")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("history", "nobody"), "nobody is remembered by 'nobody'"),
        (("history", "\udcff"), "nobody is remembered by"),
        (("history", " "), "it is empty"),
        (("history", "--tenant", "fabrikam.com"), "Tenant fabrikam.com is not configured"),
        (("history", "--limit", "0"), "--limit"),
        (("undo",), "Missing argument"),
        (("undo", "no-such-run"), "no run no-such-run is on record"),
        (("sync", "--allow-deletes", "3", "--restore-deletes"), "exclude each other"),
        (("sync", "--allow-deletes", "0"), "--allow-deletes"),
    ],
)
def test_what_does_not_exist_is_a_mistake(
    office: Office, lasting: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, exit code 2, and nobody was contacted."""
    ended = run(lasting, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert list(office.emulator.log) == []


def test_a_state_that_cannot_be_read(environ: dict[str, str], tmp_path: Path) -> None:
    """One sentence with the setting to change, exit code 1."""
    file = tmp_path / "state.db"
    file.mkdir()
    ended = run({**environ, f"{PREFIX}STATE_URL": f"sqlite:///{file}"}, "history")
    assert (ended.code, ended.out) == (1, "")
    assert f"{PREFIX}STATE_URL" in ended.err


def test_an_undo_shows_its_plan_and_needs_a_yes(office: Office, lasting: dict[str, str]) -> None:
    """A dry run only shows; a pipeline without --yes ends with exit code 2; with it hub and spokes go back."""
    run_id = a_change(office, lasting)
    writes = len(office.writes())
    shown, refused = run(lasting, "undo", run_id, "--dry-run"), run(lasting, "undo", run_id)
    assert (shown.code, refused.code) == (0, 2)
    for ended in (shown, refused):
        assert "goes back: Grace Hopper mobilePhone: 2 -> 1 is removed: Alan Turing" in ended.text
    assert "--yes" in refused.err
    assert len(office.writes()) == writes
    ended = run(lasting, "undo", run_id, "--yes")
    assert ended.code == 0
    assert "3 cards deleted" in ended.out
    assert (office.names("ann"), office.names("cem")) == (["Grace Hopper"], ["Alan Turing", "Grace Hopper"])
    assert office.card("hub", "Grace Hopper")["mobilePhone"] == "1"
    assert "There is nothing to undo." in run(lasting, "undo", run_id, "--yes").err


def test_an_undo_in_json(office: Office, lasting: dict[str, str]) -> None:
    """In a dry run stdout is the plan, else the report, and nothing else."""
    run_id = a_change(office, lasting)
    (tenant,) = run(lasting, "undo", run_id, "--dry-run", "--json").report["tenants"]
    assert {(step["action"], step["name"]) for step in tenant["steps"]} == {
        ("changed", "Grace Hopper"), ("removed", "Alan Turing"),
    }  # fmt: skip
    report = run(lasting, "undo", run_id, "--yes", "--json").report
    assert (report["outcome"], report["tenants"][0]["deleted"]) == ("ok", 3)
    assert run(lasting, "history", "--json").report["tenants"][0]["runs"][0]["run_id"] == report["run_id"]


def test_an_undo_with_nothing_to_undo_is_json_too(office: Office, lasting: dict[str, str]) -> None:
    """With --yes --json a run that left nothing behind gets the plan that a dry run prints, and exit code 0."""
    a_change(office, lasting)
    run_id = sync(lasting)["run_id"]
    ended, shown = (run(lasting, "undo", run_id, option, "--json") for option in ("--yes", "--dry-run"))
    assert (ended.code, ended.report) == (0, shown.report)
    assert ended.report == {"undo": run_id, "tenants": [{"tenant_id": office.tenant.id, "steps": []}]}
    assert ended.err == "There is nothing to undo.\n"


async def test_a_run_without_a_report_did_not_end(office: Office, lasting: dict[str, str]) -> None:
    """What a killed run wrote is not known, which is not nothing; a run that waits in a queue has not begun."""
    store, now = state_of(lasting), datetime.now(UTC)
    for run_id, outcome in (("killed", UNFINISHED), ("waiting", QUEUED)):
        await store.save_run(office.tenant.id, RunRecord(run_id, now, None, outcome))
    await store.close()
    lines = run(lasting, "history").out.splitlines()
    assert next(line for line in lines if "killed" in line).endswith("did not end, or goes on")
    assert next(line for line in lines if "waiting" in line).endswith("has not begun")


def test_settings_that_ask_for_dry_runs_hold_for_undo(office: Office, lasting: dict[str, str]) -> None:
    """DryRun is on as soon as any place says so."""
    run_id = a_change(office, lasting)
    ended = run(set_tenant(lasting, DryRun=True), "undo", run_id, "--yes")
    assert (ended.code, "a dry run" in ended.err) == (0, True)
    assert office.card("hub", "Grace Hopper")["mobilePhone"] == "2"


@pytest.mark.parametrize(("answer", "number"), [("y", "1"), ("n", "2"), ("", "2")])
def test_on_a_terminal_it_asks(office: Office, lasting: dict[str, str], answer: str, number: str) -> None:
    """Only a yes undoes."""
    run_id = a_change(office, lasting)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("undo", run_id), cwd=ROOT, env=surroundings(lasting), stdin=theirs,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        os.write(ours, f"{answer}\n".encode())
        _, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, b"Undo this?" in err) == (0, True)
    assert office.card("hub", "Grace Hopper")["mobilePhone"] == number


def state_of(environ: Mapping[str, str]) -> SqliteStateStore:
    """The state that the settings name."""
    return SqliteStateStore(Path(environ[f"{PREFIX}STATE_URL"].removeprefix("sqlite:///")))


async def hold(environ: Mapping[str, str], tenant_id: str) -> None:
    """Let another host's run have the tenant."""
    store = state_of(environ)
    now = datetime.now(UTC)
    assert await store.acquire_lease(tenant_id, Holder("night-run", "build-7", 42, now), now, 60) is None
    await store.close()


async def test_a_held_tenant_is_exit_code_3(office: Office, lasting: dict[str, str]) -> None:
    """The summary says who holds it, for `undo` as for `sync`."""
    run_id = a_change(office, lasting)
    await hold(lasting, office.tenant.id)
    for arguments in (("sync",), ("undo", run_id, "--yes")):
        ended = run(lasting, *arguments)
        assert ended.code == 3
        assert "night-run, host build-7, process 42" in ended.text
    assert run(lasting, "sync", "--dry-run").code == 0


def test_refused_deletions_and_both_ways_out(office: Office, lasting: dict[str, str]) -> None:
    """--allow-deletes N carries them out, --restore-deletes puts back what is missing."""
    environ = set_tenant(lasting, **HUB_POLICY)
    names = [f"Person {number:02d}" for number in range(15)]
    for name in names:
        office.box("ann").add_contact(person(name))
    sync(environ)
    for name in names[:12]:
        office.box("hub").delete_contact(office.card("hub", name)["id"])
    assert run(environ, "sync").code == 1
    assert run(environ, "sync", "--allow-deletes", "11").code == 1
    assert run(environ, "sync", "--restore-deletes").code == 0
    assert office.names("hub") == names
    for name in names[:12]:
        office.box("hub").delete_contact(office.card("hub", name)["id"])
    assert run(environ, "sync", "--allow-deletes", "12").code == 0
    assert office.names("bob") == names[12:]


def test_full_reads_everything(office: Office, lasting: dict[str, str]) -> None:
    """A quiet run asks for changes; with --full every mailbox is read whole."""
    a_change(office, lasting)
    sync(lasting)
    asked = []
    for options in ((), ("--full",)):
        before = len(office.emulator.log)
        sync(lasting, *options)
        asked.append(sum("deltatoken" in one.url.lower() for one in list(office.emulator.log)[before:]))
    assert asked == [4, 0]
