"""Log lines that a portal's log stream shows and a query parses: one JSON object a line, with a fixed `event` name.

The Functions host forwards nothing of a record but its level and text, so the fields travel in the text and never in
`extra`. Fields are ids, counts and codes: whatever looks like an address is masked all the same.
"""

import json
import logging
import traceback
from collections import Counter
from pathlib import Path

from shared.sync.report import MailboxOutcome, Outcome, RunReport, TenantReport

Field = str | int | float | bool | None

# Each logs URLs with user ids, or tokens' details, at INFO, which is the root logger's level in the Functions worker.
_LIBRARIES = (
    "aiohttp",
    "asyncio",
    "azure",
    "httpcore",
    "httpx",
    "kiota_abstractions",
    "kiota_http",
    "msal",
    "msgraph",
    "msgraph_core",
    "opentelemetry",
    "urllib3",
)
_MASK = "***"
_MOST_MAILBOXES = 100
"""So many failed mailboxes of a tenant get a line of their own: more have one cause, and `problem` counts them all."""


def quiet_libraries() -> None:
    """Let the libraries speak only of what went wrong."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_event(logger: logging.Logger, level: int, event: str, **fields: Field) -> None:
    """Log one line: a JSON object with `event` first, then the fields in the order given."""
    if logger.isEnabledFor(level):
        masked = {name: _masked(value) for name, value in fields.items()}
        logger.log(level, "%s", json.dumps({"event": event} | masked))


def log_crash(logger: logging.Logger, event: str, error: BaseException, **fields: Field) -> None:
    """Log a fault of ours as one line: its type and the way there, but not its message, which may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    way = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    log_event(logger, logging.ERROR, event, type=type(error).__name__, way=way, **fields)


def log_report(logger: logging.Logger, report: RunReport) -> None:
    """Log a line for each warning, each tenant, each kind of problem and failed mailbox in it, `run_summary` last.

    A tenant that goes on in shards has not finished, so it has no line yet.
    """
    for warning in report.warnings:
        log_event(logger, logging.WARNING, "configuration_warning", run_id=report.run_id, message=warning)
    for tenant in report.tenants:
        if tenant.outcome is not Outcome.RUNNING:
            _log_tenant(logger, report.run_id, tenant)
    log_event(
        logger,
        logging.ERROR if report.exit_code == 1 else logging.INFO,
        "run_summary",
        run_id=report.run_id,
        outcome=report.outcome.value,
        dry_run=report.dry_run,
        seconds=round((report.finished_at - report.started_at).total_seconds(), 1),
        tenants=len(report.tenants),
        tenants_failed=sum(tenant.has_failure for tenant in report.tenants),
    )


def _log_tenant(logger: logging.Logger, run_id: str, tenant: TenantReport) -> None:
    log_event(
        logger,
        logging.ERROR if tenant.has_failure else logging.INFO,
        "tenant_finished",
        run_id=run_id,
        tenant_id=tenant.tenant_id,
        outcome=tenant.outcome.value,
        error=tenant.error.code if tenant.error else None,
        message=tenant.error.message if tenant.error else None,
        gathered=tenant.step1.created + tenant.step1.updated,
        scattered=tenant.step2.created + tenant.step2.updated,
        stamped=tenant.stamped,
        deleted=tenant.deleted,
        restored=tenant.restored,
        conflicts=tenant.disagreements,
        mailboxes=len(tenant.mailboxes),
        mailboxes_failed=tenant.mailboxes.count(MailboxOutcome.FAILED),
        mailboxes_skipped=tenant.mailboxes.count(MailboxOutcome.SKIPPED),
        requests=tenant.graph.requests,
        throttled=tenant.graph.throttled,
        retried=tenant.graph.retried,
    )
    where = {"run_id": run_id, "tenant_id": tenant.tenant_id}
    for code, count in Counter(problem.code for problem in tenant.problems).items():
        log_event(logger, logging.WARNING, "problem", **where, code=code, count=count)
    for one in tenant.failed[:_MOST_MAILBOXES]:
        log_event(logger, logging.WARNING, "mailbox_failed", **where, mailbox_id=one.mailbox_id, code=one.code)


def _masked(value: Field) -> Field:
    if not isinstance(value, str) or "@" not in value:
        return value
    return " ".join(_MASK if "@" in word else word for word in value.split(" "))
