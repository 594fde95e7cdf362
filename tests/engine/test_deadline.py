"""A time budget stops a run cleanly between two operations; the next one goes on and repeats nothing."""

from collections import Counter
from datetime import datetime

import pytest

from shared.bootstrap import sync
from shared.engine.options import RunOptions
from shared.sync.report import RunReport
from tests.engine.office import PREFIX, Office, person, written
from tests.engine.test_memory import EVERYBODY

NAMES = [f"Person {number}" for number in range(6)]


class WorkingHours:
    """A clock on which an hour has passed after every so many writes, or requests, that the office has seen."""

    def __init__(self, office: Office, *, writes: int = 0, requests: int = 0) -> None:
        self._office = office
        self._clock = office.emulator.clock
        self._writes = writes
        self._requests = requests

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        if self._writes:
            hours = len(self._office.writes()) // self._writes
        else:
            hours = len(self._office.emulator.log) // self._requests
        return self._clock.monotonic() + 3600.0 * hours

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def run(office: Office, clock: WorkingHours) -> RunReport:
    """A run that has half an hour."""
    environ = {**office.emulator.environment(), f"{PREFIX}TIME_BUDGET_MINUTES": "30"}
    report = await sync(environ, RunOptions(), trust=office.emulator.ca_file, clock=clock, state=office.state)
    office.emulator.clock.advance(3600)
    return report


@pytest.mark.parametrize("writes", [1, 2, 5, 9])
async def test_the_next_run_goes_on(office: Office, writes: int) -> None:
    """Stopped again and again, the runs together write each card once, and end with everything everywhere."""
    for name in NAMES:
        office.box("ann").add_contact(person(name, f"{name[-1]}@x.org"))
    outcomes: list[str] = []
    while not outcomes or outcomes[-1] == "partial":
        report = await run(office, WorkingHours(office, writes=writes))
        assert report.exit_code == 0
        outcomes.append(report.outcome)
    assert outcomes[0] == "partial"
    assert outcomes[-1] == "ok"
    assert all(office.names(who) == NAMES for who in EVERYBODY)
    posts = Counter(one.mailbox for one in office.writes() if one.method == "POST" and one.path.endswith("/contacts"))
    assert {mailbox: posts[f"{mailbox}@contoso.com"] for mailbox in ("hub", "bob", "cem")} == dict.fromkeys(
        ("hub", "bob", "cem"), len(NAMES)
    )
    assert written(await office.report()) == 0


async def test_the_report_says_what_happened(office: Office) -> None:
    """The outcome is partial with a line; the record has it too."""
    for name in NAMES:
        office.box("ann").add_contact(person(name))
    (report,) = (await run(office, WorkingHours(office, writes=2))).tenants
    assert (report.outcome, report.error, [one.code for one in report.problems]) == ("partial", None, ["Deadline"])
    (record,) = await office.state.runs(office.tenant.id)
    assert record.outcome == "partial"


async def test_a_budget_used_up_by_reading_writes_nothing(office: Office) -> None:
    """What was not read is not taken for empty, and nothing is concluded from the rest."""
    office.box("ann").add_contact(person("Grace"))
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Grace")["id"], {"mobilePhone": "2"})
    before = len(office.writes())
    (report,) = (await run(office, WorkingHours(office, requests=1))).tenants
    assert (report.outcome, [one.code for one in report.problems]) == ("partial", ["Deadline"])
    assert len(office.writes()) == before
    await office.run()
    assert office.card("bob", "Grace")["mobilePhone"] == "2"


async def test_enough_time_is_no_matter(office: Office) -> None:
    """A run within its budget is a run like any other."""
    office.box("ann").add_contact(person("Grace"))
    report = await run(office, WorkingHours(office, writes=1000))
    assert (report.outcome, office.names("bob")) == ("ok", ["Grace"])
