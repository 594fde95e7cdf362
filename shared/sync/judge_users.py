"""What the users' mailboxes said, as lines of `check`. Pure."""

from collections import defaultdict
from typing import Final

from shared.errors import Who
from shared.sync.facts import Knock, Staff, Subject, Trouble
from shared.sync.findings import Finding, Status
from shared.sync.report import counted

REFUSED: Final = "MailboxRefused"
# A licensed user without a mailbox is common, and no run minds.
_COMMON: Final = frozenset({"NoMailbox", "MailboxSkipped"})
_TEST: Final = "Test-ServicePrincipalAuthorization -Identity <object id of the enterprise application> -Resource"


def judge_users(staff: Staff, subject: Subject, *, lacks_contacts: bool) -> list[Finding]:
    """The line of counts, and one for each kind of trouble that is not common.

    `lacks_contacts` says that the permission for contacts is missing, which has a line of its own.
    """
    if not staff.spokes:
        return [_nobody(staff, subject)]
    kinds: defaultdict[str, list[Knock]] = defaultdict(list)
    for knock in staff.asked:
        kinds[knock.trouble.code if knock.trouble else ""].append(knock)
    reached = len(kinds.pop("", ()))
    common = sum(len(knocks) for code, knocks in kinds.items() if code in _COMMON)
    without = f", {common} without a usable mailbox" if common else ""
    message = f"{_asked(staff, subject)}; {reached} can be reached{without}."
    if not reached:
        return [_unreached(message, staff.asked, lacks_contacts=lacks_contacts)]
    lines = [Finding("users", Status.OK, message, mailboxes=_named(staff.asked, _COMMON))]
    lines += [_some(code, knocks) for code, knocks in sorted(kinds.items()) if code not in _COMMON]
    if staff.unknown:
        lines.append(_unknown(staff.unknown))
    if subject.room is not None and staff.spokes > subject.room:
        lines.append(_outgrown(staff.spokes, subject.room))
    return lines


def _outgrown(spokes: int, room: int) -> Finding:
    return Finding(
        "users",
        Status.WARNING,
        f"{spokes} mailboxes are more than the {room} that one process mirrors well within an hour.",
        "Outgrown",
        Who.DEPLOYER,
        "As a Function app: set AUTOMATION_SYNCCONTACTS_SCALE_OUT to auto (docs/scale.md). In a pipeline: give the job "
        "the time that it takes.",
    )


def _nobody(staff: Staff, subject: Subject) -> Finding:
    if subject.chosen:
        return Finding(
            "users",
            Status.RED,
            f"None of the {counted(subject.chosen, 'test user')} exists.",
            "NoLicensedUsers",
            Who.DEPLOYER,
            "Mend TestUserList, or the tenant's entry in the test user map: UPN, e-mail address or object id.",
            staff.unknown,
        )
    return Finding(
        "users",
        Status.RED,
        "Nobody has a licence.",
        "NoLicensedUsers",
        Who.ENTRA,
        "Microsoft 365 admin center, Users, Active users, a user, Licenses and apps.",
    )


def _asked(staff: Staff, subject: Subject) -> str:
    tests = f", {counted(staff.spokes, 'test user')}" if subject.chosen else ""
    sample = f" of {staff.spokes}, a sample from all over the list" if len(staff.asked) < staff.spokes else ""
    return f"{staff.licensed} licensed{tests}; {counted(len(staff.asked), 'mailbox', 'mailboxes')} asked{sample}"


def _unreached(message: str, asked: tuple[Knock, ...], *, lacks_contacts: bool) -> Finding:
    """No mailbox can be reached. That all of them refuse because a permission is missing has its line already."""
    first = next(knock.trouble for knock in asked if knock.trouble)
    is_refused = first.code == REFUSED
    if lacks_contacts and is_refused:
        return Finding("users", Status.SKIPPED, f"{message} A permission is missing, see roles.")
    code = "InsufficientPrivileges" if is_refused else first.code
    hint = scoping(asked[0].mailbox) if is_refused else first.hint
    return Finding("users", Status.RED, f"{message} {first.message}", code, first.who, hint, _named(asked))


def _some(code: str, knocks: list[Knock]) -> Finding:
    """Some mailboxes are in trouble; each of them is skipped or fails by itself."""
    first = knocks[0]
    trouble = first.trouble or Trouble(code, "")
    hint = f"Intended? Nothing. Else: {scoping(first.mailbox)}" if code == REFUSED else trouble.hint
    message = f"{len(knocks)} of them: {trouble.message}"
    return Finding("users", Status.WARNING, message, code, trouble.who, hint, _named(knocks))


def _unknown(names: tuple[str, ...]) -> Finding:
    return Finding(
        "users",
        Status.WARNING,
        f"{counted(len(names), 'test user')} cannot be found; the others take part.",
        "UnknownUser",
        Who.DEPLOYER,
        "Mend TestUserList, or the tenant's entry in the test user map.",
        names,
    )


def too_wide(staff: Staff) -> Finding | None:
    """A warning if a grant for every mailbox opens some that are not meant to take part.

    A list of test users says who is meant; that no mailbox refuses shows that Exchange sets no limit either.
    """
    refused = [knock for knock in (*staff.asked, *staff.outsiders) if knock.trouble and knock.trouble.code == REFUSED]
    open_to_us = [knock.mailbox for knock in staff.outsiders if knock.trouble is None]
    if refused or not open_to_us:
        return None
    return Finding(
        "roles",
        Status.WARNING,
        f"Contacts.ReadWrite is granted for every mailbox: {len(open_to_us)} of {len(staff.outsiders)} that were asked "
        "and are no test users let the application in.",
        "TenantWide",
        Who.EXCHANGE,
        "Are all users to take part later? Nothing. Else limit it to some mailboxes in Exchange "
        "(New-ManagementScope, New-ManagementRoleAssignment -Role 'Application Contacts.ReadWrite') and have the grant "
        "in Entra taken away, for grants add up: docs/permissions.md, Limit it to some mailboxes.",
        tuple(open_to_us),
    )


def scoping(mailbox: str) -> str:
    """How to let the application into a mailbox that refuses it."""
    return (
        f"In Exchange, see what applies ({_TEST} {mailbox}) and put the mailbox into the scope of the application's "
        "role or access policy; a change takes up to two hours."
    )


def _named(knocks: tuple[Knock, ...] | list[Knock], codes: frozenset[str] | None = None) -> tuple[str, ...]:
    """The mailboxes in trouble, with their reasons."""
    return tuple(
        f"{knock.mailbox}: {knock.trouble.message}"
        for knock in knocks
        if knock.trouble and (codes is None or knock.trouble.code in codes)
    )
