"""Layers of settings: what one place says, read once, and which of several places counts.

A place is the environment, the top of a JSON, or one tenant in it. Everything wrong is gathered in `Findings`, so that
an operator sees all of it at once.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from shared.config.setting import PREFIX, Setting
from shared.config.table import DOCUMENTS, DRY_RUN, SETTINGS, TEST_USERS
from shared.config.values import BadValueError, is_unset

T = TypeVar("T")

_MISSPELT_PREFIX = "AUTOMATION_SYNCCONACTS_"
_LIKE_OURS = re.compile(r"AUTOMATION_SYNC_?CON[A-Z]*_")
_VARIABLES = {row.variable: row for row in SETTINGS if row.variable}


@dataclass(slots=True)
class Findings:
    """What is wrong, and what is worth a warning: sentences, each once."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problem(self, sentence: str) -> None:
        """The configuration cannot be used."""
        if sentence not in self.problems:
            self.problems.append(sentence)

    def warn(self, sentence: str) -> None:
        """The configuration can be used, but probably says something else than was meant."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says; `where` begins its sentences, and a row in `invalid` was there but made no sense."""

    where: str
    values: Mapping[Setting[Any], Any]
    invalid: frozenset[Setting[Any]] = frozenset()

    def says(self, row: Setting[Any]) -> bool:
        """Whether the setting was configured here, rightly or wrongly."""
        return row in self.values or row in self.invalid

    def get(self, row: Setting[T]) -> T:
        """The value here, or the default."""
        return cast("T", self.values.get(row, row.default))


def resolve(row: Setting[T], layers: Sequence[Layer]) -> T:
    """The value of the first layer that says something about the setting, or the default."""
    for layer in layers:
        if layer.says(row):
            return layer.get(row)
    return row.default


def dry_run(layers: Sequence[Layer]) -> bool:
    """Whether any layer asks for a dry run; a broken wish for one is an error of its own."""
    return any(layer.get(DRY_RUN) for layer in layers)


def read_layer(where: str, raw: Iterable[tuple[Setting[Any], str, object]], findings: Findings) -> Layer:
    """Parse the rows with the names and raw values they have in this place; blank values count as not there."""
    values: dict[Setting[Any], Any] = {}
    invalid: set[Setting[Any]] = set()
    for row, name, value in raw:
        if is_unset(value):
            continue
        try:
            values[row] = row.parse(value)
        except BadValueError as error:
            invalid.add(row)
            findings.problem(f"{where}{name} {error}.")
    return Layer(where, values, frozenset(invalid))


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like this one, in any case and with or without underscores, or "" when none is near."""
    by_squashed = {_squash(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_squash(name), by_squashed, n=1, cutoff=0.6)
    return by_squashed[found[0]] if found else ""


def _squash(name: str) -> str:
    return name.casefold().replace("_", "").removeprefix(PREFIX.casefold().replace("_", "")).removesuffix("json")


def consequence(name: str) -> str:
    """What it would mean that the setting of this name is overlooked, where that is dangerous."""
    if name in {TEST_USERS.key, TEST_USERS.variable}:
        return " Without it ALL licensed users are mirrored."
    if name in {DRY_RUN.key, DRY_RUN.variable}:
        return " Without it the run WRITES to the mailboxes."
    return ""


def shown_name(name: str) -> str:
    """An unknown name as a message may show it."""
    return f'"{name}"' if re.fullmatch(r"[\w.@-]{1,64}", name, re.ASCII) else "a key with an odd name"


def environment(environ: Mapping[str, str], findings: Findings) -> dict[str, str]:
    """Our variables under their right names, blank ones left out; a misspelt name counts, with a warning.

    The published page of the original automation writes three names with SYNCCONACTS, so every name is taken that way;
    where both spellings are set, the right one counts.
    """
    found = {name: environ[name] for name in _VARIABLES if environ.get(name, "").strip()}
    for name in environ:
        if name not in _VARIABLES and environ[name].strip():
            _take_misspelt(name, environ[name], found, findings)
    return found


def _take_misspelt(name: str, value: str, found: dict[str, str], findings: Findings) -> None:
    """Take a variable whose name is nearly one of ours, or say that it is not read."""
    upper = name.upper()
    right = upper.replace(_MISSPELT_PREFIX, PREFIX, 1) if upper.startswith(_MISSPELT_PREFIX) else upper
    if not _LIKE_OURS.match(right):
        return
    if right not in _VARIABLES:
        guess = nearest(right, _VARIABLES)
        hint = f"; did you mean {guess}?{consequence(guess)}" if guess else ""
        findings.warn(f"The variable {shown_name(name)} is not known and not read{hint}")
    elif right in found:
        findings.warn(f"{name} is misspelt and not read: {right} is set as well and counts.")
    else:
        found[right] = value
        findings.warn(f"{name} is misspelt: it is read as {right}; please rename it.")


def environment_layer(found: Mapping[str, str], findings: Findings) -> Layer:
    """The settings that the environment gives to all tenants, or to the whole run."""
    raw = [
        (row, row.variable, found.get(row.variable))
        for row in SETTINGS
        if row.variable and row not in DOCUMENTS and (row.on_top or not row.in_tenant)
    ]
    return read_layer("", raw, findings)
