"""One tenant's run and all that it talks to."""

from dataclasses import dataclass

from shared.config.model import Tenant
from shared.engine.course import Course
from shared.engine.options import RunOptions
from shared.ports import Progress, StateStore, TenantServices
from shared.sync.stamp import SyncId
from shared.sync.unmake import Unmade


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done for which tenant, with what; with `only`, for no other contacts than these.

    Of what is `unmade` nothing is created or updated, and the mirror's copies go. `room` is how many mailboxes this
    process takes, None for any number.
    """

    tenant: Tenant
    options: RunOptions
    services: TenantServices
    state: StateStore
    progress: Progress
    course: Course
    only: frozenset[SyncId] | None = None
    unmade: Unmade | None = None
    room: int | None = None

    @property
    def is_dry(self) -> bool:
        """Whether nothing may be written."""
        return self.tenant.dry_run or self.options.dry_run
