"""Parcels as versioned JSON: what was read, what was decided, what came of it. No note of a card gets here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from shared.errors import StateError
from shared.state import codec
from shared.sync.contact import Contact, FieldValue
from shared.sync.records import Checkpoint
from shared.sync.replica import Duplicate, Failure, Item, Observation, Replica, Unreadable
from shared.sync.report import GraphCounts
from shared.sync.stamp import Stamp, SyncId

FORMAT: Final = 1


class Row(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """A parcel; it lives as long as a run, and a run that meets another release's breaks off."""

    format: int = -1


class ItemRow(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """A card."""

    mailbox: str
    item_id: str
    change_marker: str
    fields: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    marker: SyncId | None = None
    stamp: Stamp | None = None
    private: bool = False
    unaddressed: tuple[str, ...] = ()


class ObservationRow(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """What was read of a replica."""

    replica: Replica
    items: list[ItemRow] = []
    delta_link: str = ""
    removed: tuple[str, ...] = ()
    is_whole: bool = True
    watermark: int = 0
    pending: tuple[SyncId, ...] = ()
    duplicates: dict[str, Duplicate] = {}
    is_settled: bool = False


class _BegunRow(Row, kw_only=True):
    hub: ObservationRow
    replicas: list[Replica]
    namesakes: int
    unknown_users: tuple[str, ...]
    graph: GraphCounts


class _ShardRow(Row, kw_only=True):
    replicas: list[Replica]
    checkpoints: list[msgspec.Raw]


class _ReadingRow(Row, kw_only=True):
    observations: list[ObservationRow]
    unreadable: list[Unreadable]
    graph: GraphCounts


@dataclass(frozen=True, slots=True)
class Begun:
    """What a round begins with: the hub as it was read, and the spokes."""

    hub: Observation
    replicas: tuple[Replica, ...]
    namesakes: int = 0
    unknown_users: tuple[str, ...] = ()
    graph: GraphCounts = field(default=GraphCounts())


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the spokes, with their checkpoints by mailbox."""

    replicas: tuple[Replica, ...]
    checkpoints: Mapping[str, Checkpoint]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a shard."""

    observations: tuple[Observation, ...]
    unreadable: tuple[Unreadable, ...] = ()
    graph: GraphCounts = field(default=GraphCounts())


_ROW = TypeVar("_ROW", bound=Row)
encode: Final = msgspec.json.Encoder().encode


def encode_begun(begun: Begun) -> bytes:
    """The parcel of a round's beginning."""
    return encode(
        _BegunRow(
            format=FORMAT,
            hub=observation_row(begun.hub),
            replicas=list(begun.replicas),
            namesakes=begun.namesakes,
            unknown_users=begun.unknown_users,
            graph=begun.graph,
        )
    )


def decode_begun(data: bytes) -> Begun:
    """A round's beginning."""
    row = decode(data, _BegunRow)
    return Begun(observation_of(row.hub), tuple(row.replicas), row.namesakes, row.unknown_users, row.graph)


def encode_shard(shard: Shard) -> bytes:
    """The parcel of a shard."""
    checkpoints = [msgspec.Raw(codec.encode_checkpoint(one)) for one in shard.checkpoints.values()]
    return encode(_ShardRow(format=FORMAT, replicas=list(shard.replicas), checkpoints=checkpoints))


def decode_shard(data: bytes) -> Shard:
    """A shard."""
    row = decode(data, _ShardRow)
    checkpoints = [codec.decode_checkpoint(bytes(one)) for one in row.checkpoints]
    return Shard(tuple(row.replicas), {one.mailbox: one for one in checkpoints})


def encode_reading(reading: Reading) -> bytes:
    """The parcel of what was read of a shard."""
    observations = [observation_row(one) for one in reading.observations]
    unreadable = list(reading.unreadable)
    return encode(_ReadingRow(format=FORMAT, observations=observations, unreadable=unreadable, graph=reading.graph))


def decode_reading(data: bytes) -> Reading:
    """What was read of a shard."""
    row = decode(data, _ReadingRow)
    return Reading(tuple(map(observation_of, row.observations)), tuple(row.unreadable), row.graph)


def item_row(item: Item) -> ItemRow:
    """A card as a row."""
    return ItemRow(
        mailbox=item.mailbox,
        item_id=item.item_id,
        change_marker=item.change_marker,
        fields=codec.fields_json(item.contact.fields),
        created_at=item.created_at,
        modified_at=item.modified_at,
        marker=item.marker,
        stamp=item.stamp,
        private=item.private,
        unaddressed=item.unaddressed,
    )


def item_of(row: ItemRow) -> Item:
    """A card as a value."""
    return Item(
        row.mailbox,
        row.item_id,
        row.change_marker,
        contact_of(row.fields),
        row.created_at,
        row.modified_at,
        row.marker,
        row.stamp,
        row.private,
        row.unaddressed,
    )


def contact_of(fields: Mapping[str, object]) -> Contact:
    """A contact as a value."""
    known = codec.fields_of(fields)
    return Contact(MappingProxyType({name: value for name, value in known.items() if value is not None}))


def observation_row(one: Observation) -> ObservationRow:
    """What was read of a replica, as a row."""
    return ObservationRow(
        replica=one.replica,
        items=[item_row(item) for item in one.items],
        delta_link=one.delta_link,
        removed=one.removed,
        is_whole=one.is_whole,
        watermark=one.watermark,
        pending=one.pending,
        duplicates=dict(one.duplicates),
        is_settled=one.is_settled,
    )


def observation_of(row: ObservationRow) -> Observation:
    """What was read of a replica, as a value."""
    return Observation(
        row.replica,
        tuple(map(item_of, row.items)),
        row.delta_link,
        row.removed,
        is_whole=row.is_whole,
        watermark=row.watermark,
        pending=row.pending,
        duplicates=row.duplicates,
        is_settled=row.is_settled,
    )


def value_json(name: str, value: FieldValue | None) -> object:
    """One field as it is kept."""
    return codec.fields_json({name: value}).get(name)


def value_of(name: str, raw: object) -> FieldValue | None:
    """One field as a value."""
    return codec.fields_of({name: raw}).get(name)


def replicas_of(observations: Iterable[Observation]) -> tuple[Replica, ...]:
    """Whose observations these are."""
    return tuple(one.replica for one in observations)


def lost(shard: Shard) -> Reading:
    """What stands for the reading of a shard that broke off: none of its mailboxes was read."""
    return Reading((), tuple(Unreadable(replica, BROKEN_OFF) for replica in shard.replicas))


BROKEN_OFF: Final = Failure(
    "BrokenOff",
    "The process that had this mailbox in hand broke off.",
    "Nothing to do: the next run goes on. If it happens every hour, look for `step_crashed` in the log.",
)


def decode(data: bytes, kind: type[_ROW]) -> _ROW:
    """A parcel's row; raises `StateError` for another release's, or none at all."""
    try:
        row = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        row = None
    if row is None or row.format != FORMAT:
        raise StateError(
            "What a step of this run has handed over cannot be read by this release.",
            hint="Nothing to do: the next run goes on. It happens when the app is deployed while a run goes on.",
        )
    return row
