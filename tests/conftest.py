"""Fixtures for all tests: databases of both kinds, and a machine without proxies."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.postgres import NoPostgres, PostgresServer, postgres_server

for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"):
    # Proxies apply even to 127.0.0.1 in some libraries.
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole run."""
    try:
        with postgres_server() as server:
            yield server
    except NoPostgres as error:
        if os.environ.get("CI"):
            pytest.fail(f"PostgreSQL is required in CI: {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[Callable[[], str]]:
    """A function that returns the URL of a fresh, empty PostgreSQL database at each call."""
    yield postgres.database_url
    postgres.drop_databases()
