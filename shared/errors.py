"""Every error of the mirror, named by what the caller does about it.

    MirrorError
    ├── ConfigurationError      the operator changes a setting; nothing was contacted
    ├── RunFailedError          the run has ended, not everything in it went well; its report says what
    ├── TenantError             this tenant ends failed, the other tenants go on
    │   ├── SecretError         the vault or the secret in it has to be mended
    │   ├── SignInError         Entra refused the application
    │   ├── PrivilegeError      the application lacks a permission
    │   ├── StateError          the state cannot be reached or written
    │   │   └── StateDamagedError what it holds cannot be read: go on as if it were empty
    │   ├── HeldError               another run holds the tenant's lease: its turn is the next run
    │   ├── HubNotFoundError    the shared mailbox does not exist or has no mailbox
    │   └── NoUsersError        the tenant has nobody to mirror to
    ├── MailboxError            this mailbox ends failed, the other mailboxes go on
    │   └── MailboxSkippedError this mailbox cannot take part; the run can still be fine
    └── ItemError               this item is left as it is, the rest of its mailbox goes on
        ├── ItemBusyError       Graph puts its write off: how the others fare tells whose matter it is
        ├── ItemChangedError    somebody saved it in between: read it and decide once more
        ├── ItemGoneError       it is not there any more
        └── ItemRefusedError    Graph will not have it: quarantine it

A `message` says what is wrong and where, a `hint` what to do, and `code` is the stable word that the
report, the logs and `docs/operations.md` use. None of them ever holds a secret, or a name, an address
or a note of a contact.
"""

from collections.abc import Sequence
from enum import StrEnum


class Who(StrEnum):
    """Who can mend something; an organisation may have given several of these roles to one person."""

    NOBODY = ""
    DEPLOYER = "whoever deploys the mirror"
    ENTRA = "an Entra administrator of the tenant"
    EXCHANGE = "an Exchange administrator of the tenant"


class MirrorError(Exception):
    """Base of everything the mirror raises on purpose."""

    code = "Error"
    who = Who.NOBODY

    def __init__(self, message: str, *, hint: str = "", code: str = "", who: Who | None = None) -> None:
        """Keep the sentence for the operator, the hint, the code and who can mend it apart."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.code
        self.who = self.who if who is None else who


class ConfigurationError(MirrorError):
    """The settings cannot be used; `problems` lists all that is wrong with them, `warnings` what may explain it."""

    code = "Configuration"
    who = Who.DEPLOYER

    def __init__(self, problems: Sequence[str], *, hint: str = "", warnings: Sequence[str] = ()) -> None:
        """Join all of it into one message, so that the operator mends it in one go."""
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(self.sentences), hint=hint)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Problems and warnings, which are called so."""
        return (*self.problems, *(f"Warning: {text}" for text in self.warnings))


class RunFailedError(MirrorError):
    """The run has ended with failures. Counts only: where a host shows the message, the report is not at hand."""

    code = "RunFailed"


class TenantError(MirrorError):
    """The tenant cannot be mirrored in this run."""

    code = "TenantFailed"


class SecretError(TenantError):
    """A secret or certificate could not be read from the vault."""

    code = "Secret"
    who = Who.DEPLOYER


class SignInError(TenantError):
    """Entra did not issue a token."""

    code = "SignIn"
    who = Who.ENTRA


class PrivilegeError(TenantError):
    """The application lacks a permission; the hint names it."""

    code = "InsufficientPrivileges"
    who = Who.ENTRA


class StateError(TenantError):
    """The state store cannot be reached or used."""

    code = "State"
    who = Who.DEPLOYER


class StateDamagedError(StateError):
    """What the state holds cannot be read; it is never the truth, so the caller goes on without it."""

    code = "StateDamaged"


class HeldError(TenantError):
    """Another run holds the tenant's lease; the message says who, since when."""

    code = "Held"


class HubNotFoundError(TenantError):
    """The shared mailbox was not found."""

    code = "HubNotFound"
    who = Who.EXCHANGE


class NoUsersError(TenantError):
    """No licensed user, or none of the configured test users, exists."""

    code = "NoLicensedUsers"
    who = Who.ENTRA


class MailboxError(MirrorError):
    """The mailbox could not be read or written in this run."""

    code = "MailboxFailed"


class MailboxSkippedError(MailboxError):
    """The mailbox cannot take part: none there, inactive, on-premises, or out of the application's scope."""

    code = "MailboxSkipped"
    who = Who.EXCHANGE


class ItemError(MirrorError):
    """One item could not be read or written."""

    code = "ItemFailed"


class ItemBusyError(ItemError):
    """Graph put this item's write off until it was given up; code and hint are those of a mailbox that has failed."""


class ItemChangedError(ItemError):
    """The item was saved by somebody else since it was read."""

    code = "ItemChanged"


class ItemGoneError(ItemError):
    """The item does not exist any more."""

    code = "ItemGone"


class ItemRefusedError(ItemError):
    """Graph refuses the item for good."""

    code = "ItemRefused"
