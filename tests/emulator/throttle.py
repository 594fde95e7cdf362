"""Limits: requests and uploads to a mailbox, requests at the same time, resource units of the directory."""

from dataclasses import dataclass, field
from email.utils import format_datetime

from tests.emulator.calls import Call
from tests.emulator.clock import in_seconds
from tests.emulator.replies import GraphError
from tests.emulator.world import World

MAILBOX_WINDOW_SECONDS = 600.0
UPLOAD_WINDOW_SECONDS = 300.0
IDENTITY_WINDOW_SECONDS = 10.0


@dataclass(slots=True)
class _Window:
    """A count that starts again when its time is over."""

    length: float
    ends: float = 0.0
    used: float = 0.0

    def add(self, amount: float, now: float) -> float:
        """Count, and give the sum."""
        if now >= self.ends:
            self.ends, self.used = now + self.length, 0.0
        self.used += amount
        return self.used


@dataclass(slots=True)
class Budget:
    """What one application uses of one mailbox."""

    requests: _Window = field(default_factory=lambda: _Window(MAILBOX_WINDOW_SECONDS))
    upload: _Window = field(default_factory=lambda: _Window(UPLOAD_WINDOW_SECONDS))
    running: int = 0
    most_running: int = 0


class Throttle:
    """Who may go on, and who gets a 429 (throttling-limits page)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._identity: dict[tuple[str, str], _Window] = {}

    def reset(self) -> None:
        """Forget what was used."""
        self._budgets.clear()
        self._identity.clear()

    def most_at_once(self, mailbox_id: str) -> int:
        """The most requests to a mailbox that ran at the same time."""
        return max((b.most_running for (_, owner), b in self._budgets.items() if owner == mailbox_id), default=0)

    def enter(self, call: Call) -> Budget:
        """Count a request to a mailbox, the refused ones too; `leave` must be called with the answer.

        Raises:
            GraphError: 429 when a limit is reached.
        """
        switches, now = self._world.switches, self._world.clock.seconds
        budget = self._budgets.setdefault((call.client_id, call.user.id), Budget())
        used = budget.requests.add(1, now)
        sent = budget.upload.add(call.size, now)
        if switches.mailbox_requests is not None and used > switches.mailbox_requests:
            raise self.refusal("Application is over its RequestRate limit.", budget.requests.ends - now)
        if switches.mailbox_upload_bytes is not None and sent > switches.mailbox_upload_bytes:
            raise self.refusal("Application is over its Upload limit.", budget.upload.ends - now)
        if switches.concurrency_enforced and budget.running >= switches.mailbox_concurrency:
            raise self.refusal("Application is over its MailboxConcurrency limit.", 1.0)
        budget.running += 1
        budget.most_running = max(budget.most_running, budget.running)
        return budget

    def leave(self, budget: Budget) -> None:
        """Let the next one in."""
        budget.running -= 1

    def identity(self, call: Call) -> dict[str, str]:
        """Count a request to the directory; gives the headers that tell how much is left.

        Raises:
            GraphError: 429 when the units are used up.
        """
        switches, now = self._world.switches, self._world.clock.seconds
        window = self._identity.setdefault((call.client_id, call.tenant.id), _Window(IDENTITY_WINDOW_SECONDS))
        units = _units(call)
        used = window.add(units, now)
        if switches.identity_units is None:
            return {"x-ms-resource-unit": str(units)}
        share = used / switches.identity_units
        if share > 1:
            error = self.refusal("Please retry again later.", window.ends - now, code="TooManyRequests")
            error.headers["x-ms-throttle-scope"] = "Tenant_Application/ReadWrite"
            error.headers["x-ms-throttle-information"] = "CPULimitExceeded"
            raise error
        headers = {"x-ms-resource-unit": str(units)}
        if share > 0.8:
            headers["x-ms-throttle-limit-percentage"] = f"{share:.2f}"
        return headers

    def refusal(self, message: str, wait: float, code: str = "") -> GraphError:
        """A 429 with Retry-After in the form that the switch asks for."""
        headers = {}
        value = self.retry_after(max(wait, 0.5))
        if value is not None:
            headers["Retry-After"] = value
        return GraphError(429, code or self._world.switches.throttle_code, message, headers)

    def retry_after(self, wait: float) -> str | None:
        """The value of the header for so many seconds, None when it is missing."""
        form = self._world.switches.retry_after
        if form == "missing":
            return None
        if form == "date":
            return format_datetime(in_seconds(self._world.clock.now(), int(wait) + 1), usegmt=True)
        return {"fraction": f"{wait:.3f}", "one": "1"}.get(form, str(int(wait) + 1))


def _units(call: Call) -> int:
    units = 2 if call.route.operation == "users.list" else 1
    top = call.query.get("$top", "")
    units += "$expand" in call.query
    units -= ("$select" in call.query) + (top.isdecimal() and int(top) < 20)
    return max(units, 1)
