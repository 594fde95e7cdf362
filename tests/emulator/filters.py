"""The part of OData's filter language that Graph takes for contacts, folders and users."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from tests.emulator.properties import property_id
from tests.emulator.replies import BadRequestError

Record = Mapping[str, Any]
Predicate = Callable[[Record], bool]
Value = Callable[[Record], Any]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<punct>[(),:])|(?P<word>[A-Za-z0-9_@$.\-+/]+))", re.ASCII
)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left is not None and right is not None and left > right,
    "ge": lambda left, right: left is not None and right is not None and left >= right,
    "lt": lambda left, right: left is not None and right is not None and left < right,
    "le": lambda left, right: left is not None and right is not None and left <= right,
}
_FUNCTIONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}
_PROPERTIES: Final = "singleValueExtendedProperties"
_LITERAL: Final = re.compile(r"-?\d+(\.\d+)?\Z|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\Z|\d{4}-\d\d-\d\dT")


@lru_cache(maxsize=512)
def parse_filter(text: str) -> Predicate:
    """What decides whether a record fits.

    Raises:
        BadRequestError: when the text is no filter that we know.
    """
    parser = _Parser(text)
    predicate = parser.either({})
    parser.finish()
    return predicate


def _refuse() -> BadRequestError:
    return BadRequestError("The query filter contains one or more invalid nodes.", "ErrorInvalidUrlQueryFilter")


class _Parser:
    """Recursive descent; `scope` maps a lambda's variable to the path that it runs through."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _refuse()
            self._tokens.append(match[0].strip())
            position = match.end()
        self._next = 0

    def _peek(self, ahead: int = 0) -> str:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token.lower() != expected):
            raise _refuse()
        self._next += 1
        return token

    def finish(self) -> None:
        """Raise if something is left over."""
        if self._peek():
            raise _refuse()

    def either(self, scope: Record) -> Predicate:
        """A chain of `or`."""
        parts = [self._both(scope)]
        while self._peek().lower() == "or":
            self._take()
            parts.append(self._both(scope))
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _both(self, scope: Record) -> Predicate:
        parts = [self._one(scope)]
        while self._peek().lower() == "and":
            self._take()
            parts.append(self._one(scope))
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _one(self, scope: Record) -> Predicate:
        token = self._peek()
        if token.lower() == "not":
            self._take()
            inner = self._one(scope)
            return lambda record: not inner(record)
        if token == "(":
            self._take()
            inner = self.either(scope)
            self._take(")")
            return inner
        if self._peek(1) == "(" and token.lower() in _FUNCTIONS:
            return self._function(scope)
        if self._peek(1) == "(" and token.lower().endswith(("/any", "/all")):
            return self._lambda(scope)
        return self._comparison(scope)

    def _function(self, scope: Record) -> Predicate:
        test = _FUNCTIONS[self._take().lower()]
        self._take("(")
        left = self._operand(scope)
        self._take(",")
        right = self._operand(scope)
        self._take(")")
        return lambda record: test(_folded(left(record)) or "", _folded(right(record)) or "")

    def _lambda(self, scope: Record) -> Predicate:
        path, _, quantifier = self._take().rpartition("/")
        decide = any if quantifier.lower() == "any" else all
        self._take("(")
        variable = self._take()
        self._take(":")
        inner = self.either({**scope, variable: path})
        self._take(")")
        source = _path(path)
        return lambda record: decide(inner({**record, variable: entry}) for entry in source(record) or ())

    def _comparison(self, scope: Record) -> Predicate:
        variable, _, member = self._peek().partition("/")
        is_property_id = member == "id" and scope.get(variable) == _PROPERTIES
        left = self._operand(scope)
        operator = self._take().lower()
        if operator == "in":
            choices = self._choices(scope)
            return lambda record: _folded(left(record)) in {_folded(choice(record)) for choice in choices}
        compare = _COMPARE.get(operator)
        if compare is None:
            raise _refuse()
        right = self._operand(scope)
        if is_property_id:
            wanted = property_id(str(right({})))
            return lambda record: compare(left(record), wanted)
        return lambda record: compare(_folded(left(record)), _folded(right(record)))

    def _choices(self, scope: Record) -> list[Value]:
        self._take("(")
        choices = [self._operand(scope)]
        while self._peek() == ",":
            self._take()
            choices.append(self._operand(scope))
        self._take(")")
        return choices

    def _operand(self, scope: Record) -> Value:
        token = self._take()
        if token.startswith("'"):
            text = token[1:-1].replace("''", "'")
            return lambda record: text
        if token.lower() in _CONSTANTS:
            constant = _CONSTANTS[token.lower()]
            return lambda record: constant
        if _LITERAL.match(token):
            literal = int(token) if token.lstrip("-").isdigit() else token
            return lambda record: literal
        if token.lower() == "cast":
            return self._cast(scope)
        if not token[0].isalpha():
            raise _refuse()
        return _path(token)

    def _cast(self, scope: Record) -> Value:
        self._take("(")
        inner = self._operand(scope)
        self._take(",")
        kind = self._take().lower()
        self._take(")")
        if kind not in {"edm.int32", "edm.int64", "edm.boolean"}:
            raise _refuse()
        return (lambda record: _number(inner(record))) if "int" in kind else lambda record: inner(record) == "true"


def _folded(value: Any) -> Any:
    """Exchange and Entra both compare strings without case."""
    return value.lower() if isinstance(value, str) else value


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _path(path: str) -> Value:
    steps = path.split("/")

    def value(record: Record) -> Any:
        found: Any = record
        for step in steps:
            if step == "$count":
                return len(found or ())
            if not isinstance(found, Mapping):
                return found if step == "" else None
            found = found.get(step)
        return found

    return value
