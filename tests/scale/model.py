"""What a run in shards asks, takes and costs, for a size and a scenario."""

from dataclasses import dataclass

from shared.shards.errand import SHARD_SIZE
from tests.scale.assumptions import AZURE, PRICES, TENANT
from tests.scale.company import Scenario, state_count
from tests.scale.durable import Traffic, traffic
from tests.scale.performance import (
    fixed_requests,
    gather_seconds,
    http_requests_a_shard,
    requests_a_shard,
    scatter_seconds,
)
from tests.scale.table import Count

_USERS_A_PAGE = 999
_ANSWER_SECONDS = 0.05
_AT_A_TIME = 4
"""Requests that a mailbox takes at a time, the hub's too."""
_WITHOUT_SHARDS, _WITH_SHARDS = 2, 4
"""How often a step is handed over, alone, and in slices."""
_BLOB_OPERATIONS = 4
"""Of a large message: written, read and removed, and its answer written."""
_TEN_THOUSAND = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A run."""

    scenario: Scenario
    mailboxes: int
    host: Traffic
    state: Count

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.mailboxes // SHARD_SIZE)

    @property
    def writes(self) -> bool:
        """Whether shards are written at all."""
        return self.scenario is not Scenario.QUIET

    @property
    def http_requests(self) -> float:
        """HTTP requests to Graph."""
        return self._once + self.shards * http_requests_a_shard(self.scenario, TENANT.contacts)

    @property
    def graph_requests(self) -> float:
        """Requests to Graph, those in batches counted one by one."""
        return self._once + self.shards * requests_a_shard(self.scenario, TENANT.contacts)

    @property
    def side_by_side(self) -> int:
        """Steps at a time."""
        return AZURE.instances * AZURE.steps_an_instance

    @property
    def merge_seconds(self) -> float:
        """The step in the middle, with the hub's writes."""
        to_hub = self.scenario.contacts_written(TENANT.contacts)
        cards = 0 if self.scenario is Scenario.FIRST else to_hub * self.mailboxes
        planned = self.mailboxes * AZURE.merge_seconds_a_mailbox + cards * AZURE.merge_seconds_a_card
        return AZURE.step_start_seconds + planned + to_hub * 2 * _ANSWER_SECONDS / _AT_A_TIME

    @property
    def work_seconds(self) -> float:
        """From the first step to the last, if no hand-over had to wait."""
        waves = -(-self.shards // self.side_by_side)
        alone = self._alone_seconds
        at_graph = self.graph_requests / AZURE.graph_requests_a_second
        checkpoints = self.mailboxes / AZURE.partition_rows_a_second if self.writes else 0
        return alone + max(waves * (gather_seconds() + self._scatter_seconds), at_graph, checkpoints)

    @property
    def waiting_seconds(self) -> float:
        """What hand-overs add at worst: each finds the queues idle."""
        handed_over = 4 * _WITHOUT_SHARDS + self.host.waves * _WITH_SHARDS
        return handed_over * AZURE.poll_seconds

    @property
    def gigabyte_seconds(self) -> float:
        """What instances are up for, two steps at a time, longer if Graph makes them wait."""
        in_use = min(self.shards / AZURE.steps_an_instance, AZURE.instances)
        waited = self.graph_requests / AZURE.graph_requests_a_second * in_use
        sharded = max(self.shards * (gather_seconds() + self._scatter_seconds) / AZURE.steps_an_instance, waited)
        return (sharded + self._alone_seconds + self.host.replay_seconds) * AZURE.instance_gigabytes

    @property
    def euros(self) -> float:
        """The run's price."""
        executions = self.host.activities + self.host.turns
        vault = self.host.activities * AZURE.vault_reads_a_step
        return (
            self.gigabyte_seconds * PRICES.gigabyte_second
            + executions / 1_000_000 * PRICES.million_executions
            + self.table_transactions / _TEN_THOUSAND * PRICES.ten_thousand_table_transactions
            + self.host.queue_operations / _TEN_THOUSAND * PRICES.ten_thousand_queue_operations
            + self.host.large * _BLOB_OPERATIONS / _TEN_THOUSAND * PRICES.ten_thousand_blob_operations
            + vault / _TEN_THOUSAND * PRICES.ten_thousand_vault_operations
        )

    @property
    def table_transactions(self) -> float:
        """Of the state and of the hub."""
        return self.state.transactions + self.host.table_transactions

    @property
    def _alone_seconds(self) -> float:
        """The steps that all others wait for: the first one, which asks the directory, the merge, the last one."""
        return 2 * AZURE.step_start_seconds + self._once * _ANSWER_SECONDS + self.merge_seconds

    @property
    def _once(self) -> int:
        """Requests for directory and hub; the directory is asked twice."""
        return fixed_requests() + 2 * -(-self.mailboxes // _USERS_A_PAGE)

    @property
    def _scatter_seconds(self) -> float:
        return scatter_seconds(self.scenario, TENANT.contacts) if self.writes else 0


def estimate(scenario: Scenario, mailboxes: int) -> Estimate:
    """A run of this size."""
    host = traffic(mailboxes, writes=scenario is not Scenario.QUIET)
    return Estimate(scenario, mailboxes, host, state_count(scenario, mailboxes, TENANT.contacts))
