"""What a caller may ask for over HTTP, without a worker around it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.model import ClientSecret, Cloud, Secret, Tenant
from shared.engine.options import RunOptions
from shared.manual.asking import accept, hub_meant, read_wish, tenants_meant
from shared.manual.call import Answer, Call
from shared.manual.message import read_message, write_message
from shared.sync.records import Holder

CONTOSO = "11111111-1111-1111-1111-111111111111"
FABRIKAM = "22222222-2222-2222-2222-222222222222"


def _tenant(tenant_id: str, domain: str) -> Tenant:
    cloud = Cloud("AzureCloud", "https://graph.invalid/v1.0", "https://login.invalid", "https://graph.invalid/.default")
    return Tenant(tenant_id, "client", "hub@" + domain, ClientSecret(Secret("s3cret")), cloud, primary_domain=domain)


TENANTS = (_tenant(CONTOSO, "contoso.example"), _tenant(FABRIKAM, "fabrikam.example"))
CALL = Call("https://app.invalid:444/base/api/sync?code=a-key")
SINCE = datetime(2026, 1, 31, 7, tzinfo=UTC)


def _answer(raw: bytes, tenants: tuple[Tenant, ...] = TENANTS, held: Mapping[str, Holder] | None = None) -> Answer:
    """What a caller gets where these tenants are configured and these runs go on."""
    wish = read_wish(raw)
    if isinstance(wish, Answer):
        return wish
    meant = tenants_meant(wish.tenant, tenants)
    if isinstance(meant, Answer):
        return meant
    waiting = {one.tenant_id for one in wish.waits_for(meant)}
    theirs = {tenant: holder for tenant, holder in (held or {}).items() if tenant in waiting}
    return hub_meant(wish, meant) or accept(CALL, wish, meant, theirs, run_id="run-1")


def _ask(body: object, held: Mapping[str, Holder] | None = None) -> Answer:
    return _answer(json.dumps(body).encode(), held=held)


def _error(answer: Answer) -> str:
    assert not isinstance(answer.body, str)
    return str(answer.body["error"])


def _body(answer: Answer) -> Mapping[str, object]:
    assert not isinstance(answer.body, str)
    return answer.body


def _held(*tenants: str) -> dict[str, Holder]:
    return {tenant: Holder("night/run", "host", 1, SINCE) for tenant in tenants}


def _options(answer: Answer) -> RunOptions:
    assert answer.message is not None
    options = read_message(answer.message.encode())
    assert options is not None
    return options


def test_an_empty_body_asks_for_everything() -> None:
    """No body and an empty object mean a run of all tenants and users."""
    for raw in (b"", b"{}"):
        answer = _answer(raw)
        assert (answer.status, _body(answer)["run_id"], _body(answer)["dry_run"]) == (202, "run-1", False)
        assert _options(answer) == RunOptions(run_id="run-1")


def test_the_answer_says_where_to_look() -> None:
    """The run's address is on the host that was called, and the caller's key is in none of it."""
    answer = _ask({})
    url = "https://app.invalid:444/base/api/runs/run-1"
    assert (_body(answer)["status_url"], answer.headers["Location"]) == (url, url)
    assert _body(answer)["runs_url"] == "https://app.invalid:444/base/api/runs"
    assert int(answer.headers["Retry-After"]) > 0
    assert "a-key" not in str(answer)


def test_what_was_asked_for_is_what_the_message_carries() -> None:
    """Dry run, tenant, users and the wish to read everything reach the run."""
    answer = _ask({"dryRun": True, "tenant": CONTOSO, "users": [" ada@contoso.example "], "full": True})
    assert (answer.status, _body(answer)["dry_run"], _body(answer)["tenants"]) == (202, True, [CONTOSO])
    assert _options(answer) == RunOptions("run-1", True, (CONTOSO,), ("ada@contoso.example",), full=True)


def test_a_tenant_that_only_ever_runs_dry_is_told_so() -> None:
    """`dry_run` in the answer is what the run will be, not what was asked for."""
    dry = tuple(replace(tenant, dry_run=True) for tenant in TENANTS)
    assert _body(_answer(b"{}", dry))["dry_run"] is True
    assert _body(_answer(b"{}", (dry[0], TENANTS[1])))["dry_run"] is False


def test_a_run_that_could_not_begin_anywhere_is_refused() -> None:
    """With every tenant held 409 says by which run, since when, and where to look."""
    answer = _ask({}, _held(CONTOSO, FABRIKAM))
    assert (answer.status, answer.message) == (409, None)
    assert "Another run is going on" in _error(answer)
    assert _body(answer)["running"] == [
        {
            "tenant_id": tenant,
            "run_id": "night/run",
            "since": "2026-01-31T07:00:00Z",
            "status_url": "https://app.invalid:444/base/api/runs/night%2Frun",
        }
        for tenant in (CONTOSO, FABRIKAM)
    ]
    assert _ask({"tenant": CONTOSO}, _held(CONTOSO)).status == 409


def test_one_held_tenant_does_not_keep_the_others_waiting() -> None:
    """The run is accepted, and says which tenant it will leave out if that goes on."""
    answer = _ask({}, _held(CONTOSO))
    assert answer.status == 202
    assert [one["tenant_id"] for one in _listed(_body(answer)["running"])] == [CONTOSO]
    assert _ask({"tenant": FABRIKAM}, _held(CONTOSO)).status == 202


def _listed(value: object) -> list[dict[str, str]]:
    assert isinstance(value, list)
    return value


def test_a_dry_run_stands_in_nobodys_way() -> None:
    """It holds nothing, so it may run beside any other, whether asked for or configured."""
    assert _ask({"dryRun": True}, _held(CONTOSO, FABRIKAM)).status == 202
    mixed = (replace(TENANTS[0], dry_run=True), TENANTS[1])
    assert _answer(b"{}", mixed, _held(CONTOSO, FABRIKAM)).status == 202


@pytest.mark.parametrize("name", [FABRIKAM.upper(), " Fabrikam.Example "])
def test_a_tenant_goes_by_id_or_domain_in_any_case(name: str) -> None:
    """The message has the tenant's id, however the caller named it."""
    assert _options(_ask({"tenant": name})).tenants == (FABRIKAM,)


def test_an_unknown_tenant_is_not_found() -> None:
    """One sentence names what was asked for, and nothing is put on the queue."""
    answer = _ask({"tenant": "nobody.example"})
    assert (answer.status, answer.message) == (404, None)
    assert _body(answer) == {"error": "No tenant 'nobody.example' is configured."}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"dryrun": True}, "dryrun"),
        ({"dryRun": "false"}, "$.dryRun"),
        ({"dryRun": None}, "$.dryRun"),
        ({"full": 1}, "$.full"),
        ({"tenant": None}, "$.tenant"),
        ({"tenant": ["a"]}, "$.tenant"),
        ({"tenant": " "}, "tenant is empty"),
        ({"users": "ada@contoso.example"}, "$.users"),
        ({"users": [1]}, "$.users"),
        ({"users": []}, "users is empty"),
        ({"users": ["ada@contoso.example", ""]}, "users is empty"),
        ({"users": ["ada"]}, "'ada' is no user"),
        ({"users": ["ada@contoso.example", "Ada Lovelace"]}, "'Ada Lovelace' is no user"),
        ({"users": ["1234"]}, "'1234' is no user"),
        ({"users": [" HUB@contoso.example"]}, "is the shared mailbox"),
        ([], "object"),
        ("sync", "object"),
    ],
)
def test_a_body_that_is_not_right_is_refused_by_name(body: object, named: str) -> None:
    """Whatever a caller gets wrong is named, and is never taken for a wish to run everything."""
    answer = _ask(body)
    assert (answer.status, answer.message) == (400, None)
    assert named in _error(answer)
    assert "\n" not in _error(answer)


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b"null", b'{"users": ' + b"[" * 5000, b'{"tenant": "' + b"x" * 40_000 + b'"}']
)
def test_bytes_that_are_no_json_object_are_refused(raw: bytes) -> None:
    """Broken, binary, deeply nested or huge: one answer."""
    assert _answer(raw).status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["dryRun", "tenant", "users", "full", "x"]), inner),
    max_leaves=8,
)


@given(raw=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_answer(raw: bytes) -> None:
    """Any bytes get an answer that can be sent, and a message only with 202."""
    answer = _answer(raw)
    json.loads(answer.content)
    assert (answer.message is not None) == (answer.status == 202)


@given(
    options=st.builds(
        RunOptions,
        run_id=st.text(st.characters(codec="utf-8"), min_size=1),
        dry_run=st.booleans(),
        tenants=st.lists(st.text(st.characters(codec="utf-8"))).map(tuple),
        users=st.lists(st.text(st.characters(codec="utf-8"))).map(tuple),
    )
)
def test_a_run_survives_the_queue(options: RunOptions) -> None:
    """What goes onto the queue is what comes off it."""
    assert read_message(write_message(options).encode()) == options


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"run-1", b"\xff", b'{"run_id": ""}', b'{"run_id": "a", "users": "b"}']
)
def test_a_message_that_is_none_of_ours_is_no_run(raw: bytes) -> None:
    """An empty object on the queue must not become a run of everything."""
    assert read_message(raw) is None
