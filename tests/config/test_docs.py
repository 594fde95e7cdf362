"""The documents tell every setting as the table has it, and the example for local use is sound."""

import json
from pathlib import Path
from typing import Any

from shared.config import PREFIX, SETTINGS, Level, Setting, load
from shared.config.model import VaultSecret

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->"
PLACES = {Level.NOWHERE: "", Level.TOP: " (top)", Level.TENANT: " (tenant)", Level.BOTH: ""}


def row(setting: Setting[Any]) -> str:
    """A setting's line in the document."""
    variable = f"`{setting.variable}`" if setting.variable else "–"
    key = f"`{setting.key}`{PLACES[setting.level]}" if setting.key else "–"
    example = setting.example.replace("|", "\\|")
    return f"| {variable} | {key} | {setting.shown_default or 'none'} | {setting.meaning} | `{example}` |\n"


def table() -> str:
    """The whole table, as it must stand between its two marks."""
    head = "| variable | JSON key | default | meaning | example |\n|---|---|---|---|---|\n"
    return head + "".join(row(setting) for setting in SETTINGS)


def test_the_document_has_every_setting_as_the_table_has_it() -> None:
    """The list of settings is the code's own; `python -m tests.config.test_docs` writes it."""
    assert DOCUMENT.split(BEGIN)[1].split(END)[0] == table()


def test_the_example_for_local_use_is_a_sound_configuration() -> None:
    """Copied as it is, it loads without a problem or a warning, as a dry run for one test user."""
    found = load(EXAMPLE["Values"])
    assert found.warnings == ()
    (tenant,) = found.tenants
    assert tenant.dry_run
    assert tenant.test_users
    assert isinstance(tenant.auth, VaultSecret)


def test_the_example_shows_every_variable_and_the_defaults() -> None:
    """Each variable is there, and what is filled in beyond the tenant and the dry run says what holds anyway."""
    values = EXAMPLE["Values"]
    assert {setting.variable for setting in SETTINGS if setting.variable} <= set(values)
    assert all(isinstance(value, str) for value in values.values())
    tenant = load(values).tenants[0]
    bare = load({name: value for name, value in values.items() if "JSON" in name or "VAULT" in name}).tenants[0]
    assert (tenant.cloud, tenant.delete_policy, tenant.max_delete_percent, tenant.full_reconcile_hours) == (
        bare.cloud,
        bare.delete_policy,
        bare.max_delete_percent,
        bare.full_reconcile_hours,
    )


def test_the_examples_in_the_document_are_sound() -> None:
    """The JSON that people copy from there loads."""
    blocks = [block.split("```")[0] for block in DOCUMENT.split("```json\n")[1:]]
    first, users = blocks
    vault = {f"{PREFIX}KEY_VAULT_URL": "https://contoso-mirror.vault.azure.net"}
    assert load({f"{PREFIX}CONFIG_JSON": first, **vault}).warnings == ()
    assert isinstance(json.loads(users), dict)


if __name__ == "__main__":
    before, rest = DOCUMENT.split(BEGIN)
    (ROOT / "docs" / "configuration.md").write_text(
        before + BEGIN + table() + END + rest.split(END)[1], encoding="utf-8"
    )
