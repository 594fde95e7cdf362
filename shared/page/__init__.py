"""A report as one self-contained HTML page, made from the report's JSON; everything in it is escaped."""

from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined


def report_page(report: Mapping[str, object]) -> str:
    """The page for one run's report."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files(__name__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(report=report)
