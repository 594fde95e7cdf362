"""The queue message that stands for a run."""

import msgspec

from shared.engine.options import RunOptions


def write_message(options: RunOptions) -> str:
    """The message that stands for a run."""
    return msgspec.json.encode(options).decode()


def read_message(raw: bytes) -> RunOptions | None:
    """The run that a message stands for; None for a message that is not one of ours."""
    try:
        options = msgspec.json.decode(raw, type=RunOptions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return options if options.run_id else None
