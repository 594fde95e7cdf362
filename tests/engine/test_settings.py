"""Every setting does what its documentation says, from the environment to the mailboxes."""

import datetime as dt
import json
import logging
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from shared.bootstrap import sync
from shared.engine.options import RunOptions
from shared.errors import ConfigurationError
from shared.sync.report import RunReport
from tests.engine.office import PREFIX, Office, person, written

TENANTS = f"{PREFIX}MICROSOFT_TENANTS_JSON"


async def run_with(office: Office, environ: dict[str, str], options: RunOptions | None = None) -> RunReport:
    """A run with exactly this environment."""
    emulator = office.emulator
    return await sync(environ, options or RunOptions(), trust=emulator.ca_file, clock=emulator.clock)


def touched(office: Office) -> set[str]:
    """Whose mailboxes were read or written."""
    return {one.mailbox.partition("@")[0] for one in office.emulator.log if "contact" in one.path.lower()}


def given(**settings: object) -> dict[str, Any]:
    """The settings that a test makes; None is one that it leaves out."""
    return {name: value for name, value in settings.items() if value is not None}


@pytest.mark.parametrize(
    "names", [["ANN@Contoso.com", "bob@contoso.com"], "ann@contoso.com; bob@contoso.com", ["ann@contoso.com", "{bob}"]]
)
async def test_a_test_user_list_limits_reading_and_writing(office: Office, names: list[str] | str) -> None:
    """Only the listed users take part, named by UPN in any case or by object id, as a list or as one text."""
    bob = office.tenant.user("bob@contoso.com").id
    chosen = [name.replace("{bob}", bob) for name in names] if isinstance(names, list) else names
    for name in ("ann", "cem"):
        office.box(name).add_contact(person(f"Friend of {name}"))
    await office.run(TestUserList=chosen)
    assert touched(office) == {"hub", "ann", "bob"}
    assert office.names("bob") == office.names("hub") == ["Friend of ann"]


@pytest.mark.parametrize("key", ["TenantId", "PrimaryDomain", "TenantDomain"])
async def test_the_map_of_test_users_limits_a_tenant_by_any_of_its_names(office: Office, key: str) -> None:
    """The map from outside works by id, primary domain and tenant domain, in any case."""
    office.box("ann").add_contact(person("Grace Hopper"))
    environ = office.emulator.environment()
    (tenant,) = json.loads(environ[TENANTS])
    named = {"PrimaryDomain": "contoso.com", "TenantDomain": "contoso.onmicrosoft.com", **tenant}
    environ[TENANTS] = json.dumps([named])
    environ[f"{PREFIX}TEST_USER_LIST_BY_TENANT_JSON"] = json.dumps({named[key].upper(): ["ann@contoso.com"]})
    await run_with(office, environ)
    assert touched(office) == {"hub", "ann"}


async def test_a_map_that_fits_no_tenant_is_warned_of(office: Office) -> None:
    """All users would run by mistake: the report says so first."""
    environ = office.emulator.environment()
    environ[f"{PREFIX}TEST_USER_LIST_BY_TENANT_JSON"] = json.dumps({"fabrikam.com": ["ann@contoso.com"]})
    report = await run_with(office, environ, RunOptions(dry_run=True))
    assert any("fabrikam.com" in warning for warning in report.warnings)
    assert touched(office) == {"hub", "ann", "bob", "cem"}


async def test_the_users_of_a_run_outrank_the_test_users(office: Office) -> None:
    """Whoever asks for one mailbox gets that one."""
    await office.run(RunOptions(users=("bob@contoso.com",)), TestUserList=["ann@contoso.com"])
    assert touched(office) == {"hub", "bob"}


@pytest.mark.parametrize("name", ["HUB@CONTOSO.COM", "{id}", "book@contoso.com"])
@pytest.mark.parametrize("listed", [True, False], ids=["among the test users", "licensed"])
async def test_the_shared_mailbox_is_never_a_spoke(office: Office, name: str, *, listed: bool) -> None:
    """However the hub is named, its own contacts are not mirrored, licensed or listed as a test user."""
    hub = office.tenant.user("hub@contoso.com")
    hub.mail = "book@contoso.com"
    hub.set_licensed(True)
    office.emulator.clock.advance(7200)
    office.box("hub").add_contact(person("Card in the default folder"))
    office.box("ann").add_contact(person("Grace Hopper"))
    handle = name.replace("{id}", hub.id)
    settings: dict[str, Any] = {"GlobalAddressBookUserId": handle}
    if listed:
        settings["TestUserList"] = ["ann@contoso.com", "Hub@contoso.com", hub.id, "book@contoso.com"]
    report = await office.report(**settings)
    assert report.outcome == "ok"
    assert [card["displayName"] for card in office.box("hub").contacts()] == ["Card in the default folder"]
    assert office.names("hub") == office.names("ann") == ["Grace Hopper"]
    assert len(report.mailboxes) == (1 if listed else 3)


async def test_update_existing_off_creates_and_stamps_but_changes_no_card(office: Office) -> None:
    """Missing contacts arrive everywhere, edits wait until the setting is on again."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Grace Hopper")["id"], {"mobilePhone": "2"})
    office.box("bob").add_contact(person("Alan Turing"))
    report = await office.report(UpdateExisting=False)
    assert (report.step1.updated, report.step2.updated, report.stamped) == (0, 0, 1)
    assert (report.step1.created, report.step2.created) == (1, 2)
    assert [office.card(name, "Grace Hopper")["mobilePhone"] for name in ("hub", "ann", "bob")] == ["1", "2", "1"]
    office.emulator.clock.advance(3600)
    await office.run()
    assert [office.card(name, "Grace Hopper")["mobilePhone"] for name in ("hub", "ann", "bob")] == ["2", "2", "2"]


async def test_excluded_categories_keep_a_card_at_home_in_any_case(office: Office) -> None:
    """One category of the list is enough; blanks around it do not matter."""
    office.box("ann").add_contact(person("Mum", categories=["Customer", "FAMILY"]))
    office.box("ann").add_contact(person("Grace Hopper", categories=["Customer"]))
    report = await office.report(ExcludeCategories=[" family ", "Hobby"])
    assert report.private == 1
    assert office.names("hub") == office.names("bob") == ["Grace Hopper"]
    assert office.card("ann", "Mum")["personalNotes"] == ""


@pytest.mark.parametrize(("setting", "hub"), [(True, []), (None, []), (False, ["Dr. Weber"])])
async def test_the_private_flag_is_heeded_unless_switched_off(
    office: Office, setting: bool | None, hub: list[str]
) -> None:
    """Private is private by default; ExcludePrivate off mirrors such cards like others."""
    office.box("ann").add_contact(person("Dr. Weber"), private=True)
    await office.run(**given(ExcludePrivate=setting))
    assert office.names("hub") == office.names("bob") == hub


async def test_a_card_that_becomes_private_stops_giving_and_taking(office: Office) -> None:
    """What was shared stays with the others, and neither side's later edits cross over."""
    office.box("ann").add_contact(person("Dr. Weber", mobilePhone="1"))
    await office.run()
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Dr. Weber")["id"], {"mobilePhone": "2"}, private=True)
    office.box("bob").edit_contact(office.card("bob", "Dr. Weber")["id"], {"jobTitle": "Physician"})
    await office.run()
    assert office.card("cem", "Dr. Weber")["mobilePhone"] == "1"
    assert office.card("cem", "Dr. Weber")["jobTitle"] == "Physician"
    assert (office.card("ann", "Dr. Weber")["jobTitle"], office.names("ann")) == (None, ["Dr. Weber"])


@pytest.mark.parametrize(
    ("setting", "names"),
    [("always", ["Sales Desk"]), (None, ["Sales Desk"]), ("names-agree", ["Sales Desk", "Wilma Wu"])],
)
async def test_pair_by_email_decides_whether_an_address_alone_is_enough(
    office: Office, setting: str | None, names: list[str]
) -> None:
    """By default an equal address is the same contact and unlike names are worth a look; names-agree parts them."""
    office.box("ann").add_contact(person("Wilma Wu", "sales@x.example"))
    office.emulator.clock.advance(60)
    office.box("bob").add_contact(person("Sales Desk", "Sales@X.example"))
    report = await office.report(**given(PairByEmail=setting))
    assert office.names("hub") == office.names("cem") == names
    assert [problem.code for problem in report.problems] == (["UnlikeNames"] if len(names) == 1 else [])


@pytest.mark.parametrize("place", ["option", "tenant", "top", "environment"])
@pytest.mark.parametrize("says", [True, "yes", "1"])
async def test_a_dry_run_is_one_as_soon_as_any_place_says_so(office: Office, place: str, says: bool | str) -> None:
    """Command line, tenant, top of the JSON or environment: one is enough, although the others say no."""
    office.box("ann").add_contact(person("Grace Hopper"))
    environ = office.emulator.environment()
    (tenant,) = json.loads(environ.pop(TENANTS))
    document = {
        "MicrosoftTenants": [{**tenant, "DryRun": place == "tenant" and says}],
        "DryRun": place == "top" and says,
    }
    environ[f"{PREFIX}CONFIG_JSON"] = json.dumps(document)
    environ[f"{PREFIX}DRY_RUN"] = str(says) if place == "environment" else "false"
    report = await run_with(office, environ, RunOptions(dry_run=place == "option"))
    assert report.dry_run
    assert (office.writes(), office.has_hub_folder()) == ([], False)
    assert written(report.tenants[0]) == 4


async def test_a_dry_run_is_the_real_run_without_the_writes(office: Office) -> None:
    """The real run carries out exactly the operations that the dry run listed, step 2 included."""
    office.box("ann").add_contact(person("Grace Hopper", "grace@navy.mil", mobilePhone="1"))
    office.box("bob").add_contact(person("Grace Hopper", "GRACE@navy.mil", jobTitle="Adm."))
    office.box("bob").add_contact(person("Alan Turing"))
    await office.run(TestUserList=["ann@contoso.com", "bob@contoso.com"])
    office.emulator.clock.advance(3600)
    office.box("ann").edit_contact(office.card("ann", "Alan Turing")["id"], {"mobilePhone": "2"})
    office.box("cem").add_contact(person("Ada Lovelace"))
    dry = await office.report(RunOptions(dry_run=True))
    office.emulator.log.clear()
    real = await office.report()
    planned = sorted(("POST" if one.action == "create" else "PATCH", one.mailbox) for one in dry.operations or ())
    done = sorted((one.method, one.mailbox) for one in office.emulator.log.writes())
    assert planned == done
    assert (dry.step1, dry.step2, dry.stamped) == (real.step1, real.step2, real.stamped)
    assert (dry.private, dry.duplicates, dry.disagreements) == (real.private, real.duplicates, real.disagreements)


@pytest.fixture
def vault(office: Office, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of an app with a managed identity and a vault, its tenant's secret taken out."""
    office.box("ann").add_contact(person("Grace Hopper"))
    for name, value in office.emulator.identity_environment().items():
        monkeypatch.setenv(name, value)
    environ = office.emulator.environment()
    (tenant,) = json.loads(environ[TENANTS])
    del tenant["ClientSecret"]
    return {**environ, TENANTS: json.dumps([tenant]), f"{PREFIX}KEY_VAULT_URL": office.emulator.vault_url}


def naming(environ: dict[str, str], **keys: str) -> dict[str, str]:
    """The settings with keys added to the tenant."""
    (tenant,) = json.loads(environ[TENANTS])
    return {**environ, TENANTS: json.dumps([{**tenant, **keys}])}


async def test_a_secret_of_the_vault_by_name(office: Office, vault: dict[str, str]) -> None:
    """ClientSecretName names it."""
    office.tenant.vault_secret("contoso-mirror", office.tenant.client_secret)
    report = await run_with(office, naming(vault, ClientSecretName="contoso-mirror"))
    assert (report.outcome, office.names("cem")) == ("ok", ["Grace Hopper"])


async def test_a_secret_of_the_vault_by_its_default_name(office: Office, vault: dict[str, str]) -> None:
    """With a vault and nothing else said, the secret is synccontacts- and the tenant."""
    office.tenant.vault_secret(f"synccontacts-{office.tenant.id}", office.tenant.client_secret)
    report = await run_with(office, vault)
    assert (report.outcome, office.names("cem")) == ("ok", ["Grace Hopper"])


async def test_a_secret_that_ends_soon_is_warned_of(
    office: Office, vault: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The report says it in a sentence, the log in a line with name and days."""
    office.tenant.vault_secret("contoso-mirror", office.tenant.client_secret)
    office.tenant.vault_secret_expires("contoso-mirror", int(time.time() + 10.5 * 86_400))
    with caplog.at_level(logging.WARNING, "shared.bootstrap"):
        report = await run_with(office, naming(vault, ClientSecretName="contoso-mirror"))
    tenant = office.tenant.id
    assert report.warnings == (f"Tenant {tenant}: secret contoso-mirror of the vault expires in 10 days.",)
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "shared.bootstrap"]
    expected = {"run_id": report.run_id, "tenant_id": tenant, "name": "contoso-mirror", "days": 10}
    assert line == {"event": "secret_expiring", **expected}


async def test_a_certificate_of_the_vault(office: Office, vault: dict[str, str]) -> None:
    """ClientCertificateName names a certificate that signs the application in, with no secret anywhere."""
    private, public = certificate()
    office.tenant.trust_certificate(public)
    office.tenant.vault_secret("mirror-cert", (private + public).decode(), content_type="application/x-pem-file")
    report = await run_with(office, naming(vault, ClientCertificateName="mirror-cert"))
    assert (report.outcome, office.names("cem")) == ("ok", ["Grace Hopper"])


async def test_no_secret_at_all(office: Office, vault: dict[str, str]) -> None:
    """Auth ManagedIdentity exchanges the app's own identity."""
    report = await run_with(office, naming(vault, Auth="ManagedIdentity"))
    assert (report.outcome, office.names("cem")) == ("ok", ["Grace Hopper"])


async def test_the_whole_configuration_in_one_secret(office: Office, vault: dict[str, str]) -> None:
    """With no configuration in the environment, the vault's secret is read like CONFIG_JSON."""
    (tenant,) = json.loads(vault.pop(TENANTS))
    document = {"MicrosoftTenants": [{**tenant, "ClientSecret": office.tenant.client_secret}], "DryRun": "no"}
    office.tenant.vault_secret("mirror-config", json.dumps(document))
    report = await run_with(office, {**vault, f"{PREFIX}CONFIG_SECRET_NAME": "mirror-config"})
    assert (report.outcome, office.names("cem")) == ("ok", ["Grace Hopper"])


async def test_a_configuration_secret_that_is_missing_is_a_configuration_error(
    office: Office, vault: dict[str, str]
) -> None:
    """The error names the secret, and no mailbox was contacted."""
    del vault[TENANTS]
    with pytest.raises(ConfigurationError, match="mirror-config"):
        await run_with(office, {**vault, f"{PREFIX}CONFIG_SECRET_NAME": "mirror-config"})
    assert touched(office) == set()


async def test_a_missing_secret_fails_its_tenant_alone(office: Office, vault: dict[str, str]) -> None:
    """The other tenant, with a secret of its own, is mirrored."""
    other = Office(office.emulator, "dan", "eve", domain="fabrikam.com")
    other.box("dan").add_contact(person("Alan Turing"))
    (mine,) = json.loads(vault[TENANTS])
    theirs = json.loads(office.emulator.environment()[TENANTS])[1]
    report = await run_with(office, {**vault, TENANTS: json.dumps([mine, theirs])})
    first, second = report.tenants
    assert first.error
    assert (first.error.code, second.outcome, other.names("eve")) == ("Secret", "ok", ["Alan Turing"])
    assert f"synccontacts-{office.tenant.id}" in first.error.message + first.error.hint


def certificate() -> tuple[bytes, bytes]:
    """A key and a self-signed certificate, both PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mirror")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(1)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, made.public_bytes(serialization.Encoding.PEM)
