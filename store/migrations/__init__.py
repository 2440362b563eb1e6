"""Bring an old store to the newest schema: all revisions in one transaction, after a copy of the old file.

Imported only when an upgrade is due, because Alembic takes long to import.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from store.database import Database
from store.errors import StoreError
from store.maintenance import backup

SCRIPTS = Path(__file__).parent


def upgrade(database: Database, scripts: Path = SCRIPTS) -> None:
    """Run all due revisions; killed at any moment, the store is the old or the new one.

    An SQLite store is copied to `<file>.before-<revision>` first. Raises StoreError when the store was written by
    a newer buildwatch.
    """
    directory = ScriptDirectory(str(scripts))
    head = directory.get_current_head()
    if not _is_due(database, directory):
        return
    if database.path is not None:
        backup(database, database.path.with_name(f"{database.path.name}.before-{head}"), replace=True)

    def migrate(connection: Connection) -> None:
        apply(connection, directory)
        broken = _broken_references(connection)
        if broken:
            raise StoreError(f"{database.url}: the upgrade to {head} would break references: {broken}")

    database.transact(migrate, rebuilds_tables=True)


def _is_due(database: Database, directory: ScriptDirectory) -> bool:
    found = database.read(lambda session: MigrationContext.configure(session).get_current_heads())
    try:
        directory.get_revisions(found)
    except CommandError as error:
        raise StoreError(f"{database.url}: written by a newer buildwatch ({error}): install that one") from error
    return found != tuple(directory.get_heads())


def apply(connection: Connection, directory: ScriptDirectory) -> None:
    """Run what is due inside the connection's transaction."""

    def due(revision: Any, context: MigrationContext) -> Any:
        del context
        return directory._upgrade_revs("head", revision)  # noqa: SLF001  (what `alembic upgrade head` calls)

    context = MigrationContext.configure(connection, opts={"fn": due})
    with Operations.context(context):
        context.run_migrations()


def _broken_references(connection: Connection) -> Sequence[Any]:
    if connection.dialect.name != "sqlite":
        return ()  # PostgreSQL checks by itself
    return [tuple(row) for row in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(3)]
