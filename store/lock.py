"""Only one daemon works on a store: whoever holds the lock. No clocks, no leases: the lock dies with its holder."""

import contextlib
import fcntl
import os
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from typing_extensions import override

from store.database import Database
from store.errors import StoreError
from store.faults import fault_of

_PATIENCE = 5.0  # seconds for the server to say that our connection lives
_DAEMON_KEY = 0x6275_696C_6477_6174  # "buildwat": the advisory lock of daemons
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s AND l.objid = %s "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class LockHeld(StoreError):
    """Another process works on this store. `holder` names its pid and host."""

    def __init__(self, holder: str, where: str) -> None:
        super().__init__(f"{where} is in use by {holder}")
        self.holder = holder


class StoreLock(ABC):
    """A lock that is held. A context manager that releases it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    @abstractmethod
    def still_held(self) -> bool:
        """Whether it is ours still: a PostgreSQL connection may have died, and the lock with it."""

    @abstractmethod
    def release(self) -> None:
        """Let another process have it. Safe to call twice."""


def hold(database: Database, *, owner: str) -> StoreLock:
    """Take the lock, or raise LockHeld at once. `owner` says who we are, for whoever comes second."""
    us = f"pid {os.getpid()} on {socket.gethostname()} ({owner})"
    return _FileLock(database.path, us) if database.path is not None else _SessionLock(database, us)


def holder(database: Database) -> str | None:
    """Who holds the lock now, as `hold` would name them; None when nobody does."""
    if database.path is None:
        return database.read(_session_holder)
    path = database.path.with_name(database.path.name + ".lock")
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared and for an instant: what holds the lock excludes it.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, 500, 0).decode(errors="replace").strip() or "another process"
    finally:
        os.close(file)
    return None


def _session_holder(session: Connection) -> str | None:
    held = session.exec_driver_sql(_HOLDER, (_DAEMON_KEY >> 32, _DAEMON_KEY & 0xFFFF_FFFF)).first()
    return None if held is None else str(held[0] or "another process")


class _FileLock(StoreLock):
    """flock on a file beside the database. The file stays: removing it would let two processes lock two files."""

    def __init__(self, database: Path, us: str) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}, as user {os.geteuid()}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 500, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise LockHeld(holder or "another process", str(database)) from None
        self._path = path
        os.ftruncate(self._file, os.pwrite(self._file, us.encode(), 0))

    @override
    def still_held(self) -> bool:
        if self._file < 0:
            return False
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False  # removed: the next process would lock a file of its own

    @override
    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class _SessionLock(StoreLock):
    """An advisory lock on a connection of its own, whose application_name tells others who holds it."""

    def __init__(self, database: Database, us: str) -> None:
        self._database = database
        self._connection: Connection | None = None
        try:
            self._connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # The connection stays ours for good: the pool must neither lend nor recycle it.
            self._connection.detach()
            self._driver: Any = self._connection.connection.dbapi_connection
            self._take(self._connection, us, database.url)
        except DBAPIError as error:
            self.release()
            fault = fault_of(error, database)
            raise (fault.error if fault else error) from error
        except LockHeld:
            self.release()
            raise

    @staticmethod
    def _take(connection: Connection, us: str, url: str) -> None:
        connection.exec_driver_sql("SELECT set_config('application_name', %s, false)", (us[:63],))
        if connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (_DAEMON_KEY,)).scalar_one():
            return
        holder = connection.exec_driver_sql(_HOLDER, (_DAEMON_KEY >> 32, _DAEMON_KEY & 0xFFFF_FFFF)).scalar()
        raise LockHeld(str(holder or "another process"), url)

    @override
    def still_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            with self._database.guarded(self._connection, time.monotonic() + _PATIENCE):
                self._connection.exec_driver_sql("SELECT 1")
        except DBAPIError:
            self.release()
            return False
        return True

    @override
    def release(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(DBAPIError):
                self._connection.close()
            self._connection = None
            self._driver.close()  # SQLAlchemy leaves a broken connection open when the pool does not own it
