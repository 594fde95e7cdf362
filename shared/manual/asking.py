"""Asking for a run: the body of `POST /api/sync`, the tenants meant, and whether it can be accepted."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.config.model import Tenant
from shared.engine.options import RunOptions
from shared.manual.call import LATER, SOON, Answer, Call, refusal, retry_after
from shared.manual.message import write_message
from shared.sync.records import Holder
from shared.sync.report import iso

# A Storage queue takes 64 KiB a message, which is 48 KiB before the host's base64.
MAX_BODY_BYTES: Final = 32 * 1024

_SHAPE: Final = (
    "It is a JSON object with any of dryRun, full (true or false), tenant (a string), users (a list of strings)."
)
_USER: Final = re.compile(r"[^@\s]+@[^@\s]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body's schema."""

    dry_run: bool = False
    tenant: str | msgspec.UnsetType = msgspec.UNSET
    users: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    full: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """The run that a body asks for; `tenant` is "" for all of them, `users` empty for everybody."""

    dry_run: bool = False
    tenant: str = ""
    users: tuple[str, ...] = ()
    full: bool = False

    def waits_for(self, tenants: Iterable[Tenant]) -> list[Tenant]:
        """The tenants that it has to hold alone; a dry run stands in nobody's way."""
        return [one for one in tenants if not (self.dry_run or one.dry_run)]


def read_wish(raw: bytes) -> Wish | Answer:
    """The run that the body asks for, or 400 with what is wrong with it."""
    if len(raw) > MAX_BODY_BYTES:
        return refusal(400, f"The body is too large: {len(raw)} bytes, at most {MAX_BODY_BYTES} are taken.")
    try:
        body = msgspec.json.decode(raw or b"{}", type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return refusal(400, f"The body cannot be used: {error}. {_SHAPE}")
    wrong = _blank(body) or _impossible(body)
    if wrong:
        return refusal(400, f"The body cannot be used: {wrong}.")
    users = tuple(user.strip() for user in body.users or ())
    return Wish(body.dry_run, (body.tenant or "").strip(), users, body.full)


def _blank(body: _Body) -> str:
    """The problem with a limit that limits nothing: a caller whose list came out empty did not mean everybody."""
    if isinstance(body.tenant, str) and not body.tenant.strip():
        return "tenant is empty; leave it out to run all tenants"
    if body.users is not msgspec.UNSET and not all(user.strip() for user in body.users or ("",)):
        return "users is empty or names nobody; leave it out to run all users"
    return ""


def _impossible(body: _Body) -> str:
    """The problem with a user whom no tenant can have."""
    strange = [user for user in body.users or () if not _USER.fullmatch(user.strip())]
    return f"{strange[0]!r} is no user; give a UPN, an e-mail address or an object id" if strange else ""


def tenants_meant(name: str, tenants: Sequence[Tenant]) -> Sequence[Tenant] | Answer:
    """The tenants with this id or primary domain, in any case, all of them for ""; 404 when there is none."""
    wanted = name.strip().casefold()
    found = [one for one in tenants if wanted in {"", one.tenant_id.casefold(), one.primary_domain.casefold()}]
    return found or refusal(404, f"No tenant {name!r} is configured.")


def hub_meant(wish: Wish, tenants: Sequence[Tenant]) -> Answer | None:
    """400 for a wish that names a shared mailbox as a user: it is never one."""
    hubs = {one.hub.casefold() for one in tenants}
    named = [user for user in wish.users if user.casefold() in hubs]
    return refusal(400, f"{named[0]!r} is the shared mailbox; name users whose contacts to mirror.") if named else None


def accept(call: Call, wish: Wish, tenants: Sequence[Tenant], held: Mapping[str, Holder], run_id: str) -> Answer:
    """202 with where to look and the run's message; 409 when other runs hold every tenant that the run waits for."""
    waiting = wish.waits_for(tenants)
    if waiting and len(held) == len(tenants):
        running = [_running(call, tenant, holder) for tenant, holder in held.items()]
        sentence = "Another run is going on for every tenant meant: wait until it has ended, or ask for a dry run."
        return Answer(409, {"error": sentence, "running": running}, extra_headers=retry_after(LATER))
    limits = tuple(one.tenant_id for one in tenants) if wish.tenant else ()
    message = write_message(RunOptions(run_id, wish.dry_run, limits, wish.users, full=wish.full))
    url = call.url_of(run_id)
    body = {
        "run_id": run_id,
        "dry_run": not waiting,
        "tenants": [one.tenant_id for one in tenants],
        "status_url": url,
        "runs_url": call.url_of(),
        "running": [_running(call, tenant, holder) for tenant, holder in held.items()],
    }
    return Answer(202, body, message, {"Location": url, **retry_after(SOON)})


def _running(call: Call, tenant_id: str, holder: Holder) -> dict[str, str]:
    return {
        "tenant_id": tenant_id,
        "run_id": holder.run_id,
        "since": iso(holder.since),
        "status_url": call.url_of(holder.run_id),
    }
