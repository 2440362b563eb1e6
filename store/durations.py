"""How long the builds of a stream took that passed, for the alert rules."""

from sqlalchemy import bindparam, case, func, select

from domain.timed import Timed
from store.columns import from_ms
from store.database import Session
from store.schema import PASSED, SETTLED, builds
from store.streams import line_of


def newest_passed(session: Session, provider: str, key: str, stream: str, *, limit: int) -> list[Timed]:
    """The newest builds of a stream that passed, oldest first. A re-run has no time in the queue of its own."""
    line = line_of(session, provider, key, stream)
    if line is None:
        return []
    rows = session.execute(_PASSED, {"pipeline": line[0], "stream": line[1], "limit": limit}).all()
    return [
        Timed(generation, place, identity, from_ms(at), _seconds(took), _seconds(wait))
        for generation, place, identity, at, took, wait in reversed(rows)
    ]


def _seconds(milliseconds: int | None) -> float | None:
    """Never negative: clocks disagree by a second."""
    return None if milliseconds is None else max(milliseconds, 0) / 1000


_PASSED = (
    select(
        builds.c.generation,
        builds.c.number,
        builds.c.id,
        func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0),
        builds.c.duration,
        case((builds.c.attempt == 1, builds.c.started_at - builds.c.queued_at)),
    )
    .where(
        builds.c.pipeline_id == bindparam("pipeline"),
        builds.c.stream_id == bindparam("stream"),
        SETTLED,
        builds.c.verdict == PASSED,
    )
    .order_by(builds.c.generation.desc(), builds.c.number.desc(), builds.c.queued_at.desc(), builds.c.id.desc())
    .limit(bindparam("limit"))
)
