"""Months in the life of an address book: whatever people, Exchange and misfortune do, the promises hold after each run.

A hub and four mailboxes on the emulator. After every pair of undisturbed runs the invariants of docs/sync-rules.md are
checked by name: convergence, quiescence, no loss, privacy, isolation of duplicates, and no double after a crash.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shared import config
from shared.clock import SystemClock
from shared.config.model import DeletePolicy, Tenant
from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.engine.run import Quiet, World, run
from shared.graph.auth import sign_in
from shared.graph.services import open_tenant
from shared.graph.wire import MARKER
from shared.ports import StateStore, TenantServices
from shared.state.memory import MemoryStateStore
from shared.state.sqlite import SqliteStateStore
from shared.sync.contact import normalise
from shared.sync.report import RunReport
from tests.emulator import Answer, ApplyThenDrop, Drop, Emulator, Fault, Run, Throttled
from tests.engine.office import HUB_FOLDER, Office, person
from tests.fakes.typed import Typed

PEOPLE = ("ann", "bob", "cem", "dan")
REPLICAS = ("hub", *PEOPLE)
NAMES = ("Grace Hopper", "Ada Lovelace", "Zoë Ünal")
EMAILS = ("", "grace@x.org", "ada@x.org", "info@x.org")
FIELDS = ("mobilePhone", "jobTitle", "companyName")
people = st.sampled_from(PEOPLE)
replicas = st.sampled_from(REPLICAS)
picks = st.integers(0, 30)
TROUBLE = (Answer(503), Answer(500), Drop(), ApplyThenDrop(), Throttled(1), Throttled(None))


class Life(RuleBasedStateMachine):
    """What may happen between two runs, and in one."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.emulator = Emulator()
        self.typed = Typed()
        self.numbers = iter(range(1_000_000))
        self.folder = tempfile.TemporaryDirectory()

    @initialize(policy=st.sampled_from(list(DeletePolicy)), in_file=st.booleans())
    def furnish(self, policy: DeletePolicy, in_file: bool) -> None:
        self.policy = policy
        self.in_file = in_file
        self.do(self.emulator.start)
        self.office = Office(self.emulator, *PEOPLE)
        self.office.state = self.new_state()
        self.life = self._services()
        self.services: TenantServices = self.do(lambda: anext(self.life))

    async def _services(self) -> AsyncGenerator[TenantServices, None]:
        (tenant,) = config.load(self.emulator.environment()).tenants
        async with (
            await sign_in(tenant, None, trust=self.emulator.ca_file) as credential,
            open_tenant(tenant, credential, self.emulator.clock, trust=self.emulator.ca_file) as services,
        ):
            yield services

    def new_state(self) -> StateStore:
        """A file now and then: what it keeps went through its rows."""
        if not self.in_file:
            return MemoryStateStore()
        return SqliteStateStore(Path(self.folder.name) / f"{next(self.numbers)}.db")

    def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            return await work()

        return self.runner.run(whole())

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.do(self.life.aclose)
            self.do(self.emulator.stop)
            self.do(self.office.state.close)
        self.runner.close()
        self.folder.cleanup()

    def cards(self, name: str) -> list[dict[str, Any]]:
        return [card for card in self.office.cards(name) if not card["private"]]

    def pick(self, name: str, number: int) -> dict[str, Any] | None:
        cards = sorted(self.office.cards(name), key=lambda card: card["id"])
        return cards[number % len(cards)] if cards else None

    def save(self, name: str, card: dict[str, Any], field: str, value: str | None) -> None:
        self.emulator.clock.advance(60)
        self.office.box(name).edit_contact(card["id"], {field: value})
        if not card["private"] and (card[field] or None) != value:
            self.typed.say((name, card["id"]), field, value)

    @rule(name=replicas, who=st.sampled_from(NAMES), email=st.sampled_from(EMAILS), private=st.booleans())
    def add(self, name: str, who: str, email: str, private: bool) -> None:
        if name == "hub" and not self.office.has_hub_folder():
            return
        self.emulator.clock.advance(60)
        folder = HUB_FOLDER if name == "hub" else None
        self.office.box(name).add_contact(person(who, email, mobilePhone="1"), private=private, folder=folder)

    @rule(name=replicas, number=picks, field=st.sampled_from(FIELDS))
    def change(self, name: str, number: int, field: str) -> None:
        if card := self.pick(name, number):
            self.save(name, card, field, f"v{next(self.numbers)}")

    @rule(name=replicas, number=picks, field=st.sampled_from(FIELDS))
    def clear(self, name: str, number: int, field: str) -> None:
        if card := self.pick(name, number):
            self.save(name, card, field, None)

    @rule(name=replicas, number=picks)
    def delete(self, name: str, number: int) -> None:
        if card := self.pick(name, number):
            self.office.box(name).delete_contact(card["id"])
            self.typed.forget((name, card["id"]))

    @rule(name=people, number=picks)
    def copy(self, name: str, number: int) -> None:
        if card := self.pick(name, number):
            self.office.box(name).copy_contact(card["id"])

    @rule(name=replicas, number=picks)
    def wipe_note(self, name: str, number: int) -> None:
        if card := self.pick(name, number):
            self.office.box(name).edit_contact(card["id"], {"personalNotes": ""})

    @rule(name=people, is_licensed=st.booleans())
    def license(self, name: str, is_licensed: bool) -> None:
        if name != "ann":
            self.office.tenant.user(f"{name}@contoso.com").set_licensed(is_licensed)

    @rule()
    def lose_state(self) -> None:
        self.typed.forget_all()
        self.do(self.office.state.close)
        self.office.state = self.new_state()

    @rule()
    def forget_delta_links(self) -> None:
        self.emulator.forget_delta_tokens()

    @rule(trouble=st.sampled_from(TROUBLE), nth=st.integers(1, 25), count=st.integers(1, 4))
    def stormy_run(self, trouble: Any, nth: int, count: int) -> None:
        self.emulator.faults.add(Fault(action=trouble, path="contact", nth=nth, count=count))
        self.go()
        self.emulator.faults.clear()

    @rule(nth=st.integers(1, 40), name=replicas, number=picks, field=st.sampled_from(FIELDS))
    def run_while_somebody_types(self, nth: int, name: str, number: int, field: str) -> None:
        typing = Run(first=lambda: self.change(name=name, number=number, field=field))
        self.emulator.faults.add(Fault(action=typing, path="contact", nth=nth))
        self.go()
        self.emulator.faults.clear()

    @rule(nth=st.integers(1, 40))
    def killed_run(self, nth: int) -> None:
        async def killed() -> None:
            task = asyncio.ensure_future(self.run_once())
            self.emulator.faults.add(Fault(action=Run(first=task.cancel), path="contact", nth=nth))
            await asyncio.gather(task, return_exceptions=True)

        self.do(killed)
        self.emulator.faults.clear()

    async def run_once(self, *, full: bool = False) -> RunReport:
        self.typed.runs += 1

        @asynccontextmanager
        async def opened(_tenant: Tenant, _deadline: float) -> AsyncIterator[TenantServices]:
            yield self.services

        chosen = config.load(self.emulator.environment() | {"AUTOMATION_SYNCCONTACTS_DELETE_POLICY": self.policy.value})
        place = Place(SystemClock(), "here", 1, is_alive=lambda _: True)
        world = World(opened, self.office.state, self.emulator.clock, Quiet(), place)
        try:
            return await run(chosen, RunOptions(run_id=f"run-{next(self.numbers)}", full=full), world)
        finally:
            self.typed.runs += 1

    def go(self, *, full: bool = False) -> RunReport:
        self.emulator.clock.advance(3600)
        report: RunReport = self.do(lambda: self.run_once(full=full))
        return report

    @rule(full=st.booleans())
    def settled_runs(self, full: bool) -> None:
        first = self.go(full=full)
        second = self.go()
        third = self.go(full=True)
        assert [report.outcome for report in (first, second, third)] == ["ok"] * 3
        self.nothing_is_lost()
        self.clears_arrive(first, second)
        self.is_quiescent(third)
        self.replicas_are_equal()
        self.typed.settle({card["id"] for name in REPLICAS for card in self.office.cards(name)})

    def is_quiescent(self, report: RunReport) -> None:
        (tenant,) = report.tenants
        assert tenant.stamped + tenant.deleted == 0
        assert all(step.created + step.updated == 0 for step in (tenant.step1, tenant.step2))

    def licensed(self) -> list[str]:
        return [name for name in PEOPLE if self.office.tenant.user(f"{name}@contoso.com").licensed]

    def replicas_are_equal(self) -> None:
        hub = self.mirrored("hub")
        for name in self.licensed():
            spoke, kept = self.mirrored(name), self.kept_private(name)
            assert spoke.keys() | kept >= hub.keys()
            assert all(not spoke[key].differing(hub[key]) for key in spoke.keys() & hub.keys() - kept)

    def mirrored(self, name: str) -> dict[str, Any]:
        found = {
            card["extended"].get(MARKER): card
            for card in sorted(self.cards(name), key=lambda card: card["createdDateTime"], reverse=True)
        }
        return {key: normalise(card, without_categories=[HUB_FOLDER]) for key, card in found.items() if key}

    def kept_private(self, name: str) -> set[str]:
        return {card["extended"].get(MARKER, "") for card in self.office.cards(name) if card["private"]}

    def clears_arrive(self, *reports: RunReport) -> None:
        """A clear is on its card, or lost against a value."""
        lost = {
            one.conflict.field for run in reports for t in run.tenants for one in t.conflicts if not one.conflict.loser
        }
        for (name, card_id), field, value in self.typed.lost(()):
            if name == "hub" or name in self.licensed():
                card = next((one for one in self.office.cards(name) if one["id"] == card_id), None)
                assert value or card is None or not card[field] or field in lost

    def nothing_is_lost(self) -> None:
        """Whatever was typed is on its card, or in the history."""
        versions = self.do(lambda: self.office.state.versions_since(self.office.tenant.id, 1))
        kept = {(field, version.contact.get(field)) for version in versions for field in FIELDS}
        for (name, card_id), field, value in self.typed.lost(kept):
            if name == "hub" or name in self.licensed():
                card = next((one for one in self.office.cards(name) if one["id"] == card_id), None)
                assert card is None or (card[field] or None) == value or value is None


Life.TestCase.settings = settings(stateful_step_count=14, deadline=None, report_multiple_bugs=False)
TestLife = Life.TestCase
