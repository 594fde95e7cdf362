"""The files hang together: what a compiler would say of names, modules and parameters, and that all is explained."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.infra.template import FOLDER, Template, names_in, templates

MAIN = templates()["main.bicep"]
PARTS = ("parameters", "variables", "resources", "modules", "outputs")
FILES = pytest.mark.parametrize("template", templates().values(), ids=lambda template: template.name)


@FILES
def test_the_parser_has_seen_every_resource(template: Template) -> None:
    """A resource within another one would vanish silently: children name their `parent`."""
    declared = re.findall(r"^ *(?:resource|module) +(\w+) ", template.text, re.MULTILINE)
    assert sorted(declared) == sorted({*template.part("resources"), *template.part("modules")})


@FILES
def test_every_name_is_declared_and_used(template: Template) -> None:
    """No name comes from nowhere, no parameter or variable is idle."""
    declared = {name for part in PARTS[:-1] for name in template.part(part)}
    used = {name for part in PARTS for value in template.part(part).values() for name in names_in(value)}
    assert used - declared == set()
    assert {*template.part("parameters"), *template.part("variables")} - used == set()


@FILES
def test_everything_that_comes_in_or_goes_out_is_described(template: Template) -> None:
    """Each parameter and output has its sentence, each file its own."""
    described = {**template.part("parameters"), **template.part("outputs")}
    bare = [name for name, one in described.items() if not _decorator(one, "description")]
    assert bare == []
    assert template.part("metadata")["description"]


def test_every_file_is_a_module_of_the_main_one() -> None:
    """No file lies about, and none is missing."""
    paths = [module["detail"]["path"] for module in MAIN.part("modules").values()]
    assert sorted(paths) == sorted(set(templates()) - {"main.bicep"})


@pytest.mark.parametrize("name", sorted(MAIN.part("modules")))
def test_modules_get_what_they_want(name: str) -> None:
    """Exactly the parameters that the module declares, those with a default excepted."""
    wanted = _module(name).part("parameters")
    given = set(MAIN.module(name)["params"])
    assert given - set(wanted) == set()
    assert {parameter for parameter, one in wanted.items() if one.get("default") is None} - given == set()


def test_what_is_asked_of_a_module_is_among_its_outputs() -> None:
    """`module.outputs.name` is there."""
    asked = re.findall(r"\b(\w+)!?\.outputs\.(\w+)", MAIN.text)
    assert asked
    assert [(name, output) for name, output in asked if output not in _module(name).part("outputs")] == []


def test_defaults_are_within_their_limits() -> None:
    """A default is one of the allowed values, and between the least and the greatest."""
    for name, parameter in MAIN.part("parameters").items():
        default, allowed = parameter.get("default"), _decorator(parameter, "allowed")
        assert not allowed or default in allowed, name
        least, greatest = _decorator(parameter, "minValue"), _decorator(parameter, "maxValue")
        assert least is None or default >= least, name
        assert greatest is None or default <= greatest, name


def test_nothing_secret_comes_in_or_goes_out() -> None:
    """Deployments are kept with their parameters and outputs, for anybody who may read the resource group."""
    secret = re.compile(r"secret(?!name)|password|key(?!_?vault)|connection|token|sas\b", re.IGNORECASE)
    for template in templates().values():
        for name in (*template.part("parameters"), *template.part("outputs")):
            assert not secret.search(name), f"{template.name}: {name}"
        values = [output["value"] for output in template.part("outputs").values()]
        assert not [word for word in _texts(values) if secret.search(word)]
        assert not re.search(r"\blist(Keys|AccountSas|ServiceSas|Secrets)?\(|getSecret|AccountKey=", template.text)


def test_lines_fit_on_a_screen() -> None:
    """As in the code: 140 characters at most, descriptions included."""
    assert [
        path.name for path in FOLDER.rglob("*.*") if max(map(len, path.read_text("utf-8").splitlines())) > 140
    ] == []


def _module(name: str) -> Template:
    return templates()[MAIN.part("modules")[name]["detail"]["path"]]


def _decorator(declared: Any, kind: str) -> Any:
    return next((one["argument"] for one in declared["decorators"] if one["type"] in {kind, _snake(kind)}), None)


def _snake(word: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), word)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _texts(one)
