"""Streams: the ordered settled verdicts of one line of builds, as the alert rules read them."""

from sqlalchemy import ColumnElement, Select, and_, func, select

from domain.stream import Settled
from domain.window import Window
from store import names, pipelines
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import FAILED, FLAKY, PASSED, SETTLED, UNFINISHED, VERDICTS, builds

_DEFAULT_TAIL = 600


def tail(session: Session, provider: str, key: str, stream: str, *, limit: int = _DEFAULT_TAIL) -> list[Settled]:
    """The newest settled verdicts of a stream, oldest first; of each build its newest passed or failed attempt."""
    where = _stream(session, provider, key, stream)
    if where is None:
        return []
    ended = func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0)
    query = (
        select(
            builds.c.generation, builds.c.number, builds.c.verdict, ended, builds.c.id, builds.c.attempt, builds.c.flags
        )
        .where(where)
        .order_by(builds.c.generation.desc(), builds.c.number.desc(), builds.c.queued_at.desc(), builds.c.id.desc())
        .limit(limit)
    )
    rows = session.execute(query).all()
    return [
        Settled(generation, number, VERDICTS[verdict], from_ms(finished_at), identity, attempt, bool(flags & FLAKY))
        for generation, number, verdict, finished_at, identity, attempt, flags in reversed(rows)
    ]


def counts(
    session: Session, provider: str, key: str, stream: str, *, window: Window | None = None, last: int | None = None
) -> tuple[int, int]:
    """(passed, failed) of a stream: in a window by the end of builds, or of its last builds in order."""
    where = _stream(session, provider, key, stream)
    if where is None:
        return 0, 0
    verdicts: Select[int] = select(builds.c.verdict).where(where)
    if window is not None:
        verdicts = verdicts.where(builds.c.finished_at >= to_ms(window.start), builds.c.finished_at < to_ms(window.end))
    if last is not None:
        verdicts = verdicts.order_by(builds.c.generation.desc(), builds.c.number.desc()).limit(last)
    chosen = verdicts.subquery()
    query = select(chosen.c.verdict, func.count()).group_by(chosen.c.verdict)
    found = {row[0]: row[1] for row in session.execute(query)}
    return found.get(PASSED, 0), found.get(FAILED, 0)


def is_met(session: Session, pipeline_id: int, stream: str, *, before: int) -> bool:
    """Whether a stream has builds with a lower id that passed, failed, or have not ended."""
    number = names.number_of(session, stream)
    ours = and_(builds.c.pipeline_id == pipeline_id, builds.c.stream_id == number, builds.c.id < before)
    found = (select(builds.c.id).where(ours, state).limit(1) for state in (SETTLED, UNFINISHED))
    return number is not None and any(session.execute(query).first() is not None for query in found)


def _stream(session: Session, provider: str, key: str, stream: str) -> ColumnElement[bool] | None:
    known = pipelines.find(session, [(provider, key)]).get((provider, key))
    number = names.number_of(session, stream)
    if known is None or number is None:
        return None
    return and_(builds.c.pipeline_id == known.id, builds.c.stream_id == number, SETTLED)
