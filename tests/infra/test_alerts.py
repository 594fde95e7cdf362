"""Each alert fires when it should and is silent when not; the lines are the app's own, the queries are run."""

import re

import pytest

from shared.sync.report import GraphCounts, Outcome
from tests.infra.workspace import Workspace, alerts, failing, tenant, troubled
from tests.test_architecture import ROOT

HOST_TIMEOUT_MINUTES = 55  # that it is host.json's is held by test_agreement.py


def test_a_good_day_is_quiet(workspace: Workspace) -> None:
    """Hourly runs that wrote something, with a notice here and there, wake nobody."""
    workspace.hours(24, tenant(), troubled("UnlikeNames", name="tenant-2"))
    assert [alert for alert in alerts() if workspace.fired(alert)] == []


def test_silence_is_a_matter_of_one_alert(workspace: Workspace) -> None:
    """Where nothing was logged, the alert for missing runs speaks, and the others have nothing to say."""
    assert [alert for alert in alerts() if workspace.fired(alert)] == ["run-missing"]


def test_run_failed_tells_tenant_and_code(workspace: Workspace) -> None:
    """Of two tenants, the one that was not mirrored."""
    workspace.hour(30, tenant("good"), tenant("bad", error="SignIn"))
    assert [(row["tenant"], row["code"]) for row in workspace.fired("run-failed")] == [("bad", "SignIn")]


def test_run_failed_is_over_with_the_next_good_run(workspace: Workspace) -> None:
    """What has mended itself calls for nobody."""
    workspace.hour(90, tenant(error="GraphUnavailable"))
    workspace.hour(30, tenant())
    assert workspace.fired("run-failed") == []


def test_run_failed_tells_of_a_configuration_that_cannot_be_used(workspace: Workspace) -> None:
    """No run began, so no tenant can tell."""
    workspace.event(20, "run_refused", run_id="run", code="Configuration", message="m")
    assert [row["code"] for row in workspace.fired("run-failed")] == ["Configuration"]


@pytest.mark.parametrize("outcome", [Outcome.PARTIAL, Outcome.SKIPPED])
def test_run_failed_leaves_smaller_things_to_others(workspace: Workspace, outcome: Outcome) -> None:
    """A failed mailbox, a run that was stopped, or a held tenant is no failed tenant."""
    workspace.hour(30, tenant(outcome=outcome))
    assert workspace.fired("run-failed") == []


def test_run_missing_when_nothing_ran(workspace: Workspace) -> None:
    """The last run was before the window."""
    workspace.hour(4 * 60)
    assert workspace.fired("run-missing") == [{"fired": 0, "ended": 0}]


def test_run_missing_is_not_deceived_by_manual_runs(workspace: Workspace) -> None:
    """A run that somebody asked for does not stand in for the timer."""
    workspace.report(30, tenant())
    assert workspace.fired("run-missing") == [{"fired": 0, "ended": 1}]


def test_run_missing_when_runs_begin_and_never_end(workspace: Workspace) -> None:
    """A timer that fires is not enough."""
    workspace.event(30, "timer_fired", run_id="run", past_due=True)
    assert workspace.fired("run-missing") == [{"fired": 1, "ended": 0}]


def test_run_unfinished_after_the_host_has_ended_it(workspace: Workspace) -> None:
    """Begun long ago and not ended: it was killed."""
    workspace.event(80, "run_started", run_id="run-1", tenants=1, dry_run=False)
    assert [row["run"] for row in workspace.fired("run-unfinished")] == ["run-1"]


def test_run_unfinished_waits_for_a_long_run(workspace: Workspace) -> None:
    """A run that may still be going on is not unfinished."""
    workspace.event(HOST_TIMEOUT_MINUTES, "run_started", run_id="run-1", tenants=1, dry_run=False)
    assert workspace.fired("run-unfinished") == []


def test_run_unfinished_waits_for_longer_than_the_host() -> None:
    """The query's patience is more than host.json's timeout."""
    text = (ROOT / "infra" / "alerts" / "run-unfinished.kql").read_text(encoding="utf-8")
    (patience,) = re.findall(r"ago\((\d+)m\)", text)
    assert int(patience) > HOST_TIMEOUT_MINUTES


def test_a_good_day_in_shards_is_quiet(workspace: Workspace) -> None:
    """Runs that go on in shards and end there, beside a tenant that one process is enough for, wake nobody."""
    for hour in range(24):
        run_id = workspace.handed_over(60 * hour + 40, "big", "bigger", inline=[tenant("small")])
        for name in ("big", "bigger"):
            workspace.report(60 * hour + 5, tenant(name), run_id=run_id)
    assert [alert for alert in alerts() if workspace.fired(alert)] == []


def test_run_missing_when_runs_go_on_and_never_end(workspace: Workspace) -> None:
    """That a run goes on in shards is no end of it."""
    workspace.handed_over(150, "big")
    workspace.handed_over(90, "big")
    assert workspace.fired("run-missing") == [{"fired": 2, "ended": 0}]


@pytest.mark.parametrize("error", ["", "SignIn"])
def test_run_unfinished_when_one_of_its_tenants_does_not_end(workspace: Workspace, error: str) -> None:
    """In shards every tenant ends for itself; one that has ended, or failed, does not stand in for another."""
    run_id = workspace.handed_over(120, "big", "bigger", inline=[tenant("small", error=error)])
    workspace.report(60, tenant("big"), run_id=run_id)
    assert [row["run"] for row in workspace.fired("run-unfinished")] == [run_id]


def test_run_unfinished_leaves_a_run_that_never_began(workspace: Workspace) -> None:
    """A tenant whose earlier run still goes on was told so; that run's end is another matter."""
    run_id = workspace.handed_over(120, "big")
    workspace.event(120, "run_skipped", run_id=run_id, tenant_id="big")
    assert workspace.fired("run-unfinished") == []


def test_run_failed_does_not_take_going_on_for_fine(workspace: Workspace) -> None:
    """A tenant whose last run failed stays so until the next one has ended."""
    workspace.hour(90, tenant("big", error="SignIn"))
    run_id = workspace.handed_over(30, "big")
    assert [row["tenant"] for row in workspace.fired("run-failed")] == ["big"]
    workspace.report(10, tenant("big"), run_id=run_id)
    assert workspace.fired("run-failed") == []


@pytest.mark.parametrize(("skipped", "ends", "fires"), [(2, 0, False), (3, 0, True), (3, 1, False)])
def test_run_stuck_when_nothing_but_skipping_is_left(
    workspace: Workspace, skipped: int, ends: int, fires: bool
) -> None:
    """A long run costs the next one its turn; one that never ends costs them all."""
    for hour in range(skipped):
        run_id = workspace.handed_over(60 * hour + 30, "big")
        workspace.event(60 * hour + 30, "run_skipped", run_id=run_id, tenant_id="big")
    for _ in range(ends):
        workspace.report(60, tenant("big"))
    assert [row["tenant"] for row in workspace.fired("run-stuck")] == (["big"] if fires else [])


def test_run_stuck_names_that_tenant_alone(workspace: Workspace) -> None:
    """The others' runs end, and their ends hide nothing."""
    for hour in range(3):
        run_id = workspace.handed_over(60 * hour + 30, "stuck", inline=[tenant("well")])
        workspace.event(60 * hour + 30, "run_skipped", run_id=run_id, tenant_id="stuck")
    assert [(row["tenant"], row["skipped"]) for row in workspace.fired("run-stuck")] == [("stuck", 3)]


def test_deletions_refused_until_somebody_decides(workspace: Workspace) -> None:
    """It fires run after run, and the alert for failed tenants leaves it alone."""
    workspace.hours(2, tenant("t", error="DeletionsRefused"))
    assert [row["tenant"] for row in workspace.fired("deletions-refused")] == ["t"]
    assert workspace.fired("run-failed") == []


def test_deletions_refused_is_over_once_decided(workspace: Workspace) -> None:
    """The run after the decision is fine."""
    workspace.hour(90, tenant(error="DeletionsRefused"))
    workspace.hour(30, tenant())
    assert workspace.fired("deletions-refused") == []


def test_throttled_by_share(workspace: Workspace) -> None:
    """More than one wait in ten requests, over the window."""
    workspace.hour(30, tenant("t", graph=GraphCounts(requests=300, throttled=45)))
    (row,) = workspace.fired("throttled")
    assert (row["tenant"], row["requests"], row["throttled"]) == ("t", 300, 45)


@pytest.mark.parametrize(("requests", "throttled"), [(300, 29), (20, 15)])
def test_throttled_takes_some_waiting_for_normal(workspace: Workspace, requests: int, throttled: int) -> None:
    """A tenth is usual, and so is a burst in a small run."""
    workspace.hour(30, tenant(graph=GraphCounts(requests=requests, throttled=throttled)))
    assert workspace.fired("throttled") == []


def test_throttled_when_a_mailbox_was_given_up(workspace: Workspace) -> None:
    """Graph asked for a longer wait than a run has."""
    workspace.hour(30, troubled("Throttled", 2))
    assert [row["given_up"] for row in workspace.fired("throttled")] == [2]


@pytest.mark.parametrize(("runs", "fires"), [(2, False), (3, True)])
def test_out_of_time_again_and_again(workspace: Workspace, runs: int, fires: bool) -> None:
    """The first runs of a large tenant may well end so; a habit of it is a matter of size."""
    workspace.hours(runs, troubled("Deadline"))
    assert bool(workspace.fired("out-of-time")) is fires


def test_mailbox_failing_names_it(workspace: Workspace) -> None:
    """Three runs, the last among them: the mailbox by its id, and why."""
    workspace.hours(3, failing("box-1"))
    (row,) = workspace.fired("mailbox-failing")
    assert (row["mailbox"], row["code"], row["runs"]) == ("box-1", "MailboxFull", 3)


def test_mailbox_failing_forgives(workspace: Workspace) -> None:
    """Two failures are a matter of the next run, and a mailbox that works again is none."""
    workspace.hour(270, failing("often"))
    workspace.hour(210, failing("often"))
    workspace.hour(150, failing("often", "twice"))
    workspace.hour(90, failing("twice"))
    assert workspace.fired("mailbox-failing") == []


@pytest.mark.parametrize("code", ["Quarantined", "ItemInvalid", "ItemRefused", "ItemCorrupt", "ItemTooLarge"])
def test_card_refused(workspace: Workspace, code: str) -> None:
    """By code and count; the run was fine."""
    workspace.hour(600, troubled(code, 3))
    assert [(row["code"], row["cards"]) for row in workspace.fired("card-refused")] == [(code, 3)]


@pytest.mark.parametrize("code", ["ItemChanged", "ItemGone", "UnknownFate", "BlankCard"])
def test_card_refused_leaves_what_the_next_run_mends(workspace: Workspace, code: str) -> None:
    """A card that somebody saved at the same moment needs nobody."""
    workspace.hour(30, troubled(code))
    assert workspace.fired("card-refused") == []


def test_secret_expiring_once_for_each_secret(workspace: Workspace) -> None:
    """Every run warns; the alert tells each secret with its newest number of days."""
    for hours, days in ((20, 12), (1, 11)):
        workspace.event(hours * 60, "secret_expiring", run_id="run", tenant_id="t", name="contoso-mirror", days=days)
    assert [(row["secret"], row["days"]) for row in workspace.fired("secret-expiring")] == [("contoso-mirror", 11)]


@pytest.mark.parametrize("queue", ["contacts-mirror-runs", "contacts-mirror-shards"])
def test_message_poisoned_by_the_host(workspace: Workspace, queue: str) -> None:
    """The host has set aside what a manual run could not finish, or what should have gone on in shards."""
    workspace.poison(10, f"{queue}-poison")
    assert len(workspace.fired("message-poisoned")) == 1


def test_message_poisoned_by_somebody(workspace: Workspace) -> None:
    """A message that was none of ours is as good as a lost run."""
    workspace.event(10, "message_dropped", message_id="message-1")
    assert [row["what"] for row in workspace.fired("message-poisoned")] == ["message-1"]


@pytest.mark.parametrize("queue", ["contacts-mirror-runs", "contacts-mirror-shards", "contactsmirror-workitems"])
def test_message_poisoned_is_no_matter_of_ordinary_messages(workspace: Workspace, queue: str) -> None:
    """A run that is asked for is a message on the other queue, and so is each step of one in shards."""
    workspace.poison(10, queue)
    assert workspace.fired("message-poisoned") == []


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("tenant_crashed", {"run_id": "r", "tenant_id": "t", "type": "KeyError", "way": "plan.py:1 plan"}),
        (
            "step_crashed",
            {"run_id": "r", "tenant_id": "t", "step": "merge", "number": "9", "type": "KeyError", "way": "rows.py:1 f"},
        ),
        ("state_damaged", {"run_id": "r", "tenant_id": "t", "code": "StateDamaged"}),
        ("run_not_recorded", {"run_id": "r", "tenant_id": "t"}),
    ],
)
def test_mirror_fault(workspace: Workspace, event: str, fields: dict[str, str]) -> None:
    """What broke, and for whom."""
    workspace.event(30, event, **fields)
    assert [(row["event"], row["tenant"]) for row in workspace.fired("mirror-fault")] == [(event, "t")]
