"""The report page: whatever is in a report, the page is one file that loads nothing, runs nothing and shows it all."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.page import report_page
from shared.sync.report import MailboxOutcome, Outcome, Problem, RunReport, StepCounts, TenantReport

NOW = datetime(2026, 1, 31, 7, tzinfo=UTC)
LOADING = {"src", "href", "action", "srcset", "data", "style"}


class Reader(HTMLParser):
    """What a browser would make of the page: its tags with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    """The page as a browser sees it."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def report(*tenants: TenantReport, warnings: tuple[str, ...] = ()) -> RunReport:
    """A report of these tenants."""
    return RunReport("4f2a", NOW, NOW, dry_run=False, tenants=tenants, warnings=warnings)


@given(
    text=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)
    | st.sampled_from(["<script>alert(1)</script>", "\"onload='x'", "</style><img src=x>", "{{ report }}", "&lt;"])
)
def test_any_text_is_shown_as_text(text: str) -> None:
    """Whatever a mailbox, a message, a hint or a warning says, it is on the page to the letter and adds no tag."""
    problem = Problem(text, "NoMailbox", text, text)
    tenant = TenantReport(text, problems=(problem,))
    page = read(report_page(report(tenant, warnings=(text,)).to_json()))
    plain = read(
        report_page(
            report(TenantReport("x", problems=(Problem("x", "NoMailbox", "x", "x"),)), warnings=("x",)).to_json()
        )
    )
    assert page.text.count(text) >= 5
    assert page.tags == plain.tags


def test_the_page_loads_and_runs_nothing() -> None:
    """No script, no address of anything, and a policy that forbids both."""
    page = read(report_page(report(TenantReport("contoso.com")).to_json()))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(LOADING & attributes.keys() for _, attributes in page.tags)
    policies = [found.get("content") for tag, found in page.tags if tag == "meta" and "http-equiv" in found]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_colour(outcome: Outcome) -> None:
    """The page's style sheet knows each outcome."""
    page = report_page(report(TenantReport("contoso.com", outcome)).to_json())
    assert f".{outcome} {{ color:" in page
    assert f'<span class="outcome {outcome}">{outcome}</span>' in page


def test_numbers_and_errors_are_there() -> None:
    """Counts of both steps, mailboxes, and a failed tenant's error with its hint."""
    fine = TenantReport(
        "contoso.com", step1=StepCounts(11, 22, 33), step2=StepCounts(44, 55, 66),
        mailboxes=(MailboxOutcome.SYNCED, MailboxOutcome.SYNCED, MailboxOutcome.SKIPPED),
    )  # fmt: skip
    broken = TenantReport("fabrikam.com", Outcome.FAILED, Problem("", "HubNotFound", "No such mailbox.", "Check it."))
    text = " ".join(read(report_page(report(fine, broken).to_json())).text.split())
    assert all(f"{number}" in text for number in (11, 22, 33, 44, 55, 66))
    assert "2 of 3 mailboxes synced, 1 skipped, 0 failed" in text
    assert "No such mailbox. Check it." in text
