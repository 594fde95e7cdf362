"""A small company on the emulator, and the mirror run on it through its public door."""

import json
from collections.abc import Iterable
from typing import Any

from shared.bootstrap import sync
from shared.engine.options import RunOptions
from shared.ports import StateStore
from shared.state.memory import MemoryStateStore
from shared.sync.report import RunReport, TenantReport
from tests.emulator import Emulator

PREFIX = "AUTOMATION_SYNCCONTACTS_"
HUB_FOLDER = "All Contacts"


class Office:
    """One tenant with a shared mailbox and some users; more tenants can be added to its emulator."""

    def __init__(self, emulator: Emulator, *people: str, domain: str = "contoso.com") -> None:
        self.emulator = emulator
        self.domain = domain
        self.state: StateStore = MemoryStateStore()
        self.tenant = emulator.add_tenant(None, domain=domain)
        self.tenant.add_shared_mailbox(f"hub@{domain}")
        self.people = list(people)
        for name in people:
            self.tenant.add_user(f"{name}@{domain}")

    def box(self, name: str) -> Any:
        """Somebody's mailbox; "hub" is the shared one."""
        return self.tenant.mailbox(f"{name}@{self.domain}")

    def cards(self, name: str) -> list[dict[str, Any]]:
        """All cards of a spoke's default folder, or of the hub's folder."""
        box = self.box(name)
        if name != "hub":
            return list(box.contacts())
        return list(box.contacts(folder=HUB_FOLDER)) if self.has_hub_folder() else []

    def has_hub_folder(self) -> bool:
        """Whether the hub's folder exists."""
        return any(folder.name == HUB_FOLDER for folder in self.box("hub").folders)

    def card(self, name: str, display_name: str) -> dict[str, Any]:
        """The one card with this display name."""
        (found,) = [card for card in self.cards(name) if card["displayName"] == display_name]
        return found

    def names(self, name: str) -> list[str]:
        """The display names in a mailbox, sorted."""
        return sorted(card["displayName"] or "" for card in self.cards(name))

    async def run(self, options: RunOptions | None = None, **settings: object) -> RunReport:
        """One run of the mirror; `settings` are JSON keys that go to every tenant."""
        environ = self.emulator.environment()
        tenants = json.loads(environ[f"{PREFIX}MICROSOFT_TENANTS_JSON"])
        environ[f"{PREFIX}MICROSOFT_TENANTS_JSON"] = json.dumps([{**tenant, **settings} for tenant in tenants])
        return await sync(
            environ, options or RunOptions(), trust=self.emulator.ca_file, clock=self.emulator.clock, state=self.state
        )

    async def report(self, options: RunOptions | None = None, **settings: object) -> TenantReport:
        """One run, and what it says of this tenant."""
        run = await self.run(options, **settings)
        return next(one for one in run.tenants if one.tenant_id == self.tenant.id)

    def writes(self) -> list[Any]:
        """Every request so far that would change something."""
        return [one for one in self.emulator.log if one.method in ("POST", "PATCH", "DELETE", "PUT")
                and "$batch" not in one.path and "/oauth2/" not in one.path]  # fmt: skip


def person(name: str, email: str = "", **fields: Any) -> dict[str, Any]:
    """A card as Outlook would save it."""
    emails = {"emailAddresses": [{"address": email, "name": name}]} if email else {}
    return {"displayName": name, **emails, **fields}


def written(report: TenantReport) -> int:
    """How many cards a run created, updated or stamped."""
    return report.stamped + sum(step.created + step.updated for step in (report.step1, report.step2))


def values(cards: Iterable[dict[str, Any]], field: str) -> set[str]:
    """The different values of a text field in some cards."""
    return {str(card[field]) for card in cards}
