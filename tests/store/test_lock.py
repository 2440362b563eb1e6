import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from store.engine import Database, open_database
from store.errors import StoreError
from store.lock import LockHeld, hold, holder

HOLDER = """
import sys, time
sys.path.insert(0, {root!r})
from store.engine import open_database
from store.lock import hold
database = open_database({url!r})
lock = hold(database, owner="first")
print("held", flush=True)
time.sleep(60)
"""
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def url(database: Database, request: pytest.FixtureRequest) -> str:
    if database.path is not None:
        return f"sqlite:///{database.path}"
    found: str = request.getfixturevalue("postgres_store_url")
    return found


def test_the_second_holder_is_refused_and_told_who_the_first_is(database: Database) -> None:
    with hold(database, owner="buildwatch run") as lock:
        assert lock.still_held()
        with pytest.raises(LockHeld) as caught:
            hold(database, owner="second")
        assert f"pid {os.getpid()} on " in caught.value.holder
        assert "buildwatch run" in caught.value.holder
        assert caught.value.holder in str(caught.value)
    assert not lock.still_held()


def test_a_released_lock_can_be_taken(database: Database) -> None:
    lock = hold(database, owner="first")
    lock.release()
    lock.release()
    hold(database, owner="second").release()


def test_the_lock_dies_with_its_holder(database: Database, url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER.format(root=ROOT, url=url)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LockHeld, match=rf"pid {holder.pid} on .* \(first\)"):
        hold(database, owner="second")
    holder.kill()
    holder.communicate()
    for _ in range(100):
        try:
            hold(database, owner="second").release()
        except LockHeld:
            continue  # PostgreSQL needs a moment to notice
        break
    else:
        pytest.fail("the lock outlived its holder")


def test_a_lock_is_lost_with_its_connection(postgres_database: Database) -> None:
    lock = hold(postgres_database, owner="first")
    postgres_database.transact(
        lambda session: session.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        ).all()
    )
    assert not lock.still_held()
    assert not lock.still_held()
    hold(postgres_database, owner="second").release()


def test_two_stores_on_one_server_do_not_share_a_lock(
    postgres_database: Database, postgres_url: Callable[[], str]
) -> None:
    other = open_database(postgres_url())
    with hold(postgres_database, owner="first"), hold(other, owner="second"):
        pass
    other.close()


def test_a_lock_file_that_cannot_be_made_is_named(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    sqlite_database.path.with_name("buildwatch.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"buildwatch\.db\.lock: Is a directory"):
        hold(sqlite_database, owner="first")


def test_others_can_see_who_holds_the_lock(database: Database, url: str) -> None:
    assert holder(database) is None
    with hold(database, owner="buildwatch run"):
        watching = open_database(url, create=False)
        assert f"pid {os.getpid()} on " in (holder(watching) or "")
        watching.close()
    assert holder(database) is None
    hold(database, owner="looking does not take it").release()


def test_a_lock_whose_file_was_removed_is_lost(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    file = sqlite_database.path.with_name("buildwatch.db.lock")
    with hold(sqlite_database, owner="first") as lock:
        file.unlink()
        assert not lock.still_held()
        with hold(sqlite_database, owner="second"):
            assert not lock.still_held()
