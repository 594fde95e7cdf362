"""The Bicep files as values: parsed by pycep, with what the parser would lose told apart from what is not there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser
from pycep.models import BicepElement

from tests.test_architecture import ROOT

FOLDER = ROOT / "infra"

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template; `body` is what is declared for it, a loop's or a condition's taken off."""

    file: str
    symbol: str
    type: str
    api_version: str
    is_existing: bool
    body: Body

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.file}: {self.symbol}"

    @property
    def properties(self) -> Any:
        """Its `properties`, {} without any."""
        return self.body.get("properties", {})


@dataclass(frozen=True, slots=True)
class Template:
    """One Bicep file."""

    name: str
    text: str
    tree: Mapping[str, Any]

    def part(self, name: str) -> Mapping[str, Any]:
        """Its parameters, variables, resources, modules or outputs, by name."""
        found = self.tree.get(name, {})
        assert isinstance(found, dict)
        return found

    @property
    def resources(self) -> list[Resource]:
        """All resources, the existing ones that are only looked up included."""
        return [
            Resource(
                self.name,
                symbol,
                one["type"],
                one["api_version"],
                bool(one["existing"]),
                plain(taken_off(one["config"])),
            )
            for symbol, one in self.part("resources").items()
        ]

    def module(self, name: str) -> Body:
        """What is declared for a module."""
        body = plain(taken_off(self.part("modules")[name]["config"]))
        assert isinstance(body, dict)
        return body

    def variable(self, name: str) -> Any:
        """A variable's value."""
        return plain(self.part("variables")[name]["value"])


@cache
def templates() -> dict[str, Template]:
    """All of them by file name."""
    return {path.name: _template(path) for path in sorted(FOLDER.glob("*.bicep"))}


def _template(path: Path) -> Template:
    text = path.read_text(encoding="utf-8")
    return Template(path.name, text, BicepParser().parse(text=text))


def made() -> list[Resource]:
    """Every resource that the templates make."""
    return [one for template in templates().values() for one in template.resources if not one.is_existing]


def of_type(name: str) -> list[Resource]:
    """The resources of a type that the templates make; there is one at least."""
    found = [one for one in made() if one.type == name]
    assert found, f"no {name}"
    return found


def taken_off(value: Any) -> Any:
    """What a loop or a condition is about: `[for x in y: body]` and `if (c) body` are their body."""
    while isinstance(value, dict) and "config" in value and ("loop_type" in value or "condition" in value):
        value = value["config"]
    return value


def plain(value: Any) -> Any:
    """The value with keys as Bicep means them: a quoted key is the key without quotes."""
    if isinstance(value, dict):
        return {key.strip("'"): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def is_name(value: Any) -> bool:
    """Whether it is the name of a parameter, variable, resource or module rather than a text."""
    return isinstance(value, BicepElement)


def is_expression(value: Any) -> bool:
    """Whether only a deployment could tell the value: a name, a call, an operator, a text with names in it."""
    if isinstance(value, str):
        return is_name(value) or "${" in value
    if isinstance(value, dict) and len(value) == 1:
        kind, inner = next(iter(value.items()))
        return kind in {"function", "operator"} and isinstance(inner, dict) and "type" in inner
    return value is None


def choices(value: Any) -> list[Any]:
    """The values that it may have: both of a `condition ? this : that`, itself otherwise."""
    if is_expression(value) and isinstance(value, dict) and "operator" in value:
        operator = value["operator"]
        if operator["type"] == "conditional":
            operands = operator["operands"]
            return [*choices(operands["true_value"]), *choices(operands["false_value"])]
    return [value]


def names_in(value: Any, bound: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every name that a value refers to, except those that a loop around it binds."""
    if is_name(value):
        yield from {str(value)} - bound
    elif isinstance(value, str):
        yield from _interpolated(value) - bound
    elif isinstance(value, list):
        for one in value:
            yield from names_in(one, bound)
    elif isinstance(value, dict):
        yield from _names_in_object(value, bound)


def _interpolated(text: str) -> set[str]:
    """The names within `${…}`: neither functions, nor properties of something, nor texts."""
    inside = " ".join(re.findall(r"\$\{([^}]*)\}", text))
    return set(re.findall(r"(?<![.\w])[A-Za-z_]\w*(?![\w(])", re.sub(r"'[^']*'", "", inside)))


def _names_in_object(value: Body, bound: frozenset[str]) -> Iterator[str]:
    operator = value.get("operator")
    if isinstance(operator, dict) and operator.get("type") == "property_accessor":
        yield from names_in(operator["operands"]["operand_1"], bound)
        return
    loop = value.get("loop_type")
    if isinstance(loop, dict):
        detail = loop["detail"]
        yield from names_in(detail["array_name"], bound)
        bound |= {str(name) for key, name in detail.items() if key != "array_name"}
    for key, one in value.items():
        if key == "loop_type":
            continue
        yield from names_in(key, bound)
        yield from names_in(one, bound)


def loaded(value: Any) -> str:
    """The file that `loadTextContent` reads, relative to the templates."""
    path = value["function"]["parameters"]["file_path"]
    assert isinstance(path, str)
    return path
