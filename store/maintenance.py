"""What keeps a store healthy: copies, checks, room for a full disk, figures."""

import contextlib
import errno
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Table, func, select

from store.columns import from_ms
from store.database import Database, Session
from store.errors import StoreCorrupt, StoreError
from store.schema import alerts, builds, outbox, pipelines, quarantine

BALLAST_BYTES = 16 * 1024 * 1024


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


def stats(database: Database) -> Stats:
    """Figures of the store."""
    return database.read(lambda session: _stats(session, database))


def _stats(session: Session, database: Database) -> Stats:
    def count(table: Table) -> int:
        return int(session.execute(select(func.count()).select_from(table)).scalar_one())

    ends = session.execute(select(func.min(builds.c.finished_at), func.max(builds.c.finished_at))).one()
    oldest, newest = (None if end is None else from_ms(end) for end in ends)
    return Stats(
        url=database.url,
        bytes=_size(session, database.path),
        pipelines=count(pipelines),
        builds=count(builds),
        oldest=oldest,
        newest=newest,
        alerts=count(alerts),
        notifications=count(outbox),
        quarantined=count(quarantine),
    )


def size(session: Session, database: Database) -> int:
    """Bytes that the store takes."""
    return _size(session, database.path)


def _size(session: Session, path: Path | None) -> int:
    if path is None:
        return int(session.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def keep_ballast(database: Database, size: int = BALLAST_BYTES) -> bool:
    """Keep a file beside a SQLite store that can be given up when the disk is full: deleting rows needs room too.

    Returns False when there is no room for it now.
    """
    path = _ballast(database)
    if path is None:
        return False
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreError(f"{path}: {error.strerror}") from error
        path.unlink(missing_ok=True)
        return False
    return True


def drop_ballast(database: Database) -> None:
    """Give the room back to the disk."""
    path = _ballast(database)
    if path is not None:
        path.unlink(missing_ok=True)


def _ballast(database: Database) -> Path | None:
    return None if database.path is None else database.path.with_name(f"{database.path.name}.ballast")
