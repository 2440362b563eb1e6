"""Where each poll target goes on: what its provider wants to find again."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from store.database import Session
from store.schema import cursors


def load(session: Session, provider: str, target: str) -> dict[str, dict[str, Any]]:
    """All cursors of a target, by cursor key."""
    rows = session.execute(
        select(cursors.c.key, cursors.c.value).where(cursors.c.provider == provider, cursors.c.target == target)
    )
    return {row.key: row.value for row in rows}


def save(session: Session, provider: str, target: str, values: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Set these cursors, forget those whose value is None, keep the others."""
    if not values:
        return
    session.execute(
        delete(cursors).where(
            cursors.c.provider == provider, cursors.c.target == target, cursors.c.key.in_(list(values))
        )
    )
    rows = [
        {"provider": provider, "target": target, "key": key, "value": dict(value)}
        for key, value in values.items()
        if value is not None
    ]
    if rows:
        session.execute(insert(cursors), rows)


def forget(session: Session, provider: str, target: str | None = None) -> None:
    """Forget all cursors of a provider or of one of its targets: the next poll starts anew."""
    query = delete(cursors).where(cursors.c.provider == provider)
    session.execute(query if target is None else query.where(cursors.c.target == target))
