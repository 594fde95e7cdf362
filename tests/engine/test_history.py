"""What is remembered of the past: every run with its report, and who changed what of a contact."""

from shared.engine.history import Event, Story, find, latest_runs, tell
from shared.engine.options import RunOptions
from shared.sync.stamp import SyncId
from tests.engine.office import Office
from tests.engine.test_memory import HOUR, company_of, delete, edit

DAY = 24 * 3600


async def story(office: Office, words: str) -> Story:
    """The one contact's history."""
    (version,) = await find(office.state, office.tenant.id, words)
    return await tell(office.state, office.tenant.id, version, 100)


async def names(office: Office, words: str) -> list[str]:
    """The names of the contacts that are found."""
    return [version.contact.text("displayName") for version in await find(office.state, office.tenant.id, words)]


async def test_every_run_is_on_record_newest_first(office: Office) -> None:
    """Also a quiet one and one that failed, each with its report."""
    await company_of(office, "Grace")
    await office.run(RunOptions("quiet"))
    office.emulator.clock.advance(HOUR)
    office.tenant.roles = ("User.Read.All",)
    failed = await office.run(RunOptions("failed"))
    runs = await latest_runs(office.state, office.tenant.id, 10)
    assert [(one.run_id, one.outcome) for one in runs[:2]] == [("failed", "failed"), ("quiet", "ok")]
    assert (len(runs), runs[0].report) == (3, failed.tenants[0].to_json())
    assert (runs[1].first_version, runs[2].first_version) == (0, 1)
    assert all(one.finished_at and one.finished_at >= one.started_at for one in runs)


async def test_the_report_of_a_run_is_kept_whole(office: Office) -> None:
    """What was replaced is in it with both values."""
    await company_of(office, "Grace")
    edit(office, "ann", "Grace", mobilePhone="2")
    edit(office, "bob", "Grace", mobilePhone="3")
    report = await office.report(RunOptions("monday"))
    record = await office.state.run(office.tenant.id, "monday")
    assert record is not None
    assert record.report == report.to_json()


async def test_who_changed_what(office: Office) -> None:
    """Each change names the person, the run, and the values before and after; the newest comes first."""
    await company_of(office, "Grace")
    edit(office, "bob", "Grace", mobilePhone="2", jobTitle=None)
    await office.run(RunOptions("monday"))
    changed, created = (await story(office, "grace@x.org")).entries
    assert (changed.event, changed.by, changed.run_id) == (Event.CHANGED, "bob@contoso.com", "monday")
    assert dict(changed.fields) == {"jobTitle": ("CEO", None), "mobilePhone": ("1", "2")}
    assert (created.event, created.by) == (Event.CREATED, "ann@contoso.com")
    assert created.at < changed.at


async def test_a_deletion_and_its_end_are_told(office: Office) -> None:
    """A contact that is gone is still found, as deleted; one that comes back is said to."""
    await company_of(office, "Grace", "Ada")
    card = office.card("bob", "Grace")["id"]
    delete(office, "hub", "Grace")
    await office.run(DeletePolicy="hub")
    told = await story(office, "grace")
    assert (told.is_deleted, told.entries[0].event, told.entries[0].by) == (True, Event.DELETED, "hub@contoso.com")
    assert dict(told.entries[0].fields) == {}
    office.box("bob").restore_contact(card)
    await office.run(DeletePolicy="hub")
    told = await story(office, "grace")
    assert (told.is_deleted, told.entries[0].event) == (False, Event.RESTORED)


async def test_whom_words_mean(office: Office) -> None:
    """A SyncId, an address or a whole name in any case, else every name with these words in it."""
    await company_of(office, "Grace", "Grace Hopper", "Ada")
    (ada,) = await find(office.state, office.tenant.id, "ADA")
    assert await names(office, ada.sync_id.upper()) == ["Ada"]
    assert await names(office, " Ada@X.org ") == ["Ada"]
    assert await names(office, "grace") == ["Grace"]
    assert await names(office, "a") == ["Ada", "Grace", "Grace Hopper"]
    assert await names(office, "nobody") == []
    assert await names(office, SyncId("00000000-0000-4000-8000-000000000000")) == []


async def test_old_values_are_forgotten_in_time(office: Office) -> None:
    """After `HistoryDays` a replaced value is gone; what is current stays, however old."""
    await company_of(office, "Grace", "Ada")
    edit(office, "bob", "Grace", mobilePhone="2")
    await office.run()
    office.emulator.clock.advance(10 * DAY)
    await office.run(HistoryDays=30)
    assert len((await story(office, "grace")).entries) == 2
    office.emulator.clock.advance(29 * DAY)
    await office.run(HistoryDays=30)
    assert [entry.event for entry in (await story(office, "grace")).entries] == [Event.RECORDED]
    assert len((await story(office, "ada")).entries) == 1
    assert [record.outcome for record in await office.state.runs(office.tenant.id)] == ["ok", "ok"]
