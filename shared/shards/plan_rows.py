"""The plan on its way to the shards: what was decided once for all of them, and beside it what only one needs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from shared.engine.write import Ledger, Missing
from shared.shards.rows import (
    FORMAT,
    ItemRow,
    ObservationRow,
    Row,
    decode,
    encode,
    item_of,
    item_row,
    observation_of,
    observation_row,
)
from shared.state import codec
from shared.sync.plan import Plan
from shared.sync.records import StoredLink
from shared.sync.replica import Duplicate, Observation
from shared.sync.scatter import Decision
from shared.sync.stamp import Stamp, SyncId


class _DecisionRow(NamedTuple):
    version: msgspec.Raw
    stamp: Stamp


class PlaceRow(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """Where, of a shard's mailboxes, a decision meets something."""

    cards: list[ItemRow] = msgspec.field(default_factory=list)
    removed_from: list[str] = msgspec.field(default_factory=list)
    occupied: list[str] = msgspec.field(default_factory=list)


Places = dict[SyncId, PlaceRow]


class _PlanRow(Row, kw_only=True):
    decisions: list[_DecisionRow]
    newest: int
    missing: frozenset[SyncId]
    is_open: bool


class _PartRow(Row, kw_only=True):
    observations: list[ObservationRow]
    places: Places
    links: list[msgspec.Raw]
    held: frozenset[str]
    duplicates: dict[str, dict[str, Duplicate]]


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """All that a shard has to know to be written; its observations are without their cards."""

    observations: tuple[Observation, ...]
    decisions: tuple[Decision, ...]
    links: tuple[StoredLink, ...]
    ledger: Ledger
    missing: Missing

    def links_of(self, mailbox: str) -> Iterable[StoredLink]:
        """The links of a mailbox that were found while deciding."""
        return (link for link in self.links if link.mailbox == mailbox)


def encode_plan(plan: Plan, ledger: Ledger, missing: Missing) -> bytes:
    """The parcel of what was decided for all shards."""
    decisions = [
        _DecisionRow(msgspec.Raw(codec.encode_version(one.version)), one.stamp) for one in plan.scattering.decisions
    ]
    return encode(
        _PlanRow(
            format=FORMAT,
            decisions=decisions,
            newest=ledger.newest,
            missing=missing.contacts,
            is_open=missing.is_open,
        )
    )


def places_by_shard(plan: Plan, shard_of: Mapping[str, int]) -> Mapping[int, Places]:
    """What the decisions meet in each shard; `shard_of` says by mailbox in which one it is."""
    found: dict[int, Places] = defaultdict(lambda: defaultdict(PlaceRow))
    for decision in plan.scattering.decisions:
        for mailbox, card in decision.cards.items():
            if mailbox in shard_of:
                found[shard_of[mailbox]][decision.sync_id].cards.append(item_row(card))
        for mailbox in decision.removed_from & shard_of.keys():
            found[shard_of[mailbox]][decision.sync_id].removed_from.append(mailbox)
        for mailbox in decision.occupied & shard_of.keys():
            found[shard_of[mailbox]][decision.sync_id].occupied.append(mailbox)
    return found


def encode_part(plan: Plan, ledger: Ledger, observations: Sequence[Observation], places: Places) -> bytes:
    """The parcel of what only the shard with these mailboxes needs."""
    boxes = {one.replica.mailbox: one for one in observations}
    links = [link for box in boxes for link in plan.scattering.links.get(box, ())]
    duplicates = {box: {**one.unread_duplicates, **ledger.duplicates.get(box, {})} for box, one in boxes.items()}
    return encode(
        _PartRow(
            format=FORMAT,
            observations=[observation_row(_without_cards(one)) for one in observations],
            places=places,
            links=[msgspec.Raw(codec.encode_link(link)) for link in links],
            held=ledger.held & boxes.keys(),
            duplicates={box: cards for box, cards in duplicates.items() if cards},
        )
    )


def decode_plan(plan: bytes, part: bytes) -> ShardPlan:
    """A shard's plan, from both parcels."""
    common, own = decode(plan, _PlanRow), decode(part, _PartRow)
    return ShardPlan(
        tuple(map(observation_of, own.observations)),
        tuple(_decision(row, own) for row in common.decisions),
        tuple(codec.decode_link(bytes(one)) for one in own.links),
        Ledger(common.newest, own.held, own.duplicates),
        Missing(common.missing, common.is_open),
    )


def _decision(row: _DecisionRow, own: _PartRow) -> Decision:
    version = codec.decode_version(bytes(row.version))
    place = own.places.get(version.sync_id) or PlaceRow()
    cards = {card.mailbox: item_of(card) for card in place.cards}
    return Decision(version, row.stamp, cards, frozenset(place.removed_from), frozenset(place.occupied))


def _without_cards(one: Observation) -> Observation:
    """What a part is made by: which cards there are, the decisions say; the duplicates are the ledger's."""
    return replace(one, items=(), removed=(), duplicates={})
