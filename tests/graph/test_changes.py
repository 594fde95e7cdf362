"""Reading what changed since a delta link, with every doubt about Graph either way."""

import asyncio
import random

import pytest

from shared.errors import MailboxError
from shared.graph.wire import MARKER
from shared.sync.replica import Draft
from shared.sync.stamp import Stamp, SyncId, write_stamp
from tests.emulator import Answer, Emulator, Fault, Mailbox, Run, Switches
from tests.emulator.faults import Scene
from tests.emulator.replies import Reply
from tests.graph.follow import Memory, fill
from tests.graph.scene import ANNA, HUB, Says, hub, opened, spoke, staffed

GUID = SyncId("0f0e0d0c-0b0a-4908-8706-050403020100")
VARIANTS = [pytest.param(switches, id=name) for name, switches in Switches.variants()]


def has_delta(switches: Switches) -> bool:
    return not switches.national_cloud


@pytest.mark.parametrize("switches", VARIANTS)
async def test_what_happened_since_is_told(switches: Switches) -> None:
    """However Graph behaves: new, edited, copied, hidden and restored cards are told with flags, others as removed."""
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        edited, deleted, moved, hidden, copied, cleared, _, ours = fill(box)
        folder = box.add_folder("Elsewhere")
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            assert bool(memory.link) == has_delta(switches)
            box.edit_contact(edited, {"title": "Dr"})
            box.edit_contact(cleared, {"title": None})
            box.delete_contact(deleted)
            box.move_contact(moved, folder)
            box.edit_contact(hidden, private=True)
            copy = box.copy_contact(copied)
            new = box.add_contact({"displayName": "New"}, extended={MARKER: GUID}, private=True)
            await memory.write(memory.items[ours], Draft({"title": "Sir", "displayName": "Ours"}))
            if not has_delta(switches):
                assert await memory.changes() is None
                return
            changes = await memory.catch_up()
            told = {item.item_id: item for item in changes.items}
            assert set(told) == {edited, cleared, hidden, copy, new}
            assert set(changes.removed) == {deleted, moved}
            assert [told[item_id].contact.text("title") for item_id in (edited, cleared)] == ["Dr", ""]
            assert [item_id for item_id in told if told[item_id].private] == sorted((hidden, new))
            assert told[new].marker == GUID
            whole = (await services.contacts.observe(memory.replica)).items
            assert {item.item_id: item.contact for item in whole} == {
                item_id: item.contact for item_id, item in memory.items.items()
            }


@pytest.mark.parametrize("replays", [True, False])
async def test_twenty_quiet_mailboxes_cost_one_request(*, replays: bool) -> None:
    """No card is read; what is remembered is asked for only if the round told something."""
    async with Emulator(switches=Switches(delta_replays=replays)) as emulator:
        tenant = staffed(emulator)
        names = [f"u{number}@contoso.com" for number in range(20)]
        for name in names:
            tenant.add_user(name)
            fill(tenant.mailbox(name), 3)
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memories = [await Memory.of(services, await spoke(services, name)) for name in names]
            before, _ = services.traffic.requests, emulator.log.clear()
            rounds = await asyncio.gather(*(memory.catch_up() for memory in memories))
            assert services.traffic.requests - before == 1
    assert len([record for record in emulator.log if record.batched]) == 20
    assert all((changes.items, changes.removed) == ((), ()) for changes in rounds)
    assert all(bool(memory.asked) == replays for memory in memories)


async def test_our_own_writes_are_dismissed_until_the_server_touches_them() -> None:
    """An echo is no change; a change marker moved by the server itself is one, of equal content."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        (card,) = fill(tenant.mailbox(ANNA), 1)
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            made = await services.contacts.create(memory.replica, Draft({"displayName": "Made"}, marker=GUID))
            memory.items[made.item_id] = made
            await memory.write(memory.items[card], Draft({"title": "Dr"}))
            emulator.log.clear()
            assert (await memory.catch_up()).items == ()
            assert len([record for record in emulator.log if record.batched]) == 1
            emulator.clock.advance(60)
            (bumped,) = (await memory.catch_up()).items
    assert (bumped.item_id, bumped.contact, bumped.marker) == (made.item_id, made.contact, GUID)
    assert bumped.change_marker != made.change_marker


async def test_a_long_note_keeps_its_stamp() -> None:
    """What a page cuts is read by id, so that the stamp at a note's end is seen."""
    stamp = Stamp(GUID, ANNA, "2026-01-01T00:00:00Z", ANNA)
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            tenant.mailbox(ANNA).add_contact(
                {"displayName": "A", "personalNotes": write_stamp("\r\n" + "long text " * 60, stamp)}
            )
            (item,) = (await memory.catch_up()).items
    assert item.stamp == stamp


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("switches", [Switches(), *(variant for name, variant in Switches.variants() if name == "all")])
async def test_following_and_observing_tell_the_same(switches: Switches, seed: int) -> None:
    """Round after round of random edits, the items followed are those that a whole reading gives."""
    switches.national_cloud = False
    dice = random.Random(seed)
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        fill(box, 20)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            for _ in range(6):
                for _ in range(dice.randrange(30)):
                    happen(box, dice)
                emulator.clock.advance(dice.choice((0, 3, 60)))
                await memory.catch_up()
                emulator.clock.advance(10)
                await memory.catch_up()
                whole = (await services.contacts.observe(memory.replica)).items
                assert {item.item_id: item for item in whole} == memory.items


def happen(box: Mailbox, dice: random.Random) -> None:
    """Something that people do."""
    cards = [card["id"] for card in box.contacts()]
    gone = [card["id"] for card in box.deleted_contacts()]
    act = dice.randrange(7)
    if act == 0 or not cards:
        fill(box, 1)
    elif act == 1 and gone:
        box.restore_contact(dice.choice(gone))
    else:
        card = dice.choice(cards)
        acts = (
            lambda: box.delete_contact(card),
            lambda: box.copy_contact(card),
            lambda: box.edit_contact(card, private=dice.random() < 0.5),
            lambda: box.purge_contact(card),
        )
        edit = lambda: box.edit_contact(card, {"title": f"T{dice.randrange(5)}", "surname": None})  # noqa: E731
        (*acts, edit, edit, edit)[act]()


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("count", [50, 51, 320])
async def test_many_changes_are_joined_with_one_list(count: int, *, partial: bool) -> None:
    """Few are read by id, many by a list of flags; items told in part by id, or not at all if they are too many."""
    async with Emulator(switches=Switches(partial_delta_items=partial)) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        cards = fill(box, count)
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            for number, card in enumerate(cards):
                box.edit_contact(card, {"title": "Dr"}, private=number == 7)
            emulator.log.clear()
            changes = await memory.changes()
            read = {record.path for record in emulator.log if record.batched} & {
                f"/users/{memory.replica.mailbox}/contacts/{card}" for card in cards
            }
    if partial and count > 200:
        assert changes is None
        return
    assert changes is not None
    assert len(read) == (count if partial or count == 50 else 0)
    assert len(changes.items) == count
    assert {item.contact.text("title") for item in changes.items} == {"Dr"}
    assert {item.contact.text("surname") for item in changes.items} == {"Person"}
    assert [item.item_id for item in changes.items if item.private] == [cards[7]]


class LeavesOut:
    """Graph tells a property less, as it does for a link that a release began which did not read it."""

    def before(self, scene: Scene) -> Reply | None:
        return None

    def after(self, scene: Scene, reply: Reply) -> Reply:
        assert isinstance(reply.body, dict)
        rows = [{name: value for name, value in row.items() if name != "title"} for row in reply.body["value"]]
        return Reply(reply.status, {**reply.body, "value": rows}, reply.headers)


@pytest.mark.parametrize("count", [3, 60])
async def test_what_a_round_leaves_out_is_not_cleared(count: int) -> None:
    """A missing property is read, and not taken for an empty one."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            fill(tenant.mailbox(ANNA), count)
            emulator.faults.add(Fault(action=LeavesOut(), path="contacts/delta", count=None))
            changes = await memory.catch_up()
    assert [item.contact.text("title") for item in changes.items] == ["Ms"] * count


@pytest.mark.parametrize("count", [3, 60])
async def test_a_card_that_vanished_meanwhile_is_removed(count: int) -> None:
    """Told as changed and not there any more by the time it is read: it is gone."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        cards = fill(box, count)
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            for card in cards:
                box.edit_contact(card, {"title": "Dr"})
            emulator.faults.add(Fault(action=Run(then=lambda: box.purge_contact(cards[1])), path="contacts/delta"))
            changes = await memory.catch_up()
            again = await memory.catch_up()
    assert changes.removed == (cards[1],)
    assert len(changes.items) == count - 1
    assert set(again.removed) <= {cards[1]}


@pytest.mark.parametrize("code", ["ErrorItemNotFound", "ErrorSyncFolderNotFound"])
async def test_a_folder_that_vanishes_has_no_removed_cards(code: str) -> None:
    """Each of its cards answers that it is not there; nobody deleted it, and nothing is concluded."""
    async with Emulator(switches=Switches(folder_gone_code=code)) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(HUB)
        async with opened(emulator, tenant) as services:
            replica = await hub(services)
            memory = await Memory.of(services, replica)
            card = box.add_contact({"displayName": "A"}, folder=replica.folder)
            gone = Run(then=lambda: box.delete_folder(replica.folder))
            emulator.faults.add(Fault(action=gone, path="contacts/delta"))
            with pytest.raises(MailboxError):
                await memory.changes()
            assert await memory.changes() is None
            with pytest.raises(MailboxError) as caught:
                await services.contacts.observe(replica)
    assert caught.value.code == "FolderGone"
    assert card


async def test_a_card_that_cannot_be_read_by_id_is_not_passed_over() -> None:
    """Left out it would count as unchanged, and the link would lead past it: everything is observed instead."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            (card,) = fill(tenant.mailbox(ANNA), 1)
            emulator.faults.add(Fault(action=Answer(500, "ErrorCorruptData"), path=f"contacts/{card[:20]}", count=None))
            assert await memory.changes() is None


async def test_the_last_occurrence_wins_within_a_round() -> None:
    """Removed and back again is there; there and removed is gone; only the end of the round counts."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        back, gone = fill(box, 2)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            box.purge_contact(gone)
            removed = [{"id": item_id, "@removed": {"reason": "deleted"}} for item_id in (back, gone)]
            rows = [{"id": gone, "changeKey": "1"}, *removed, {"id": back, "changeKey": "2"}]
            body = {"value": rows, "@odata.deltaLink": memory.link}
            emulator.faults.add(Fault(action=Says(body), path="contacts/delta"))
            changes = await memory.catch_up()
    assert changes.removed == (gone,)
    assert [item.item_id for item in changes.items] == [back]


async def test_an_echo_after_an_edit_is_the_last_word() -> None:
    """What came first is void, whichever of the two it is, and on whatever page."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        edited, written = fill(tenant.mailbox(ANNA), 2)
        emulator.clock.advance(60)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            echoes = {
                item_id: {"id": item_id, "changeKey": memory.items[item_id].change_marker}
                for item_id in (edited, written)
            }
            news = {item_id: {"id": item_id, "changeKey": "new"} for item_id in (edited, written)}
            first = {"value": [news[written], echoes[edited]], "@odata.nextLink": memory.link + "&more=1"}
            last = {"value": [echoes[written], news[edited]], "@odata.deltaLink": memory.link}
            emulator.faults.add(Fault(action=Says(first), path="contacts/delta"))
            emulator.faults.add(Fault(action=Says(last), path="contacts/delta"))
            changes = await memory.catch_up()
    assert [item.item_id for item in changes.items] == [edited]


async def test_removals_before_the_first_round_do_not_matter() -> None:
    """A first round may name cards that were deleted long ago."""
    async with Emulator(switches=Switches(delta_removed_in_first_round=True)) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        box.delete_contact(fill(box, 2)[0])
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            assert len(memory.items) == 1
            gone_for_long = (await memory.catch_up()).removed
            assert not memory.items.keys() & set(gone_for_long)
            assert len(memory.items) == 1
