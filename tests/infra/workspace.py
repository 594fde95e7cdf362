"""A Log Analytics workspace in memory: the lines are written by the app's own telemetry, the queries are run by DuckDB.

`duckdb-kql` translates the query language and refuses what it cannot, so a query that runs here means what it says.
"""

import ast
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import duckdb_kql

from shared import telemetry
from shared.sync.report import (
    FailedMailbox,
    GraphCounts,
    MailboxOutcome,
    Outcome,
    Problem,
    RunReport,
    StepCounts,
    TenantReport,
)
from tests.infra import kusto
from tests.infra.template import FOLDER, loaded, templates
from tests.test_docs import calls

# How the host tells a level in the column SeverityLevel.
_SEVERITIES = {logging.INFO: 1, logging.WARNING: 2, logging.ERROR: 3}
_TYPES = {"datetime": "timestamp", "string": "varchar", "int": "integer"}
_SECONDS = {"PT15M": 900, "PT30M": 1800, "PT1H": 3600, "PT2H": 7200, "PT3H": 10_800, "PT6H": 21_600, "P1D": 86_400}

Row = dict[str, Any]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((_SEVERITIES[record.levelno], record.getMessage()))


class Workspace:
    """The rows of one test; times are said as minutes before now."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._now = datetime.now(UTC).replace(tzinfo=None)
        self._handler = _Lines()
        self._logger = logging.getLogger(f"workspace-{uuid4()}")
        self._logger.handlers, self._logger.propagate = [self._handler], False
        self._logger.setLevel(logging.INFO)
        for table, columns in kusto.TABLES.items():
            declared = ", ".join(f"{name} {kind}" for name, kind in _columns(columns))
            database.execute(f"create or replace table {table}_whole ({declared})")

    def trace(self, minutes: float, text: str, severity: int = 1) -> None:
        """A line of anybody's."""
        self._insert("AppTraces", [(self._before(minutes), text, severity)])

    def event(self, minutes: float, name: str, /, **fields: telemetry.Field) -> None:
        """A line as the code logs it: with exactly the fields that a call in the code gives it."""
        assert frozenset(fields) in _logged(name), f"no call in the code logs {name} with {sorted(fields)}"
        telemetry.log_event(self._logger, logging.INFO, name, **fields)
        self._store(minutes)

    def report(self, minutes: float, *tenants: TenantReport, dry_run: bool = False, run_id: str = "") -> str:
        """The lines of a run's report, a run of 90 seconds; gives the run's id."""
        run_id, ended = run_id or str(uuid4()), datetime.now(UTC)
        telemetry.log_report(
            self._logger, RunReport(run_id, ended - timedelta(seconds=90), ended, dry_run, tuple(tenants))
        )
        self._store(minutes)
        return run_id

    def hour(self, minutes: float, *tenants: TenantReport) -> str:
        """All that the timer's run says, and the host around it."""
        self.trace(minutes + 2, "Executing 'Functions.scheduled_sync' (Reason='Timer fired', Id=1)")
        self.event(minutes + 2, "timer_fired", run_id=str(uuid4()), past_due=False)
        run_id = self.report(minutes, *(tenants or (tenant(),)))
        self.event(minutes + 2, "run_started", run_id=run_id, tenants=len(tenants), dry_run=False)
        self.trace(minutes, "{this is no JSON of ours")
        return run_id

    def handed_over(self, minutes: float, *names: str, inline: Sequence[TenantReport] = ()) -> str:
        """All that the timer's run says when these tenants go on in shards, and others do not; gives the run's id."""
        self.event(minutes, "timer_fired", run_id=str(uuid4()), past_due=False)
        going_on = [tenant(name, Outcome.RUNNING) for name in names]
        run_id = self.report(minutes, *inline, *going_on)
        self.event(minutes, "run_started", run_id=run_id, tenants=len(names) + len(inline), dry_run=False)
        for name in names:
            self.event(minutes, "run_in_shards", run_id=run_id, tenant_id=name, mailboxes=3000)
        return run_id

    def step(self, minutes: float, name: str, step: str, end: str | None = None) -> None:
        """A step of a run in shards."""
        where = {"run_id": "run", "tenant_id": name}
        self.event(minutes, "step_finished", **where, step=step, round=1, number=0, end=end)

    def hours(self, count: int, *tenants: TenantReport) -> None:
        """A run every hour, the last one half an hour ago."""
        for hour in range(count):
            self.hour(30 + 60 * hour, *tenants)

    def poison(self, minutes: float, queue: str) -> None:
        """A message that the host put into a queue, as the storage account logs it."""
        self._insert("StorageQueueLogs", [(self._before(minutes), "PutMessage", f'"/account/{queue}"')])

    def fired(self, alert: str) -> list[Row]:
        """The rows for which the alert fires, within its window; none when it is silent."""
        rule = alerts()[alert]
        return self.asked(query(rule["query"]), _SECONDS[rule["window"]])

    def panel(self, name: str) -> list[Row]:
        """The rows of a panel of the workbook, over a week."""
        return self.asked(query(panels()[name]["query"]), 7 * 86_400)

    def asked(self, text: str, seconds: int) -> list[Row]:
        """What a query says of the last so many seconds."""
        since = self._before(seconds / 60)
        for table in kusto.TABLES:
            window = f"select * from {table}_whole where TimeGenerated >= timestamp '{since}'"  # noqa: S608 - our own names
            self._database.execute(f"create or replace view {table} as {window}")
        found = self._database.sql(_translated(text))
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def _store(self, minutes: float) -> None:
        rows = [(self._before(minutes), text, severity) for severity, text in self._handler.lines]
        self._handler.lines.clear()
        self._insert("AppTraces", rows)

    def _before(self, minutes: float) -> datetime:
        return self._now - timedelta(minutes=minutes)

    def _insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._database.execute(f"insert into {table}_whole select unnest(?), unnest(?), unnest(?)", columns)


def tenant(name: str = "tenant-1", outcome: Outcome = Outcome.OK, error: str = "", **more: Any) -> TenantReport:
    """A tenant's report with one interesting difference: a healthy one, with the given error, or what else is said."""
    problem = Problem("", error, "What is wrong.") if error else None
    values: dict[str, Any] = {"step2": StepCounts(updated=2), "graph": GraphCounts(requests=40)} | more
    return TenantReport(name, Outcome.FAILED if error else outcome, problem, **values)


def troubled(code: str, count: int = 1, **more: Any) -> TenantReport:
    """A tenant that ended well, with problems of that code."""
    return tenant(problems=tuple(Problem("somebody", code, "What is wrong.") for _ in range(count)), **more)


def failing(*mailboxes: str, code: str = "MailboxFull") -> TenantReport:
    """A tenant with failed mailboxes."""
    return tenant(
        outcome=Outcome.PARTIAL,
        mailboxes=tuple(MailboxOutcome.FAILED for _ in mailboxes),
        failed=tuple(FailedMailbox(mailbox, code) for mailbox in mailboxes),
    )


@cache
def alerts() -> dict[str, Row]:
    """The rules in alerts.bicep by name; a window that is a parameter has its default in main.bicep."""
    rules = {rule["name"]: dict(rule) for rule in templates()["alerts.bicep"].variable("alerts")}
    for rule in rules.values():
        parameter = templates()["main.bicep"].part("parameters").get(str(rule["window"]))
        rule["window"] = parameter["default"] if parameter else rule["window"]
    return rules


@cache
def panels() -> dict[str, Row]:
    """The panels of the workbook by name."""
    return {panel["name"]: panel for panel in templates()["workbook.bicep"].variable("panels")}


def query(value: Any) -> str:
    """The query that a template loads."""
    return (FOLDER / loaded(value)).read_text(encoding="utf-8")


def queries() -> dict[str, str]:
    """Every query by its file."""
    return {_name(path): path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*/*.kql"))}


def _name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


@cache
def _logged(event: str) -> frozenset[frozenset[str]]:
    """With which fields the code logs an event."""
    found = set()
    for call in calls():
        kind = getattr(call.func, "attr", getattr(call.func, "id", ""))
        position = {"log_event": 2, "log_crash": 1}.get(kind, -1)
        if position >= 0 and len(call.args) > position and _says(call.args[position], event):
            added = {"type", "way"} if kind == "log_crash" else set()
            found.add(frozenset(added.union(*map(_names, call.keywords))))
    return frozenset(found)


def _names(word: ast.keyword) -> set[str]:
    """The fields that an argument stands for: its name, or the two that `**where` says everywhere."""
    return {word.arg} if word.arg else {"run_id", "tenant_id"}


def _says(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


@cache
def _translated(text: str) -> str:
    """A query as DuckDB takes it; the translation takes longer than the query."""
    schema = {table: [name for name, _ in _columns(columns)] for table, columns in kusto.TABLES.items()}
    return str(duckdb_kql.to_sql(text, schema=schema))


def _columns(text: str) -> list[tuple[str, str]]:
    """The columns of a table and their types in DuckDB."""
    pairs = (column.strip().split(":") for column in text.split(","))
    return [(name, _TYPES[kind]) for name, kind in pairs]
