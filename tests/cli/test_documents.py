"""What README.md and the runbook show is what the command line does."""

import json
import re

from shared import config
from shared.sync.report import Problem, TenantReport
from tests.cli.terminal import PREFIX, ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+(?= requests)")


def test_the_demo_in_the_readme_is_the_demo() -> None:
    """Every line that README.md shows of the demo is one that it prints, apart from ids and counts of requests."""
    match = re.search(r"\$ python -m shared demo\n(.*?)```", README, re.DOTALL)
    assert match
    shown = [NUMBER.sub("id", line) for line in match.group(1).splitlines() if line != "..."]
    printed = [NUMBER.sub("id", line) for line in run({}, "demo").out.splitlines()]
    assert [line for line in shown if line not in printed] == []


def test_the_configuration_in_the_readme_is_one() -> None:
    """Copied as it stands, it is understood without a warning."""
    match = re.search(rf"export {PREFIX}CONFIG_JSON='(.*?)'", README, re.DOTALL)
    assert match
    settings = config.load({f"{PREFIX}CONFIG_JSON": match.group(1)})
    assert (len(settings.tenants), len(settings.tenants[0].test_users), settings.warnings) == (1, 2, ())


def test_the_runbook_explains_every_field_of_the_report() -> None:
    """No field of the JSON report is left out."""
    tenant = TenantReport("x", error=Problem("", "SignIn", "m", "h"), operations=())
    fields = {*re.findall(r'"(\w+)":', json.dumps(tenant.to_json()))}
    assert {field for field in fields if f'`"{field}"`' not in RUNBOOK} == set()


def test_the_runbook_names_every_exit_code() -> None:
    """Those of `--help` and those of the runbook are the same."""
    codes = re.findall(r"^    (\d+) ", run({}, "--help").out, re.MULTILINE)
    explained = re.findall(r"^\| (\d+) \|", RUNBOOK, re.MULTILINE)
    assert [code for code in explained if int(code) < 200] == codes  # from 200 on they are HTTP's
