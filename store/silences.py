"""Silences: those that hold, and those that are over."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, text, update

from domain.silence import Ends, Silence
from store import changes
from store.among import among
from store.changes import Kind
from store.database import Session
from store.schema import SETTLED, builds, names, silences

_OPEN = text("ended_at IS NULL")


def add(session: Session, silence: Silence) -> Silence:
    """Store a new silence; return it with its id."""
    values = {
        "match": dict(silence.match),
        "ends": _to_json(silence.ends),
        "reason": silence.reason,
        "author": silence.author,
        "created_at": silence.created_at,
        "ended_at": silence.ended_at,
        "ended_because": silence.ended_because,
    }
    changes.note(session, Kind.SILENCE)
    return replace(silence, id=session.execute(insert(silences).values(**values).returning(silences.c.id)).scalar_one())


def unended(session: Session) -> list[Silence]:
    """Those that hold, by id; also one whose time has come since anybody looked."""
    return [_from_row(row) for row in session.execute(select(silences).where(_OPEN).order_by(silences.c.id))]


def get(session: Session, ids: Iterable[int]) -> dict[int, Silence]:
    """The silences with these ids, those that exist."""
    rows = session.execute(select(silences).where(silences.c.id.in_(list(ids))).order_by(silences.c.id))
    return {row.id: _from_row(row) for row in rows}


def listing(session: Session, *, limit: int = 200, before: int | None = None, unended: bool = False) -> list[Silence]:
    """The newest, newest first, those that are over too; of those older than the one with the number `before`."""
    query = select(silences).order_by(silences.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(silences.c.id < before)
    rows = session.execute(query.where(_OPEN) if unended else query)
    return [_from_row(row) for row in rows]


def end(session: Session, identity: int, because: str, now: datetime) -> bool:
    """A silence is over; False when it was already, or does not exist."""
    done = session.execute(
        update(silences).where(silences.c.id == identity, _OPEN).values(ended_at=now, ended_because=because)
    )
    if done.rowcount > 0:
        changes.note(session, Kind.SILENCE)
    return done.rowcount > 0


def settled_streams(session: Session, pipeline_ids: Collection[int], number: int) -> list[tuple[int, str]]:
    """(pipeline id, stream) of the streams in which a build with this number, or a later one, passed or failed."""
    query = (
        select(builds.c.pipeline_id, names.c.text)
        .join(names, names.c.id == builds.c.stream_id)
        .where(and_(among(session, builds.c.pipeline_id, pipeline_ids), builds.c.number >= number, SETTLED))
        .distinct()
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _to_json(ends: Ends) -> dict[str, Any]:
    values = {
        "at": ends.at.isoformat() if ends.at is not None else None,
        "fixed": ends.fixed,
        "build": ends.build,
        "new_bucket": ends.new_bucket,
        "buckets": list(ends.buckets),
    }
    return {name: value for name, value in values.items() if value}


def _ends(stored: Mapping[str, Any]) -> Ends:
    at = stored.get("at")
    return Ends(
        at=datetime.fromisoformat(at) if at else None,
        fixed=stored.get("fixed", False),
        build=stored.get("build"),
        new_bucket=stored.get("new_bucket", False),
        buckets=tuple(stored.get("buckets", ())),
    )


def _from_row(row: Row[*tuple[Any, ...]]) -> Silence:
    return Silence(
        match=row.match,
        ends=_ends(row.ends),
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        ended_at=row.ended_at,
        ended_because=row.ended_because,
        id=row.id,
    )
