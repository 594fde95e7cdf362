"""What every way of keeping the state promises."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from secrets import token_hex
from uuid import uuid4

import pytest

from shared.ports import StateStore
from shared.sync.contact import EMPTY, Contact
from shared.sync.mergebase import Version
from shared.sync.records import Checkpoint, Quarantined, StoredLink
from shared.sync.stamp import SyncId
from tests.builders import at, contact, guid
from tests.state.builders import FULL, checkpoint, holder, link, run, version
from tests.state.conftest import Connect

MINUTE = 1 / 60
ODD_IDS = (
    "AAMkAGI2/+=\\#?%41_-.'\"",
    "Zoë 王 \t\n\x7f",
    "AbC",
    "abc",
    "x" * 3000,
    "x" * 2999 + "y",
    " ",
    "..",
    "a.b",
)


def by_contact(links: Iterable[StoredLink]) -> dict[SyncId, StoredLink]:
    """The links, in no order that anybody promised."""
    found = list(links)
    assert len({one.sync_id for one in found}) == len(found)
    return {one.sync_id: one for one in found}


def numbers(versions: Iterable[Version]) -> list[int]:
    """Which versions these are."""
    return [one.number for one in versions]


class TestLease:
    """One run a tenant."""

    async def test_a_free_lease_is_taken_and_a_second_run_is_told_who_has_it(
        self, connect: Connect, tenant: str
    ) -> None:
        """The answer names the holder, as it was given."""
        first, second = connect(), connect()
        assert await first.acquire_lease(tenant, holder("a"), at(0), 60) is None
        assert await second.acquire_lease(tenant, holder("b"), at(0), 60) == holder("a")

    async def test_an_expired_lease_is_taken_over_and_its_holder_finds_out(self, connect: Connect, tenant: str) -> None:
        """Sixty seconds after its last renewal a lease is anybody's."""
        first, second = connect(), connect()
        await first.acquire_lease(tenant, holder("a"), at(0), 60)
        assert await second.acquire_lease(tenant, holder("b"), at(0.99 * MINUTE), 60) == holder("a")
        assert await second.acquire_lease(tenant, holder("b"), at(1.01 * MINUTE), 60) is None
        assert await first.renew_lease(tenant, holder("a"), at(1.02 * MINUTE), 60) is False
        assert await second.renew_lease(tenant, holder("b"), at(1.02 * MINUTE), 60) is True

    async def test_whoever_only_asks_is_told_who_holds_it(self, connect: Connect, tenant: str) -> None:
        """Nobody, then the holder while the lease lasts; asking takes nothing from anybody."""
        first, second = connect(), connect()
        assert await second.lease_holder(tenant, at(0)) is None
        await first.acquire_lease(tenant, holder("a"), at(0), 60)
        assert await second.lease_holder(tenant, at(0.99 * MINUTE)) == holder("a")
        assert await second.lease_holder(tenant, at(1.01 * MINUTE)) is None
        assert await first.renew_lease(tenant, holder("a"), at(1.02 * MINUTE), 60) is True

    async def test_renewing_makes_it_last(self, connect: Connect, tenant: str) -> None:
        """It then expires so many seconds after the renewal."""
        first, second = connect(), connect()
        await first.acquire_lease(tenant, holder("a"), at(0), 60)
        assert await first.renew_lease(tenant, holder("a"), at(0.9 * MINUTE), 60) is True
        assert await second.acquire_lease(tenant, holder("b"), at(1.8 * MINUTE), 60) == holder("a")
        assert await second.acquire_lease(tenant, holder("b"), at(2 * MINUTE), 60) is None

    async def test_a_lease_that_vanished_is_renewed(self, store: StateStore, tenant: str) -> None:
        """After the state was lost nobody else has it: the run that holds it goes on."""
        await store.acquire_lease(tenant, holder("a"), at(0), 60)
        await store.forget_tenant(tenant)
        assert await store.renew_lease(tenant, holder("a"), at(0), 60) is True
        assert await store.acquire_lease(tenant, holder("b"), at(0), 60) == holder("a")

    async def test_a_holder_may_take_its_own_lease_again(self, store: StateStore, tenant: str) -> None:
        """An answer that was lost on its way is asked for again."""
        await store.acquire_lease(tenant, holder("a"), at(0), 60)
        assert await store.acquire_lease(tenant, holder("a"), at(0), 60) is None

    async def test_only_the_holder_gives_it_back(self, connect: Connect, tenant: str) -> None:
        """A run that lost its lease cannot take it from the next one by ending."""
        first, second = connect(), connect()
        await first.acquire_lease(tenant, holder("a"), at(0), 60)
        await second.release_lease(tenant, holder("b"))
        assert await second.acquire_lease(tenant, holder("b"), at(0), 60) == holder("a")
        await first.release_lease(tenant, holder("a"))
        await first.release_lease(tenant, holder("a"))
        assert await second.acquire_lease(tenant, holder("b"), at(0), 60) is None

    async def test_tenants_do_not_wait_for_each_other(self, store: StateStore, tenant: str) -> None:
        """Each has a lease of its own."""
        assert await store.acquire_lease(tenant, holder("a"), at(0), 60) is None
        assert await store.acquire_lease(f"{tenant}-b", holder("b"), at(0), 60) is None

    @pytest.mark.parametrize("expired", [False, True])
    async def test_of_many_that_ask_at_once_one_gets_it(self, connect: Connect, tenant: str, expired: bool) -> None:
        """Never two holders, be the lease free or expired."""
        clients = [connect() for _ in range(4)]
        if expired:
            await clients[0].acquire_lease(tenant, holder("old"), at(-1), 60)
        asking = (
            client.acquire_lease(tenant, holder(f"{place}-{turn}"), at(0), 60)
            for place, client in enumerate(clients)
            for turn in range(3)
        )
        answers = await asyncio.gather(*asking)
        assert answers.count(None) == 1
        assert len({answer.run_id for answer in answers if answer}) == 1

    async def test_renewing_and_taking_over_at_once_leaves_one_holder(self, connect: Connect, tenant: str) -> None:
        """Late renewal against takeover: whoever is second is told so."""
        first, second = connect(), connect()
        for turn in range(5):
            a, b = holder(f"a{turn}"), holder(f"b{turn}")
            await first.acquire_lease(tenant, a, at(turn), 60)
            renewed, taken = await asyncio.gather(
                first.renew_lease(tenant, a, at(turn + 0.5), 60), second.acquire_lease(tenant, b, at(turn + 0.5), 60)
            )
            assert renewed is (taken == a)
            await first.release_lease(tenant, a)
            await second.release_lease(tenant, b)


class TestCheckpoints:
    """A mailbox's progress."""

    async def test_nothing_is_known_at_first(self, store: StateStore, tenant: str) -> None:
        """An empty state is no error."""
        assert await store.checkpoints(tenant) == {}

    async def test_progress_is_replaced_by_mailbox(self, connect: Connect, tenant: str) -> None:
        """The last one saved counts, whoever reads it."""
        first, second = connect(), connect()
        await first.save_checkpoint(tenant, checkpoint("m1", 1))
        await second.save_checkpoint(tenant, checkpoint("m2", 2))
        await second.save_checkpoint(tenant, checkpoint("m1", 3))
        assert await first.checkpoints(tenant) == {"m1": checkpoint("m1", 3), "m2": checkpoint("m2", 2)}

    async def test_everything_in_it_comes_back(self, store: StateStore, tenant: str) -> None:
        """Times, contacts left out, refused writes, and a delta link of many kilobytes."""
        whole = Checkpoint(
            "m1",
            "zoë@contoso.com",
            folder="AAMk=",
            delta_link="https://graph/" + "x" * 100_000,
            watermark=2**40,
            pending=tuple(guid(number) for number in range(5000)),
            quarantine=(Quarantined(guid(1), "item/1", "CQAA", 7, "ErrorInvalidProperty"),),
            enrolled_at=at(1),
            succeeded_at=at(2),
            read_whole_at=at(3),
        )
        await store.save_checkpoint(tenant, whole)
        assert await store.checkpoints(tenant) == {"m1": whole}
        await store.save_checkpoint(tenant, checkpoint("m1"))
        assert await store.checkpoints(tenant) == {"m1": checkpoint("m1")}

    async def test_there_may_be_many(self, store: StateStore, tenant: str) -> None:
        """More than one page of answers."""
        many = [checkpoint(f"mailbox-{number}", number) for number in range(1100)]
        await asyncio.gather(*(store.save_checkpoint(tenant, one) for one in many))
        assert await store.checkpoints(tenant) == {one.mailbox: one for one in many}


class TestLinks:
    """What joins a mailbox's items to contacts."""

    async def test_they_are_found_by_mailbox_contact_and_item(self, connect: Connect, tenant: str) -> None:
        """Each way finds the same rows, and those of other mailboxes never."""
        first, second = connect(), connect()
        links = [link("m1", person) for person in (1, 2, 3)]
        await first.save_links(tenant, "m1", links)
        await first.save_links(tenant, "m2", [link("m2", 1)])
        assert by_contact(await second.links(tenant, "m1")) == by_contact(links)
        assert list(await second.links_to(tenant, "m1", [guid(2), guid(9)])) == [links[1]]
        assert list(await second.links_of_items(tenant, "m1", ["item-3", "item-9"])) == [links[2]]
        assert list(await second.links(tenant, "m3")) == []
        assert (
            list(await second.links_to(tenant, "m1", [])) == list(await second.links_of_items(tenant, "m1", [])) == []
        )

    async def test_the_later_replaces_the_earlier(self, store: StateStore, tenant: str) -> None:
        """One link a contact and mailbox, also when both come in one call; its old item is unknown then."""
        await store.save_links(tenant, "m1", [link("m1", 1, item_id="old")])
        newest = link("m1", 1, base=3, item_id="new")
        await store.save_links(tenant, "m1", [link("m1", 1, base=2, item_id="other"), newest])
        await store.save_links(tenant, "m1", [newest])
        assert list(await store.links(tenant, "m1")) == [newest]
        assert list(await store.links_of_items(tenant, "m1", ["old", "other"])) == []

    async def test_forgotten_links_are_gone(self, store: StateStore, tenant: str) -> None:
        """Forgetting what is not there, or again, is fine; a link that is written in the same call stays."""
        await store.save_links(tenant, "m1", [link("m1", person) for person in (1, 2, 3)])
        await store.save_links(tenant, "m1", [link("m1", 3, base=2)], [guid(1), guid(3), guid(9)])
        await store.save_links(tenant, "m1", [], [guid(1), guid(1)])
        await store.save_links(tenant, "m1", [])
        assert by_contact(await store.links(tenant, "m1")) == by_contact([link("m1", 2), link("m1", 3, base=2)])

    async def test_a_whole_mailbox_is_written_at_once(self, store: StateStore, tenant: str) -> None:
        """More than a page and many transactions; asked for by contact it is as many."""
        links = [link("m1", person) for person in range(1234)]
        await store.save_links(tenant, "m1", links)
        assert by_contact(await store.links(tenant, "m1")) == by_contact(links)
        assert by_contact(await store.links_to(tenant, "m1", [one.sync_id for one in links])) == by_contact(links)
        assert by_contact(await store.links_of_items(tenant, "m1", [one.item_id for one in links[5:]])) == by_contact(
            links[5:]
        )

    async def test_what_the_server_made_of_a_write_is_kept(self, store: StateStore, tenant: str) -> None:
        """The residue, with fields that it dropped altogether."""
        residue = {**FULL.fields, "jobTitle": None}
        kept = replace(link("m1", 1), residue=residue)
        await store.save_links(tenant, "m1", [kept])
        assert list(await store.links(tenant, "m1")) == [kept]

    async def test_any_id_will_do(self, store: StateStore, tenant: str) -> None:
        """Ids of every script, length and sign are told apart, letter case included."""
        for mailbox in ODD_IDS:
            links = [StoredLink(mailbox, item, SyncId(item), item, 1) for item in ODD_IDS]
            await store.save_links(tenant, mailbox, links)
        for mailbox in ODD_IDS:
            found = by_contact(await store.links(tenant, mailbox))
            assert set(found) == set(ODD_IDS)
            assert {one.mailbox for one in found.values()} == {mailbox}
            (one,) = await store.links_of_items(tenant, mailbox, ["AbC"])
            assert [one] == list(await store.links_to(tenant, mailbox, [SyncId("AbC")]))


class TestVersions:
    """Every value that a contact has had."""

    async def test_the_history_is_kept_and_the_newest_known(self, connect: Connect, tenant: str) -> None:
        """By contact, from a number on, and the newest of each."""
        first, second = connect(), connect()
        history = [version(1, 1), version(2, 2), version(3, 1), version(4, 3), version(5, 1)]
        await first.add_versions(tenant, history[:3])
        await first.add_versions(tenant, history[3:])
        assert list(await second.versions(tenant, guid(1))) == [history[0], history[2], history[4]]
        assert list(await second.versions(tenant, guid(9))) == []
        assert list(await second.versions_since(tenant, 3)) == history[2:]
        assert list(await second.versions_since(tenant, 6)) == []
        assert dict(await second.current_versions(tenant)) == {
            guid(1): history[4],
            guid(2): history[1],
            guid(3): history[3],
        }

    async def test_adding_one_again_changes_nothing(self, store: StateStore, tenant: str) -> None:
        """Neither the version itself nor which one is the newest, in whatever order they come."""
        history = [version(1), version(2), version(3, 2)]
        await store.add_versions(tenant, history)
        await store.add_versions(tenant, [version(1, content=EMPTY)])
        await store.add_versions(tenant, [version(4, 3), version(2), version(1)])
        await store.add_versions(tenant, [])
        assert list(await store.versions_since(tenant, 0)) == [*history, version(4, 3)]
        assert (await store.current_versions(tenant))[guid(1)] == version(2)

    async def test_a_deletion_is_a_version_with_what_was_deleted(self, store: StateStore, tenant: str) -> None:
        """It is the newest, and its content is there for an undo."""
        gone = version(2, is_deleted=True)
        await store.add_versions(tenant, [version(1), gone])
        current = (await store.current_versions(tenant))[guid(1)]
        assert current == gone
        assert current.contact.fields == FULL.fields

    async def test_content_comes_back_to_the_letter(self, store: StateStore, tenant: str) -> None:
        """Every kind of field, the name in an e-mail address, no field at all, and a very long text."""
        long = contact("x" * 40_000, companyName="".join(chr(0x4E00 + number % 20_000) for number in range(100_000)))
        contents: list[Contact] = [FULL, EMPTY, long]
        await store.add_versions(tenant, [version(number, number, content=one) for number, one in enumerate(contents)])
        found = await store.versions_since(tenant, 0)
        assert [one.contact.fields for one in found] == [one.fields for one in contents]
        assert repr(found[0].contact.get("emailAddresses")) == repr(FULL.get("emailAddresses"))

    async def test_there_may_be_many(self, store: StateStore, tenant: str) -> None:
        """More than one page and transaction, in rising order."""
        many = [version(number, number % 1050) for number in range(1, 1201)]
        await store.add_versions(tenant, many)
        assert list(await store.versions_since(tenant, 1)) == many
        assert len(await store.current_versions(tenant)) == 1050

    async def test_pruning_keeps_the_newest_and_every_base(self, store: StateStore, tenant: str) -> None:
        """An old version goes only when no link and no present needs it."""
        await store.add_versions(tenant, [version(number, hours=number) for number in range(1, 7)])
        await store.add_versions(tenant, [version(7, 2, hours=0)])
        await store.save_links(tenant, "m1", [link("m1", 1, base=2)])
        await store.save_links(tenant, "m2", [link("m2", 1, base=3)])
        assert await store.prune_versions(tenant, at(0)) == 0
        assert await store.prune_versions(tenant, at(5)) == 2
        assert numbers(await store.versions_since(tenant, 0)) == [2, 3, 5, 6, 7]
        assert numbers(await store.versions(tenant, guid(1))) == [2, 3, 5, 6]
        assert await store.prune_versions(tenant, at(5)) == 0
        assert numbers((await store.current_versions(tenant)).values()) == [6, 7]

    async def test_pruning_asks_for_bases_of_this_tenant_only(self, store: StateStore, tenant: str) -> None:
        """Another tenant's link with the same number keeps nothing."""
        await store.add_versions(tenant, [version(1), version(2)])
        await store.save_links(f"{tenant}-b", "m1", [link("m1", 1, base=1)])
        assert await store.prune_versions(tenant, at(1)) == 1


class TestRuns:
    """The record of what was done."""

    async def test_the_latest_come_first_without_their_reports(self, store: StateStore, tenant: str) -> None:
        """A list is for choosing one; the one has its report."""
        records = [run(f"run-{number}", hours=number, created=number) for number in range(5)]
        for record in (records[2], records[0], records[4], records[1], records[3]):
            await store.save_run(tenant, record)
        listed = await store.runs(tenant, limit=3)
        assert list(listed) == [replace(record, report={}) for record in records[:1:-1]]
        assert await store.run(tenant, "run-2") == records[2]
        assert await store.run(tenant, "run-9") is None

    async def test_a_run_is_replaced_when_it_ends(self, store: StateStore, tenant: str) -> None:
        """It is listed once, with its latest outcome and report."""
        begun = replace(run("run-1"), finished_at=None, outcome="running", report={"operations": ["x" * 100_000]})
        await store.save_run(tenant, begun)
        assert await store.run(tenant, "run-1") == begun
        await store.save_run(tenant, run("run-1", created=1))
        assert [one.outcome for one in await store.runs(tenant)] == ["ok"]
        assert await store.run(tenant, "run-1") == run("run-1", created=1)

    async def test_a_run_that_begins_later_than_was_said_is_listed_once(self, store: StateStore, tenant: str) -> None:
        """Put on record when somebody asked for it, it moves to the time at which it began."""
        for hours in (1, 3):
            await store.save_run(tenant, run("run-1", hours=hours))
            await store.save_run(tenant, run("run-2", hours=2))
        assert [one.run_id for one in await store.runs(tenant)] == ["run-1", "run-2"]
        assert await store.prune_runs(tenant, at(2)) == 0

    async def test_a_report_may_be_large(self, store: StateStore, tenant: str) -> None:
        """A dry run of a large tenant tells each operation; this one has five megabytes that hardly shrink."""
        operations = [{"name": "Zoë", "nested": [str(uuid4()) for _ in range(2)]} for _ in range(60_000)]
        large = run("run-1", operations=operations, error=None, share=0.5)
        await store.save_run(tenant, large)
        assert await store.run(tenant, "run-1") == large

    async def test_old_runs_are_forgotten_with_their_reports(self, store: StateStore, tenant: str) -> None:
        """Those that began before the moment go, the one that began right then stays; other tenants are left alone."""
        for number in range(4):
            await store.save_run(tenant, run(f"run-{number}", hours=number, created=number))
        await store.save_run(f"{tenant}-b", run("run-0"))
        assert await store.prune_runs(tenant, at(2)) == 2
        assert [one.run_id for one in await store.runs(tenant)] == ["run-3", "run-2"]
        assert await store.run(tenant, "run-1") is None
        assert await store.run(tenant, "run-2") == run("run-2", hours=2, created=2)
        assert len(await store.runs(f"{tenant}-b")) == 1
        assert await store.prune_runs(tenant, at(2)) == 0

    async def test_odd_run_ids(self, store: StateStore, tenant: str) -> None:
        """A run's id may come from outside: a message of a queue, a pipeline's job."""
        for number, run_id in enumerate(ODD_IDS):
            await store.save_run(tenant, run(run_id, hours=number))
        assert [one.run_id for one in await store.runs(tenant)] == list(reversed(ODD_IDS))
        for run_id in ODD_IDS:
            found = await store.run(tenant, run_id)
            assert found
            assert found.run_id == run_id


async def test_forgetting_a_tenant_leaves_the_others(store: StateStore, tenant: str) -> None:
    """Whatever their ids look like."""
    others = (f"{tenant}-b", f"{tenant}.links", tenant.upper())
    for one in (tenant, *others):
        await store.acquire_lease(one, holder("a"), at(0), 60)
        await store.save_checkpoint(one, checkpoint("m1"))
        await store.save_links(one, "m1", [link("m1", 1)])
        await store.add_versions(one, [version(1)])
        await store.save_run(one, run("run-1"))
    await store.forget_tenant(tenant)
    await store.forget_tenant(tenant)
    assert await store.checkpoints(tenant) == {}
    assert list(await store.links(tenant, "m1")) == []
    assert dict(await store.current_versions(tenant)) == {}
    assert list(await store.versions_since(tenant, 0)) == []
    assert list(await store.runs(tenant)) == []
    assert await store.run(tenant, "run-1") is None
    assert await store.acquire_lease(tenant, holder("b"), at(0), 60) is None
    for one in others:
        assert len(await store.checkpoints(one)) == len(await store.links(one, "m1")) == 1
        assert len(await store.versions_since(one, 0)) == len(await store.runs(one)) == 1
        assert await store.acquire_lease(one, holder("b"), at(0), 60) == holder("a")


async def test_forgetting_progress_leaves_the_history(store: StateStore, tenant: str) -> None:
    """Checkpoints and links go, of this tenant alone; versions, runs, lease and parcels stay, and numbers go on."""
    other = f"{tenant}-b"
    for one in (tenant, other):
        await store.acquire_lease(one, holder("a"), at(0), 60)
        await store.save_checkpoint(one, checkpoint("m1"))
        await store.save_links(one, "m1", [link("m1", 1)])
        await store.save_links(one, "m2", [link("m2", 1)])
        await store.add_versions(one, [version(1), version(2)])
        await store.save_run(one, run("run-1"))
        await store.put_parcel(one, "run-1", "a", b"{}")
    for _ in range(2):
        await store.forget_progress(tenant)
        assert await store.checkpoints(tenant) == {}
        assert [len(await store.links(tenant, box)) for box in ("m1", "m2")] == [0, 0]
    await store.add_versions(tenant, [version(3)])
    assert numbers(await store.versions(tenant, guid(1))) == [1, 2, 3]
    assert await store.run(tenant, "run-1") == run("run-1")
    assert await store.parcel(tenant, "run-1", "a") == b"{}"
    assert await store.acquire_lease(tenant, holder("b"), at(0), 60) == holder("a")
    assert len(await store.checkpoints(other)) == len(await store.links(other, "m1")) == 1


async def test_what_can_be_read_is_not_dropped(store: StateStore, tenant: str) -> None:
    """Of a whole history nothing goes, and an empty one has nothing to drop."""
    assert await store.drop_unreadable(tenant) == 0
    await store.add_versions(tenant, [version(1), version(2, 2), version(3)])
    await store.save_run(tenant, run("run-1", text="x" * 9000))
    assert await store.drop_unreadable(tenant) == 0
    assert numbers(await store.versions_since(tenant, 0)) == [1, 2, 3]
    assert {one.number for one in (await store.current_versions(tenant)).values()} == {2, 3}
    assert await store.run(tenant, "run-1") == run("run-1", text="x" * 9000)


class TestParcels:
    """What one step of a run hands to the next."""

    async def test_the_first_of_a_name_stays(self, connect: Connect, tenant: str) -> None:
        """A step that is delivered twice changes nothing for those who have seen what it handed over."""
        first, second = connect(), connect()
        assert await first.put_parcel(tenant, "run-1", "shard 1", b'{"items":[1]}') is True
        assert await second.put_parcel(tenant, "run-1", "shard 1", b'{"items":[2]}') is False
        assert await second.parcel(tenant, "run-1", "shard 1") == b'{"items":[1]}'

    async def test_of_several_at_once_one_is_first(self, connect: Connect, tenant: str) -> None:
        """All see the same one, however large it is."""
        clients = [connect() for _ in range(4)]
        parcels = [b'{"%d":"%b"}' % (number, token_hex(900_000).encode()) for number in range(4)]
        puts = (one.put_parcel(tenant, "run-1", "a", parcel) for one, parcel in zip(clients, parcels, strict=True))
        results = await asyncio.gather(*puts)
        assert results.count(True) == 1
        assert await clients[0].parcel(tenant, "run-1", "a") == parcels[results.index(True)]

    async def test_one_that_is_not_there_is_none(self, store: StateStore, tenant: str) -> None:
        """Nor is another run's, or another tenant's, of the same name."""
        await store.put_parcel(tenant, "run-1", "a", b"{}")
        assert await store.parcel(tenant, "run-1", "b") is None
        assert await store.parcel(tenant, "run-2", "a") is None
        assert await store.parcel(f"{tenant}0", "run-1", "a") is None

    async def test_forgetting_leaves_one_run_its_own(self, store: StateStore, tenant: str) -> None:
        """A run clears up after those before it, and after itself; nothing else of the tenant is touched."""
        await store.save_checkpoint(tenant, checkpoint("ann"))
        for run_id in ("run-1", "run-2", "run-3"):
            await store.put_parcel(tenant, run_id, "a", b"{}")
        await store.forget_parcels(tenant, but="run-2")
        assert [await store.parcel(tenant, f"run-{n}", "a") for n in (1, 2, 3)] == [None, b"{}", None]
        await store.forget_parcels(tenant)
        assert await store.parcel(tenant, "run-2", "a") is None
        assert list(await store.checkpoints(tenant)) == ["ann"]

    async def test_with_the_tenant_they_go(self, store: StateStore, tenant: str) -> None:
        """Forgetting a tenant forgets what its runs had in hand."""
        await store.put_parcel(tenant, "run-1", "a", b"{}")
        await store.forget_tenant(tenant)
        assert await store.parcel(tenant, "run-1", "a") is None
