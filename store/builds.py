"""Builds: what is new about them is stored, what is known is left alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from heapq import nlargest

from domain.build import Build, Verdict
from store import changes as feed
from store import measurements, names, sql
from store import pipelines as registry
from store.batch import Batch, Change
from store.changes import Kind
from store.columns import to_ms
from store.database import Session
from store.encode import Encoder
from store.rows import NO_DETAILS, BuildRow, BuildView, build_of, numbers_of
from store.schema import FLAKY, VERDICTS

__all__ = ["BuildView", "Change", "get", "last_id", "newest", "recent", "unfinished", "upsert"]

_BATCH = 1000
_NEVER = 1 << 62  # sorts what has not ended first
_SMALLEST_ANALYZED = 4096


def upsert(
    session: Session, builds: Sequence[Build], verdict_of: Callable[[Build], Verdict | None], now: datetime
) -> list[Change]:
    """Store builds as they were seen; return those that are new or have really changed, each once.

    Idempotent: builds that are stored as they are cost a read and no write. Unknown pipelines are remembered,
    watched since `now`. Facts that a provider leaves out this time are kept.
    """
    encoder = Encoder(session, verdict_of, now)
    changes: list[Change] = []
    for start in range(0, len(builds), _BATCH):
        batch = Batch(session, encoder.encode(builds[start : start + _BATCH]))
        written = batch.write()
        if written:
            feed.note(session, Kind.BUILD, pipelines=batch.pipelines, ids=batch.touched, ends=batch.ends)
        changes += written
    _optimize(session, changes)
    return changes


def get(session: Session, ids: Iterable[int]) -> dict[int, BuildView]:
    """The builds with these ids, those that exist."""
    rows = sql.select_where_ids(session, list(ids))
    return {view.build.id: view for view in _views(session, rows) if view.build.id is not None}


def last_id(session: Session) -> int:
    """The highest number of a build; those that are stored later have higher ones. 0: there is none."""
    return int(session.exec_driver_sql("SELECT coalesce(max(id), 0) FROM builds").scalar_one())


def recent(
    session: Session, *, pipelines: str | None = None, since: datetime | None = None, limit: int = 50
) -> list[BuildView]:
    """The newest builds that count, running ones first, then by their end, newest first.

    `pipelines` is a glob over pipeline keys or names; `since` bounds the end of finished builds.
    """
    wanted = [
        each.id
        for each in registry.all(session)
        if pipelines is None or fnmatchcase(each.pipeline.key, pipelines) or fnmatchcase(each.pipeline.name, pipelines)
    ]
    found = nlargest(limit, sql.select_unfinished(session, wanted), key=_recency)
    bound = 0 if since is None else to_ms(since)
    for pipeline_id in wanted:
        found += sql.select_newest(session, pipeline_id, bound, limit)
        found = nlargest(limit, found, key=_recency)
        if len(found) == limit:  # the next pipelines have to be newer than what we have
            bound = max(bound, found[-1][1].finished_at or 0)
    return _views(session, found)


def newest(session: Session) -> list[BuildView]:
    """Of every pipeline the build that ended last, and those that have not ended. Any branch, pull requests too."""
    ours = [each.id for each in registry.all(session)]
    ended = [row for pipeline_id in ours for row in sql.select_newest(session, pipeline_id, 0, 1)]
    return _views(session, ended + sql.select_unfinished(session, ours))


def unfinished(session: Session, provider: str) -> list[BuildView]:
    """All builds of a provider that are queued or running, as far as the store knows."""
    ours = [each.id for each in registry.all(session, provider)]
    return _views(session, sql.select_unfinished(session, ours))


def _recency(numbered: sql.Numbered) -> tuple[int, int]:
    identity, row = numbered
    return row.finished_at if row.finished_at is not None else _NEVER, identity


def _views(session: Session, rows: Sequence[sql.Numbered]) -> list[BuildView]:
    owners = {each.id: each.pipeline for each in registry.by_ids(session, {row.pipeline_id for _, row in rows})}
    words = names.words_of(session, numbers_of(row for _, row in rows))
    ids = [identity for identity, _ in rows]
    details, figures = sql.select_details(session, ids), measurements.of_builds(session, ids)

    def build(identity: int, row: BuildRow) -> Build:
        made = build_of(identity, row, owners[row.pipeline_id], words, details.get(identity, NO_DETAILS))
        its = figures.get(identity)
        return made if its is None else replace(made, measurements={**made.measurements, **its})

    return [
        BuildView(
            build=build(identity, row),
            verdict=None if row.verdict is None else VERDICTS[row.verdict],
            superseded=bool(row.superseded),
            flaky=bool(row.flags & FLAKY),
        )
        for identity, row in rows
    ]


def _optimize(session: Session, changes: Sequence[Change]) -> None:
    """Renew the planner's statistics each time the table has grown fourfold, or it picks the wrong index."""
    new = [change.id for change in changes if change.before is None]
    if new and max(new) >= _SMALLEST_ANALYZED and _fourfold(max(new)) > _fourfold(min(new) - 1):
        session.exec_driver_sql("ANALYZE builds")


def _fourfold(count: int) -> int:
    return count.bit_length() // 2
