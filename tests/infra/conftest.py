"""A workspace for each test."""

from collections.abc import Iterator

import duckdb
import duckdb_kql
import pytest

from tests.infra.workspace import Workspace


@pytest.fixture(scope="session")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for all: to open it takes longer than a query."""
    with duckdb_kql.connect() as connection:
        yield connection


@pytest.fixture
def workspace(database: duckdb.DuckDBPyConnection) -> Workspace:
    """An empty workspace."""
    return Workspace(database)
