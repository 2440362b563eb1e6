import contextlib
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import event

from store import builds, migrations, schema
from store.database import Database
from store.engine import open_database
from store.errors import StoreError
from tests.support.builders import NOON
from tests.support.builders import builds as series

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "{head}"

def upgrade():
    op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True), sa.Column("pipeline_id", sa.Integer))
    op.execute("INSERT INTO extra SELECT id, id FROM pipelines")
    op.add_column("pipelines", sa.Column("owner", sa.Text))
    op.execute("UPDATE pipelines SET owner = 'nobody'")
    with op.batch_alter_table("pipelines") as batch:
        batch.alter_column("owner", nullable=False)
    op.create_index("extra_pipeline", "extra", ["pipeline_id"])
"""
UPGRADE_AND_DIE = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from sqlalchemy import event
from store import migrations
from store.engine import open_database
database = open_database({url!r})
left = [{statements}]
@event.listens_for(database.engine, "before_cursor_execute")
def die(*given):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
migrations.upgrade(database, Path({scripts!r}))
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Our revisions and one more."""
    folder = tmp_path / "scripts"
    shutil.copytree(migrations.SCRIPTS / "versions", folder / "versions")
    (folder / "versions" / "v9999_next.py").write_text(NEXT.format(head=schema.HEAD))
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A store of its own also on PostgreSQL, because its tables are changed."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'buildwatch.db'}"
    else:
        url = request.getfixturevalue("postgres_url")()
    store = open_database(url)
    yield store
    store.close()


def revision(database: Database) -> str:
    return database.read(lambda session: session.exec_driver_sql("SELECT * FROM alembic_version").scalar_one())


def filled(database: Database) -> Database:
    database.transact(lambda session: builds.upsert(session, series("PFP"), lambda _: None, NOON))
    return database


def count(database: Database, table: str) -> int:
    return int(database.read(lambda session: session.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()))


def described(engine: sqlalchemy.Engine) -> dict[str, Any]:
    """Everything about the tables that the two ways of making them could disagree on."""
    inspector = sqlalchemy.inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            },
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(
                (str(each["name"]), each["column_names"]) for each in inspector.get_unique_constraints(table)
            ),
            "indexes": sorted(
                (
                    str(each["name"]),
                    each["column_names"],
                    bool(each["unique"]),
                    str(each.get("dialect_options", {}).get(f"{engine.dialect.name}_where")),
                )
                for each in inspector.get_indexes(table)
            ),
            "references": sorted(
                (each["constrained_columns"], each["referred_table"], str(each["options"]))
                for each in inspector.get_foreign_keys(table)
            ),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_the_revisions_make_the_same_tables_as_a_new_store(
    database: Database, tmp_path: Path, postgres_url: Callable[[], str]
) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}" if database.path is not None else postgres_url()
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        migrations.apply(connection, migrations.ScriptDirectory(str(migrations.SCRIPTS)))
    assert described(engine) == described(database.engine)
    engine.dispose()


def test_the_newest_revision_is_the_one_that_new_stores_have() -> None:
    assert migrations.ScriptDirectory(str(migrations.SCRIPTS)).get_current_head() == schema.HEAD


def test_alembic_is_not_imported_by_opening_a_store(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from store.engine import open_database\nopen_database('sqlite:///{tmp_path / 'x.db'}')\n"
        "sys.exit('alembic' in sys.modules or 'psycopg' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_upgrade_keeps_the_rows_and_a_copy_of_the_old_store(database: Database, scripts: Path) -> None:
    filled(database)
    migrations.upgrade(database, scripts)
    assert revision(database) == "9999"
    assert (count(database, "builds"), count(database, "extra")) == (3, 1)
    assert count(database, "pipelines WHERE owner = 'nobody'") == 1
    if database.path is not None:
        copy = database.path.with_name("buildwatch.db.before-9999")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with contextlib.closing(sqlite3.connect(copy)) as old:
            assert old.execute("SELECT version_num FROM alembic_version").fetchone() == (schema.HEAD,)
            assert old.execute("SELECT count(*) FROM builds").fetchone() == (3,)


def test_an_upgrade_is_done_once(database: Database, scripts: Path) -> None:
    for _ in range(2):
        migrations.upgrade(database, scripts)
    assert revision(database) == "9999"


def test_an_upgrade_that_fails_changes_nothing(database: Database, scripts: Path) -> None:
    filled(database)
    broken = NEXT.format(head=schema.HEAD) + "    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    (scripts / "versions" / "v9999_next.py").write_text(broken)
    before = described(database.engine)
    with pytest.raises(Exception, match="nowhere"):
        migrations.upgrade(database, scripts)
    assert (revision(database), described(database.engine)) == (schema.HEAD, before)


def test_an_upgrade_that_would_break_references_changes_nothing(sqlite_database: Database, scripts: Path) -> None:
    filled(sqlite_database)
    broken = NEXT.format(head=schema.HEAD) + "    op.execute('INSERT INTO build_details (build_id) VALUES (77)')\n"
    (scripts / "versions" / "v9999_next.py").write_text(broken)
    with pytest.raises(StoreError, match="would break references"):
        migrations.upgrade(sqlite_database, scripts)
    assert count(sqlite_database, "build_details") == 0


def test_an_old_store_is_upgraded_when_it_is_opened(
    sqlite_database: Database, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{filled(sqlite_database).path}"
    monkeypatch.setattr(schema, "HEAD", "9999")
    monkeypatch.setattr(migrations.upgrade, "__defaults__", (scripts,))
    with pytest.raises(StoreError, match="has revision 0004, this buildwatch needs 9999"):
        open_database(url, create=False)
    upgraded = open_database(url)
    assert revision(upgraded) == "9999"
    upgraded.close()


@pytest.mark.timeout(300)
def test_killed_at_any_statement_the_store_is_old_or_new(sqlite_database: Database, scripts: Path) -> None:
    path = filled(sqlite_database).path
    assert path is not None
    sqlite_database.close()
    original = path.read_bytes()
    statements: list[str] = []
    probe = open_database(f"sqlite:///{path}")
    event.listen(probe.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    migrations.upgrade(probe, scripts)
    probe.close()
    ddl = [place for place, each in enumerate(statements) if each.lstrip().startswith(("CREATE", "ALTER", "DROP"))]
    assert len(ddl) >= 5
    for place in (*ddl, len(statements) - 1):
        for part in path.parent.glob("buildwatch.db*"):
            part.unlink()
        path.write_bytes(original)
        program = UPGRADE_AND_DIE.format(
            root=str(ROOT), url=f"sqlite:///{path}", statements=place, scripts=str(scripts)
        )
        died = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert died.returncode == 9, died.stderr
        survivor = open_database(f"sqlite:///{path}", create=False)
        assert (revision(survivor), count(survivor, "builds")) == (schema.HEAD, 3)
        assert "extra" not in sqlalchemy.inspect(survivor.engine).get_table_names()
        migrations.upgrade(survivor, scripts)
        assert (revision(survivor), count(survivor, "extra")) == ("9999", 1)
        survivor.close()
    assert list(path.parent.glob("*.partial*")) == []
