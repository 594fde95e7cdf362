"""From what was found out about a tenant to lines that say what is wrong, who can mend it and how. Pure.

A line is red if no run can do its work so, a warning if one can and somebody should know. What could not be looked at
because another line is red is said to be skipped, so that one cause gives one red line.
"""

from datetime import datetime
from typing import Final

from shared.errors import Who
from shared.sync.facts import Facts, HubFound, Remembered, SecretRead, Staff, Subject, Trouble, Way
from shared.sync.findings import Finding, Status, TenantFindings
from shared.sync.judge_users import judge_users, scoping, too_wide
from shared.sync.report import Outcome, counted, iso

WARN_DAYS: Final = 30
MOST_SKEW_SECONDS: Final = 60
"""Entra allows five minutes, and the mirror compares times of people's edits with its own."""

CONTACTS: Final = "Contacts.ReadWrite"
USERS: Final = "User.Read.All"
# Each of them lets an application read users with their licences (learn.microsoft.com/graph/permissions-reference).
_READS_USERS: Final = frozenset({USERS, "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"})
_IN_EXCHANGE: Final = (
    " For some mailboxes only, an Exchange administrator grants it instead: New-ManagementRoleAssignment -App <object "
    "id of the enterprise application> -Role 'Application Contacts.ReadWrite' -CustomResourceScope <scope>."
)
_PRIVILEGES: Final = "InsufficientPrivileges"
_UNFINISHED: Final = "unfinished"


def judge(facts: Facts) -> TenantFindings:
    """All lines about the tenant."""
    lines = [
        _configuration(facts.subject),
        _secret(facts),
        _token(facts),
        *_roles(facts),
        _shared_mailbox(facts),
        _folder(facts),
        *_users(facts),
        _state(facts),
        _clock(facts.ahead_seconds),
    ]
    return TenantFindings(facts.subject.tenant_id, tuple(lines))


def _configuration(subject: Subject) -> Finding:
    whose = counted(subject.chosen, "test user") if subject.chosen else "all licensed users"
    dry = "; dry run: nothing is written" if subject.dry_run else ""
    message = f"Hub {subject.hub}, for {whose}, signing in with {subject.way}{dry}."
    return Finding("configuration", Status.OK, message)


def _red(check: str, trouble: Trouble) -> Finding:
    return Finding(check, Status.RED, trouble.message, trouble.code, trouble.who, trouble.hint)


def _skipped(check: str, needs: str) -> Finding:
    return Finding(check, Status.SKIPPED, f"Not looked at: {needs}.")


def _secret(facts: Facts) -> Finding:
    match facts.secret:
        case Trouble():
            return _red("secret", facts.secret)
        case SecretRead(datetime() as ends):
            return _dated(facts.subject, (ends - facts.now).days, ends)
        case _:
            return _undated(facts.subject)


def _undated(subject: Subject) -> Finding:
    if subject.way is Way.IDENTITY:
        return Finding("secret", Status.OK, "None is needed: nothing to store, nothing that ends.")
    if subject.way is Way.SETTING:
        where = f"Entra, App registrations, {subject.client_id}, Certificates & secrets"
        return Finding("secret", Status.OK, f"It stands in the settings; when it ends, only Entra knows ({where}).")
    message = f"{_named(subject)} is readable, but the vault knows no date on which it ends: nobody can be warned."
    hint = (
        f"Take the date from Entra and store it: az keyvault secret set-attributes --vault-name {subject.vault} "
        f"--name {subject.secret_name} --expires <date>."
    )
    return Finding("secret", Status.WARNING, message, "SecretUndated", Who.DEPLOYER, hint)


def _dated(subject: Subject, days: int, ends: datetime) -> Finding:
    message = f"{_named(subject)} is readable and ends in {counted(days, 'day')}, on {ends:%Y-%m-%d}."
    if days >= WARN_DAYS:
        return Finding("secret", Status.OK, message)
    return Finding("secret", Status.WARNING, message, "SecretExpiring", Who.DEPLOYER, _renewal(subject))


def _named(subject: Subject) -> str:
    kind = "Certificate" if subject.way is Way.CERTIFICATE else "Secret"
    return f"{kind} {subject.secret_name}"


def _renewal(subject: Subject) -> str:
    reset = f"az ad app credential reset --id {subject.client_id} --append"
    if subject.way is Way.CERTIFICATE:
        return (
            f"Renew it in the vault {subject.vault}, then give Entra its public part: "
            f"{reset} --keyvault {subject.vault} --cert {subject.secret_name}."
        )
    return (
        f"Make a new one ({reset} --query password --output tsv) and store it: az keyvault secret set "
        f"--vault-name {subject.vault} --name {subject.secret_name} --value <the value> --expires <date>."
    )


def _token(facts: Facts) -> Finding:
    if isinstance(facts.secret, Trouble):
        return _skipped("token", "there is no secret")
    if isinstance(facts.roles, Trouble):
        return _red("token", facts.roles)
    return Finding("token", Status.OK, f"Entra gives the application {facts.subject.client_id} a token.")


def _named_roles(facts: Facts) -> frozenset[str] | None:
    return facts.roles if isinstance(facts.roles, frozenset) else None


def _roles(facts: Facts) -> list[Finding]:
    roles = _named_roles(facts)
    if roles is None:
        return [_skipped("roles", "there is no token")]
    found = [_lacking(facts, role) for role in (USERS, CONTACTS) if _lacks(facts, role)]
    if surplus := sorted(roles - _READS_USERS - {CONTACTS}):
        found.append(_surplus(facts.subject, surplus))
    if CONTACTS in roles and isinstance(facts.staff, Staff) and (wide := too_wide(facts.staff)):
        found.append(wide)
    return found or [_granted(roles)]


def _lacks(facts: Facts, role: str) -> bool:
    """Whether the permission is missing: neither in the token nor shown by what was answered.

    A token tells nothing of what is granted in Exchange alone.
    """
    roles = _named_roles(facts)
    if roles is None:
        return False
    if role == USERS:
        return not roles & _READS_USERS and not isinstance(facts.staff, Staff)
    return CONTACTS not in roles and not _is_let_in(facts)


def _is_let_in(facts: Facts) -> bool:
    if isinstance(facts.hub, HubFound):
        return True
    return isinstance(facts.staff, Staff) and any(knock.trouble is None for knock in facts.staff.asked)


def _lacking(facts: Facts, role: str) -> Finding:
    status, message = Status.RED, f"The token lacks {role}, which is needed to read and write contacts."
    if role == USERS:
        message = f"The token lacks {role}, which is needed to find the shared mailbox and the licensed users."
    elif not isinstance(facts.staff, Staff):
        status = Status.WARNING
        message = f"The token lacks {role}; whether Exchange grants it instead shows once mailboxes can be asked."
    hint = _grant(facts.subject, role) + (_IN_EXCHANGE if role == CONTACTS else "")
    return Finding("roles", status, message, _PRIVILEGES, Who.ENTRA, hint)


def _grant(subject: Subject, role: str) -> str:
    return (
        f"Entra admin center, App registrations, {subject.client_id}, API permissions, Add a permission, Microsoft "
        f"Graph, Application permissions: {role}; then Grant admin consent, or open {subject.consent_url}."
    )


def _surplus(subject: Subject, roles: list[str]) -> Finding:
    return Finding(
        "roles",
        Status.WARNING,
        f"The token has more than the mirror needs: {', '.join(roles)}.",
        "MorePrivileges",
        Who.ENTRA,
        f"Unless something else uses this application: Entra admin center, Enterprise applications, "
        f"{subject.client_id}, Permissions: revoke them.",
    )


def _granted(roles: frozenset[str]) -> Finding:
    named = ", ".join(sorted(roles)) or "none that it names"
    elsewhere = "" if CONTACTS in roles else f"; {CONTACTS} is granted in Exchange, for the mailboxes of a scope"
    return Finding("roles", Status.OK, f"{named}{elsewhere}.")


def _echoes(facts: Facts, trouble: Trouble) -> bool:
    """Whether a missing permission, which has its own line, is all there is to the trouble."""
    return trouble.code == _PRIVILEGES and (_lacks(facts, USERS) or _lacks(facts, CONTACTS))


def _shared_mailbox(facts: Facts) -> Finding:
    match facts.hub:
        case None:
            return _skipped("shared mailbox", "there is no token")
        case Trouble() as trouble if _echoes(facts, trouble):
            return _skipped("shared mailbox", "a permission is missing, see roles")
        case Trouble(code, message) if code == _PRIVILEGES:
            return Finding("shared mailbox", Status.RED, message, code, Who.EXCHANGE, scoping(facts.subject.hub))
        case Trouble() as trouble:
            return _red("shared mailbox", trouble)
        case _:
            return Finding("shared mailbox", Status.OK, f"{facts.subject.hub} lets the application in.")


def _folder(facts: Facts) -> Finding:
    if not isinstance(facts.hub, HubFound):
        return _skipped("folder", "the shared mailbox was not reached")
    if facts.hub.folders == 0:
        return Finding("folder", Status.OK, "All Contacts is not there yet: the first run makes it.")
    if facts.hub.folders == 1:
        return Finding("folder", Status.OK, "All Contacts is there.")
    return Finding(
        "folder",
        Status.WARNING,
        f"{facts.hub.folders} folders are called All Contacts; the one with our cards is used.",
        "SeveralHubFolders",
        Who.EXCHANGE,
        f"Open {facts.subject.hub} in Outlook, keep the folder with the contacts, rename or delete the others.",
    )


def _users(facts: Facts) -> list[Finding]:
    match facts.staff:
        case None:
            return [_skipped("users", "there is no token")]
        case Trouble() as trouble if _echoes(facts, trouble):
            return [_skipped("users", "a permission is missing, see roles")]
        case Trouble() as trouble:
            return [_red("users", trouble)]
        case staff:
            return judge_users(staff, facts.subject, lacks_contacts=_lacks(facts, CONTACTS))


def _state(facts: Facts) -> Finding:
    state = facts.state
    if isinstance(state, Trouble):
        return _damaged(state) if state.code == "StateDamaged" else _red("state", state)
    place = f" ({facts.subject.state_place})" if facts.subject.state_place else ""
    return _remembered(state, f"Reachable{place}")


def _remembered(state: Remembered, reachable: str) -> Finding:
    if holder := state.holder:
        return Finding(
            "state",
            Status.WARNING,
            f"{reachable}. A run holds the tenant since {iso(holder.since)}: run {holder.run_id}, host {holder.host}, "
            f"process {holder.process}; another one would skip it.",
            "Held",
            hint="Wait until it ends; if it was killed, its lease ends within a minute.",
        )
    if state.latest is None:
        return Finding("state", Status.OK, f"{reachable}; no run is remembered yet.")
    at = iso(state.latest.started_at)
    if state.latest.outcome in {Outcome.FAILED, _UNFINISHED}:
        how = "failed" if state.latest.outcome == Outcome.FAILED else "did not end"
        message = f"{reachable}. The last run, {state.latest.run_id} of {at}, {how}."
        return Finding(
            "state", Status.WARNING, message, "LastRunFailed", hint="See what it says: python -m shared history --json."
        )
    return Finding("state", Status.OK, f"{reachable}; the last run began {at} and ended {state.latest.outcome}.")


def _damaged(trouble: Trouble) -> Finding:
    return Finding("state", Status.WARNING, trouble.message, trouble.code, trouble.who, trouble.hint)


def _clock(ahead_seconds: float | None) -> Finding:
    if ahead_seconds is None:
        return _skipped("clock", "Graph did not answer")
    seconds = round(abs(ahead_seconds))
    if seconds <= MOST_SKEW_SECONDS:
        return Finding("clock", Status.OK, f"Within {counted(max(seconds, 1), 'second')} of Graph's.")
    way = "behind" if ahead_seconds > 0 else "ahead of"
    return Finding(
        "clock",
        Status.WARNING,
        f"This machine's clock is {counted(seconds, 'second')} {way} Graph's.",
        "ClockSkew",
        Who.DEPLOYER,
        "Let it be set by a time server: timedatectl set-ntp true (Linux), w32tm /resync (Windows).",
    )
