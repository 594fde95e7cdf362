"""What the Function app's triggers decide, as values: a body in, an answer and a queue message out, a report judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.config.model import Settings, Tenant
from shared.engine.options import RunOptions
from shared.errors import ConfigurationError, MirrorError, RunFailedError
from shared.sync.report import MailboxOutcome, RunReport

# A Storage queue takes 64 KiB a message, which is 48 KiB before the host's base64.
MAX_BODY_BYTES = 32 * 1024

_SHAPE = "It is a JSON object with any of dryRun, full (true or false), tenant (a string), users (a list of strings)."


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, and the queue message that goes with it, if any."""

    status: int
    body: dict[str, Any]
    message: str | None = None


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body's schema."""

    dry_run: bool = False
    tenant: str | msgspec.UnsetType = msgspec.UNSET
    users: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    full: bool = False


def answer(raw: bytes, settings: Settings | MirrorError, run_id: str) -> Answer:
    """Accept the run with 202 and a message, or say in one sentence why not.

    400 for a body that is not right, 404 for a tenant that is not configured, 503 for settings that cannot be used.
    """
    request = _read_request(raw)
    if isinstance(request, str):
        return Answer(400, {"error": request})
    if isinstance(settings, MirrorError):
        return Answer(503, {"error": "The configuration cannot be used.", "problems": problems(settings)})
    tenants = _chosen(request.tenant, settings.tenants)
    if tenants is None:
        return Answer(404, {"error": f"No tenant {request.tenant!r} is configured."})
    users = tuple(user.strip() for user in request.users or ())
    options = RunOptions(run_id, request.dry_run, tenants, users, full=request.full)
    return Answer(202, {"run_id": run_id, "dry_run": request.dry_run}, write_message(options))


def write_message(options: RunOptions) -> str:
    """The queue message that stands for a run."""
    return msgspec.json.encode(options).decode()


def read_message(raw: bytes) -> RunOptions | None:
    """The run that a queue message stands for; None for a message that is not one of ours."""
    try:
        options = msgspec.json.decode(raw, type=RunOptions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return options if options.run_id else None


def health(settings: Settings | MirrorError, version: str) -> Answer:
    """200 when a run could begin, 503 with what is wrong when it could not."""
    if isinstance(settings, MirrorError):
        return Answer(503, {"status": "misconfigured", "version": version, "problems": problems(settings)})
    counts = {"tenants": len(settings.tenants), "warnings": list(settings.warnings)}
    return Answer(200, {"status": "ok", "version": version} | counts)


def failure(report: RunReport) -> RunFailedError | None:
    """The error that makes the host show the run as failed, if it is; counts only, for the portal shows it."""
    if report.exit_code != 1:
        return None
    tenants = sum(tenant.has_failure for tenant in report.tenants)
    mailboxes = sum(tenant.mailboxes.count(MailboxOutcome.FAILED) for tenant in report.tenants)
    return RunFailedError(
        f"Run {report.run_id} ended {report.outcome.value}: failures in {tenants} of {len(report.tenants)} tenants, "
        f"{mailboxes} mailboxes failed.",
        hint="The log's lines of this run name tenants and codes; docs/operations.md says what each code means.",
    )


def problems(error: MirrorError) -> list[str]:
    """All that is wrong, a sentence each, and what to do about it last."""
    sentences = error.problems if isinstance(error, ConfigurationError) else (error.message,)
    return [*sentences, error.hint] if error.hint else list(sentences)


def _read_request(raw: bytes) -> _Request | str:
    if len(raw) > MAX_BODY_BYTES:
        return f"The body is too large: {len(raw)} bytes, at most {MAX_BODY_BYTES} are taken."
    try:
        request = msgspec.json.decode(raw or b"{}", type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"The body cannot be used: {error}. {_SHAPE}"
    return _blank(request) or request


def _blank(request: _Request) -> str:
    """The problem with a limit that limits nothing: a caller whose list came out empty did not mean everybody."""
    if _is_blank((request.tenant,)):
        return "The body cannot be used: tenant is empty; leave it out to run all tenants."
    if request.users is not msgspec.UNSET and (not request.users or _is_blank(request.users)):
        return "The body cannot be used: users is empty or names nobody; leave it out to run all users."
    return ""


def _is_blank(names: Iterable[str | msgspec.UnsetType]) -> bool:
    return any(isinstance(name, str) and not name.strip() for name in names)


def _chosen(name: str | msgspec.UnsetType, tenants: Sequence[Tenant]) -> tuple[str, ...] | None:
    """The tenant ids meant by an id or a primary domain, in any case; None when there is no such tenant."""
    if isinstance(name, msgspec.UnsetType):
        return ()
    wanted = name.strip().casefold()
    found = tuple(t.tenant_id for t in tenants if wanted in {t.tenant_id.casefold(), t.primary_domain.casefold()})
    return found or None
