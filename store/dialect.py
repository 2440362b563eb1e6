"""What each database says in its own way. Only the dialect in use is imported: the other one costs 2 MiB."""

from typing import Any

from sqlalchemy import Table

from store.database import Session


def insert_into(session: Session, table: Table) -> Any:
    """An INSERT that has the ON CONFLICT of this database."""
    if session.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

        return insert(table)
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite  # noqa: PLC0415

    return insert_sqlite(table)
