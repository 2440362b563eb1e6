"""How well each provider can be read: survives a restart, so that an outage is told once."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from store import changes
from store.changes import Kind
from store.database import Session
from store.schema import providers


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """What is known about reaching one provider."""

    name: str
    failing_since: datetime | None = None  # the first failed poll in a row
    failures: int = 0  # failed polls in a row
    trouble: str | None = None  # why, in a word
    text: str | None = None  # what was asked, and the cure
    last_ok_at: datetime | None = None
    retry_at: datetime | None = None  # nothing is asked of it before


def load(session: Session, name: str) -> ProviderHealth:
    """The health of one provider; of an unknown one, that nothing is wrong."""
    row = session.execute(select(providers).where(providers.c.name == name)).first()
    return ProviderHealth(name=name) if row is None else _from_row(row)


def all(session: Session) -> list[ProviderHealth]:  # noqa: A001  (reads well qualified)
    """The health of every provider ever polled, by name."""
    return [_from_row(row) for row in session.execute(select(providers).order_by(providers.c.name))]


def save(session: Session, health: ProviderHealth) -> None:
    """Store the health of a provider. That it answered once more is no news."""
    known = load(session, health.name)
    session.execute(delete(providers).where(providers.c.name == health.name))
    session.execute(insert(providers).values(**asdict(health)))
    if known.last_ok_at is None or replace(known, last_ok_at=health.last_ok_at) != health:
        changes.note(session, Kind.PROVIDER)


def forget(session: Session, names: Iterable[str]) -> None:
    """Forget providers that config.yaml no longer has."""
    if session.execute(delete(providers).where(providers.c.name.in_(list(names)))).rowcount:
        changes.note(session, Kind.PROVIDER)


def _from_row(row: Row[*tuple[Any, ...]]) -> ProviderHealth:
    return ProviderHealth(
        name=row.name,
        failing_since=row.failing_since,
        failures=row.failures,
        trouble=row.trouble,
        text=row.text,
        last_ok_at=row.last_ok_at,
        retry_at=row.retry_at,
    )
