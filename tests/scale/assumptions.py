"""What the model cannot measure: prices, and how Azure behaves. Change a number, and write docs/scale.md anew."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Prices:
    """Euros, as assumed in November 2026 for Western Europe, without free grants; nobody has looked them up for you."""

    gigabyte_second: float = 0.000026
    million_executions: float = 0.40
    ten_thousand_table_transactions: float = 0.00036
    ten_thousand_queue_operations: float = 0.004
    ten_thousand_blob_operations: float = 0.06
    ten_thousand_vault_operations: float = 0.03


@dataclass(frozen=True, slots=True)
class Azure:
    """The app as `infra/` makes it, and the host as its documentation tells it."""

    instances: int = 40
    """`maximumInstanceCount`; the model has all of them from the beginning."""
    steps_an_instance: int = 2
    """`maxConcurrentActivityFunctions`."""
    instance_gigabytes: float = 2.0
    messages_a_poll: int = 32
    """Of a control queue, and so the most that an orchestrator can hear of in one turn."""
    poll_seconds: float = 10.0
    """`maxQueuePollingInterval`: what a hand-over waits at worst, when queues have been idle."""
    replay_seconds_a_task: float = 85e-6
    """CPU of the worker for a task of an orchestrator in one replay; measured with azure-functions-durable 1.7.0."""
    message_bytes: int = 45_000
    """A larger message lies in a blob."""
    step_start_seconds: float = 0.5
    """Settings, vault, token and lease, before a step's own work."""
    graph_requests_a_second: float = 13_000
    """What Graph takes of one application, all its tenants together (learn.microsoft.com/graph/throttling-limits)."""
    partition_rows_a_second: float = 2_000
    """What a table takes for one partition, as the checkpoints are (learn.microsoft.com/azure/storage/tables)."""
    merge_seconds_a_mailbox: float = 0.0002
    """CPU of the merge for each mailbox; 30 to 200 µs were seen on a busy machine with two cores."""
    merge_seconds_a_card: float = 0.00005
    """For each mailbox and edited contact; likewise, 10 to 60 µs."""
    vault_reads_a_step: int = 2
    """The configuration, and the tenant's secret."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The tenant that the model is about."""

    contacts: int = 1000
    """In the hub, and so in every mailbox."""


PRICES: Final = Prices()
AZURE: Final = Azure()
TENANT: Final = Tenant()
SIZES: Final = (2_000, 10_000, 100_000)
"""Mailboxes."""
