import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from store import notes
from store.engine import Database, open_database
from store.errors import StoreCorrupt, StoreError, StoreUnavailable
from store.schema import HEAD
from tests.support.builders import NOON


def test_a_new_store_is_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "buildwatch.db"
    database = open_database(f"sqlite:///{path}")
    database.transact(lambda session: notes.put(session, "a", 1, NOON))
    for part in (path, path.with_name("buildwatch.db-wal"), path.with_name("buildwatch.db-shm")):
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert (database.dialect, database.path) == ("sqlite", path)
    database.close()


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///here.db")
    monkeypatch.chdir("/")
    database.transact(lambda session: notes.put(session, "a", 1, NOON))
    assert database.path == tmp_path / "here.db"
    database.close()


def test_a_store_is_found_again(database: Database, postgres_store_url: str) -> None:
    database.transact(lambda session: notes.put(session, "a", 1, NOON))
    url = postgres_store_url if database.path is None else f"sqlite:///{database.path}"
    for create in (True, False):
        again = open_database(url, create=create)
        assert again.read(notes.read).keys() == {"a"}
        again.close()


def test_without_create_nothing_is_made(tmp_path: Path, postgres_url: Callable[[], str]) -> None:
    path = tmp_path / "no" / "store.db"
    with pytest.raises(StoreError, match="there is no store yet"):
        open_database(f"sqlite:///{path}", create=False)
    assert not path.parent.exists()
    empty = postgres_url()
    for _ in range(2):
        with pytest.raises(StoreError, match="there is no store yet"):
            open_database(empty, create=False)


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """A crash between making the file and making its tables."""
    (tmp_path / "x.db").touch()
    with pytest.raises(StoreError, match="there is no store yet"):
        open_database(f"sqlite:///{tmp_path / 'x.db'}", create=False)
    open_database(f"sqlite:///{tmp_path / 'x.db'}").close()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path, postgres_url: Callable[[], str]) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE builds (x)")
    server = postgres_url()
    with psycopg.connect(server.replace("+psycopg", "")) as session:
        session.execute("CREATE TABLE builds (x int)")
    for url in (f"sqlite:///{path}", server):
        with pytest.raises(StoreError, match="tables of another program: builds"):
            open_database(url)


def test_a_store_of_a_newer_buildwatch_is_refused(sqlite_database: Database) -> None:
    sqlite_database.transact(lambda session: session.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    url = f"sqlite:///{sqlite_database.path}"
    with pytest.raises(StoreError, match="newer buildwatch"):
        open_database(url)
    with pytest.raises(StoreError, match=f"has revision 9999, this buildwatch needs {HEAD}"):
        open_database(url, create=False)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite://", "has to outlive the process"),
        ("sqlite:///:memory:", "has to outlive the process"),
        ("mysql://u:hunter2@h/d", "mysql is not supported"),
        ("no url: hunter2", "cannot be read"),
        ("postgresql://u:hunter2@h:port/d", "cannot be read"),
    ],
)
def test_a_url_that_cannot_work_is_explained_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://ada:hunter2@/builds?host={tmp_path}"
    with pytest.raises(StoreUnavailable) as caught:
        open_database(url, deadline=0.1)
    assert "hunter2" not in str(caught.value)
    assert "ada" in str(caught.value)


def test_a_wrong_database_or_user_is_not_waited_for(postgres_url: Callable[[], str]) -> None:
    for wrong in (postgres_url().replace("/bw_", "/nope_"), postgres_url().replace("postgres@", "nobody@")):
        with pytest.raises(StoreError, match="does not exist") as caught:
            open_database(wrong)
        assert not isinstance(caught.value, StoreUnavailable)


def test_a_file_that_is_no_database_is_corrupt_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, but somebody's thesis " * 200)
    with pytest.raises(StoreCorrupt, match=r"x\.db.*restore it from a backup"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"not a database")


def test_a_folder_that_cannot_be_written_is_named_with_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"file: File exists: user {os.getuid()} must"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Is a directory"):
        open_database(f"sqlite:///{tmp_path}")


def test_an_sqlite_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"3\.38\.0 is needed"):
        open_database(f"sqlite:///{tmp_path / 'x.db'}")
