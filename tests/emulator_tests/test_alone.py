"""The emulator in a thread, on its own, and full of made-up people."""

import asyncio
import json
import shlex
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.emulator import Answer, Emulator, EmulatorThread, Fault, populate
from tests.emulator.serve import serve

ROOT = Path(__file__).parents[2]
NEITHER_NEEDED = "import sys; import tests.emulator.serve; print(sorted({'pytest', 'hypothesis'} & set(sys.modules)))"


def openid(emulator: Emulator) -> dict[str, str]:
    """Read a document from a blocking client."""
    context = ssl.create_default_context(cafile=emulator.ca_file)
    with urllib.request.urlopen(  # noqa: S310 - the emulator's own https
        f"{emulator.authority_url}/common/v2.0/.well-known/openid-configuration", context=context
    ) as answer:
        return dict(json.load(answer))


def test_a_thread_serves_blocking_tests() -> None:
    """It starts at once, and `reset` empties it."""
    start = time.monotonic()
    with EmulatorThread() as emulator:
        assert time.monotonic() - start < 5
        tenant = emulator.add_tenant()
        tenant.add_shared_mailbox("hub@contoso.com")
        tenant.vault_secret("a", "b")
        emulator.faults.add(Fault(action=Answer(500), path="^/nothing"))
        emulator.switches.honour_if_match = False
        emulator.clock.advance(1000)
        assert openid(emulator)["token_endpoint"].startswith(emulator.authority_url)
        emulator.reset()
        assert (emulator.tenants, list(emulator.faults), list(emulator.log)) == ({}, [], [])
        assert emulator.switches.honour_if_match
        assert abs(emulator.clock.seconds - time.time()) < 60


def test_the_environment_is_all_a_process_needs() -> None:
    """URLs, tenants with literal secrets, and the authority to trust."""
    with EmulatorThread() as emulator:
        tenant = emulator.add_tenant(domain="contoso.com", client_id="app", client_secret="s")
        tenant.add_shared_mailbox("hub@contoso.com")
        environment = emulator.environment()
    assert json.loads(environment["AUTOMATION_SYNCCONTACTS_MICROSOFT_TENANTS_JSON"]) == [
        {"TenantId": tenant.id, "ClientId": "app", "ClientSecret": "s", "GlobalAddressBookUserId": "hub@contoso.com"}
    ]
    assert environment["AUTOMATION_SYNCCONTACTS_GRAPH_URL"].endswith("/v1.0")
    assert Path(environment["SSL_CERT_FILE"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE")


async def test_it_serves_until_cancelled() -> None:
    """Two sample tenants; it announces the environment and prints nothing."""
    announced: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(0, 2, 3, announced.put_nowait))
    lines = [await announced.get() for _ in range(4)]
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    names = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    assert len(json.loads(names["AUTOMATION_SYNCCONTACTS_MICROSOFT_TENANTS_JSON"])) == 2


def test_it_needs_no_test_library() -> None:
    """It runs in a clone with the deployed requirements only."""
    done = subprocess.run(
        [sys.executable, "-c", NEITHER_NEEDED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_same_seed_makes_the_same_people() -> None:
    """Another seed makes others."""

    def people(seed: int) -> list[object]:
        tenant = Emulator().add_tenant("7d0c7d2e-0000-4000-8000-000000000001")
        names = populate(tenant, 3, 30, seed=seed)
        kept = ("displayName", "emailAddresses", "mobilePhone", "personalNotes", "private")
        return [{key: card[key] for key in kept} for name in names for card in tenant.mailbox(name).contacts()]

    assert people(1) == people(1) != people(2)


def test_generated_people_know_each_other_and_some_are_odd() -> None:
    """Shared acquaintances, a shared address, private cards, stamps, cut notes, several scripts."""
    tenant = Emulator().add_tenant()
    names = populate(tenant, 10, 120, overlap=0.3)
    boxes = [tenant.mailbox(name).contacts() for name in names]
    addresses = [{entry["address"].lower() for card in box for entry in card["emailAddresses"]} for box in boxes]
    cards = [card for box in boxes for card in box]
    notes = [card["personalNotes"] for card in cards]
    everywhere = "".join(str(card["displayName"]) for card in cards)
    assert {len(box) for box in boxes} == {120}
    assert 10 <= len(addresses[0] & addresses[1]) <= 36
    assert sum("info@fabrikam.example" in known for known in addresses) > 1
    assert any(card["private"] for card in cards)
    assert any("SyncId=" in note for note in notes)
    assert any(note.startswith("\r\n") and len(note) > 256 for note in notes)
    assert any(not card["displayName"] for card in cards)
    for letter in ("я", "Γ", "م", "ש", "山", "김", "ö", "🌟"):
        assert letter in everywhere or letter.lower() in everywhere.lower(), letter
