"""Builds that could not be understood: kept raw, counted, shown, until they can be."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, func, select, update

from store.database import Session
from store.dialect import insert_into
from store.schema import quarantine

_DEFAULT_LISTING = 50


class Unreadable(Protocol):
    """What providers report: see providers._base.Unreadable."""

    @property
    def pipeline(self) -> str:
        """Pipeline.key, as far as it is known."""
        ...

    @property
    def external_id(self) -> str:
        """The build's id, as far as it is known."""
        ...

    @property
    def problem(self) -> str:
        """What could not be understood."""
        ...

    @property
    def raw(self) -> str:
        """The build as it came, at most 16 KiB."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A stored unreadable build."""

    provider: str
    pipeline: str
    external_id: str
    problem: str
    raw: str
    first_seen_at: datetime
    last_seen_at: datetime


def add(session: Session, provider: str, unreadable: Iterable[Unreadable], now: datetime) -> int:
    """Keep these; one that is kept already is renewed. Returns how many are new."""
    new = 0
    for each in unreadable:
        # PostgreSQL cannot store what may be the very reason for being here.
        raw, problem = (_storable(text) for text in (each.raw, each.problem))
        pipeline, external_id = _storable(each.pipeline), _storable(each.external_id)
        key = {"provider": provider, "pipeline": pipeline, "external_id": external_id}
        seen = {"problem": problem, "raw": raw, "last_seen_at": now}
        statement = insert_into(session, quarantine).values(**key, **seen, first_seen_at=now)
        added = session.execute(statement.on_conflict_do_nothing().returning(quarantine.c.id)).first()
        if added is None:
            session.execute(update(quarantine).filter_by(**key).values(**seen))
        new += added is not None
    return new


def discard(session: Session, provider: str, pipeline: str, external_ids: Iterable[str]) -> None:
    """These can be read now."""
    ours = (quarantine.c.provider == provider, quarantine.c.pipeline == pipeline)
    session.execute(delete(quarantine).where(*ours, quarantine.c.external_id.in_(list(external_ids))))


def count(session: Session, provider: str | None = None) -> int:
    """How many are kept, of one provider or of all."""
    query = select(func.count()).select_from(quarantine)
    if provider is not None:
        query = query.where(quarantine.c.provider == provider)
    return int(session.execute(query).scalar_one())


def listing(session: Session, *, limit: int = _DEFAULT_LISTING) -> list[Quarantined]:
    """The latest, newest first."""
    query = select(quarantine).order_by(quarantine.c.last_seen_at.desc(), quarantine.c.id.desc()).limit(limit)
    return [
        Quarantined(
            provider=row.provider,
            pipeline=row.pipeline,
            external_id=row.external_id,
            problem=row.problem,
            raw=row.raw,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )
        for row in session.execute(query)
    ]


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
