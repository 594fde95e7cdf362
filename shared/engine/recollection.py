"""What is remembered of a run's mailboxes, brought back link by link as it is needed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.engine.gather import Gathered, look_again
from shared.engine.job import Job
from shared.sync.guard import WORTH_GUARDING
from shared.sync.mergebase import Held, Link, Memory, Version, Versions, held_of, living
from shared.sync.records import StoredLink
from shared.sync.replica import Observation
from shared.sync.rules import Rules
from shared.sync.settle import held_by
from shared.sync.stamp import SyncId

_POINT_READS: Final = 100
"""From so many links on, all of a mailbox are read in one go."""


class Recollection:
    """Reads links as needed: all of a mailbox that was read whole and is not settled, else those in question.

    The links of the `lost` mailbox are left out: cards that stood in another folder are not gone, the folder is.
    """

    def __init__(self, job: Job, rules: Rules, versions: Versions, lost: str = "") -> None:
        """Bring back links to these, the newest, versions."""
        self._job = job
        self._rules = rules
        self._versions = versions
        self._lost = lost
        self._links: dict[tuple[str, str], Link] = {}
        self._bases = {version.number: version for version in versions.values()}
        self._alive = living(versions)
        self._held: dict[str, Held] = {}
        self._asked: dict[str, set[SyncId]] = {}
        self._looked: dict[str, frozenset[str]] = {}
        self._astray: dict[str, frozenset[str]] = {}

    @property
    def memory(self) -> Memory:
        """All that was brought back so far; what is brought back later is in it, too."""
        return Memory(self._versions, self._links, self._held)

    async def begin(self, observation: Observation) -> None:
        """Bring back what the cards that were read there are compared with."""
        await self._keep(await self._links_for(observation))

    async def begin_with(self, mailbox: str, item_ids: Sequence[str]) -> None:
        """Bring back what these cards are compared with, and nothing else of the mailbox."""
        await self._keep(await self._job.state.links_of_items(self._job.tenant.tenant_id, mailbox, item_ids))

    def unseen(self, gathered: Gathered, wanted: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        """What was not looked at yet of the wanted items, and of those that a link without a base names."""
        found: dict[str, frozenset[str]] = {}
        for observation in (gathered.hub, *gathered.spokes):
            mailbox = observation.replica.mailbox
            astray = self._astray.get(mailbox, frozenset()) - _told(observation)
            ids = (wanted.get(mailbox, frozenset()) | astray) - self._looked.get(mailbox, frozenset())
            if ids and not observation.is_whole:
                found[mailbox] = ids
        return found

    async def look(self, gathered: Gathered, items: Mapping[str, frozenset[str]]) -> Gathered:
        """What was gathered with these items; strangers may be among them, so what else their mailbox holds matters."""
        gathered = await look_again(self._job, gathered, items)
        for observation in (gathered.hub, *gathered.spokes):
            mailbox = observation.replica.mailbox
            self._looked[mailbox] = self._looked.get(mailbox, frozenset()) | items.get(mailbox, frozenset())
            if mailbox in items and mailbox not in self._held:
                await self._hold(observation)
        return gathered

    async def ask(self, links: Mapping[str, frozenset[SyncId]]) -> bool:
        """Bring in links that were not asked for yet; whether there were any."""
        is_new = False
        for mailbox, sync_ids in links.items():
            asked = self._asked.setdefault(mailbox, set())
            fresh = sorted(sync_ids - asked)
            asked.update(fresh)
            if fresh:
                is_new = True
                await self._keep(await self._links_to(mailbox, fresh))
        return is_new

    async def _links_for(self, observation: Observation) -> Sequence[StoredLink]:
        """The links of what was read or is gone; of which contacts it has cards besides, if that can matter."""
        state, tenant_id, mailbox = self._job.state, self._job.tenant.tenant_id, observation.replica.mailbox
        told = _told(observation)
        if observation.is_settled:
            self._held[mailbox] = held_by(observation, self._alive)
        if observation.is_whole:
            return await state.links(tenant_id, mailbox)
        if not told:
            return []
        links = await state.links_of_items(tenant_id, mailbox, sorted(told))
        if not observation.is_settled:
            strangers = {item.item_id for item in observation.items} - {link.item_id for link in links}
            if strangers and not self._rules.update_existing:
                return await state.links(tenant_id, mailbox)
            if strangers or len(observation.removed) >= WORTH_GUARDING:
                await self._hold(observation)
        return links

    async def _hold(self, observation: Observation) -> None:
        """Find out of which contacts a mailbox has cards that were not read."""
        mailbox, told = observation.replica.mailbox, _told(observation)
        links = await self._job.state.links(self._job.tenant.tenant_id, mailbox)
        held = {link.sync_id for link in links if link.item_id not in told}
        self._held[mailbox] = held_of(held, self._alive)

    async def _links_to(self, mailbox: str, sync_ids: Sequence[SyncId]) -> Sequence[StoredLink]:
        state, tenant_id = self._job.state, self._job.tenant.tenant_id
        if len(sync_ids) <= _POINT_READS:
            return await state.links_to(tenant_id, mailbox, sync_ids)
        asked = frozenset(sync_ids)
        return [link for link in await state.links(tenant_id, mailbox) if link.sync_id in asked]

    async def _keep(self, stored: Iterable[StoredLink]) -> None:
        """Add links; one whose base is not to be had is left out: its card is read, paired and compared anew."""
        links = list(stored)
        behind = {link.sync_id for link in links if link.base not in self._bases}
        for sync_id in sorted(behind):
            history = await self._job.state.versions(self._job.tenant.tenant_id, sync_id)
            self._bases |= {version.number: version for version in history}
        for one in links:
            base = self._bases.get(one.base)
            if one.mailbox == self._lost:
                continue
            if base and base.sync_id == one.sync_id:
                self._links[one.mailbox, one.item_id] = _link(one, base)
            else:
                self._astray[one.mailbox] = self._astray.get(one.mailbox, frozenset()) | {one.item_id}


def _told(observation: Observation) -> set[str]:
    return {*(item.item_id for item in observation.items), *observation.removed}


def _link(stored: StoredLink, base: Version) -> Link:
    return Link(
        stored.mailbox,
        stored.item_id,
        stored.sync_id,
        stored.change_marker,
        base,
        stored.residue,
        is_ours=stored.is_ours,
        is_withheld=stored.is_withheld,
    )
