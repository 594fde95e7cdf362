"""Telling of runs: what the state knows of them as documents, the app's health, and whether a run failed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.config.model import Settings
from shared.errors import MirrorError, RunFailedError
from shared.manual.call import LATER, Answer, Call, problems, refusal, retry_after
from shared.sync.records import QUEUED, UNFINISHED, Holder, RunPart, RunRecord
from shared.sync.report import MailboxOutcome, Outcome, RunReport, iso, worst

RUNNING: Final = "running"
MAX_RUNS: Final = 100
_USUAL_RUNS: Final = 20

_MEANING: Final[Mapping[str, str]] = {
    RUNNING: "It is going on.",
    QUEUED: "It has not begun yet. If that is long ago, its message is lost or it could not begin: look for the run's "
    "id in the log, and ask for a new one.",
    UNFINISHED: "It broke off. What it did is remembered, and the next run goes on.",
}


def state_of(record: RunRecord | None, held: Holder | None) -> str:
    """Where a run of a tenant is: its outcome once it has ended; else whether it waits, goes on, or broke off."""
    if record and record.finished_at:
        return record.outcome
    return RUNNING if held or record is None else record.outcome


def run_document(run_id: str, parts: Sequence[RunPart]) -> dict[str, Any]:
    """A run as its report would be, as far as it is known; a tenant that has not ended has a sentence instead.

    `dry_run` is None until a tenant has ended.
    """
    ended = [part.record for part in parts if part.record and part.record.finished_at]
    finished = [record.finished_at for record in ended if record.finished_at]
    is_over = len(ended) == len(parts)
    return {
        "run_id": run_id,
        "started_at": iso(min(part.began_at for part in parts)),
        "finished_at": iso(max(finished)) if is_over else None,
        "dry_run": all("operations" in record.report for record in ended) if ended else None,
        "outcome": _outcome([state_of(part.record, part.held) for part in parts]),
        "warnings": [],
        "tenants": [_tenant(part) for part in parts],
    }


def _outcome(states: Sequence[str]) -> str:
    """The run's: that of the part that is furthest from its end, then the worst."""
    unsettled = [state for state in (RUNNING, QUEUED, UNFINISHED) if state in states]
    return unsettled[0] if unsettled else worst(map(Outcome, states)).value


def _tenant(part: RunPart) -> dict[str, Any]:
    state = state_of(part.record, part.held)
    if part.record and state not in _MEANING:
        return {"tenant_id": part.tenant_id, "outcome": state, **part.record.report}
    return {"tenant_id": part.tenant_id, "outcome": state, "since": iso(part.began_at), "message": _MEANING[state]}


def read_limit(query: Mapping[str, str]) -> int | Answer:
    """How many runs a tenant to tell of; 400 for what is no such number."""
    text = query.get("limit", str(_USUAL_RUNS)).strip()
    if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= MAX_RUNS:
        return int(text)
    return refusal(400, f"limit must be a number from 1 to {MAX_RUNS}.")


def runs_document(call: Call, runs: Mapping[str, Sequence[RunRecord]], held: Mapping[str, Holder]) -> dict[str, Any]:
    """The latest runs by tenant, newest first, and which one goes on."""
    return {"tenants": [_runs_of(call, tenant, found, held.get(tenant)) for tenant, found in runs.items()]}


def _runs_of(call: Call, tenant_id: str, runs: Sequence[RunRecord], held: Holder | None) -> dict[str, Any]:
    # A record that was moved while the process was killed may be listed twice; the newer place counts.
    once: dict[str, RunRecord] = {}
    for record in runs:
        once.setdefault(record.run_id, record)
    lines = [_line(call, record, held) for record in once.values()]
    return {"tenant_id": tenant_id, "running": held.run_id if held else None, "runs": lines}


def _line(call: Call, record: RunRecord, held: Holder | None) -> dict[str, Any]:
    mine = held if held and held.run_id == record.run_id else None
    return {
        "run_id": record.run_id,
        "started_at": iso(record.started_at),
        "finished_at": iso(record.finished_at) if record.finished_at else None,
        "outcome": state_of(record, mine),
        "status_url": call.url_of(record.run_id),
    }


def unknown_run(run_id: str) -> Answer:
    """404: nobody remembers this run."""
    return refusal(
        404, f"No run {run_id!r} is remembered. GET /api/runs lists the latest; runs are forgotten after HistoryDays."
    )


def health(version: str, settings: Settings | None, error: MirrorError | None = None) -> Answer:
    """200 when a run could begin, 503 with what is wrong when it could not."""
    if error:
        status = "misconfigured" if settings is None else "state unreachable"
        body = {"status": status, "version": version, "problems": problems(error)}
        return Answer(503, body, extra_headers=retry_after(LATER))
    counts = {"tenants": len(settings.tenants), "warnings": list(settings.warnings)} if settings else {}
    return Answer(200, {"status": "ok", "version": version, **counts})


def failure(report: RunReport) -> RunFailedError | None:
    """The error that makes the host show the run as failed, if it is; counts only, for the portal shows it."""
    if report.exit_code != 1:
        return None
    tenants = sum(tenant.has_failure for tenant in report.tenants)
    mailboxes = sum(tenant.mailboxes.count(MailboxOutcome.FAILED) for tenant in report.tenants)
    return RunFailedError(
        f"Run {report.run_id} ended {report.outcome.value}: failures in {tenants} of {len(report.tenants)} tenants, "
        f"{mailboxes} mailboxes failed.",
        hint="The log's lines of this run name tenants and codes; docs/operations.md says what each code means.",
    )
