"""Run units of work on a database, whole or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine

from store import changes
from store.errors import StoreCorrupt, StoreUnavailable
from store.faults import Fault, fault_of
from store.guard import Guard

Session = Connection
"""What every store function takes first: a connection with an open transaction. They never commit."""

T = TypeVar("T")

_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_WRITER_KEY = 0x6277_7772_6974_6572  # "bwwriter"


class _Mode(Enum):
    READ = "read"
    WRITE = "write"
    REBUILD = "rebuild"


class CommitUnknown(Exception):
    """The connection broke while a transaction was being committed: only the server knows."""

    def __init__(self, transaction: str, result: Any) -> None:
        super().__init__(transaction)
        self.transaction = transaction
        self.result = result


class Database:
    """One store, used by all threads. Made by `open_database`.

    There is one writer at a time, on PostgreSQL as on SQLite: what a unit reads stays true until it commits.
    """

    def __init__(self, url: sqlalchemy.URL, engine: Engine, guard: Guard | None = None) -> None:
        self.url = url.render_as_string(hide_password=True)
        self.dialect = engine.dialect.name  # "sqlite" or "postgresql"
        self.path = Path(url.database or "") if self.dialect == "sqlite" else None
        self.engine = engine
        self._file = None if self.path is None else _inode(self.path)
        # SQLite's writers queue here instead of polling the file's lock.
        self._writer = threading.Lock()
        self._guard = guard  # on PostgreSQL
        self.damage: StoreCorrupt | None = None  # what was found to be broken; it does not pass
        self._listeners: tuple[Callable[[], None], ...] = ()

    def transact(self, unit: Callable[[Session], T], *, deadline: float = 30.0, rebuilds_tables: bool = False) -> T:
        """Run `unit` in a write transaction, commit, and return what it returned.

        What may pass (locked, deadlock, connection lost) rolls back and runs the whole unit again, for up to
        `deadline` seconds: the unit must do nothing but read and write this database. Its own exceptions roll
        back and propagate. Raises StoreUnavailable, StoreFull, StoreCorrupt or StoreError. `rebuilds_tables` lets
        a migration drop and remake tables that others refer to.
        """
        mode = _Mode.REBUILD if rebuilds_tables else _Mode.WRITE
        return self._run(unit, mode, time.monotonic() + deadline)

    def read(self, unit: Callable[[Session], T], *, deadline: float = 30.0) -> T:
        """Run `unit` on a read-only snapshot. Retries and raises like `transact`."""
        return self._run(unit, _Mode.READ, time.monotonic() + deadline)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each commit of this process that changed what people see; returns the end of it.

        It is called by the thread that wrote: it must return at once and raise nothing. See store/changes.py.
        """
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return end

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self._guard is not None:
            self._guard.close()

    def _run(self, unit: Callable[[Session], T], mode: _Mode, until: float) -> T:
        pause = _PAUSE
        while True:
            try:
                return self._attempt(unit, mode, until)
            except CommitUnknown as unknown:
                if self._was_committed(unknown.transaction, until):
                    result: T = unknown.result
                    return result
            except Exception as error:
                fault = fault_of(error, self)
                if fault is None:
                    raise
                self._give_up_or_wait(fault, error, pause, until)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _give_up_or_wait(self, fault: Fault, error: Exception, pause: float, until: float) -> None:
        if isinstance(fault.error, StoreCorrupt):
            self.damage = fault.error
        if not fault.transient or time.monotonic() + pause > until:
            raise fault.error from error
        threading.Event().wait(pause)

    def _attempt(self, unit: Callable[[Session], T], mode: _Mode, until: float) -> T:
        write = mode is not _Mode.READ
        with self._turn(until) if write else nullcontext():
            self._check_file()
            with self.engine.connect() as connection, self.guarded(connection, until):
                session = connection.execution_options(**self._options(mode))
                transaction = session.begin()
                with transaction:
                    if not write:
                        return unit(session)
                    number = self._become_writer(session)
                    changes.begin(session)
                    result = unit(session)
                    changed = changes.write(session)
                    if number is not None:
                        self._commit(transaction, number, result)  # else leaving the block commits
        if changed:
            for listener in self._listeners:
                listener()
        return result

    @contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        if self.dialect != "sqlite":
            yield  # PostgreSQL's own lock queues all processes
        elif self._writer.acquire(timeout=max(until - time.monotonic(), 0)):
            try:
                yield
            finally:
                self._writer.release()
        else:
            raise StoreUnavailable(f"{self.path}: another thread has been writing for too long")

    def _options(self, mode: _Mode) -> dict[str, Any]:
        if self.dialect == "sqlite":
            return {"buildwatch_write": mode is not _Mode.READ, "buildwatch_foreign_keys": mode is not _Mode.REBUILD}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if mode is _Mode.READ else {}

    def guarded(self, connection: Connection, until: float) -> AbstractContextManager[None]:
        """Cut the connection at `until` (monotonic) when the server has not answered by then; not on SQLite."""
        if self._guard is None:
            return nullcontext()
        return self._guard.watch(connection.connection.dbapi_connection, until)

    def _become_writer(self, session: Session) -> str | None:
        """Wait for our turn among all processes; returns the number by which the server knows the transaction."""
        if self.dialect == "sqlite":
            return None  # BEGIN IMMEDIATE has done it
        taken = "SELECT pg_current_xact_id()::text, pg_advisory_xact_lock(%s)"
        return str(session.exec_driver_sql(taken, (_WRITER_KEY,)).scalar_one())

    def _commit(self, transaction: sqlalchemy.RootTransaction, number: str, result: Any) -> None:
        try:
            transaction.commit()
        except Exception as error:
            fault = fault_of(error, self)
            if fault is not None and fault.connection_lost:
                raise CommitUnknown(number, result) from error
            raise

    def _was_committed(self, transaction: str, until: float) -> bool:
        """Ask the server what became of a transaction, so that no unit is ever done twice."""
        query = "SELECT pg_xact_status(%s::xid8)"
        while True:
            status = self._run(
                lambda session: session.exec_driver_sql(query, (transaction,)).scalar(), _Mode.READ, until
            )
            if status != "in progress":
                return bool(status == "committed")
            if time.monotonic() > until:
                raise StoreUnavailable(f"{self.url}: a commit was interrupted and its outcome is not known yet")
            threading.Event().wait(_PAUSE)

    def _check_file(self) -> None:
        """SQLite goes on writing into a deleted file without a word."""
        if self.path is not None and _inode(self.path) != self._file:
            raise StoreUnavailable(f"{self.path}: removed or replaced while in use; put it back, or restart")


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
