"""What a caller may ask for over HTTP, without a worker around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import manual
from shared.config.model import ClientSecret, Cloud, Secret, Settings, Tenant
from shared.engine.options import RunOptions
from shared.errors import ConfigurationError, SecretError

CONTOSO = "11111111-1111-1111-1111-111111111111"
FABRIKAM = "22222222-2222-2222-2222-222222222222"


def _tenant(tenant_id: str, domain: str) -> Tenant:
    cloud = Cloud("AzureCloud", "https://graph.invalid/v1.0", "https://login.invalid", "https://graph.invalid/.default")
    return Tenant(tenant_id, "client", "hub@" + domain, ClientSecret(Secret("s3cret")), cloud, primary_domain=domain)


SETTINGS = Settings(tenants=(_tenant(CONTOSO, "contoso.example"), _tenant(FABRIKAM, "fabrikam.example")))


def _ask(body: object) -> manual.Answer:
    return manual.answer(json.dumps(body).encode(), SETTINGS, run_id="run-1")


def _options(answer: manual.Answer) -> RunOptions:
    assert answer.message is not None
    options = manual.read_message(answer.message.encode())
    assert options is not None
    return options


def test_an_empty_body_asks_for_everything() -> None:
    """No body and an empty object mean a run of all tenants and users."""
    for raw in (b"", b"{}"):
        answer = manual.answer(raw, SETTINGS, run_id="run-1")
        assert (answer.status, answer.body) == (202, {"run_id": "run-1", "dry_run": False})
        assert _options(answer) == RunOptions(run_id="run-1")


def test_what_was_asked_for_is_what_the_message_carries() -> None:
    """Dry run, tenant, users and the wish to read everything reach the run."""
    answer = _ask({"dryRun": True, "tenant": CONTOSO, "users": [" ada@contoso.example "], "full": True})
    assert answer.status == 202
    assert _options(answer) == RunOptions("run-1", True, (CONTOSO,), ("ada@contoso.example",), full=True)


@pytest.mark.parametrize("name", [FABRIKAM.upper(), " Fabrikam.Example "])
def test_a_tenant_goes_by_id_or_domain_in_any_case(name: str) -> None:
    """The message has the tenant's id, however the caller named it."""
    assert _options(_ask({"tenant": name})).tenants == (FABRIKAM,)


def test_an_unknown_tenant_is_not_found() -> None:
    """One sentence names what was asked for, and nothing is put on the queue."""
    answer = _ask({"tenant": "nobody.example"})
    assert (answer.status, answer.message) == (404, None)
    assert answer.body == {"error": "No tenant 'nobody.example' is configured."}


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
        ([], "object"),
        ("sync", "object"),
    ],
)
def test_a_body_that_is_not_right_is_refused_by_name(body: object, named: str) -> None:
    """Whatever a caller gets wrong is named, and is never taken for a wish to run everything."""
    answer = _ask(body)
    assert (answer.status, answer.message) == (400, None)
    assert named in answer.body["error"]
    assert "\n" not in answer.body["error"]


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b"null", b'{"users": ' + b"[" * 5000, b'{"tenant": "' + b"x" * 40_000 + b'"}']
)
def test_bytes_that_are_no_json_object_are_refused(raw: bytes) -> None:
    """Broken, binary, deeply nested or huge: one answer."""
    assert manual.answer(raw, SETTINGS, run_id="run-1").status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["dryRun", "tenant", "users", "full", "x"]), inner),
    max_leaves=8,
)


@given(raw=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_answer(raw: bytes) -> None:
    """Any bytes get an answer that can be sent, and a message only with 202."""
    answer = manual.answer(raw, SETTINGS, run_id="run-1")
    json.dumps(answer.body)
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
    assert manual.read_message(manual.write_message(options).encode()) == options


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"run-1", b"\xff", b'{"run_id": ""}', b'{"run_id": "a", "users": "b"}']
)
def test_a_message_that_is_none_of_ours_is_no_run(raw: bytes) -> None:
    """An empty object on the queue must not become a run of everything."""
    assert manual.read_message(raw) is None


def test_settings_that_cannot_be_used_are_all_named() -> None:
    """Every problem comes back, and a body that is wrong as well comes first."""
    settings = ConfigurationError(["A is missing.", "B is no number."])
    answer = manual.answer(b"{}", settings, run_id="run-1")
    assert (answer.status, answer.message) == (503, None)
    assert answer.body["problems"] == ["A is missing.", "B is no number."]
    assert manual.answer(b"[", settings, run_id="run-1").status == 400


def test_health_counts_tenants_and_shows_no_secret() -> None:
    """A healthy app says how many tenants it has, not who they are."""
    answer = manual.health(SETTINGS, "1.2.3")
    assert answer.status == 200
    assert answer.body == {"status": "ok", "version": "1.2.3", "tenants": 2, "warnings": []}


def test_health_says_what_is_wrong_and_what_to_do() -> None:
    """A vault that cannot be read is the app's illness too."""
    answer = manual.health(SecretError("The vault does not answer.", hint="Check its firewall."), "1.2.3")
    assert answer.status == 503
    assert answer.body["problems"] == ["The vault does not answer.", "Check its firewall."]
