"""Small facts that the daemon leaves for other processes: since when it runs, what its last reload said."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from store.database import Session
from store.dialect import insert_into
from store.schema import notes

POLLS = "polls"  # by target (`provider:key`), when it was last polled with success: ISO 8601
CHANNELS = "channels"  # by name: {"state", "error", ...}
QUOTAS = "quotas"  # by provider with a rate limit: {"limit", "remaining"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A value and when it was written."""

    value: Any  # JSON value
    updated_at: datetime


def put(session: Session, key: str, value: Any, now: datetime) -> None:
    """Write or overwrite a note; `value` is a JSON value."""
    statement = insert_into(session, notes).values(key=key, value=value, updated_at=now)
    replacing = {"value": statement.excluded.value, "updated_at": statement.excluded.updated_at}
    session.execute(statement.on_conflict_do_update(index_elements=[notes.c.key], set_=replacing))


def first(session: Session, key: str, value: Any, now: datetime) -> Any:
    """What a note says; it is written with this value when nobody has written it before, in any process."""
    statement = insert_into(session, notes).values(key=key, value=value, updated_at=now)
    session.execute(statement.on_conflict_do_nothing(index_elements=[notes.c.key]))
    return session.execute(select(notes.c.value).where(notes.c.key == key)).scalar_one()


def get(session: Session, key: str) -> Note | None:
    """One note."""
    return read(session, key).get(key)


def read(session: Session, prefix: str = "") -> dict[str, Note]:
    """All notes whose key begins so, by key."""
    query = select(notes).where(notes.c.key.startswith(prefix, autoescape=True)).order_by(notes.c.key)
    return {row.key: Note(value=row.value, updated_at=row.updated_at) for row in session.execute(query)}


def remove(session: Session, keys: Iterable[str]) -> None:
    """Forget notes."""
    session.execute(delete(notes).where(notes.c.key.in_(list(keys))))
