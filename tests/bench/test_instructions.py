"""Counting instructions."""

import click
import pytest
from click.testing import CliRunner

from tests.bench.instructions import KINDS, count_in, main


def test_the_count_is_what_callgrind_says() -> None:
    """Among much else it says how many instructions it has seen."""
    assert count_in("==7== Events    : Ir\n==7== Collected : 3655571566\n==7==\n") == 3_655_571_566
    with pytest.raises(click.ClickException, match="did not say"):
        count_in("==7== Command: python\n")


def test_the_larger_company_has_more_contacts() -> None:
    """What lies between two sizes is counted in contacts."""
    assert [(kind.name, kind.contacts) for kind in KINDS] == [("created", 1_000), ("read", 6_000)]


def test_without_valgrind_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for a program that is missing."""
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(main)
    assert result.exit_code == 1
    assert "apt install valgrind" in result.output
