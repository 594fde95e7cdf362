"""stdout and stderr with manners: no name breaks them, and what becomes of their reader ends no run."""

import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO, cast

from click import ClickException

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def guard_streams() -> None:
    """Let neither a name in a script that the encoding lacks nor a lost stderr break off a run.

    A stdout whose reader has gone is silent, too; one that cannot be written for another reason is a `ClickException`.
    """
    sys.stderr = guarded(sys.stderr, _fall_silent)
    sys.stdout = guarded(sys.stdout, _complain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def guarded(stream: TextIO, on_loss: Callable[[OSError], None]) -> TextIO:
    """The stream, saying no more once it cannot be written; `on_loss` learns why, and may raise."""
    if not isinstance(stream, io.TextIOWrapper):  # there is none at all, or a test's own
        return stream
    raw = cast("io.RawIOBase", getattr(stream.buffer, "raw", stream.buffer))  # unbuffered there is nothing beneath
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(raw, on_loss)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class _Outlet(io.RawIOBase):
    """Where bytes leave the process. Down here, because rich, click, logging and the interpreter all write."""

    def __init__(self, inner: io.RawIOBase, on_loss: Callable[[OSError], None]) -> None:
        self._inner = inner
        self._on_loss = on_loss

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._inner.isatty()

    def fileno(self) -> int:
        return self._inner.fileno()

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return self._write(data)
        except OSError as error:
            _silence(self.fileno())
            self._on_loss(error)
        return memoryview(data).nbytes

    def _write(self, data: "ReadableBuffer") -> int:
        while (written := self._inner.write(data)) is None:
            select.select((), (self,), ())  # whoever shares the stream has made it one that does not wait
        return written


def _fall_silent(_error: OSError) -> None:
    """A run is not broken off because nobody watches it."""


def _complain(error: OSError) -> None:
    if not isinstance(error, BrokenPipeError):
        raise ClickException(f"The output could not be written: {error.strerror}.") from error


def _silence(descriptor: int) -> None:
    """Send the rest of a stream whose reader has gone nowhere, so that closing it at the end is no error either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
