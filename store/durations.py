"""How long the builds of a stream took that passed, for the alert rules."""

from sqlalchemy import case, func, select

from domain.timed import Timed
from store import names, pipelines
from store.columns import from_ms
from store.database import Session
from store.schema import PASSED, SETTLED, builds


def newest_passed(session: Session, provider: str, key: str, stream: str, *, limit: int) -> list[Timed]:
    """The newest builds of a stream that passed, oldest first. A re-run has no time in the queue of its own."""
    known = pipelines.numbers(session, [(provider, key)]).get((provider, key))
    number = names.number_of(session, stream)
    if known is None or number is None:
        return []
    ended = func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0)
    waited = case((builds.c.attempt == 1, builds.c.started_at - builds.c.queued_at))
    query = (
        select(builds.c.generation, builds.c.number, builds.c.id, ended, builds.c.duration, waited)
        .where(builds.c.pipeline_id == known, builds.c.stream_id == number, SETTLED, builds.c.verdict == PASSED)
        .order_by(builds.c.generation.desc(), builds.c.number.desc(), builds.c.queued_at.desc(), builds.c.id.desc())
        .limit(limit)
    )
    return [
        Timed(generation, place, identity, from_ms(at), _seconds(took), _seconds(wait))
        for generation, place, identity, at, took, wait in reversed(session.execute(query).all())
    ]


def _seconds(milliseconds: int | None) -> float | None:
    """Never negative: clocks disagree by a second."""
    return None if milliseconds is None else max(milliseconds, 0) / 1000
