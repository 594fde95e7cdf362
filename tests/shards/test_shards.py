"""A run in shards: the same comes of it as of a run in one process, and it ends well whatever breaks off."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SystemClock
from shared.config.model import DeletePolicy, Settings
from shared.engine.lease import Place
from shared.engine.options import RunOptions
from shared.engine.run import Quiet, World, run
from shared.errors import MailboxError, StateDamagedError, StateError, TenantError
from shared.ports import Clock, StateStore
from shared.shards.ending import End
from shared.shards.errand import Errand
from shared.shards.steps import carry_out, close
from shared.shards.workflow import Call, Done, StepName
from shared.state.memory import MemoryStateStore
from shared.sync.records import Checkpoint, Holder
from shared.sync.report import TenantReport
from tests.engine.test_lives import TENANT
from tests.fakes.conductor import CarryOut, Conductor, Delivery, PlaceClock, once
from tests.fakes.mailroom import HUB, Mailroom, StillClock, changed, contact_of

PEOPLE = ("ann", "bob", "cem", "dan", "eve")


class Parcels(MemoryStateStore):
    """A state that knows which parcels it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: set[tuple[str, str]] = set()

    async def put_parcel(self, tenant_id: str, run_id: str, name: str, data: bytes) -> bool:
        self.given.add((run_id, name))
        return await super().put_parcel(tenant_id, run_id, name, data)


class Damaged(Parcels):
    """A state whose checkpoints cannot be read the first `times` that they are asked for."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def checkpoints(self, tenant_id: str) -> Mapping[str, Checkpoint]:
        self.times -= 1
        if self.times >= 0:
            raise StateDamagedError("A checkpoint cannot be read.")
        return await super().checkpoints(tenant_id)


class Company:
    """Mailboxes in memory, and the mirror run on them, in shards of two mailboxes or in one process."""

    def __init__(self, *, in_shards: bool = True, delivery: Delivery = once) -> None:
        self.clock = StillClock()
        self.room = Mailroom(*PEOPLE, clock=self.clock)
        self.state: StateStore = Parcels()
        self.tenant = TENANT
        self.in_shards = in_shards
        self.delivery = delivery
        self.count = 0
        self.calls: list[Call] = []
        self.budget: float | None = None

    def run(self, *, full: bool = False, users: tuple[str, ...] = ()) -> TenantReport:
        """One run, an hour later."""
        self.count += 1
        self.clock.seconds += 3600
        options = RunOptions(f"run-{self.count}", users=users, full=full)
        return asyncio.run(self._in_shards(options) if self.in_shards else self._inline(options))

    async def _inline(self, options: RunOptions) -> TenantReport:
        (report,) = (await run(self.settings(), options, self.world(SystemClock()))).tenants
        return report

    async def _in_shards(self, options: RunOptions) -> TenantReport:
        conductor = Conductor(self.settings(), self.world(PlaceClock(self.clock)), self.delivery)
        ended = await conductor.run(Errand(self.tenant.tenant_id, options, self.clock.now(), shard_size=2))
        self.calls = conductor.calls
        assert ended
        return ended.tenants[0]

    def settings(self) -> Settings:
        return Settings((self.tenant,), time_budget_minutes=self.budget)

    def world(self, clock: Clock) -> World:
        place = Place(clock, "here", 1, is_alive=lambda _: True)
        return World(self.room.open_tenant, self.state, self.clock, Quiet(), place)

    def steps(self, name: StepName) -> list[Call]:
        """The calls of one step, in order."""
        return [call for call in self.calls if call.step is name]

    def names(self) -> dict[str, list[str]]:
        """Whom everybody has."""
        return {
            name: sorted(item.contact.text("displayName") for item in box.items.values())
            for name, box in self.room.boxes.items()
        }

    def parcels(self) -> list[str]:
        """The parcels that are left."""
        assert isinstance(self.state, Parcels)
        assert self.state.given
        there = [(name, self.state.parcel(self.tenant.tenant_id, run_id, name)) for run_id, name in self.state.given]
        return [name for name, data in there if asyncio.run(data) is not None]


@pytest.fixture
def company() -> Company:
    """Five users, three of whom know somebody."""
    made = Company()
    for user, name in (("ann", "Grace Hopper"), ("bob", "Alan Turing"), ("eve", "Zoe Nal")):
        made.room.add(user, contact_of(name, f"{name[:3].lower()}@x.org", mobilePhone="1"))
    return made


everybody = ["Alan Turing", "Grace Hopper", "Zoe Nal"]
replicas = st.sampled_from((HUB, *PEOPLE))
adds = st.tuples(st.just("add"), replicas, st.sampled_from(["Grace", "Ada", "Zoe"]), st.sampled_from(["", "g@x.org"]))
edits = st.tuples(st.just("edit"), st.integers(0, 30), st.sampled_from(["1", "2", ""]), st.just(""))
deletions = st.tuples(st.just("delete"), st.integers(0, 30), st.just(""), st.just(""))
hours = st.lists(st.lists(st.one_of(adds, edits, deletions), max_size=6), min_size=1, max_size=3)


@given(hours=hours, policy=st.sampled_from(list(DeletePolicy)), full=st.booleans())
def test_the_same_comes_of_both(
    hours: list[list[tuple[str, str | int, str, str]]], policy: DeletePolicy, full: bool
) -> None:
    """In shards or in one process: the same cards, the same marks, and the same report, hour for hour."""
    one, other = Company(in_shards=False), Company()
    for number, hour in enumerate(hours):
        reports = []
        for company in (one, other):
            company.tenant = replace(company.tenant, delete_policy=policy)
            for what, where, value, email in hour:
                happen(company, what, where, value, email)
            reports.append(company.run(full=full and number == len(hours) - 1).to_json())
        assert reports[0] == reports[1]
        assert contents(one) == contents(other)


def happen(company: Company, what: str, where: str | int, value: str, email: str) -> None:
    """One thing that a person does."""
    room, items = company.room, company.room.all_items()
    if isinstance(where, str):
        if where in room.boxes:
            room.add(where, contact_of(value, email, mobilePhone="0"))
    elif items and what == "edit":
        item = items[where % len(items)]
        room.edit(item, changed(item.contact, {"mobilePhone": value or None}))
    elif items:
        room.remove(items[where % len(items)])


def contents(company: Company) -> dict[str, list[tuple[object, ...]]]:
    """What stands in every mailbox, but for ids."""
    return {
        name: sorted((item.marker or "", repr(sorted(item.contact.fields.items()))) for item in box.items.values())
        for name, box in company.room.boxes.items()
    }


def test_nothing_is_left_behind(company: Company) -> None:
    """When a run has ended its parcels are forgotten, and its lease is free."""
    company.run()
    assert company.parcels() == []
    assert asyncio.run(company.state.lease_holder(company.tenant.tenant_id, company.clock.now())) is None


def test_a_run_that_was_killed_leaves_nothing_for_good(company: Company) -> None:
    """What it has handed over is forgotten by the next run; nothing is lost or doubled."""
    asyncio.run(company.state.put_parcel(company.tenant.tenant_id, "killed", "1 begun", b"{}"))
    report = company.run()
    assert (report.outcome, company.parcels()) == ("ok", [])
    assert set(map(tuple, company.names().values())) == {tuple(everybody)}


def test_steps_that_come_when_all_is_over_do_nothing(company: Company) -> None:
    """Each is delivered once more a day later: nothing is written, and the lease stays free for the next run."""
    company.run()
    writes, calls = company.room.writes, company.calls
    company.clock.seconds += 24 * 3600
    world = company.world(PlaceClock(company.clock))
    for call in calls:
        done = asyncio.run(carry_out(call, company.settings(), world))
        assert done.end is End.RUN_ENDS
    assert asyncio.run(close(Call(StepName.CONCLUDE, calls[0].errand), company.settings(), world)) is None
    assert (company.room.writes, company.parcels()) == (writes, [])
    assert asyncio.run(company.state.lease_holder(company.tenant.tenant_id, company.clock.now())) is None


def test_another_run_holds_the_tenant(company: Company) -> None:
    """Nothing is done, and the report says who it is."""
    other = Holder("other", "elsewhere", 7, company.clock.now())
    now = company.clock.now() + timedelta(hours=1)
    asyncio.run(company.state.acquire_lease(company.tenant.tenant_id, other, now, 900))
    report = company.run()
    assert (report.outcome, report.error and report.error.code) == ("skipped", "Held")
    assert (len(company.steps(StepName.GATHER)), company.room.writes) == (0, 0)


def test_another_run_takes_the_tenant_over(company: Company) -> None:
    """What is under way stops between two operations; the report says that the other one goes on."""
    other = Holder("other", "elsewhere", 7, company.clock.now())

    async def delivery(call: Call, _before: object, carry_out: CarryOut) -> Done:
        if call.step is StepName.MERGE:
            await company.state.release_lease(call.errand.tenant_id, call.errand.holder)
            await company.state.acquire_lease(call.errand.tenant_id, other, company.clock.now(), 900)
        return await carry_out(call)

    company.delivery = delivery
    report = company.run()
    assert (report.outcome, [one.code for one in report.problems]) == ("partial", ["LeaseLost"])
    assert company.room.writes == 0


def test_the_time_is_the_whole_runs(company: Company) -> None:
    """Each step has what the ones before have left; what was not done is done by the next run."""
    company.budget = 30

    async def delivery(call: Call, _before: object, carry_out: CarryOut) -> Done:
        company.clock.seconds += 20 * 60 * (call.step is StepName.SCATTER)
        return await carry_out(call)

    company.delivery = delivery
    report = company.run()
    assert (report.outcome, [one.code for one in report.problems]) == ("partial", ["Deadline"])
    company.delivery = once
    assert company.run().outcome == "ok"
    assert set(map(tuple, company.names().values())) == {tuple(everybody)}


def test_no_time_at_all_writes_nothing(company: Company) -> None:
    """A run that comes to its turn too late says so."""
    company.budget = 1

    async def delivery(call: Call, _before: object, carry_out: CarryOut) -> Done:
        company.clock.seconds += 120
        return await carry_out(call)

    company.delivery = delivery
    assert (company.run().outcome, company.room.writes) == ("partial", 0)


@pytest.mark.parametrize("error", [MailboxError("Down.", code="MailboxUnavailable"), TenantError("Off.", code="Gone")])
def test_an_hour_of_trouble_in_the_hub(company: Company, error: MailboxError | TenantError) -> None:
    """A hub that cannot be read fails the tenant, as in one process, and no shard is touched."""

    def trouble(_operation: str, mailbox: str, _is_done: bool) -> None:
        if mailbox == HUB:
            raise error

    company.room.trouble = trouble
    report = company.run()
    assert report.outcome == "failed"
    assert report.error
    assert report.error.code == error.code
    assert company.steps(StepName.GATHER) == []


def test_a_mailbox_that_fails_changes_nothing_for_the_others(company: Company) -> None:
    """It is counted and named like in one process, whether it cannot be read or cannot be written."""

    def trouble(operation: str, mailbox: str, _is_done: bool) -> None:
        if (mailbox, operation) in {("ann", "observe"), ("dan", "create")}:
            raise MailboxError("Down.", code="MailboxUnavailable")

    company.room.trouble = trouble
    report = company.run()
    assert (report.outcome, sorted(one.mailbox_id for one in report.failed)) == ("partial", ["ann", "dan"])
    assert sorted(report.mailboxes) == ["failed", "failed", "synced", "synced", "synced"]
    assert company.names()["cem"] == company.names()[HUB] == ["Alan Turing", "Zoe Nal"]


def test_a_restored_state_is_found_out(company: Company) -> None:
    """Checkpoints that know more than the history prove it old: everything is read in a second round."""
    company.run()
    old = company.state
    checkpoints = asyncio.run(old.checkpoints(company.tenant.tenant_id))
    company.state = MemoryStateStore()
    for one in checkpoints.values():
        asyncio.run(company.state.save_checkpoint(company.tenant.tenant_id, one))
    assert company.run().outcome == "ok"
    assert [call.errand.trusts for call in company.steps(StepName.BEGIN)] == [True, False]
    assert set(map(tuple, company.names().values())) == {tuple(everybody)}
    assert company.room.doubles == []


def dying(step: StepName, rounds: int, number: int = 0) -> Delivery:
    """A step that never comes to its end, in so many rounds."""

    async def delivery(call: Call, _before: object, carry_out: CarryOut) -> Done:
        if call.step is step and call.number == number and call.errand.round <= rounds:
            raise asyncio.CancelledError
        return await carry_out(call)

    return delivery


@pytest.mark.parametrize(("step", "number"), [(StepName.BEGIN, 0), (StepName.MERGE, 3), (StepName.SCATTER, 1)])
@pytest.mark.parametrize("rounds", [1, 2])
def test_what_breaks_off_is_done_in_another_round(company: Company, step: StepName, number: int, rounds: int) -> None:
    """With what is there then; the report is that of one whole run."""
    company.delivery = dying(step, rounds, number)
    report = company.run()
    assert (report.outcome, list(report.mailboxes)) == ("ok", ["synced"] * 5)
    assert (report.step1.created, report.step2.created) == (3, 12)
    assert set(map(tuple, company.names().values())) == {tuple(everybody)}


@pytest.mark.parametrize("step", [StepName.BEGIN, StepName.MERGE])
def test_what_breaks_off_for_ever_is_a_failed_run(company: Company, step: StepName) -> None:
    """After three rounds the tenant has failed, with everything on record; the next run goes on."""
    company.delivery = dying(step, rounds=9, number=0 if step is StepName.BEGIN else 3)
    report = company.run()
    assert (report.outcome, report.error and report.error.code) == ("failed", "BrokenOff")
    company.delivery = once
    assert company.run().outcome == "ok"


def test_a_shard_that_cannot_be_read_is_left_out(company: Company) -> None:
    """Its mailboxes have failed; nothing is concluded from what they lack."""
    company.run()
    company.tenant = replace(company.tenant, delete_policy=DeletePolicy.EVERYWHERE)
    company.delivery = dying(StepName.GATHER, rounds=9, number=1)
    report = company.run()
    assert (report.outcome, report.deleted) == ("partial", 0)
    assert [one.code for one in report.failed] == ["BrokenOff"] * 2
    assert set(map(tuple, company.names().values())) == {tuple(everybody)}


def test_another_releases_parcel_breaks_the_run_off(company: Company) -> None:
    """An app that is deployed while a run goes on does not guess at what the old one has handed over."""

    async def delivery(call: Call, _before: object, carry_out: CarryOut) -> Done:
        if call.step is StepName.GATHER:
            await company.state.put_parcel(call.errand.tenant_id, call.errand.run_id, "1 reading 0", b'{"format":99}')
        return await carry_out(call)

    company.delivery = delivery
    report = company.run()
    assert (report.outcome, report.error and report.error.code) == ("failed", StateError("").code)
    assert company.room.writes == 0


@pytest.mark.parametrize("users", [("ann@contoso.com", "eve@contoso.com"), ()])
def test_a_run_keeps_to_the_users_that_were_chosen(company: Company, users: tuple[str, ...]) -> None:
    """Nobody else is read or written."""
    company.run(users=users)
    has_zoe = {name for name, known in company.names().items() if "Zoe Nal" in known}
    assert has_zoe == {HUB, *(user.split("@")[0] for user in users or (f"{name}@contoso.com" for name in PEOPLE))}


@pytest.mark.parametrize("times", [1, 2])
def test_the_report_tells_of_a_damaged_state(company: Company, times: int) -> None:
    """Whichever steps have met the damage, it is told once, nothing is missing, and no parcel of it is left."""
    company.state = Damaged(times)
    report = company.run()
    assert [(one.code, one.message) for one in report.problems] == [("StateDamaged", "A checkpoint cannot be read.")]
    assert report.outcome == "ok"
    assert company.names()["dan"] == ["Alan Turing", "Grace Hopper", "Zoe Nal"]
    assert company.parcels() == []
    assert company.run().problems == ()
