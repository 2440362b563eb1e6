import sqlite3
import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from store import cursors, notes
from store.engine import Database, Session
from store.errors import StoreUnavailable
from tests.support.builders import NOON


def put(key: str) -> Callable[[Session], None]:
    return lambda session: notes.put(session, key, 1, NOON)


def keys(database: Database) -> list[str]:
    return list(database.read(notes.read))


def test_a_unit_is_committed_whole(database: Database) -> None:
    assert database.transact(lambda session: (put("a")(session), put("b")(session), "done")[-1]) == "done"
    assert keys(database) == ["a", "b"]


def test_an_exception_of_the_unit_undoes_it_and_comes_out(database: Database) -> None:
    def unit(session: Session) -> None:
        put("a")(session)
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        database.transact(unit)
    assert keys(database) == []


def test_a_mistake_of_ours_is_not_dressed_up_as_trouble_with_the_store(database: Database) -> None:
    def unit(session: Session) -> None:
        for _ in range(2):
            session.exec_driver_sql("INSERT INTO notes (key, updated_at) VALUES ('a', 0)")

    with pytest.raises(IntegrityError):
        database.transact(unit)
    with pytest.raises(Exception, match="nowhere"):
        database.transact(lambda session: session.exec_driver_sql("SELECT * FROM nowhere"))


def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"read.?only"):
        database.read(put("a"))
    database.transact(put("b"))
    assert keys(database) == ["b"]


def test_a_read_sees_one_moment(database: Database) -> None:
    def unit(session: Session) -> tuple[int, int]:
        before = len(notes.read(session))
        writer = threading.Thread(target=database.transact, args=[put("a")])
        writer.start()
        writer.join()
        return before, len(notes.read(session))

    assert database.read(unit) == (0, 0)
    assert keys(database) == ["a"]


def test_what_may_pass_runs_the_whole_unit_again(database: Database) -> None:
    runs: list[int] = []

    def unit(session: Session) -> int:
        put(f"run {len(runs)}")(session)
        runs.append(1)
        if len(runs) < 3:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise OperationalError("INSERT", {}, error)
        return len(runs)

    assert database.transact(unit) == 3
    assert keys(database) == ["run 2"]


def test_what_does_not_pass_by_the_deadline_is_reported(database: Database) -> None:
    def unit(_: Session) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    with pytest.raises(StoreUnavailable, match="locked by another program"):
        database.transact(unit, deadline=0.1)


def test_writers_take_turns(database: Database) -> None:
    """Each unit reads, then writes: two that overlap would lose a count."""

    def count(session: Session) -> None:
        found = cursors.load(session, "ci", "all").get("counter", {"value": 0})
        cursors.save(session, "ci", "all", {"counter": {"value": found["value"] + 1}})

    def many() -> None:
        for _ in range(10):
            database.transact(count)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(lambda session: cursors.load(session, "ci", "all")) == {"counter": {"value": 40}}


def test_a_thread_does_not_wait_for_another_writer_beyond_its_deadline(sqlite_database: Database) -> None:
    waiting, release = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        put("slow")(session)
        waiting.set()
        release.wait(10)

    writer = threading.Thread(target=sqlite_database.transact, args=[slow])
    writer.start()
    waiting.wait(10)
    with pytest.raises(StoreUnavailable, match="another thread"):
        sqlite_database.transact(put("late"), deadline=0.05)
    release.set()
    writer.join()
    assert keys(sqlite_database) == ["slow"]
