"""Reports as self-contained HTML pages, made from the reports' JSON; everything in them is escaped."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def report_page(report: Mapping[str, object]) -> str:
    """The page for one run's report, or for what is known of a run that has not ended."""
    return _page("report.html.jinja", report)


def runs_page(runs: Mapping[str, object]) -> str:
    """The page for the list of the latest runs."""
    return _page("runs.html.jinja", runs)


def _page(name: str, document: Mapping[str, object]) -> str:
    return _environment().get_template(name).render(report=document)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
