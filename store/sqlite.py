"""SQLite as we want it: one file, a write-ahead log, no surprises from the driver."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event

from store.errors import StoreError

_BUSY_TIMEOUT = 10.0  # seconds that SQLite waits for another program's write before the unit is begun again
DURABILITY = "FULL"  # an alert that is committed survives a power cut
_OLDEST = (3, 38, 0)  # RETURNING, and JSON in every build


def absolute_path(url: sqlalchemy.URL) -> Path:
    """Where the file is, whatever later changes of directory. Raises StoreError for a store in memory."""
    if not url.database or url.database == ":memory:":
        raise StoreError(f"{url}: a store has to outlive the process: use sqlite:///path/to/buildwatch.db")
    return Path(url.database).absolute()


def make_file(path: Path) -> None:
    """Make an empty database that only its owner can read; nothing when there is one. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"{error.filename or path}: {error.strerror}: user {os.geteuid()} must be able to write it"
        ) from error


def sqlite_engine(url: sqlalchemy.URL) -> Engine:
    """An engine whose transactions are BEGIN IMMEDIATE, or read-only where the connection's options say so."""
    if sqlite3.sqlite_version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise StoreError(f"this Python has SQLite {sqlite3.sqlite_version}: {oldest} is needed, or use PostgreSQL")
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT, "check_same_thread": False})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, record: Any) -> None:
    del record
    connection.isolation_level = None  # the driver must not begin or commit by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute(f"PRAGMA synchronous = {DURABILITY}")
    cursor.execute("PRAGMA analysis_limit = 400")  # ANALYZE looks at samples
    cursor.execute("PRAGMA journal_size_limit = 67108864")  # a huge transaction does not leave a huge log
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("buildwatch_write", True):
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        checked = "ON" if options.get("buildwatch_foreign_keys", True) else "OFF"  # OFF while tables are rebuilt
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {checked}")
        # IMMEDIATE: a transaction that first reads and then writes would fail at once, whatever the timeout.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
