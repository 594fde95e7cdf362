"""What a setting is: its names, what it takes, what it means and what holds without it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

PREFIX = "AUTOMATION_SYNCCONTACTS_"


class Level(StrEnum):
    """Where in the JSON a key may stand."""

    NOWHERE = "environment only"
    TOP = "top of the JSON"
    TENANT = "tenant"
    BOTH = "top of the JSON or tenant"


@dataclass(frozen=True, slots=True, eq=False)
class Setting(Generic[T]):
    """One setting.

    `parse` raises `BadValueError`; `default` holds when nobody configured it, and `shown_default` says so in words.
    `variable` and `key` are its names in the environment and in the JSON, "" where it has none.
    """

    parse: Callable[[object], T]
    default: T
    meaning: str
    variable: str = ""
    key: str = ""
    level: Level = Level.NOWHERE
    shown_default: str = ""
    example: str = ""

    @property
    def in_tenant(self) -> bool:
        """Whether a tenant's JSON may hold it."""
        return self.level in {Level.TENANT, Level.BOTH}

    @property
    def on_top(self) -> bool:
        """Whether the JSON may hold it for all tenants at once."""
        return self.level in {Level.TOP, Level.BOTH}

    @property
    def name(self) -> str:
        """The name to call it by where either would do."""
        return self.key or self.variable
