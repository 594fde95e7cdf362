"""Every setting there is, one row each.

The rows drive the parsing, the documentation and the tests.
"""

from enum import StrEnum
from typing import Any

from shared.config import values
from shared.config.clouds import CloudName
from shared.config.model import DeletePolicy, PairByEmail, ScaleOut, Secret
from shared.config.schedule import schedule
from shared.config.setting import PREFIX, Level, Setting


class AuthWord(StrEnum):
    """What `Auth` may say."""

    MANAGED_IDENTITY = "ManagedIdentity"


def _document(value: object) -> object:
    """The settings that hold others are taken apart elsewhere."""
    return value


CONFIG_JSON: Setting[object] = Setting(
    _document,
    None,
    "The whole configuration as one JSON object; preferred.",
    variable=PREFIX + "CONFIG_JSON",
    example='{"MicrosoftTenants": [{"TenantId": "…"}], "DryRun": true}',
)
TENANTS: Setting[object] = Setting(
    _document,
    None,
    "The tenants: a list of objects.",
    variable=PREFIX + "MICROSOFT_TENANTS_JSON",
    key="MicrosoftTenants",
    level=Level.TOP,
    example='[{"TenantId": "…"}, {"TenantId": "…"}]',
)
TENANT_ID = Setting(
    values.tenant,
    "",
    "The tenant: its GUID or one of its domains.",
    variable=PREFIX + "TENANT_ID",
    key="TenantId",
    level=Level.TENANT,
    shown_default="required",
    example="contoso.onmicrosoft.com",
)
PRIMARY_DOMAIN = Setting(
    values.domain,
    "",
    "The tenant's main domain; the map of test users may use it as key.",
    key="PrimaryDomain",
    level=Level.TENANT,
    example="contoso.com",
)
TENANT_DOMAIN = Setting(
    values.domain,
    "",
    "Another name for the tenant in the map of test users.",
    key="TenantDomain",
    level=Level.TENANT,
    example="contoso.onmicrosoft.com",
)
CLIENT_ID = Setting(
    values.text,
    "",
    "The application (client) id of the app registration.",
    variable=PREFIX + "CLIENT_ID",
    key="ClientId",
    level=Level.BOTH,
    shown_default="required",
    example="00000000-0000-0000-0000-000000000000",
)
CLIENT_SECRET = Setting(
    values.secret,
    Secret(),
    "The app's client secret itself (its value, not its id).",
    variable=PREFIX + "CLIENT_SECRET",
    key="ClientSecret",
    level=Level.BOTH,
    example="the value that Entra showed once",
)
CLIENT_SECRET_NAME = Setting(
    values.secret_name,
    "",
    "The name of the vault's secret that holds the client secret.",
    key="ClientSecretName",
    level=Level.BOTH,
    shown_default="with a vault and no other way to sign in: `synccontacts-<TenantId>`, "
    "whatever is no letter or digit as `-`",
    example="contoso-mirror",
)
CLIENT_CERTIFICATE_NAME = Setting(
    values.secret_name,
    "",
    "The name of the vault's certificate to sign in with, instead of a secret.",
    key="ClientCertificateName",
    level=Level.BOTH,
    example="contoso-mirror-cert",
)
AUTH: Setting[AuthWord | None] = Setting(
    values.choice(AuthWord),
    None,
    "`ManagedIdentity` signs in with the app's own identity as federated credential: no secret at all.",
    key="Auth",
    level=Level.BOTH,
    example="ManagedIdentity",
)
HUB = Setting(
    values.mailbox,
    "",
    "The shared mailbox that holds the folder All Contacts: user principal name, e-mail address or object id.",
    variable=PREFIX + "GLOBAL_ADDRESS_BOOK_USER_ID",
    key="GlobalAddressBookUserId",
    level=Level.TENANT,
    shown_default="required",
    example="shared.contacts@contoso.com",
)
TEST_USERS: Setting[tuple[str, ...]] = Setting(
    values.mailboxes,
    (),
    "Mirror to these users only; empty means everybody with a licence.",
    key="TestUserList",
    level=Level.BOTH,
    shown_default="all licensed users",
    example='["user1@contoso.com"]',
)
TEST_USERS_BY_TENANT: Setting[object] = Setting(
    _document,
    None,
    "Test users of each tenant, by its TenantId, PrimaryDomain or TenantDomain; works with every way to configure.",
    variable=PREFIX + "TEST_USER_LIST_BY_TENANT_JSON",
    key="TestUserListByTenant",
    level=Level.TOP,
    example='{"contoso.onmicrosoft.com": ["user1@contoso.com"]}',
)
DRY_RUN = Setting(
    values.boolean,
    False,
    "Plan everything, write nothing. On as soon as any place says so.",
    variable=PREFIX + "DRY_RUN",
    key="DryRun",
    level=Level.BOTH,
    shown_default="false",
    example="true",
)
KEY_VAULT_URL = Setting(
    values.vault_url,
    "",
    "The vault that holds the tenants' secrets.",
    variable=PREFIX + "KEY_VAULT_URL",
    example="https://contoso-mirror.vault.azure.net",
)
CONFIG_SECRET_NAME = Setting(
    values.secret_name,
    "",
    "The vault's secret that holds the whole configuration; read when the environment holds none.",
    variable=PREFIX + "CONFIG_SECRET_NAME",
    example="synccontacts-config",
)
SCHEDULE = Setting(
    schedule,
    "0 0 * * * *",
    "When the timer runs, in UTC: six fields, seconds first. The Functions host needs it set.",
    variable=PREFIX + "SCHEDULE",
    shown_default="`0 0 * * * *`",
    example="0 30 6-20 * * 1-5",
)
SCALE_OUT = Setting(
    values.choice(ScaleOut),
    ScaleOut.INLINE,
    "How the Function app mirrors a tenant: `inline` in one process, `durable` in shards that Durable Functions "
    "spreads over several, `auto` in shards if it has more than 2,000 mailboxes. Read when the app starts.",
    variable=PREFIX + "SCALE_OUT",
    shown_default="`inline`",
    example="auto",
)
STATE_URL = Setting(
    values.state_url,
    "",
    "Where the state lives: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `memory:`, "
    "`https://<account>.table.core.windows.net` or `AzureWebJobsStorage`.",
    variable=PREFIX + "STATE_URL",
    shown_default="on Azure the tables of the app's storage account, else a file under the user's state folder",
    example="sqlite:////var/lib/contacts-mirror/state.db",
)
CLOUD = Setting(
    values.choice(CloudName),
    CloudName.GLOBAL,
    "The cloud: `AzureCloud`, `AzureUSGovernment`, `AzureUSGovernmentDoD` or `AzureChinaCloud`.",
    variable=PREFIX + "CLOUD",
    key="Cloud",
    level=Level.BOTH,
    shown_default="`AzureCloud`",
    example="AzureUSGovernment",
)
GRAPH_URL = Setting(
    values.graph_url,
    "",
    "Another Graph endpoint (emulator, proxy), with the version.",
    variable=PREFIX + "GRAPH_URL",
    shown_default="by cloud",
    example="https://localhost:8443/v1.0",
)
AUTHORITY_URL = Setting(
    values.authority_url,
    "",
    "Another sign-in endpoint; instance discovery is skipped and the vault's challenge check relaxed.",
    variable=PREFIX + "AUTHORITY_URL",
    shown_default="by cloud",
    example="https://localhost:8443",
)
UPDATE_EXISTING = Setting(
    values.boolean,
    True,
    "Update contacts that exist already; off, only missing ones are created.",
    variable=PREFIX + "UPDATE_EXISTING",
    key="UpdateExisting",
    level=Level.BOTH,
    shown_default="true",
    example="false",
)
DELETE_POLICY = Setting(
    values.choice(DeletePolicy),
    DeletePolicy.RESTORE,
    "What a deletion means: `restore` puts the contact back, `hub` lets only a deletion from All Contacts count, "
    "`everywhere` any.",
    variable=PREFIX + "DELETE_POLICY",
    key="DeletePolicy",
    level=Level.BOTH,
    shown_default="`restore`",
    example="hub",
)
MAX_DELETE_PERCENT = Setting(
    values.whole(0, 100),
    10,
    "No deletion is carried out when a run would delete more than this share of the hub's contacts "
    "(10 contacts are always allowed).",
    variable=PREFIX + "MAX_DELETE_PERCENT",
    key="MaxDeletePercent",
    level=Level.BOTH,
    shown_default="10",
    example="5",
)
PAIR_BY_EMAIL = Setting(
    values.choice(PairByEmail),
    PairByEmail.ALWAYS,
    "Whether an equal primary address makes two cards one contact: `always`, or `names-agree` only if a word of "
    "their names agrees.",
    variable=PREFIX + "PAIR_BY_EMAIL",
    key="PairByEmail",
    level=Level.BOTH,
    shown_default="`always`",
    example="names-agree",
)
EXCLUDE_CATEGORIES: Setting[tuple[str, ...]] = Setting(
    values.words,
    (),
    "Contacts with one of these categories (any case) stay private.",
    variable=PREFIX + "EXCLUDE_CATEGORIES",
    key="ExcludeCategories",
    level=Level.BOTH,
    shown_default="none",
    example='["Private", "Family"]',
)
EXCLUDE_PRIVATE = Setting(
    values.boolean,
    True,
    "Contacts with Outlook's Private flag stay private.",
    variable=PREFIX + "EXCLUDE_PRIVATE",
    key="ExcludePrivate",
    level=Level.BOTH,
    shown_default="true",
    example="true",
)
FULL_RECONCILE_HOURS = Setting(
    values.whole(1, 87_600),
    168,
    "How often everything is read anew, whatever delta says, in hours.",
    variable=PREFIX + "FULL_RECONCILE_HOURS",
    key="FullReconcileHours",
    level=Level.BOTH,
    shown_default="168",
    example="24",
)
HISTORY_DAYS = Setting(
    values.whole(1, 36_500),
    90,
    "How long old values of contacts are remembered, for `history` and `undo`, in days.",
    variable=PREFIX + "HISTORY_DAYS",
    key="HistoryDays",
    level=Level.BOTH,
    shown_default="90",
    example="30",
)
TIME_BUDGET_MINUTES: Setting[float | None] = Setting(
    values.minutes,
    None,
    "Stop cleanly after so many minutes; the next run goes on.",
    variable=PREFIX + "TIME_BUDGET_MINUTES",
    example="25",
)
IDENTITY_CLIENT_ID = Setting(
    values.text,
    "",
    "Which user-assigned managed identity to use, if the app has several; Azure's own name, without our prefix.",
    variable="AZURE_CLIENT_ID",
    shown_default="the app's only identity",
    example="00000000-0000-0000-0000-000000000000",
)

DOCUMENTS: tuple[Setting[object], ...] = (CONFIG_JSON, TENANTS, TEST_USERS_BY_TENANT)
"""The settings whose value is JSON that holds other settings."""

SETTINGS: tuple[Setting[Any], ...] = (
    CONFIG_JSON,
    TENANTS,
    TENANT_ID,
    PRIMARY_DOMAIN,
    TENANT_DOMAIN,
    CLIENT_ID,
    CLIENT_SECRET,
    CLIENT_SECRET_NAME,
    CLIENT_CERTIFICATE_NAME,
    AUTH,
    HUB,
    TEST_USERS,
    TEST_USERS_BY_TENANT,
    DRY_RUN,
    KEY_VAULT_URL,
    CONFIG_SECRET_NAME,
    SCHEDULE,
    SCALE_OUT,
    STATE_URL,
    CLOUD,
    GRAPH_URL,
    AUTHORITY_URL,
    UPDATE_EXISTING,
    DELETE_POLICY,
    MAX_DELETE_PERCENT,
    PAIR_BY_EMAIL,
    EXCLUDE_CATEGORIES,
    EXCLUDE_PRIVATE,
    FULL_RECONCILE_HOURS,
    HISTORY_DAYS,
    TIME_BUDGET_MINUTES,
    IDENTITY_CLIENT_ID,
)
"""All rows."""
