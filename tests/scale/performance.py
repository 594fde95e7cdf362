"""What docs/performance.md has measured of the mirror in one process, and what a shard costs by it."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.bench.document import DOCUMENT
from tests.scale.assumptions import AZURE
from tests.scale.company import Scenario

MEASURED_MAILBOXES, MEASURED_CONTACTS = 100, 200
"""The benchmark's company whose mailboxes are as many as a shard's."""
_BATCH: Final = 20
_NUMBER: Final = r"([\d.\s]+?)"


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of the mirror, as the table has it."""

    http_requests: int
    requests: int
    graph_seconds: float
    cpu_seconds: float


@cache
def measured(scenario: Scenario, mailboxes: int = MEASURED_MAILBOXES, contacts: int = MEASURED_CONTACTS) -> Measured:
    """The row of that work and that company."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("### The mirror")[2]
    cells = rf"\| {re.escape(scenario.value)} \| {mailboxes} × {contacts} \|" + rf" {_NUMBER} \|" * 10
    found = re.search(cells, text)
    assert found, f"docs/performance.md has no row of {scenario.value}, {mailboxes} × {contacts}: run make bench"
    numbers = [float(re.sub(r"\s", "", one)) for one in found.groups()]
    return Measured(int(numbers[0]), int(numbers[1]), numbers[5], numbers[8])


def fixed_requests() -> int:
    """HTTP requests of a quiet hour that are no matter of its mailboxes: directory, hub."""
    return measured(Scenario.QUIET).http_requests - MEASURED_MAILBOXES // _BATCH


def written_more(scenario: Scenario, contacts: int) -> float:
    """How many times as much is written to a mailbox as in the measured company."""
    return scenario.contacts_written(contacts) / max(scenario.contacts_written(MEASURED_CONTACTS), 1)


def http_requests_a_shard(scenario: Scenario, contacts: int) -> float:
    """HTTP requests for a shard's mailboxes."""
    quiet, run = measured(Scenario.QUIET).http_requests, measured(scenario).http_requests
    return quiet - fixed_requests() + (run - quiet) * written_more(scenario, contacts)


def requests_a_shard(scenario: Scenario, contacts: int) -> float:
    """Requests for a shard's mailboxes, those in batches counted one by one, as Graph does."""
    quiet, run = measured(Scenario.QUIET).requests, measured(scenario).requests
    return MEASURED_MAILBOXES + (run - quiet) * written_more(scenario, contacts)


def gather_seconds() -> float:
    """How long the reading of a shard takes beside another one on the same instance."""
    return AZURE.step_start_seconds + _with_company(measured(Scenario.QUIET).graph_seconds, _cpu(Scenario.QUIET))


def scatter_seconds(scenario: Scenario, contacts: int) -> float:
    """How long the writing of a shard takes beside another one on the same instance."""
    quiet, run = measured(Scenario.QUIET), measured(scenario)
    graph = max(run.graph_seconds - quiet.graph_seconds, 0)
    work = _with_company(graph, max(run.cpu_seconds - quiet.cpu_seconds, 0)) * written_more(scenario, contacts)
    return AZURE.step_start_seconds + work


def _with_company(graph_seconds: float, cpu_seconds: float) -> float:
    """Steps of an instance wait for Graph side by side, and for its one core one after the other."""
    return max(graph_seconds, cpu_seconds * AZURE.steps_an_instance)


def _cpu(scenario: Scenario) -> float:
    """CPU of a run, less what a process costs that has little to do."""
    return max(measured(scenario).cpu_seconds - measured(Scenario.QUIET, 20).cpu_seconds, 0)
