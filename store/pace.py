"""The pace of pipelines: when builds come, how long they take, and which have not ended. What timers ask for."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, func, select

from domain.build import Status
from domain.stream import Ended
from store import names
from store.among import among
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import COUNTED, OUTCOMES, PASSED, SETTLED, STATUSES, UNFINISHED, VERDICTS, builds

MOST = 2000  # builds that are read of one pipeline
_PASSED = 100
_NEUTRAL_TOO = 200  # builds of all streams in which the newest of one are looked for


class Begun(NamedTuple):
    """A build as far as it tells when builds come; a NamedTuple because thousands are read."""

    build_id: int
    number: int
    generation: int
    at: datetime  # queued, or else started
    stream: str
    branch: str | None
    trigger: str | None


class GoingOn(NamedTuple):
    """A build that has not ended."""

    pipeline_id: int
    build_id: int
    number: int
    generation: int
    status: Status
    since: datetime  # queued, or started
    stream: str
    branch: str | None
    trigger: str | None
    raw: str | None  # the provider's own word for what it waits for


def begun(session: Session, pipeline_id: int, since: datetime, *, limit: int = MOST) -> list[Begun]:
    """The newest builds of the streams of a pipeline that began at `since` or later, oldest first.

    Those that count, and those that have not ended: at most `limit` of each.
    """
    bound = to_ms(since)
    ours = and_(builds.c.pipeline_id == pipeline_id, builds.c.stream_id.is_not(None))
    finished = _beginnings().where(ours, COUNTED, builds.c.finished_at >= bound)
    rows = [
        *session.execute(finished.order_by(builds.c.finished_at.desc()).limit(limit)),
        *session.execute(_beginnings().where(ours, UNFINISHED).order_by(builds.c.id.desc()).limit(limit)),
    ]
    words = names.words_of(session, {number for row in rows for number in row[4:7]})
    found = [
        Begun(row[0], row[1], row[2], from_ms(row[3]), words[row[4]] or "", words[row[5]], words[row[6]])
        for row in rows
        if row[3] is not None and row[3] >= bound
    ]
    return sorted(found, key=lambda each: (each.at, each.build_id))


def _beginnings() -> Select[tuple[int, int, int, int | None, int, int | None, int | None]]:
    began = func.coalesce(builds.c.queued_at, builds.c.started_at, builds.c.finished_at)
    columns = builds.c.stream_id, builds.c.branch_id, builds.c.trigger_id
    return select(builds.c.id, builds.c.number, builds.c.generation, began, *columns)


def going_on(session: Session, pipeline_ids: Collection[int] | None = None) -> list[GoingOn]:
    """What waits or runs in streams of these pipelines (None: of all), oldest first."""
    query = select(
        builds.c.pipeline_id,
        builds.c.id,
        builds.c.number,
        builds.c.generation,
        builds.c.status,
        builds.c.queued_at,
        builds.c.started_at,
        builds.c.stream_id,
        builds.c.branch_id,
        builds.c.trigger_id,
        builds.c.raw_id,
    ).where(UNFINISHED, builds.c.stream_id.is_not(None))
    if pipeline_ids is not None:
        query = query.where(among(session, builds.c.pipeline_id, pipeline_ids))
    rows = session.execute(query.order_by(builds.c.id)).all()
    words = names.words_of(session, {number for row in rows for number in row[7:]})
    found = []
    for pipeline_id, identity, number, generation, code, queued_at, started_at, stream, branch, trigger, raw in rows:
        status = STATUSES[code]
        since = queued_at if status is Status.QUEUED else started_at
        if since is None:
            continue  # nobody knows since when
        text = words[stream] or "", words[branch], words[trigger], words[raw]
        found.append(GoingOn(pipeline_id, identity, number, generation, status, from_ms(since), *text))
    return found


def passed_durations(session: Session, pipeline_id: int, stream: str, *, limit: int = _PASSED) -> list[float]:
    """Seconds that the newest builds of a stream took which passed."""
    number = names.number_of(session, stream)
    query = (
        select(builds.c.duration)
        .where(builds.c.pipeline_id == pipeline_id, builds.c.stream_id == number, SETTLED)
        .where(builds.c.verdict == PASSED, builds.c.duration.is_not(None))
        .order_by(builds.c.generation.desc(), builds.c.number.desc())
        .limit(limit)
    )
    return [row[0] / 1000 for row in session.execute(query)]


def newest_ended(session: Session, pipeline_id: int, stream: str, limit: int) -> list[Ended]:
    """The newest finished builds of a stream, neutral ones too, in the provider's order, oldest first."""
    number = names.number_of(session, stream)
    query = (
        select(
            builds.c.generation,
            builds.c.number,
            builds.c.verdict,
            builds.c.finished_at,
            builds.c.id,
            builds.c.raw_id,
            builds.c.outcome,
        )
        .where(builds.c.pipeline_id == pipeline_id, builds.c.stream_id == number, COUNTED)
        .where(builds.c.finished_at.is_not(None))
        .order_by(builds.c.finished_at.desc())
        .limit(_NEUTRAL_TOO)
    )
    rows = sorted(session.execute(query).all(), key=lambda row: (row[0], row[1], row[3]))[-limit:]
    words = names.words_of(session, {row[5] for row in rows})
    return [
        Ended(row[0], row[1], VERDICTS[row[2]], from_ms(row[3]), row[4], words[row[5]] or OUTCOMES[row[6]].value)
        for row in rows
    ]


def how_ended(session: Session, build_ids: Iterable[int]) -> dict[int, tuple[str, int | None]]:
    """Of these builds those that have ended: the outcome, and how many seconds they took."""
    query = select(builds.c.id, builds.c.outcome, builds.c.duration).where(
        builds.c.id.in_(list(build_ids)), builds.c.outcome.is_not(None)
    )
    return {
        identity: (OUTCOMES[outcome].value, None if duration is None else duration // 1000)
        for identity, outcome, duration in session.execute(query)
    }
