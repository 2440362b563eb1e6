"""Fixtures for all tests: databases of both kinds, and a machine without proxies."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from simulator.house import Simulator
from store import sqlite
from store.engine import Database, open_database
from tests.support.postgres import NoPostgres, PostgresServer, postgres_server

for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"):
    # Proxies apply even to 127.0.0.1 in some libraries.
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# No power is cut here, and waiting for the disk takes more time than all tests together. Our PostgreSQL does as much.
sqlite.DURABILITY = "OFF"

# TRUNCATE makes new files for a table and all its indexes: only where there is much to delete.
_EMPTIED = """
    DO $$
    DECLARE
        named text;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR named IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
            IF pg_relation_size(quote_ident(named)) > 1000000 THEN
                EXECUTE format('TRUNCATE %I CASCADE', named);
            ELSIF pg_relation_size(quote_ident(named)) > 0 THEN
                EXECUTE format('DELETE FROM %I', named);
            END IF;
        END LOOP;
        PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
    END $$
"""


REAL = ("acceptance", "faults", "poller", "systemd", "web")


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: while the tests of one worker wait for servers, those of another calculate."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs real processes and servers by the real clock may fail once on a busy machine: the summary shows it."""
    real = tuple(config.rootpath / "tests" / folder for folder in REAL)
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in real):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files in memory hold the time at which they were made: they are numbered, or workers would know other tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but this machine is asked anything: what a test forgot to fake fails at once."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        host = str(address[0]) if isinstance(address, tuple) else "localhost"
        if host not in {"localhost", "::1"} and not host.startswith("127."):
            raise AssertionError(f"a test wanted to connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


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


@pytest.fixture(scope="session")
def _new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to be copied: that takes a fifth of the time of making one."""
    path = tmp_path_factory.mktemp("store") / "new.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_database(_new_store: Path, tmp_path: Path) -> Iterator[Database]:
    """A new SQLite store."""
    path = shutil.copy2(_new_store, tmp_path / "buildwatch.db")
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres_store_url(postgres: PostgresServer) -> str:
    """The URL of one database with our tables in it, for all tests that need no other."""
    url = postgres.database_url(keep=True)
    open_database(url).close()
    return url


@pytest.fixture
def postgres_database(postgres_store_url: str) -> Iterator[Database]:
    """An empty PostgreSQL store. Emptying the tables takes a tenth of the time of a new database."""
    database = open_database(postgres_store_url, deadline=5)
    yield database
    database.close()
    with psycopg.connect(postgres_store_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(_EMPTIED)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A new store; the test runs on both kinds."""
    kind = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    store: Database = request.getfixturevalue(kind)
    return store


@pytest.fixture
def house() -> Iterator[Simulator]:
    """Simulated Jenkins, GitHub, Slack and mail servers over an empty world."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store; the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("postgres_url")
    return fresh()
