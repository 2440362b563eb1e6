"""What keeps a store healthy: copies, retention, room for a full disk, figures."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from store.database import Database
from store.errors import StoreCorrupt, StoreError

BALLAST_BYTES = 16 * 1024 * 1024
_CHUNK = 5_000
_QUARANTINE_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept."""

    builds: timedelta = timedelta(days=400)
    logs: timedelta = timedelta(days=30)  # log excerpts and test cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    builds: int
    logs: int
    alerts: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How much is stored."""

    url: str
    bytes: int
    pipelines: int
    builds: int
    oldest: datetime | None  # the end of the oldest finished build
    newest: datetime | None
    alerts: int
    notifications: int
    quarantined: int


def backup(database: Database, path: Path, *, replace: bool = False) -> None:
    """Copy a SQLite store while it is in use; the copy appears whole, readable by its owner only, or not at all.

    Raises StoreError for PostgreSQL (use pg_dump), or when `path` exists and `replace` is not set.
    """
    if database.path is None:
        raise StoreError(f"{database.url}: back up PostgreSQL with pg_dump")
    if path.exists() and not replace:
        raise StoreError(f"{path}: exists already")
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
        _copy(database.path, partial)
        partial.rename(path)
        _sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: the backup failed: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
        for suffix in ("-wal", "-shm", "-journal"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
        # One file that needs no log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def check_integrity(database: Database) -> None:
    """Read every page of a SQLite store. Raises StoreCorrupt with the first problem; on PostgreSQL does nothing."""
    if database.path is None:
        return
    problems = database.read(lambda session: session.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())
    if problems != "ok":
        raise StoreCorrupt(f"{database.url}: {problems}: restore it from a backup")
