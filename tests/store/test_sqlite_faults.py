"""Real faults: a second program, a full disk, noise in the file, a file that goes away."""

import contextlib
import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store import builds, notes
from store.engine import Database, Session, open_database
from store.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from store.maintenance import check_integrity, drop_ballast, keep_ballast
from store.retention import Keep, prune
from tests.support.builders import NOON, build
from tests.support.builders import builds as series

_MNT_DETACH = 2


def put(key: str, value: object = 1) -> Callable[[Session], None]:
    return lambda session: notes.put(session, key, value, NOON)


def upsert(*some: builds.Build) -> Callable[[Session], list[builds.Change]]:
    return lambda session: builds.upsert(session, some, lambda _: None, NOON)


@pytest.fixture
def other_program(sqlite_database: Database) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(str(sqlite_database.path), isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=2m") != 0:
        pytest.skip(f"cannot mount a small disk: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(str(folder).encode(), _MNT_DETACH)


def test_another_programs_write_is_waited_for(sqlite_database: Database, other_program: sqlite3.Connection) -> None:
    other_program.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other_program.execute, ["COMMIT"])
    release.start()
    sqlite_database.transact(put("a"))
    release.join()
    assert sqlite_database.read(notes.read).keys() == {"a"}


def test_a_program_that_never_ends_its_write_is_reported_and_reads_go_on(
    sqlite_database: Database, other_program: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.sqlite._BUSY_TIMEOUT", 0.05)
    impatient = open_database(f"sqlite:///{sqlite_database.path}")
    other_program.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        impatient.transact(put("a"), deadline=0.3)
    assert impatient.read(notes.read) == {}
    other_program.execute("ROLLBACK")
    impatient.transact(put("a"))
    impatient.close()


def test_a_read_before_a_write_does_not_fail_when_another_program_writes_in_between(
    sqlite_database: Database, other_program: sqlite3.Connection
) -> None:
    """With a deferred BEGIN this is SQLITE_BUSY_SNAPSHOT at once, whatever the timeout."""

    def unit(session: Session) -> None:
        notes.read(session)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other_program.execute("INSERT INTO notes (key, updated_at) VALUES ('other', 0)")
        notes.put(session, "ours", 1, NOON)

    other_program.execute("PRAGMA busy_timeout = 0")
    sqlite_database.transact(unit)
    assert sqlite_database.read(notes.read).keys() == {"ours"}


def test_a_full_disk_undoes_the_unit_and_leaves_reads_working(small_disk: Path) -> None:
    database = open_database(f"sqlite:///{small_disk / 'store.db'}")
    database.transact(put("before"))
    with pytest.raises(StoreFull, match="the disk is full: free some space"):
        database.transact(put("huge", "x" * 3_000_000))
    assert database.read(notes.read).keys() == {"before"}
    database.transact(put("after"))
    check_integrity(database)
    database.close()


def test_pruning_works_on_a_full_disk_because_of_the_ballast(small_disk: Path) -> None:
    database = open_database(f"sqlite:///{small_disk / 'store.db'}")
    some = [build(number, log_excerpt="x" * 2_000) for number in range(1, 101)]
    database.transact(upsert(*some))
    assert keep_ballast(database, 1_200_000)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(StoreFull):
        database.transact(put("more", "x" * 50_000))
    pruned = prune(database, Keep(), NOON.replace(year=NOON.year + 5))
    assert (pruned.builds, pruned.logs) == (100, 100)
    database.close()


def test_a_ballast_without_room_is_not_kept(small_disk: Path) -> None:
    database = open_database(f"sqlite:///{small_disk / 'store.db'}")
    assert keep_ballast(database, 400_000)
    assert not keep_ballast(database, 4_000_000)
    assert list(small_disk.glob("*.ballast")) == []
    drop_ballast(database)
    database.close()


def test_noise_in_a_page_is_corruption_with_the_cure(sqlite_database: Database) -> None:
    sqlite_database.transact(upsert(*[build(number, title="x" * 200) for number in range(1, 500)]))
    sqlite_database.close()
    path = sqlite_database.path
    assert path is not None
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(64))
    with pytest.raises(StoreCorrupt, match="restore it from a backup"):
        open_database(f"sqlite:///{path}").transact(upsert(*series("PFP")))
    with pytest.raises(StoreCorrupt):
        check_integrity(Database(sqlite_database.engine.url, sqlite_database.engine))


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and for root the rights of nobody for the length of the test."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_store_without_write_permission_is_named_with_the_user(unprivileged: Path) -> None:
    path = unprivileged / "store.db"
    open_database(f"sqlite:///{path}").close()
    path.chmod(0o444)
    unprivileged.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    complaint = rf"store\.db: Permission denied: user {os.geteuid()} must be able to write it"
    with pytest.raises(StoreError, match=complaint):
        open_database(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=complaint):
        open_database(f"sqlite:///{path}", create=False)


def test_a_store_that_becomes_read_only_is_named_with_the_user(unprivileged: Path) -> None:
    path = unprivileged / "store.db"
    database = open_database(f"sqlite:///{path}")
    database.transact(put("a"))
    database.close()
    for part in (path, unprivileged):
        part.chmod(part.stat().st_mode & 0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    with pytest.raises(StoreError, match=rf"user {os.geteuid()} must be able to read and write it"):
        database.transact(put("b"))
    database.close()


def test_a_removed_file_is_noticed_and_taken_up_when_it_is_back(sqlite_database: Database) -> None:
    path = sqlite_database.path
    assert path is not None
    sqlite_database.transact(put("a"))
    aside = path.rename(path.with_name("aside.db"))
    with pytest.raises(StoreUnavailable, match=r"buildwatch\.db: removed or replaced while in use"):
        sqlite_database.transact(put("b"), deadline=0.1)
    with pytest.raises(StoreUnavailable):
        sqlite_database.read(notes.read, deadline=0.1)
    aside.rename(path)
    sqlite_database.transact(put("c"))
    assert sqlite_database.read(notes.read).keys() == {"a", "c"}


def test_all_connections_in_use_is_unavailable(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database.engine.pool, "_timeout", 0.01)
    held = [sqlite_database.engine.connect() for _ in range(15)]
    with pytest.raises(StoreUnavailable, match="all connections are in use"):
        sqlite_database.read(notes.read, deadline=0.1)
    for connection in held:
        connection.close()


def test_an_unclassified_error_names_the_store_and_the_user(sqlite_database: Database) -> None:
    def unit(_: Session) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    with pytest.raises(StoreError, match=rf"buildwatch\.db: disk I/O error: user {os.getuid()}"):
        sqlite_database.transact(unit)


def test_outside_of_these_tests_a_commit_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    asked = (
        "import sys; from store.engine import open_database; from sqlalchemy import text\n"
        "database = open_database('sqlite:///' + sys.argv[1])\n"
        "print(database.read(lambda session: session.execute(text('PRAGMA synchronous')).scalar_one()))"
    )
    command = [sys.executable, "-c", asked, str(tmp_path / "new.db")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"
