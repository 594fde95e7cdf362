"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE: dev (default), ci (many examples), deterministic (no chance)."""

import os

from hypothesis import HealthCheck, settings

# A loaded machine is slow, and a slow machine is no defect of the code: no deadline in any profile.
settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile("ci", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deterministic", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
