"""The state's rows as versioned JSON: every row says which format it is written in, and an old format stays readable.

Written are the mirrored fields, ids, numbers and times; a contact's note is not a field, so it cannot get here. Times
are UTC. What cannot be read raises `StateDamagedError`, a newer release's row `StateError`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from shared.errors import StateDamagedError, StateError
from shared.sync.contact import ADDRESS_PARTS, FIELDS, Contact, Email, FieldValue, PostalAddress
from shared.sync.mergebase import Version
from shared.sync.records import NO_RESIDUE, Checkpoint, Holder, Quarantined, RunRecord, StoredLink
from shared.sync.replica import Duplicate
from shared.sync.stamp import SyncId

FORMAT: Final = 1
"""The format that is written. A change of meaning takes the next number, and the old one's reader stays."""

_HINT: Final = "Nothing to do: the run goes on without it, reads everything and rebuilds it."
_NEWER_HINT: Final = (
    "Install the newer release again. Or set another STATE_URL: the state is rebuilt there, its history is not."
)


class _Row(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    format: int


class _VersionRow(_Row, omit_defaults=True, gc=False, kw_only=True):
    number: int
    sync_id: str
    fields: dict[str, Any]
    at: datetime
    by: str
    run_id: str = ""
    deleted: bool = False
    created_by: str = ""
    new: bool = False


class _LinkRow(_Row, omit_defaults=True, gc=False, kw_only=True):
    mailbox: str
    item_id: str
    sync_id: str
    change_marker: str
    base: int
    residue: dict[str, Any] = {}
    ours: bool = False
    withheld: bool = False


class _QuarantineRow(msgspec.Struct, omit_defaults=True, gc=False):
    sync_id: str
    item_id: str
    change_marker: str
    version: int
    reason: str
    at: datetime | None = None


class _CheckpointRow(_Row, omit_defaults=True, gc=False, kw_only=True):
    mailbox: str
    name: str
    folder: str = ""
    delta_link: str = ""
    watermark: int = 0
    pending: list[str] = []
    quarantine: list[_QuarantineRow] = []
    enrolled_at: datetime | None = None
    succeeded_at: datetime | None = None
    read_whole_at: datetime | None = None
    duplicates: dict[str, tuple[str, str]] = {}
    newest: int = 0


class _RunRow(_Row, omit_defaults=True, gc=False, kw_only=True):
    run_id: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str
    first_version: int = 0
    report: dict[str, Any] = {}


class _HolderRow(_Row, omit_defaults=True, gc=False, kw_only=True):
    run_id: str
    host: str
    process: int
    since: datetime


_ROW = TypeVar("_ROW", bound=_Row)
_encode: Final = msgspec.json.Encoder().encode
_format: Final = msgspec.json.Decoder(_Row)
_version: Final = msgspec.json.Decoder(_VersionRow)
_link: Final = msgspec.json.Decoder(_LinkRow)
_checkpoint: Final = msgspec.json.Decoder(_CheckpointRow)
_run: Final = msgspec.json.Decoder(_RunRow)
_holder: Final = msgspec.json.Decoder(_HolderRow)


def encode_version(version: Version) -> bytes:
    """The row of a version."""
    return _encode(
        _VersionRow(
            format=FORMAT,
            number=version.number,
            sync_id=version.sync_id,
            fields=fields_json(version.contact.fields),
            at=_utc(version.at),
            by=version.by,
            run_id=version.run_id,
            deleted=version.is_deleted,
            created_by=version.created_by,
            new=version.is_new,
        )
    )


def decode_version(row: bytes) -> Version:
    """The version in a row."""
    read = _read(_version, row, "version")
    return Version(
        read.number,
        SyncId(read.sync_id),
        Contact(MappingProxyType({name: value for name, value in fields_of(read.fields).items() if value is not None})),
        _utc(read.at),
        read.by,
        read.run_id,
        read.deleted,
        read.created_by,
        read.new,
    )


def encode_link(link: StoredLink) -> bytes:
    """The row of a link."""
    return _encode(
        _LinkRow(
            format=FORMAT,
            mailbox=link.mailbox,
            item_id=link.item_id,
            sync_id=link.sync_id,
            change_marker=link.change_marker,
            base=link.base,
            residue=fields_json(link.residue) if link.residue else {},
            ours=link.is_ours,
            withheld=link.is_withheld,
        )
    )


def decode_link(row: bytes) -> StoredLink:
    """The link in a row."""
    read = _read(_link, row, "link")
    sync_id = SyncId(read.sync_id)
    residue = MappingProxyType(fields_of(read.residue)) if read.residue else NO_RESIDUE
    place = read.mailbox, read.item_id, sync_id, read.change_marker, read.base
    return StoredLink(*place, residue, is_ours=read.ours, is_withheld=read.withheld)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The row of a checkpoint."""
    return _encode(
        _CheckpointRow(
            format=FORMAT,
            mailbox=checkpoint.mailbox,
            name=checkpoint.name,
            folder=checkpoint.folder,
            delta_link=checkpoint.delta_link,
            watermark=checkpoint.watermark,
            pending=list(checkpoint.pending),
            quarantine=[
                _QuarantineRow(
                    one.sync_id, one.item_id, one.change_marker, one.version, one.reason, _utc_or_none(one.at)
                )
                for one in checkpoint.quarantine
            ],
            enrolled_at=_utc_or_none(checkpoint.enrolled_at),
            succeeded_at=_utc_or_none(checkpoint.succeeded_at),
            read_whole_at=_utc_or_none(checkpoint.read_whole_at),
            duplicates={item_id: (one.sync_id, one.fingerprint) for item_id, one in checkpoint.duplicates.items()},
            newest=checkpoint.newest,
        )
    )


def decode_checkpoint(row: bytes) -> Checkpoint:
    """The checkpoint in a row."""
    read = _read(_checkpoint, row, "checkpoint")
    return Checkpoint(
        read.mailbox,
        read.name,
        folder=read.folder,
        delta_link=read.delta_link,
        watermark=read.watermark,
        pending=tuple(SyncId(one) for one in read.pending),
        quarantine=tuple(
            Quarantined(
                SyncId(one.sync_id), one.item_id, one.change_marker, one.version, one.reason, _utc_or_none(one.at)
            )
            for one in read.quarantine
        ),
        enrolled_at=_utc_or_none(read.enrolled_at),
        succeeded_at=_utc_or_none(read.succeeded_at),
        read_whole_at=_utc_or_none(read.read_whole_at),
        duplicates={item_id: Duplicate(SyncId(one[0]), one[1]) for item_id, one in read.duplicates.items()},
        newest=read.newest,
    )


def encode_run(record: RunRecord, *, with_report: bool = True) -> bytes:
    """The row of a run, with its report or as it stands in a list."""
    return _encode(
        _RunRow(
            format=FORMAT,
            run_id=record.run_id,
            started_at=_utc(record.started_at),
            finished_at=_utc_or_none(record.finished_at),
            outcome=record.outcome,
            first_version=record.first_version,
            report=dict(record.report) if with_report else {},
        )
    )


def decode_run(row: bytes) -> RunRecord:
    """The run in a row."""
    read = _read(_run, row, "run")
    times = _utc(read.started_at), _utc_or_none(read.finished_at)
    return RunRecord(read.run_id, *times, read.outcome, read.first_version, read.report)


def encode_holder(holder: Holder) -> bytes:
    """The row of a lease's holder."""
    return _encode(
        _HolderRow(
            format=FORMAT, run_id=holder.run_id, host=holder.host, process=holder.process, since=_utc(holder.since)
        )
    )


def decode_holder(row: bytes) -> Holder:
    """The holder in a row."""
    read = _read(_holder, row, "lease")
    return Holder(read.run_id, read.host, read.process, _utc(read.since))


def is_damaged(decode: Callable[[bytes], object], row: bytes) -> bool:
    """Whether a row cannot be read, and is not a newer release's."""
    try:
        decode(row)
    except StateDamagedError:
        return True
    except StateError:
        return False
    return False


def _read(decoder: msgspec.json.Decoder[_ROW], row: bytes, kind: str) -> _ROW:
    try:
        read = decoder.decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        _refuse_newer(row, kind)
        raise StateDamagedError(f"A {kind} in the state cannot be read.", hint=_HINT) from None
    if read.format != FORMAT:
        _refuse_newer(row, kind)
        raise StateDamagedError(f"A {kind} in the state has the unknown format {read.format}.", hint=_HINT)
    return read


def _refuse_newer(row: bytes, kind: str) -> None:
    try:
        number = _format.decode(row).format
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    if number > FORMAT:
        sentence = f"A {kind} in the state is of format {number}; this release reads formats up to {FORMAT}."
        raise StateError(sentence, hint=_NEWER_HINT)


def fields_json(fields: Mapping[str, FieldValue | None]) -> dict[str, object]:
    """Fields as they are kept: as Graph has them, but with an e-mail's name as it is, and a birthday as its date."""
    return {name: _value_json(value) for name, value in fields.items() if name in FIELDS}


def _value_json(value: FieldValue | None) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, PostalAddress):
        return dict(zip(ADDRESS_PARTS, value.parts, strict=True))
    if isinstance(value, frozenset):
        return sorted(value)
    return [{"address": one.address, "name": one.name} if isinstance(one, Email) else one for one in value]


def fields_of(raw: Mapping[str, object]) -> dict[str, FieldValue | None]:
    """The fields as values; one that this release does not mirror is left out."""
    return {name: kind.normalise(value) for name, value in raw.items() if (kind := FIELDS.get(name))}


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC)
