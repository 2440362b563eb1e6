"""Real faults: a restarted server, a killed or frozen backend, locks of another session."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from store import notes
from store.engine import Database, Session, open_database
from store.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from store.faults import fault_of
from store.lock import hold
from tests.support.builders import NOON
from tests.support.postgres import PostgresProcess, PostgresServer


def put(key: str) -> Callable[[Session], None]:
    return lambda session: notes.put(session, key, 1, NOON)


@pytest.fixture
def psql(postgres_store_url: str, postgres_database: Database) -> Iterator[psycopg.Connection]:
    """Somebody else's session."""
    del postgres_database  # empties the tables after us
    connection = psycopg.connect(postgres_store_url.replace("+psycopg", ""))
    yield connection
    connection.close()


@pytest.fixture
def process(postgres: PostgresServer) -> PostgresProcess:
    """The server's process, to be stopped and started again from the main thread: it dies with its starter."""
    if postgres.process is None:
        pytest.skip("somebody else's server must not be stopped")
    return postgres.process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_restarts_is_waited_for(
    process: PostgresProcess, postgres_database: Database, how: signal.Signals
) -> None:
    postgres_database.transact(put("before"))
    process.stop(how)
    writer = threading.Thread(target=postgres_database.transact, args=[put("after")])
    writer.start()
    process.start()
    writer.join()
    assert postgres_database.read(notes.read).keys() == {"before", "after"}


def test_a_server_that_stays_down_is_unavailable(process: PostgresProcess, postgres_database: Database) -> None:
    process.stop()
    try:
        with pytest.raises(StoreUnavailable):
            postgres_database.transact(put("a"), deadline=0.3)
    finally:
        process.start()


def test_a_killed_backend_makes_the_unit_run_again(postgres_database: Database, psql: psycopg.Connection) -> None:
    runs: list[int] = []

    def unit(session: Session) -> None:
        put(f"run {len(runs)}")(session)
        runs.append(session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        if len(runs) == 1:
            psql.execute("SELECT pg_terminate_backend(%s, 5000)", (runs[0],))
            psql.rollback()

    postgres_database.transact(unit)
    assert list(postgres_database.read(notes.read)) == ["run 1"]


def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    def unit(session: Session) -> int:
        runs.append(1)
        put(f"run {len(runs)}")(session)
        return len(runs)

    commit = psycopg.Connection.commit

    def commit_and_lose_the_answer(connection: psycopg.Connection) -> None:
        commit(connection)
        monkeypatch.setattr(psycopg.Connection, "commit", commit)
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit_and_lose_the_answer)
    assert postgres_database.transact(unit) == 1
    assert list(postgres_database.read(notes.read)) == ["run 1"]


def test_a_commit_that_was_lost_is_done_again(postgres_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def unit(session: Session) -> None:
        runs.append(1)
        put(f"run {len(runs)}")(session)

    commit = psycopg.Connection.commit

    def lose_the_question(connection: psycopg.Connection) -> None:
        monkeypatch.setattr(psycopg.Connection, "commit", commit)
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", lose_the_question)
    postgres_database.transact(unit)
    assert list(postgres_database.read(notes.read)) == ["run 2"]


def test_a_lock_of_another_session_is_waited_for_and_tried_again(
    postgres_database: Database, psql: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_database.transact(put("a"))
    monkeypatch.setitem(_settings(), "lock_timeout", "100ms")
    impatient = open_database(postgres_database.engine.url.render_as_string(hide_password=False))
    psql.execute("SELECT * FROM notes FOR UPDATE")
    with pytest.raises(StoreUnavailable, match="locked by another session"):
        impatient.transact(put("a"), deadline=0.3)
    release = threading.Timer(0.3, psql.rollback)
    release.start()
    impatient.transact(put("a"))
    release.join()
    impatient.close()


def test_a_frozen_server_does_not_hold_a_thread_beyond_its_deadline(
    process: PostgresProcess, postgres_database: Database
) -> None:
    frozen: list[int] = []

    def freezing(session: Session) -> None:
        frozen.extend(process.backend_pids())
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        put("a")(session)

    began = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable):
            postgres_database.transact(freezing, deadline=0.5)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert frozen
    assert time.monotonic() - began < 10
    postgres_database.transact(put("b"))
    assert list(postgres_database.read(notes.read)) == ["b"]


def test_a_connection_that_froze_in_the_pool_is_replaced(
    process: PostgresProcess, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.postgres._PING_TIMEOUT", 0.2)
    postgres_database.transact(put("a"))
    frozen = process.backend_pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert postgres_database.read(notes.read).keys() == {"a"}
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_a_lock_whose_connection_froze_counts_as_lost(
    process: PostgresProcess, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.lock._PATIENCE", 0.2)
    lock = hold(postgres_database, owner="first")
    frozen = process.backend_pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert not lock.still_held()
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def _settings() -> dict[str, str]:
    from store import postgres  # noqa: PLC0415  (only this test changes it)

    return postgres._SETTINGS


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.DiskFull("no space"), StoreFull),
        (psycopg.errors.DataCorrupted("bad page"), StoreCorrupt),
        (psycopg.errors.IndexCorrupted("bad index"), StoreCorrupt),
        (psycopg.errors.ReadOnlySqlTransaction("standby"), StoreError),
        (psycopg.errors.InsufficientPrivilege("denied"), StoreError),
        (psycopg.errors.DeadlockDetected("deadlock"), StoreUnavailable),
        (psycopg.errors.SerializationFailure("conflict"), StoreUnavailable),
        (psycopg.errors.QueryCanceled("timeout"), StoreUnavailable),
        (psycopg.errors.TooManyConnections("busy"), StoreUnavailable),
        (psycopg.errors.AdminShutdown("restart"), StoreUnavailable),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_of_the_server_are_sorted(
    error: psycopg.Error, expected: type[StoreError], postgres_database: Database
) -> None:
    fault = fault_of(error, postgres_database)
    assert fault is not None
    assert type(fault.error) is expected
    assert fault.transient is (expected is StoreUnavailable)
