"""Whatever stands in the environment: settings or a `ConfigurationError`, and never a secret in what is shown."""

import contextlib
import json
import string
import subprocess
import sys
import traceback
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.config import PREFIX, SETTINGS, config_secret_needed, load, relaxed
from shared.config.model import ClientSecret, Secret
from shared.errors import ConfigurationError
from tests.config.builders import SINGLE, VAULT, environ, only, tenant

KEYS = [row.key for row in SETTINGS if row.key]
VARIABLES = [row.variable for row in SETTINGS if row.variable]
SECRETS = st.text(string.ascii_letters + string.digits + "~._-", min_size=34, max_size=44).map(
    lambda text: "S3~" + text
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=20,
)
ENVIRONMENTS = st.dictionaries(
    st.sampled_from(VARIABLES) | st.sampled_from(VARIABLES).map(lambda name: name.replace("CONT", "CON")) | st.text(),
    st.text() | JSON.map(json.dumps) | st.sampled_from(list(SINGLE.values())),
    max_size=6,
)


def outcome(environment: dict[str, str], vault_json: str | None = None) -> str:
    """All that anybody can see of loading: the settings' repr and text, or the error's with its traceback."""
    try:
        found = load(environment, vault_json=vault_json)
    except ConfigurationError as error:
        if not error.problems:
            raise
        return "".join(traceback.format_exception(error)) + repr(error)
    return f"{found!r} {found} {[str(one) for one in found.tenants]} {[one.auth for one in found.tenants]}"


@given(ENVIRONMENTS, st.none() | st.text() | JSON.map(json.dumps))
def test_anything_at_all_ends_in_settings_or_in_one_error(environment: dict[str, str], vault: str | None) -> None:
    """No value of any variable, and no vault's secret, causes another exception."""
    assert outcome(environment, vault)
    assert relaxed(environment) in {True, False}
    with contextlib.suppress(ConfigurationError):
        needed = config_secret_needed(environment)
        assert needed is None or all(needed)


@given(JSON)
def test_any_json_as_a_tenant_ends_in_settings_or_in_one_error(value: object) -> None:
    """A sound tenant with any further JSON beside it."""
    assert outcome(environ(CONFIG_JSON={"MicrosoftTenants": [tenant(), value], "DryRun": value}))


@given(st.sampled_from(KEYS), JSON)
def test_any_value_of_any_key_ends_in_settings_or_in_one_error(key: str, value: object) -> None:
    """Each key takes any JSON without a traceback."""
    assert outcome(environ(CONFIG_JSON=tenant(**{key: value}), KEY_VAULT_URL=VAULT))


@given(SECRETS)
def test_a_secret_in_its_place_is_never_shown(secret: str) -> None:
    """Neither settings nor errors show it, and the one who needs it gets it."""
    shapes: list[dict[str, Any]] = [
        {"CONFIG_JSON": tenant(ClientSecret=secret)},
        {"CONFIG_JSON": [tenant(ClientSecret=secret, DryRun="perhaps"), tenant(ClientSecret=secret)]},
        {"CONFIG_JSON": tenant(ClientSecret=[secret])},
        {"CONFIG_JSON": json.dumps(tenant(ClientSecret=secret))[:-1]},
        {"CONFIG_JSON": tenant(ClientSecret=secret, ClientSecretName="x")},
        {**SINGLE, "CLIENT_SECRET": secret},
        {**SINGLE, "CLIENT_SECRET": secret, "TENANT_ID": "wrong"},
    ]
    assert all(secret not in outcome(environ(**shape)) for shape in shapes)
    auth = only(CONFIG_JSON=tenant(ClientSecret=secret)).auth
    assert isinstance(auth, ClientSecret)
    assert auth.value.reveal() == secret


@given(SECRETS, st.sampled_from([row for row in SETTINGS if row.key]))
def test_a_secret_in_the_wrong_place_is_never_shown_by_an_error(secret: str, row: Any) -> None:
    """Pasted under another key, as a key, or as a whole entry, no problem and no warning repeats it."""
    for value in ({row.key: secret}, {row.key: [secret]}, {row.key: {secret + " ": secret}}, {secret + " ": 1}):
        try:
            shown = load(environ(CONFIG_JSON=tenant(**value), KEY_VAULT_URL=VAULT)).warnings
        except ConfigurationError as error:
            shown = (str(error), repr(error))
        assert secret not in " ".join(shown)


@given(st.text(min_size=1))
def test_a_secret_has_one_way_out(text: str) -> None:
    """repr, str, format and % show stars; `reveal` gives a plain text."""
    secret = Secret(text)
    # Formatted in every way on purpose.
    shown = {repr(secret), str(secret), f"{secret}", f"{secret:>3}", "%s" % secret, f"{secret!r}"}  # noqa: UP031
    assert shown == {"Secret('***')", "***"}
    assert (secret.reveal(), type(secret.reveal())) == (text, str)


@given(st.permutations(list(tenant().items())), st.lists(st.booleans(), min_size=4, max_size=4))
def test_neither_order_nor_case_of_keys_matters(pairs: list[tuple[str, str]], upper: list[bool]) -> None:
    """The same tenant, however its keys are written."""
    written = {key.upper() if up else key.lower(): value for (key, value), up in zip(pairs, upper, strict=True)}
    assert only(CONFIG_JSON=written) == only(CONFIG_JSON=tenant())


def test_reading_settings_loads_no_azure() -> None:
    """The settings are read before anything heavy is imported."""
    heavy = "{'azure', 'aiohttp', 'msgraph', 'httpx', 'msal'}"
    code = f"import sys, shared.config; print([name for name in sys.modules if name.split('.')[0] in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_table_has_each_name_once() -> None:
    """No two rows share a variable or a key, and each row has a meaning and an example."""
    assert len({name.casefold() for name in KEYS}) == len(KEYS)
    assert len(set(VARIABLES)) == len(VARIABLES)
    assert all(row.meaning and row.example for row in SETTINGS)
    assert all(name.startswith(PREFIX) for name in VARIABLES if name != "AZURE_CLIENT_ID")
