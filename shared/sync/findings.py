"""What `check` has to say, as values and as the JSON that `--json` prints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.errors import Who
from shared.sync.report import iso


class Status(StrEnum):
    """How a line stands, the worst last; SKIPPED was not looked at, because another line is red."""

    SKIPPED = "skipped"
    OK = "ok"
    WARNING = "warning"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at and what was found; for what is not fine a code, who can mend it, and how.

    `mailboxes` are UPNs with a reason each, and names that nobody answers to.
    """

    check: str
    status: Status
    message: str
    code: str = ""
    who: Who = Who.NOBODY
    hint: str = ""
    mailboxes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The finding by its fields' names."""
        return {
            "check": self.check,
            "status": self.status.value,
            "code": self.code,
            "message": self.message,
            "who": self.who.value,
            "hint": self.hint,
            "mailboxes": list(self.mailboxes),
        }


@dataclass(frozen=True, slots=True)
class TenantFindings:
    """A tenant's lines, in the order in which things depend on each other."""

    tenant_id: str
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Status:
        """The worst line's."""
        return worst(self.findings)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that was found: about the settings as a whole, and about each tenant."""

    checked_at: datetime
    settings: tuple[Finding, ...]
    tenants: tuple[TenantFindings, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every line."""
        return (*self.settings, *(line for tenant in self.tenants for line in tenant.findings))

    @property
    def outcome(self) -> Status:
        """The worst line's."""
        return worst(self.findings)

    @property
    def exit_code(self) -> int:
        """1 if anything is red."""
        return int(self.outcome is Status.RED)

    def to_json(self) -> dict[str, object]:
        """The document that `--json` prints."""
        return {
            "checked_at": iso(self.checked_at),
            "outcome": self.outcome.value,
            "checks": [line.to_json() for line in self.settings],
            "tenants": [
                {
                    "tenant_id": tenant.tenant_id,
                    "outcome": tenant.outcome.value,
                    "checks": [line.to_json() for line in tenant.findings],
                }
                for tenant in self.tenants
            ],
        }


def worst(findings: Iterable[Finding]) -> Status:
    """The worst of some lines; OK if there is none."""
    order: Sequence[Status] = list(Status)
    return max((finding.status for finding in findings), key=order.index, default=Status.OK)
