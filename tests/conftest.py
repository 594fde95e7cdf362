"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE.

dev (default), ci (many examples, the same each time), nightly (as many, and other ones), deterministic (few, the same).
"""

import os

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine is slow, and a slow machine is no defect of the code: no deadline in any profile.
settings.register_profile("dev", max_examples=100, deadline=None)
# A merge does not wait for what chance finds in somebody else's rule: that is the nightly run's to tell.
many = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("ci", many, derandomize=True, database=None)
settings.register_profile("nightly", many)
settings.register_profile("deterministic", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the state machines, each of which takes a core for minutes."""
    items.sort(key=lambda item: item.name != "runTest")
