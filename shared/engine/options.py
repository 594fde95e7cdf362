"""What may be asked of one run beyond the settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One run's limits; an empty tuple means all of them, an empty `run_id` that the run names itself.

    `dry_run` can only switch a dry run on: with it false, the settings decide.
    """

    run_id: str = ""
    dry_run: bool = False
    tenants: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    full: bool = False
    allowed_deletes: int | None = None
    restores_deletes: bool = False
