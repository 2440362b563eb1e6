"""Streams: the ordered settled verdicts of one line of builds, as the alert rules read them."""

from collections.abc import Collection

import orjson
from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select

from domain.stream import Settled, Signature
from domain.testreport import TestStatus
from domain.window import Window
from store import names as words
from store import sql
from store.columns import from_ms, to_ms
from store.database import Session
from store.schema import AWAITED, FAILED, FLAKY, PASSED, SETTLED, UNFINISHED, VERDICTS, builds, names, pipelines

_DEFAULT_TAIL = 600
_FAILING = frozenset({TestStatus.FAILED, TestStatus.ERROR})


def tail(session: Session, provider: str, key: str, stream: str, *, limit: int = _DEFAULT_TAIL) -> list[Settled]:
    """The newest settled verdicts of a stream, oldest first; of each build its newest passed or failed attempt.

    A build that passed is flaky when an earlier attempt of it had failed, and when the build before it failed on
    the same commit with the same labels: some servers give a re-run a number of its own. What awaits a re-run is
    left out.
    """
    line = line_of(session, provider, key, stream)
    if line is None:
        return []
    rows = session.execute(_TAIL, {"pipeline": line[0], "stream": line[1], "limit": limit}).all()
    found: list[Settled] = []
    broken: tuple[bytes, int | None] | None = None  # what failed just before
    for generation, number, verdict, finished_at, identity, attempt, flags, commit, labels in reversed(rows):
        failed, what = verdict == FAILED, (commit, labels) if commit else None
        flaky = bool(flags & FLAKY) or (not failed and what is not None and what == broken)
        found.append(Settled(generation, number, VERDICTS[verdict], from_ms(finished_at), identity, attempt, flaky))
        broken = what if failed else None
    return found


def signatures(session: Session, ids: Collection[int]) -> dict[int, Signature]:
    """What failed builds look like, as far as it is known, by build id."""
    found: dict[int, Signature] = {}
    for identity, details in sql.select_details(session, ids).items():
        cases = orjson.loads(details.tests)["cases"] if details.tests else ()
        failing = frozenset(f"{case['suite']}::{case['name']}" for case in cases if case["status"] in _FAILING)
        found[identity] = Signature(details.bucket, failing if cases else None)
    return found


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
    number = words.number_of(session, stream)
    ours = and_(builds.c.pipeline_id == pipeline_id, builds.c.stream_id == number, builds.c.id < before)
    found = (select(builds.c.id).where(ours, state).limit(1) for state in (SETTLED, UNFINISHED))
    return number is not None and any(session.execute(query).first() is not None for query in found)


def line_of(session: Session, provider: str, key: str, stream: str) -> tuple[int, int] | None:
    """(number of the pipeline, number of the stream's name); None when either is not known."""
    found = session.execute(_LINE, {"provider": provider, "key": key, "stream": stream}).one()
    return None if None in found else (found[0], found[1])


def _stream(session: Session, provider: str, key: str, stream: str) -> ColumnElement[bool] | None:
    line = line_of(session, provider, key, stream)
    if line is None:
        return None
    settled = and_(SETTLED, builds.c.flags < AWAITED)
    return and_(builds.c.pipeline_id == line[0], builds.c.stream_id == line[1], settled)


# Asked for every build that is judged: put together once, because that costs more than running them.
_LINE = select(
    select(pipelines.c.id)
    .where(pipelines.c.provider == bindparam("provider"), pipelines.c.key == bindparam("key"))
    .scalar_subquery(),
    select(names.c.id).where(names.c.text == bindparam("stream")).scalar_subquery(),
)
_TAIL = (
    select(
        builds.c.generation,
        builds.c.number,
        builds.c.verdict,
        func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0),
        builds.c.id,
        builds.c.attempt,
        builds.c.flags,
        builds.c.commit,
        builds.c.labels_id,
    )
    .where(
        builds.c.pipeline_id == bindparam("pipeline"),
        builds.c.stream_id == bindparam("stream"),
        SETTLED,
        builds.c.flags < AWAITED,
    )
    .order_by(builds.c.generation.desc(), builds.c.number.desc(), builds.c.queued_at.desc(), builds.c.id.desc())
    .limit(bindparam("limit"))
)
