"""Ports in memory, for tests that need thousands of runs."""
