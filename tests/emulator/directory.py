"""Tenants and the people in them."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.emulator.cards import CardRules
from tests.emulator.clock import stamp
from tests.emulator.ids import object_id
from tests.emulator.mailbox import Mailbox
from tests.emulator.world import World, locked

if TYPE_CHECKING:
    from tests.emulator.vault import Vault

E3_SKU: Final = "6fd2c87f-b296-42f0-b197-1e91e994b900"
EXCHANGE_PLAN: Final = "efb87545-963c-4e0d-99df-69c6916d9eb0"
DEFAULT_ROLES: Final = ("Contacts.ReadWrite", "User.Read.All")


class MailboxState(enum.Enum):
    """How Exchange answers for a mailbox."""

    HEALTHY = "healthy"
    NONE = "none"
    INACTIVE = "inactive"
    ON_PREMISES = "on-premises"
    OVER_QUOTA = "over quota"
    BLOCKED = "blocked by an access policy"
    FLAPPING = "every second answer is ErrorInvalidUser"
    MOVING = "being moved"
    NO_SUBSCRIPTION = "no Exchange Online subscription"
    NO_ADDRESS = "no mail attributes"


@dataclass(slots=True, eq=False)
class DirectoryUser:
    """A user object; every field may be changed at any time, `licensed` through `set_licensed`."""

    id: str
    user_principal_name: str
    display_name: str
    mail: str | None
    mailbox: Mailbox
    created: float
    licensed: bool = True
    state: MailboxState = MailboxState.HEALTHY
    user_type: str = "Member"
    purpose: str = "user"
    account_enabled: bool = True
    aliases: tuple[str, ...] = ()
    indexed: bool = True
    licence_changed: float = 0.0

    def set_licensed(self, licensed: bool) -> None:
        """Give or take the licence; the index of advanced queries learns it `index_lag_seconds` later."""
        self.licensed = licensed
        self.licence_changed = self.mailbox.world.clock.seconds

    def record(self) -> dict[str, Any]:
        """All that Graph tells of this user."""
        licences = [{"skuId": E3_SKU, "disabledPlans": []}] if self.licensed else []
        plan = {"service": "exchange", "servicePlanId": EXCHANGE_PLAN, "capabilityStatus": "Enabled"}
        addresses = [f"SMTP:{self.mail}"] if self.mail else []
        return {
            "id": self.id,
            "userPrincipalName": self.user_principal_name,
            "displayName": self.display_name,
            "mail": self.mail,
            "accountEnabled": self.account_enabled,
            "userType": self.user_type,
            "assignedLicenses": licences,
            "assignedPlans": [plan] if self.licensed else [],
            "proxyAddresses": addresses + [f"smtp:{alias}" for alias in self.aliases],
            "otherMails": [],
            "createdDateTime": stamp(self.mailbox.world.clock.now()),
            "businessPhones": [],
            **dict.fromkeys(("givenName", "jobTitle", "mobilePhone", "officeLocation", "preferredLanguage", "surname")),
        }


class Tenant:
    """One Microsoft 365 tenant with its application registration."""

    def __init__(self, world: World, tenant_id: str, domain: str, vault: "Vault") -> None:
        self.world = world
        self.id = tenant_id
        self.domain = domain
        self.client_id = object_id("client", tenant_id)
        self.client_secret = f"secret-{object_id('secret', tenant_id)}"
        self.secret_expired = False
        self.roles: tuple[str, ...] = DEFAULT_ROLES
        self.hub = ""
        self.users: dict[str, DirectoryUser] = {}
        self.certificates: list[bytes] = []
        self._names: dict[str, DirectoryUser] = {}
        self._vault = vault

    @locked
    def trust_certificate(self, pem: bytes) -> None:
        """Let the application sign in with this certificate; once one is trusted, other assertions are refused."""
        self.certificates.append(pem)

    @locked
    def add_user(self, user_principal_name: str, *, licensed: bool = True, **details: Any) -> DirectoryUser:
        """Add a user with a mailbox; `details` are fields of `DirectoryUser`."""
        user_id = details.pop("id", None) or object_id(self.id, user_principal_name.lower())
        name = details.pop("display_name", None) or _name_of(user_principal_name)
        mail = details.pop("mail", user_principal_name)
        mailbox = Mailbox(self.world, user_id, CardRules(self.world.switches, self._directory_name))
        user = DirectoryUser(
            user_id, user_principal_name, name, mail, mailbox, self.world.clock.seconds, licensed=licensed, **details
        )
        self.users[user_id] = user
        self._index(user)
        return user

    def _index(self, user: DirectoryUser) -> None:
        addresses = (user.id, user.user_principal_name, user.mail, *user.aliases)
        self._names.update({address.lower(): user for address in addresses if address})

    def _directory_name(self, address: str) -> str | None:
        user = self._names.get(address)
        return user.display_name if user else None

    @locked
    def add_shared_mailbox(self, user_principal_name: str, **details: Any) -> DirectoryUser:
        """Add a shared mailbox: a user without a licence. The first one becomes the hub of `Emulator.environment`."""
        user = self.add_user(user_principal_name, licensed=False, purpose="shared", account_enabled=False, **details)
        self.hub = self.hub or user_principal_name
        return user

    @locked
    def remove_user(self, name: str) -> None:
        """Delete a user with the mailbox."""
        user = self.users.pop(self.user(name).id)
        self._names = {key: value for key, value in self._names.items() if value is not user}

    @locked
    def rename_user(self, name: str, user_principal_name: str) -> None:
        """Give a user another user principal name and address."""
        user = self.user(name)
        self._names = {key: value for key, value in self._names.items() if value is not user}
        user.user_principal_name = user.mail = user_principal_name
        self._index(user)

    def user(self, name: str) -> DirectoryUser:
        """The user with this object id, or UPN in any case; raises KeyError when there is none."""
        found = self.find_user(name)
        if found is None:
            raise KeyError(name)
        return found

    def find_user(self, name: str) -> DirectoryUser | None:
        """The user that `/users/{name}` means: by object id, or UPN in any case; an e-mail address alone is none."""
        user = self._names.get(name.lower())
        if user is None or name.lower() not in {user.id.lower(), user.user_principal_name.lower()}:
            return None
        return user

    def mailbox(self, name: str) -> Mailbox:
        """The mailbox of a user, by UPN or object id."""
        return self.user(name).mailbox

    def mailboxes(self) -> Sequence[Mailbox]:
        """All mailboxes of the tenant."""
        return [user.mailbox for user in self.users.values()]

    def vault_secret(self, name: str, value: str, *, enabled: bool = True, content_type: str = "text/plain") -> None:
        """Put a secret into the vault."""
        self._vault.set(name, value, enabled=enabled, content_type=content_type)

    def vault_secret_expires(self, name: str, at: int) -> None:
        """Give a secret of the vault a last second, in Unix time."""
        self._vault.expire(name, at)


def _name_of(user_principal_name: str) -> str:
    local = user_principal_name.partition("@")[0]
    return " ".join(part.capitalize() for part in local.replace("_", ".").split(".") if part)
