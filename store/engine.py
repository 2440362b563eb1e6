"""Open a store: make its tables when it is new, upgrade them when they are old."""

import sqlalchemy

from store import schema
from store.database import Database, Session
from store.errors import StoreAbsent, StoreError
from store.guard import Guard
from store.postgres import postgres_engine
from store.sqlite import absolute_path, make_file, sqlite_engine

__all__ = ["Database", "Session", "open_database"]

_TO_OPEN = 30.0


def open_database(url: str, *, create: bool = True, deadline: float = _TO_OPEN) -> Database:
    """Open the store at `sqlite:///path` or `postgresql://user:password@host/name`.

    With `create` a new store gets its tables, and an old one is upgraded after a backup copy. Without it nothing
    is made or changed: a missing or old store is a StoreError. A server that is down is waited for until the
    deadline (seconds). Raises StoreError and its kinds; the text never holds the password.
    """
    database = _connect(_parsed(url), create=create)
    try:
        _prepare(database, create=create, deadline=deadline)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: Database, *, create: bool, deadline: float) -> None:
    found = database.read(stored_revision, deadline=deadline)
    if found is None and create:
        found = database.transact(_create, deadline=deadline)
    if found is None:
        raise _absent(database.url)
    if found != schema.HEAD:
        _upgrade(database, found, allowed=create)


def stored_revision(session: Session) -> str | None:
    """The revision of the tables, None when there are none. Raises StoreError for another program's tables."""
    present = set(sqlalchemy.inspect(session).get_table_names())
    if schema.alembic_version.name in present:
        return str(session.execute(sqlalchemy.select(schema.alembic_version.c.version_num)).scalar_one())
    foreign = present & set(schema.metadata.tables)
    if foreign:
        raise StoreError(f"the database has tables of another program: {', '.join(sorted(foreign))}")
    return None


def _parsed(url: str) -> sqlalchemy.URL:
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        # Their texts would show the password.
        raise StoreError("store.url cannot be read: write sqlite:///path or postgresql://user@host/name") from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"store.url: {parsed.get_backend_name()} is not supported: use sqlite or postgresql")
    return parsed


def _connect(url: sqlalchemy.URL, *, create: bool) -> Database:
    if url.get_backend_name() == "postgresql":
        guard = Guard()
        return Database(url, postgres_engine(url, guard), guard)
    path = absolute_path(url)
    if not path.exists() and not create:
        raise _absent(str(path))
    make_file(path)
    absolute = url.set(database=str(path))
    return Database(absolute, sqlite_engine(absolute))


def _absent(where: str) -> StoreAbsent:
    return StoreAbsent(f"{where}: there is no store yet: `buildwatch run` makes it")


def _create(session: Session) -> str:
    found = stored_revision(session)  # another process may have been faster
    if found is None:
        schema.metadata.create_all(session, checkfirst=False)
        session.execute(sqlalchemy.insert(schema.alembic_version).values(version_num=schema.HEAD))
    return found or schema.HEAD


def _upgrade(database: Database, found: str, *, allowed: bool) -> None:
    if not allowed:
        raise StoreError(
            f"{database.url}: has revision {found}, this buildwatch needs {schema.HEAD}: `buildwatch run` upgrades it"
        )
    from store.migrations import upgrade  # noqa: PLC0415  (Alembic costs 0.2 s, and is rarely due)

    upgrade(database)
