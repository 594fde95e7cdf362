"""Consoles with manners: no contact's name can drive the terminal."""

import os
import sys
import unicodedata
from contextlib import suppress
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_LOUD: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
"""Needed to spell names in several scripts; of all format characters these alone stay."""


def plain(text: str) -> str:
    """The text on one line and without control characters, which a terminal or a pipeline's log would obey.

    Escape sequences, line breaks and marks that turn the direction of writing become U+FFFD.
    """
    return "".join("\ufffd" if unicodedata.category(one) in _LOUD and one not in _JOINERS else one for one in text)


def open_console(*, stderr: bool = False) -> "Console":
    """A console on stdout or stderr: colours on a terminal only, none with NO_COLOR."""
    from rich.console import Console

    is_terminal = is_a_terminal(stderr=stderr)
    return Console(stderr=stderr, force_terminal=is_terminal, no_color=None if is_terminal else True, highlight=False)


def is_a_terminal(*, stderr: bool) -> bool:
    """Whether a person looks on; pipelines that ask for colours all the same still get plain lines."""
    stream = sys.stderr if stderr else sys.stdout
    with suppress(AttributeError, ValueError, UnsupportedOperation):
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    return False
