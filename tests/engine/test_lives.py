"""Lives of an address book by the thousand, on the real engine with mailboxes in memory.

What `test_machine` shows over HTTP for some lives, this shows for many more and longer ones: after the dust has
settled the promises of docs/sync-rules.md hold, whatever people, the server, kills and the memory have done.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from shared.clock import SystemClock
from shared.config.model import Cloud, DeletePolicy, FederatedIdentity, PairByEmail, Settings, Tenant
from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.engine.run import Quiet, World, run
from shared.errors import ItemError, ItemRefusedError, MailboxError, MirrorError
from shared.ports import Clock, StateStore
from shared.shards.errand import Errand
from shared.state.memory import MemoryStateStore
from shared.state.sqlite import SqliteStateStore
from shared.sync.replica import Item
from shared.sync.report import RunReport
from shared.sync.stamp import read_stamp
from tests.fakes.conductor import Conductor, PlaceClock, late, once, twice
from tests.fakes.mailroom import HUB, Mailroom, StillClock, by_sync_id, changed, contact_of
from tests.fakes.typed import Typed

PEOPLE = ("ann", "bob", "cem")
REPLICAS = (HUB, *PEOPLE)
NAMES = ("Grace Hopper", "Grace Kelly", "Zoe Nal", "Ada")
EMAILS = ("", "grace@x.org", "GRACE@x.org", "info@x.org")
FIELDS = ("mobilePhone", "jobTitle", "companyName")
CLOUD = Cloud("AzureCloud", "https://graph", "https://login", "scope")
TENANT = Tenant("tenant", "client", "hub@contoso.com", FederatedIdentity(), CLOUD)
numbers = st.integers(0, 40)
READS = ("observe", "changes")
ITEM_OPERATIONS = ("read", "create", "update", "delete")
SILENT = MailboxError("The mailbox does not answer.")
UNKNOWN = ItemError("It is not known whether it was done.", code="UnknownFate")
REFUSED = ItemRefusedError("Refused for good.", code="ItemInvalid")
troubles = st.one_of(
    st.tuples(st.sampled_from((*READS, *ITEM_OPERATIONS)), st.just(SILENT), st.booleans()),
    st.tuples(st.sampled_from(ITEM_OPERATIONS), st.just(UNKNOWN), st.booleans()),
    st.tuples(st.sampled_from(ITEM_OPERATIONS), st.just(REFUSED), st.just(False)),
)


class Lives(RuleBasedStateMachine):
    """What may happen between two runs, and in one."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = StillClock()
        self.room = Mailroom(*PEOPLE, clock=self.clock)
        self.count = 0
        self.typed = Typed()
        self.drives: tuple[str, ...] = ()
        self.conductors: list[Conductor] = []
        self.was_refused = False
        """What was refused for good is tried again when everything is read."""

    @initialize(
        policy=st.sampled_from(list(DeletePolicy)),
        pairing=st.sampled_from(list(PairByEmail)),
        in_file=st.integers(0, 9),
        bent=st.booleans(),
        hours=st.sampled_from([0, 5, 168]),
        updates=st.sampled_from([True, True, False]),
    )
    def furnish(
        self, policy: DeletePolicy, pairing: PairByEmail, in_file: int, bent: bool, hours: int, updates: bool
    ) -> None:
        self.tenant = replace(
            TENANT,
            delete_policy=policy,
            pair_by_email=pairing,
            full_reconcile_hours=hours,
            update_existing=updates,
        )
        self.in_file = in_file == 0
        if bent:
            self.room.boxes["cem"].bent = frozenset({"jobTitle"})
        self.state = self.new_state()

    def new_state(self) -> StateStore:
        self.count += 1
        return SqliteStateStore(Path(self.folder.name) / f"{self.count}.db") if self.in_file else MemoryStateStore()

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.runner.run(self.state.close())
        self.runner.close()
        self.folder.cleanup()

    def has_cards(self) -> bool:
        return bool(self.room.all_items())

    def pick(self, number: int) -> Item:
        items = self.room.all_items()
        return items[number % len(items)]

    def save(self, item: Item, field: str, value: str | None) -> None:
        self.clock.seconds += 60
        self.room.edit(item, changed(item.contact, {field: value}))
        if not item.private and item.contact.get(field) != value:
            self.typed.say((item.mailbox, item.item_id), field, value)

    @rule(name=st.sampled_from(REPLICAS), who=st.sampled_from(NAMES), email=st.sampled_from(EMAILS), n=numbers)
    def add(self, name: str, who: str, email: str, n: int) -> None:
        if name in self.room.boxes:
            age = timedelta(days=1000 if n % 4 == 1 else 0)
            self.room.add(name, contact_of(who, email, mobilePhone=str(n % 3)), private=n == 0, age=age)

    @precondition(has_cards)
    @rule(number=numbers, field=st.sampled_from(FIELDS), is_clear=st.booleans())
    def change(self, number: int, field: str, is_clear: bool) -> None:
        self.count += 1
        self.save(self.pick(number), field, None if is_clear else f"{self.count:03d}")

    @precondition(has_cards)
    @rule(number=numbers, email=st.sampled_from(EMAILS[1:]))
    def change_email(self, number: int, email: str) -> None:
        item = self.pick(number)
        fields = {**item.contact.fields, "emailAddresses": contact_of("", email).fields["emailAddresses"]}
        self.room.edit(item, replace(item.contact, fields=fields))

    @precondition(has_cards)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        item = self.pick(number)
        self.room.remove(item)
        self.typed.forget((item.mailbox, item.item_id))

    @rule(name=st.sampled_from(PEOPLE), number=numbers)
    def restore(self, name: str, number: int) -> None:
        trash = sorted(self.room.boxes[name].trash)
        if trash:
            self.room.restore(name, trash[number % len(trash)])

    @precondition(has_cards)
    @rule(number=numbers)
    def copy(self, number: int) -> None:
        self.room.copy(self.pick(number))

    @precondition(has_cards)
    @rule(number=numbers, note=st.sampled_from(["", "Tea\r\n\r\nat 5"]))
    def write_note(self, number: int, note: str) -> None:
        self.room.write_note(self.pick(number), note)

    @precondition(has_cards)
    @rule(number=numbers, is_private=st.booleans())
    def turn_private(self, number: int, is_private: bool) -> None:
        item = self.pick(number)
        self.room.set_private(item, is_private)
        self.typed.forget((item.mailbox, item.item_id))

    @precondition(has_cards)
    @rule(number=numbers)
    def touch(self, number: int) -> None:
        self.room.touch(self.pick(number))

    @rule(name=st.sampled_from(PEOPLE[1:]))
    def license(self, name: str) -> None:
        self.room.people = [one for one in PEOPLE if (one == name) != (one in self.room.people)]

    @rule()
    def lose_state(self) -> None:
        self.typed.forget_all()
        self.runner.run(self.state.close())
        self.state = self.new_state()

    @rule()
    def forget_delta_links(self) -> None:
        self.room.forget_delta_links()

    @rule()
    def lose_hub(self) -> None:
        self.room.lose_hub()
        self.typed.forget_all()

    @rule(full=st.booleans())
    def plain_run(self, full: bool) -> None:
        self.go(full=full)
        self.nothing_is_lost()

    @initialize(drives=st.sampled_from([("inline",), ("inline",), ("shards",), ("inline", "shards")]))
    def choose_drives(self, drives: tuple[str, ...]) -> None:
        self.drives = drives

    @rule(trouble=troubles, nth=st.integers(1, 6))
    def troubled_run(self, trouble: tuple[str, MirrorError, bool], nth: int) -> None:
        operation, error, done = trouble
        self.was_refused = self.was_refused or error is REFUSED

        def strike() -> None:
            raise type(error)(error.message, code=error.code)

        self.disturb(strike, nth, done, operation)
        self.go()
        self.calm()

    @precondition(lambda self: "shards" in self.drives)
    @rule(nth=st.integers(1, 30), done=st.booleans())
    def run_with_a_killed_process(self, nth: int, done: bool) -> None:
        self.disturb(self.kill_steps, nth, done)
        self.go()
        self.calm()

    def kill_steps(self) -> None:
        for one in self.conductors:
            one.kill()

    @rule(nth=st.integers(1, 30), done=st.booleans())
    def killed_run(self, nth: int, done: bool) -> None:
        async def killed() -> None:
            task = asyncio.ensure_future(self.run_once())
            self.disturb(task.cancel, nth, done)
            await asyncio.gather(task, return_exceptions=True)

        self.clock.seconds += 3600
        self.runner.run(killed())
        self.calm()

    @precondition(has_cards)
    @rule(nth=st.integers(1, 30), number=numbers, field=st.sampled_from(FIELDS))
    def run_while_somebody_types(self, nth: int, number: int, field: str) -> None:
        self.disturb(
            lambda: self.change(number=number, field=field, is_clear=False) if self.has_cards() else None, nth, False
        )
        self.go()
        self.calm()

    def disturb(self, strike: Callable[[], object], nth: int, done: bool, operation: str = "") -> None:
        left = [nth]

        def trouble(what: str, _mailbox: str, is_done: bool) -> None:
            if is_done == done and operation in ("", what):
                left[0] -= 1
                if left[0] == 0:
                    strike()

        self.room.trouble = trouble

    def calm(self) -> None:
        self.room.trouble = lambda *_: None

    async def run_once(self, *, full: bool = False) -> RunReport:
        self.count += 1
        self.typed.runs += 1
        options = RunOptions(run_id=f"run-{self.count}", full=full)
        settled = Settings((self.tenant,))
        try:
            if self.drives[self.count % len(self.drives)] == "shards":
                return await self.run_in_shards(settled, options)
            return await run(settled, options, self.world(SystemClock()))
        finally:
            self.typed.runs += 1

    async def run_in_shards(self, settled: Settings, options: RunOptions) -> RunReport:
        delivery = (once, twice, once, late)[self.count % 4]
        conductor = Conductor(settled, self.world(PlaceClock(self.clock)), delivery)
        self.conductors = [conductor]
        errand = Errand(self.tenant.tenant_id, options, self.clock.now(), shard_size=1 + self.count % 2)
        report = await conductor.run(errand)
        assert report
        return report

    def world(self, clock: Clock) -> World:
        place = Place(clock, "here", 1, is_alive=lambda _: True)
        return World(self.room.open_tenant, self.state, self.clock, Quiet(), place)

    def go(self, *, full: bool = False) -> RunReport:
        self.clock.seconds += 3600
        return self.runner.run(self.run_once(full=full))

    @rule(full=st.booleans())
    def settled_runs(self, full: bool) -> None:
        notes = self.texts()
        first, second = self.go(full=full or self.was_refused), self.go()
        self.was_refused = False
        before = self.room.writes
        third, fourth = self.go(), self.go(full=True)
        assert [one.outcome for one in (first, second, third, fourth)] == ["ok"] * 4
        assert self.room.writes == before, "not quiescent"
        assert self.room.doubles == []
        self.nothing_is_lost()
        if self.tenant.update_existing:
            self.replicas_are_equal()
            self.clears_arrive(first, second)
        kept = self.texts()
        assert all(kept.get(place, text) == text for place, text in notes.items())
        self.typed.settle({item.item_id for item in self.room.all_items()})

    def texts(self) -> dict[tuple[str, str], str]:
        return {(n, i): read_stamp(note)[0] for n, box in self.room.boxes.items() for i, note in box.notes.items()}

    def replicas_are_equal(self) -> None:
        hub = by_sync_id(self.room.boxes[HUB].items.values())
        private = {item.marker for item in self.room.boxes[HUB].items.values() if item.private and item.marker}
        for name in self.room.people:
            box = self.room.boxes[name]
            spoke = by_sync_id(box.items.values())
            closed = {item.marker for item in box.items.values() if item.private}
            assert spoke.keys() | closed | private >= hub.keys()
            for sync_id in spoke.keys() & hub.keys() - closed - private:
                pairs = [(one.contact, other.contact) for one in spoke[sync_id] for other in hub[sync_id]]
                assert any(one.differing(other) <= box.bent for one, other in pairs)

    def clears_arrive(self, *reports: RunReport) -> None:
        """A clear is on its card, or lost against a value."""
        lost = {
            one.conflict.field for run in reports for t in run.tenants for one in t.conflicts if not one.conflict.loser
        }
        for (name, item_id), field, value in self.typed.lost(()):
            box = self.room.boxes.get(name)
            item = box.items.get(item_id) if box and (name == HUB or name in self.room.people) else None
            assert value or item is None or item.contact.get(field) is None or field in lost

    def nothing_is_lost(self) -> None:
        """Whatever was typed is on its card, or in the history."""
        versions = self.runner.run(self.state.versions_since(TENANT.tenant_id, 1))
        kept = {(name, value) for version in versions for name, value in version.contact.fields.items()}
        for (name, item_id), field, value in self.typed.lost(kept):
            box = self.room.boxes.get(name)
            item = box.items.get(item_id) if box and (name == HUB or name in self.room.people) else None
            assert item is None or item.contact.get(field) == value or value is None


Lives.TestCase.settings = settings(stateful_step_count=25, deadline=None, report_multiple_bugs=False)
TestLives = Lives.TestCase
