"""Delta links that expire, are refused, make no sense or lead elsewhere."""

from typing import Any

import pytest

from shared.errors import MailboxError, MailboxSkippedError
from tests.emulator import Answer, Drop, Emulator, Fault, MailboxState, Run, Switches
from tests.graph.follow import Memory, fill
from tests.graph.scene import ANNA, Says, opened, spoke, staffed

RESETS = ["sync_state_not_found", "location", "sync_state_invalid", "resync_required", "parameter"]


@pytest.mark.parametrize("camel", [True, False])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("form", RESETS)
async def test_an_expired_link_is_none(form: str, nth: int, *, camel: bool) -> None:
    """At the first page or in the middle, under any name in any case: the caller observes everything."""
    switches = Switches(delta_reset=form, max_delta_page_size=3, camel_case_error_codes=camel)
    async with Emulator(switches=switches) as emulator:
        tenant = staffed(emulator)
        box = tenant.mailbox(ANNA)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            fill(box)
            emulator.faults.add(Fault(action=Run(first=box.forget_delta_tokens), path="contacts/delta", nth=nth))
            assert await memory.changes() is None
            assert len(memory.asked) == nth - 1
            assert len((await Memory.of(services, memory.replica)).items) == 8


REFUSALS: list[Any] = [
    Answer(403, "ErrorQuotaExceeded", "Mailbox has exceeded maximum mailbox size."),
    Answer(403, "errorquotaexceeded"),
    Answer(400, "BadRequest", "Resource not found for the segment 'delta'."),
    Answer(404, "UnknownError"),
    Answer(404, "ErrorSyncFolderNotFound"),
    Answer(404, "ErrorItemNotFound"),
    Answer(410, body=b""),
    Answer(416, "Odd"),
    Answer(500, "InternalServerError"),
    Answer(501, body=b"<html>no</html>"),
    Says(b"<html>busy</html>"),
    Says({}),
    Says({"value": []}),
    Says({"value": [{}], "@odata.deltaLink": "x"}),
    Says({"value": [], "@odata.nextLink": "https://evil.example/v1.0/users"}),
    Says({"value": [], "@odata.nextLink": 1}),
]


@pytest.mark.parametrize("action", REFUSALS, ids=repr)
async def test_a_link_that_is_refused_or_makes_no_sense_is_none(action: Any) -> None:
    """It is for a whole reading to find out whether anything is wrong with the mailbox."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant.mailbox(ANNA))
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            emulator.faults.add(Fault(action=action, path="contacts/delta", count=None))
            assert await memory.changes() is None


async def test_a_mailbox_that_fills_up_loses_its_delta_and_gets_it_back() -> None:
    """Over quota there is no link to go on from, and nothing is missing."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        fill(tenant.mailbox(ANNA))
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            tenant.user(ANNA).state = MailboxState.OVER_QUOTA
            assert await memory.changes() is None
            listed = await services.contacts.observe(memory.replica)
            assert (len(listed.items), listed.delta_link) == (8, "")
            tenant.user(ANNA).state = MailboxState.HEALTHY
            assert (await services.contacts.observe(memory.replica)).delta_link


@pytest.mark.parametrize(
    "link", ["", "x", "/users", "https://evil.example/v1.0/users/delta", "https://a@localhost/v1.0/users"]
)
async def test_a_stored_link_to_elsewhere_is_never_followed(link: str) -> None:
    """The state may be damaged or forged; nothing is sent."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            emulator.log.clear()
            assert await memory.changes(link) is None
            assert len(emulator.log) == 0


async def test_a_stored_link_is_followed_to_the_letter() -> None:
    """Parentheses, quotes and escapes stay as they are; only host and version go."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            emulator.log.clear()
            await memory.catch_up()
            (record,) = (record for record in emulator.log if record.batched)
    assert "users('" in record.url
    assert memory.link.startswith(emulator.graph_url)
    assert record.headers["prefer"].startswith('IdType="ImmutableId"')


@pytest.mark.parametrize(
    ("action", "kind", "code"),
    [
        (Answer(503, body=b""), MailboxError, "GraphUnavailable"),
        (Answer(429, "TooManyRequests", headers={"Retry-After": "600"}), MailboxError, "Throttled"),
        (Answer(403, "ErrorAccessDenied"), MailboxSkippedError, "MailboxRefused"),
        (Answer(404, "MailboxNotEnabledForRESTAPI"), MailboxSkippedError, "NoMailbox"),
        (Answer(503, "ErrorMailboxMoveInProgress"), MailboxError, "MailboxUnavailable"),
    ],
)
async def test_a_mailbox_that_does_not_answer_is_no_expired_link(
    action: Answer, kind: type[MailboxError], code: str
) -> None:
    """Nothing is gained by asking it for everything; its outcome is the same as that of an observation."""
    async with Emulator() as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            emulator.faults.add(Fault(action=action, mailbox=ANNA, count=None))
            with pytest.raises(kind) as caught:
                await memory.changes()
    assert caught.value.code == code


async def test_a_lost_answer_costs_a_retry_and_no_change() -> None:
    """A round is read on from where it was."""
    async with Emulator(switches=Switches(max_delta_page_size=3)) as emulator:
        tenant = staffed(emulator)
        async with opened(emulator, tenant) as services:
            memory = await Memory.of(services, await spoke(services))
            fill(tenant.mailbox(ANNA))
            emulator.faults.add(Fault(action=Drop(), path=r"\$batch", every=2, count=3))
            assert len((await memory.catch_up()).items) == 8
