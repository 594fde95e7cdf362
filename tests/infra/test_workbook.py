"""The workbook answers what it is asked; the lines are the app's own, the queries are run."""

import inspect

import pytest

from shared import errors
from shared.sync.report import GraphCounts, Outcome, StepCounts
from tests.infra.template import is_expression, templates
from tests.infra.workspace import Workspace, failing, panels, tenant, troubled


def test_is_it_healthy(workspace: Workspace) -> None:
    """Each tenant with its last run, the troubled one first, and when it was well for the last time."""
    workspace.hour(90, tenant("a"), tenant("b"))
    workspace.hour(30, tenant("a"), tenant("b", error="Secret"))
    bad, good = workspace.panel("health")
    assert (bad["tenant"], bad["outcome"], bad["code"], bad["runs"], bad["not_ok"]) == ("b", "failed", "Secret", 2, 1)
    assert bad["last_ok"] < bad["last_run"]
    assert (good["tenant"], good["outcome"], good["last_ok"]) == ("a", "ok", good["last_run"])


def test_runs_by_outcome(workspace: Workspace) -> None:
    """How many ended how."""
    workspace.hour(30, tenant())
    workspace.hour(30, tenant(error="State"))
    assert {(row["outcome"], row["runs"]) for row in workspace.panel("runs")} == {("ok", 1), ("failed", 1)}


def test_runs_that_go_on_are_not_counted_yet(workspace: Workspace) -> None:
    """In shards every tenant ends for itself; going on is no end, neither a good nor a bad one."""
    run_id = workspace.handed_over(50, "big", "bigger", inline=[tenant("small")])
    assert workspace.panel("runs") == []
    assert [(row["tenant"], row["not_ok"]) for row in workspace.panel("health")] == [("small", 0)]
    workspace.report(30, tenant("big"), run_id=run_id)
    workspace.report(30, tenant("bigger", error="State"), run_id=run_id)
    assert {(row["outcome"], row["runs"]) for row in workspace.panel("runs")} == {("ok", 1), ("failed", 1)}
    assert {row["tenant"]: row["not_ok"] for row in workspace.panel("health")} == {"small": 0, "big": 0, "bigger": 1}


def test_a_run_in_shards_counts_once(workspace: Workspace) -> None:
    """What its tenants changed is added up once, however many ends the run has had; its time is the longest."""
    run_id = workspace.handed_over(50, "big", "bigger", inline=[tenant("small", step1=StepCounts(1))])
    for name in ("big", "bigger"):
        workspace.report(30, tenant(name, step1=StepCounts(10)), run_id=run_id)
    assert {row["tenant"]: row["gathered"] for row in workspace.panel("changes")} == {
        "small": 1,
        "big": 10,
        "bigger": 10,
    }
    assert {row["tenant"]: row["longest_run_minutes"] for row in workspace.panel("limits")} == dict.fromkeys(
        ("small", "big", "bigger"), 1.5
    )


def test_how_steps_of_runs_in_shards_end(workspace: Workspace) -> None:
    """By tenant and step: how many, and how those ended that did not do their work; what crashed stands first."""
    workspace.step(30, "big", "gather")
    workspace.step(30, "big", "gather", "run ends")
    workspace.step(30, "big", "scatter", "broken off")
    where = {"run_id": "run", "tenant_id": "big"}
    workspace.event(30, "step_crashed", **where, step="merge", number=9, type="KeyError", way="rows.py:1 f")
    seen = [
        tuple(row[name] for name in ("step", "steps", "run_ends", "broken_off", "crashed"))
        for row in workspace.panel("shards")
    ]
    assert seen == [("merge", 0, 0, 0, 1), ("scatter", 1, 0, 1, 0), ("gather", 2, 1, 0, 0)]


def test_what_changed(workspace: Workspace) -> None:
    """Counts by day and tenant; what a dry run planned did not change anything."""
    changed = tenant("t", step1=StepCounts(1, 2), step2=StepCounts(3, 4), stamped=5, deleted=6, restored=7)
    workspace.hour(30, changed)
    workspace.report(20, changed, dry_run=True)
    (row,) = workspace.panel("changes")
    counts = [row[name] for name in ("gathered", "scattered", "stamped", "deleted", "restored", "conflicts")]
    assert counts == [3, 7, 5, 6, 7, 0]


def test_which_mailboxes_fail_and_why(workspace: Workspace) -> None:
    """By id, code and number of runs."""
    workspace.hour(90, failing("box-1"))
    workspace.hour(30, failing("box-1", "box-2"))
    seen = [(row["mailbox"], row["code"], row["runs"]) for row in workspace.panel("mailboxes")]
    assert seen == [("box-1", "MailboxFull", 2), ("box-2", "MailboxFull", 1)]


def test_what_was_worth_a_look(workspace: Workspace) -> None:
    """By code: in how many runs, and how many at most."""
    workspace.hour(90, troubled("ItemChanged", 2))
    workspace.hour(30, troubled("ItemChanged", 5))
    assert [(row["code"], row["runs"], row["most"]) for row in workspace.panel("problems")] == [("ItemChanged", 2, 5)]


def test_how_close_the_limits_are(workspace: Workspace) -> None:
    """A run of 90 seconds has used three hundredths of the host's time; throttling is a share of the requests."""
    workspace.hour(30, tenant("t", graph=GraphCounts(requests=200, throttled=25, retried=30)))
    (row,) = workspace.panel("limits")
    assert (row["longest_run_minutes"], row["time_used_percent"]) == (1.5, 3)
    assert (row["most_requests"], row["throttled_percent"], row["retried"]) == (200, 12.5, 30)


def test_how_long_runs_take(workspace: Workspace) -> None:
    """In minutes."""
    workspace.hour(30)
    assert [row["longest"] for row in workspace.panel("duration")] == [1.5]


def test_who_waits_for_what(workspace: Workspace) -> None:
    """A person has to act, or the next run will; who is served waits for nothing."""
    workspace.hour(
        30,
        tenant("served"),
        tenant("guarded", error="DeletionsRefused"),
        troubled("Deadline", name="slow", outcome=Outcome.PARTIAL),
    )
    seen = {row["tenant"]: row["waits_for"] for row in workspace.panel("waiting")}
    assert seen == {
        "guarded": "somebody to release the deletions, or to take them back",
        "slow": "the next run: time was up",
    }


def _tenant_codes() -> set[str]:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.TenantError)]
    return {kind.code for kind in kinds} | {"Unexpected", "DeletionsRefused", "LeaseLost", "Deadline", "TokenRefused"}


@pytest.mark.parametrize("code", sorted(_tenant_codes()))
def test_every_failure_of_a_tenant_waits_for_somebody(workspace: Workspace, code: str) -> None:
    """No code of a tenant is left out of the answer."""
    workspace.hour(30, tenant(error=code))
    assert [row["code"] for row in workspace.panel("waiting")] == [code]


def test_secrets_that_end(workspace: Workspace) -> None:
    """The next one first."""
    workspace.event(60, "secret_expiring", run_id="run", tenant_id="t", name="late", days=20)
    workspace.event(60, "secret_expiring", run_id="run", tenant_id="t", name="soon", days=3)
    assert [(row["secret"], row["days"]) for row in workspace.panel("secrets")] == [("soon", 3), ("late", 20)]


def test_the_document_is_a_workbook() -> None:
    """Heading, time range, and a query item for each panel that follows the time range."""
    template = templates()["workbook.bicep"]
    items = [template.variable("heading"), template.variable("timeRange"), template.variable("queries")["config"]]
    assert [item["type"] for item in items] == [1, 9, 3]
    (time_range,) = items[1]["content"]["parameters"]
    assert items[2]["content"]["timeContextFromParameter"] == time_range["name"]
    assert {panel["visualization"] for panel in panels().values()} <= {"table", "barchart", "timechart"}
    assert not any(is_expression(panel["title"]) for panel in panels().values())
