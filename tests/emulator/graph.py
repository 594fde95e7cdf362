"""Graph v1.0: the way of a request through token, contract, faults, limits and mailbox state to its handler."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.emulator.batch import Batch
from tests.emulator.calls import Call, split_path, split_query
from tests.emulator.contacts import Contacts
from tests.emulator.contract import check_query, find_route
from tests.emulator.delta import Delta
from tests.emulator.directory import Tenant
from tests.emulator.entra import Entra
from tests.emulator.faults import Action, Faults, Scene
from tests.emulator.folders import Folders
from tests.emulator.log import RequestLog, RequestRecord
from tests.emulator.mailbox import Mailbox
from tests.emulator.photos import Photos
from tests.emulator.punctual import Punctual
from tests.emulator.replies import ErrorWriter, GraphError, Reply
from tests.emulator.states import check_mailbox
from tests.emulator.throttle import Budget, Throttle
from tests.emulator.users import Users, unknown_user
from tests.emulator.world import World

_READ: Final = frozenset({"Contacts.Read", "Contacts.ReadWrite"})
_WRITE: Final = frozenset({"Contacts.ReadWrite"})
_SETTINGS: Final = frozenset({"MailboxSettings.Read", "MailboxSettings.ReadWrite"})
_DIRECTORY: Final = frozenset({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"})
_LOGGED: Final = ("prefer", "if-match", "consistencylevel", "content-type", "client-request-id", "user-agent")
_CARRIED_OUT: Final = 0.8
"""The part of a request's time after which it is carried out; what that takes is in the rest of it."""


@dataclass(slots=True)
class _Pending:
    """A request under way."""

    call: Call
    record: RequestRecord
    action: Action | None = None
    budget: Budget | None = None
    reply: Reply | None = None


class Graph:
    """Answers requests, single ones and batches."""

    def __init__(self, world: World, tenants: Mapping[str, Tenant], entra: Entra) -> None:
        self._world = world
        self._tenants = tenants
        self._entra = entra
        self.log = RequestLog()
        self.faults = Faults()
        self.throttle = Throttle(world)
        self.errors = ErrorWriter(world.clock, world.switches)
        self._seq = 0
        self._punctual = Punctual()
        contacts, folders = Contacts(world), Folders(world)
        photos = Photos(contacts)
        self.delta = Delta(world, contacts)
        self._users = Users(world, self.throttle)
        self._batch = Batch(world, self.respond, self._too_many)
        self._handlers: dict[str, Callable[[Call, Mailbox], Reply]] = {
            "contacts.list": contacts.listing,
            "contacts.count": contacts.count,
            "contacts.get": contacts.get,
            "contacts.create": contacts.create,
            "contacts.update": contacts.update,
            "contacts.delete": contacts.delete,
            "contacts.purge": contacts.purge,
            "contacts.delta": self.delta.read,
            "ids.translate": contacts.translate,
            "folders.list": folders.listing,
            "folders.count": folders.count,
            "folders.get": folders.get,
            "folders.create": folders.create,
            "folders.update": folders.update,
            "folders.delete": folders.delete,
            "folders.purge": folders.purge,
            "photo.get": photos.get,
            "photo.download": photos.download,
            "photo.upload": photos.upload,
            "photo.delete": photos.delete,
        }
        self._directory: dict[str, Callable[[Call], Reply]] = {
            "users.list": self._users.listing,
            "users.count": self._users.count,
            "users.get": self._users.get,
            "users.licences": self._users.licences,
            "organization.list": self._users.organization,
            "skus.list": self._users.skus,
            "settings.get": self._users.settings,
            "settings.purpose": self._users.purpose,
        }

    def reset(self) -> None:
        """As at the beginning."""
        self.log.clear()
        self.faults.clear()
        self.throttle.reset()
        self.delta.reset()

    async def answer(self, call: Call) -> Reply:
        """Answer one HTTP request."""
        (reply,) = await self.respond([call], call.arrived)
        return reply

    async def respond(self, calls: Sequence[Call], began: float) -> list[Reply]:
        """Answer requests that run at the same time, and that are carried out before their time is over.

        Their time began at `began` (`time.monotonic`), so what is done here for a request is a part of it.

        Raises:
            DropConnectionError: when a fault says so; what was carried out before stays.
        """
        under_way: list[_Pending] = []
        seconds = self._world.switches.service_seconds
        try:
            with self._world.lock:
                for call in calls:
                    under_way.append(self._new(call))
                    self._begin(under_way[-1])
            if any(pending.reply is None and pending.call.route.operation != "batch" for pending in under_way):
                await asyncio.sleep(began + seconds * _CARRIED_OUT - time.monotonic())
            else:
                seconds = 0.0
            for pending in under_way:
                if pending.reply is None and pending.call.route.operation == "batch":
                    pending.reply = await self._run_batch(pending.call)
            with self._world.lock:
                replies = [self._finish(pending) for pending in under_way]
            if seconds:
                await self._punctual.until(began + seconds)
            return replies
        finally:
            for pending in under_way:
                if pending.budget:
                    self.throttle.leave(pending.budget)

    def _new(self, call: Call) -> _Pending:
        return _Pending(call, self._note(call))

    def _too_many(self, call: Call) -> Reply:
        """Log a request that a batch must not send, and refuse it; it counts all the same."""
        pending = self._new(call)
        error = self.throttle.refusal("Application is over its MailboxConcurrency limit.", 1.0)
        pending.record.status = error.status
        return self._error(call, error)

    def _error(self, call: Call, error: GraphError) -> Reply:
        return self.errors.reply(error, call.headers.get("client-request-id", ""))

    def _begin(self, pending: _Pending) -> None:
        call = pending.call
        try:
            self._sign_in(call)
            call.route, call.ids = find_route(call.method, call.segments)
            self._name_user(call)
            pending.record.tenant, pending.record.mailbox = call.tenant.id, call.mailbox
            pending.action = self.faults.take(call) if self.faults else None
            if pending.action:
                pending.reply = pending.action.before(self._scene(call))
            if pending.reply is None:
                self._admit(call, pending)
        except GraphError as error:
            pending.reply = self._error(call, error)

    def intercept(self, call: Call, handle: Callable[[], Reply]) -> Reply:
        """Answer a request that is not for Graph, with its line in the log and the faults that wait for it."""
        pending = self._new(call)
        pending.record.service = "other"
        pending.action = self.faults.take(call)
        try:
            early = pending.action.before(self._scene(call)) if pending.action else None
            reply = early or handle()
            reply = pending.action.after(self._scene(call), reply) if pending.action else reply
        except GraphError as error:
            reply = self._error(call, error)
        pending.record.status = reply.status
        return reply

    def _scene(self, call: Call) -> Scene:
        return Scene(self._world, self._entra, call)

    def _note(self, call: Call) -> RequestRecord:
        self._seq += 1
        headers = {name: call.headers[name] for name in _LOGGED if name in call.headers}
        record = RequestRecord(self._seq, self._world.clock.now(), call.method, call.url, call.batched, headers)
        self.log.append(record)
        return record

    def _sign_in(self, call: Call) -> None:
        token = self._entra.graph_token(call.headers.get("authorization", ""))
        tenant = self._tenants.get(token.tenant_id)
        if tenant is None:
            raise GraphError(401, "InvalidAuthenticationToken", "Access token validation failure.")
        call.of(tenant, token.client_id, token.roles)

    def _name_user(self, call: Call) -> None:
        if call.ids:
            call.about(call.tenant.find_user(call.ids[0]))

    def _admit(self, call: Call, pending: _Pending) -> None:
        _check_roles(call)
        check_query(call.route, call.query)
        if not call.ids:
            return
        if not call.mailbox:
            raise unknown_user(call.ids[0])
        if call.route.mailbox:
            pending.budget = self.throttle.enter(call)

    async def _run_batch(self, call: Call) -> Reply:
        try:
            return await self._batch.run(call)
        except GraphError as error:
            return self._error(call, error)

    def _finish(self, pending: _Pending) -> Reply:
        call = pending.call
        reply = pending.reply
        try:
            if reply is None:
                reply = self._handle(call)
        except GraphError as error:
            reply = self._error(call, error)
        if pending.action:
            try:
                reply = pending.action.after(self._scene(call), reply)
            except GraphError as error:
                reply = self._error(call, error)
        pending.record.status = reply.status
        return reply

    def _handle(self, call: Call) -> Reply:
        directory = self._directory.get(call.route.operation)
        if call.route.mailbox:
            check_mailbox(call, call.user, self._world.switches)
            call.user.mailbox.storage.settle()
        if directory:
            return directory(call)
        handler = self._handlers.get(call.route.operation)
        if handler is None:
            raise GraphError(501, "NotImplemented", "The emulator does not serve this path.")
        return handler(call, call.user.mailbox)


def _check_roles(call: Call) -> None:
    operation = call.route.operation
    if operation == "batch":
        return
    if not call.route.mailbox:
        if not call.roles & _DIRECTORY:
            raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        return
    needed = _SETTINGS if operation.startswith("settings.") else _WRITE if call.route.write else _READ
    if not call.roles & needed and call.mailbox not in call.tenant.exchange_scope:
        raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def make_call(method: str, url: str, headers: Mapping[str, str], body: Any, base: str) -> Call:
    """A call from a URL relative to the version root, still encoded."""
    path, _, query = url.partition("?")
    return Call(method, url, split_path(path), split_query(query), headers, body, base=base)
