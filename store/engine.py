"""Open a database and run units of work on it, whole or not at all."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from store import schema
from store.errors import StoreError, StoreUnavailable
from store.faults import Fault, fault_of

Session = Connection
"""What every store function takes first: a connection with an open transaction. They never commit."""

T = TypeVar("T")

_BUSY_TIMEOUT = 10.0  # seconds that SQLite waits for another writer before we begin the unit again
_PAUSE = 0.05


class Database:
    """One store, used by all threads. Made by `open_database`."""

    def __init__(self, url: sqlalchemy.URL, engine: Engine) -> None:
        self.url = url.render_as_string(hide_password=True)
        self.dialect = engine.dialect.name  # "sqlite" or "postgresql"
        self.path = Path(url.database or "") if self.dialect == "sqlite" else None
        self.engine = engine
        # SQLite has one writer: threads queue here, first come first served, instead of polling the file's lock.
        self._writer = threading.Lock()

    def transact(self, unit: Callable[[Session], T], *, deadline: float = 30.0) -> T:
        """Run `unit` in a write transaction, commit, and return what it returned.

        What may pass (locked, deadlock, connection lost) rolls back and runs the whole unit again, for up to
        `deadline` seconds: the unit must do nothing but read and write this database. Its own exceptions roll
        back and propagate. Raises StoreUnavailable, StoreFull, StoreCorrupt or StoreError.
        """
        return self._run(unit, write=True, until=time.monotonic() + deadline)

    def read(self, unit: Callable[[Session], T], *, deadline: float = 30.0) -> T:
        """Run `unit` on a read-only snapshot. Retries and raises like `transact`."""
        return self._run(unit, write=False, until=time.monotonic() + deadline)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _run(self, unit: Callable[[Session], T], *, write: bool, until: float) -> T:
        pause = _PAUSE
        while True:
            try:
                return self._attempt(unit, write=write, until=until)
            except DBAPIError as error:
                fault = fault_of(error, self)
                if not fault.transient or time.monotonic() + pause > until:
                    raise fault.error from error
            threading.Event().wait(pause)
            pause = min(pause * 2, 1.0)

    def _attempt(self, unit: Callable[[Session], T], *, write: bool, until: float) -> T:
        queued = write and self.dialect == "sqlite"
        if queued and not self._writer.acquire(timeout=max(until - time.monotonic(), 0)):
            raise StoreUnavailable(f"{self.path}: another thread has been writing for too long")
        try:
            with self.engine.connect() as connection:
                session = connection.execution_options(buildwatch_write=write)
                with session.begin():
                    return unit(session)
        finally:
            if queued:
                self._writer.release()


def open_database(url: str, *, create: bool = True) -> Database:
    """Open the store, make its tables when it is new, upgrade them when they are old.

    `url` is `sqlite:///path` or `postgresql+psycopg://...`. With `create=False` nothing is made or upgraded and a
    missing store is a StoreError.
    """
    parsed = sqlalchemy.make_url(url)
    database = _open_sqlite(parsed, create=create)
    try:
        database.transact(_prepare)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(session: Session) -> None:
    inspector = sqlalchemy.inspect(session)
    if not inspector.has_table("alembic_version"):
        schema.metadata.create_all(session)
        session.execute(schema.alembic_version.insert().values(version_num=schema.HEAD))


def _open_sqlite(url: sqlalchemy.URL, *, create: bool) -> Database:
    path = Path(url.database or "")
    if not path.exists():
        if not create:
            raise StoreError(f"{path}: there is no store; `buildwatch run` makes it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}, as user {os.getuid()}") from error
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT, "check_same_thread": False})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(url, engine)


def _configure_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    del record
    connection.isolation_level = None  # the driver must not begin or commit by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an alert that is committed survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that first reads and then writes would fail at once, whatever the timeout.
    write = connection.get_execution_options().get("buildwatch_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


__all__ = ["Database", "Fault", "Session", "open_database"]
