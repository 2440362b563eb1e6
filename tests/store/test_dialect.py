import subprocess
import sys
from pathlib import Path

import sqlalchemy

from store.engine import Database
from store.schema import WHERE, metadata

SCRIPT = """
import sys
from store.engine import open_database
open_database(sys.argv[1]).close()
print(*[name for name in sys.modules if "postgresql" in name or name in ("psycopg", "alembic")])
"""


def test_a_store_on_sqlite_imports_nothing_of_postgresql(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, f"sqlite:///{tmp_path}/store.db"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == ""


def test_partial_indexes_are_partial_on_both_databases(database: Database) -> None:
    expected = {index.name for table in metadata.tables.values() for index in table.indexes if WHERE in index.info}
    found = set()
    inspector = sqlalchemy.inspect(database.engine)
    for table in metadata.tables:
        for index in inspector.get_indexes(table):
            if index.get("dialect_options", {}).get(f"{database.dialect}_where") is not None:
                found.add(index["name"])
    assert expected
    assert found == expected
