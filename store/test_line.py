"""Builds of a stream in their order, with the reports that were read of them."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select, tuple_

from domain.build import Outcome
from domain.testhistory import Reading
from store import names, pipelines
from store.among import among
from store.database import Session
from store.schema import AWAITED, NEUTRAL, OUTCOMES, PASSED, SETTLED, builds, test_runs
from store.test_codes import unpacked

LOOKED_BACK = 30  # builds among which reports are looked for
_COMPARED = 5  # reports of which the largest says how many tests there are
_READ = 7  # reports that are unpacked: one, those that it is compared with, and an earlier attempt
_UNSTABLE = OUTCOMES.index(Outcome.UNSTABLE)

Place = tuple[str, str, str]
"""Provider, key of the pipeline, stream."""


class Run(NamedTuple):
    """A build of a stream, and its report when one was read."""

    build_id: int
    pipeline_id: int
    stream_id: int | None
    generation: int
    number: int
    attempt: int
    external_id: str
    verdict: int | None
    outcome: int | None
    ended_at: int  # milliseconds
    commit: bytes | None
    labels_id: int | None
    total: int | None
    failed: int | None
    results: bytes | None

    @property
    def all_well(self) -> bool:
        """It passed, and not in spite of its tests."""
        return self.verdict == PASSED and self.outcome != _UNSTABLE


_RUNS: Select[tuple[object, ...]] = select(
    builds.c.id,
    builds.c.pipeline_id,
    builds.c.stream_id,
    builds.c.generation,
    builds.c.number,
    builds.c.attempt,
    builds.c.external_id,
    builds.c.verdict,
    builds.c.outcome,
    func.coalesce(builds.c.finished_at, builds.c.started_at, builds.c.queued_at, 0),
    builds.c.commit,
    builds.c.labels_id,
    test_runs.c.total,
    test_runs.c.failed,
    test_runs.c.results,
).select_from(builds.outerjoin(test_runs, test_runs.c.build_id == builds.c.id))


def runs(session: Session, ids: Collection[int]) -> list[Run]:
    """Those of the builds that are stored."""
    return [Run._make(row) for row in session.execute(_RUNS.where(among(session, builds.c.id, ids)))]


def before(session: Session, run: Run) -> list[Run]:
    """The builds before one in its stream."""
    if run.stream_id is None:
        return []
    return _settled(session, run.pipeline_id, run.stream_id, until=(run.generation, run.number))


def line_of(
    session: Session, place: Place, *, limit: int = LOOKED_BACK, until: tuple[int, int] | None = None
) -> list[Run]:
    """The newest builds of a stream that passed or failed, newest first; of a build all attempts.

    `until`: only those before this (generation, number).
    """
    provider, key, stream = place
    pipeline, stream_id = pipelines.numbers(session, [(provider, key)]), names.number_of(session, stream)
    if not pipeline or stream_id is None:
        return []
    return _settled(session, pipeline[provider, key], stream_id, limit=limit, until=until)


def _settled(
    session: Session,
    pipeline_id: int,
    stream_id: int,
    *,
    limit: int = LOOKED_BACK,
    until: tuple[int, int] | None = None,
) -> list[Run]:
    ours = builds.c.pipeline_id == pipeline_id, builds.c.stream_id == stream_id, SETTLED, builds.c.flags < AWAITED
    newest = builds.c.generation.desc(), builds.c.number.desc(), builds.c.id.desc()
    query = _RUNS.where(*ours).order_by(*newest).limit(limit)
    if until is not None:
        query = query.where(tuple_(builds.c.generation, builds.c.number) < until)
    return list(with_attempts(session, [Run._make(row) for row in session.execute(query)]))


def with_attempts(session: Session, some: Sequence[Run]) -> Iterator[Run]:
    """A re-run may repeat only what had failed: behind each build come its earlier attempts."""
    rerun = [run for run in some if run.attempt > 1]
    earlier: dict[str, list[Run]] = {}
    if rerun:
        theirs = builds.c.pipeline_id == rerun[0].pipeline_id, builds.c.superseded == 1, builds.c.verdict < NEUTRAL
        query = _RUNS.where(*theirs, among(session, builds.c.external_id, [run.external_id for run in rerun]))
        for row in session.execute(query.order_by(builds.c.attempt.desc())):
            earlier.setdefault(row.external_id, []).append(Run._make(row))
    for run in some:
        yield run
        yield from (each for each in earlier.get(run.external_id, ()) if each.attempt < run.attempt)


def readings(line: Sequence[Run]) -> Iterator[Reading]:
    """What these builds say, newest first, until enough reports have been read."""
    reported = [run for run in line if run.total is not None]
    read = 0
    for run in line:
        if run.results is None:
            yield Reading(None, run.all_well, partial=False)
            continue
        read += 1
        yield Reading(unpacked(run.results), run.all_well, _is_partial(run, reported[read : read + _COMPARED]))
        if read == _READ:
            return


def _is_partial(run: Run, older: Sequence[Run]) -> bool:
    """Whether a report has far fewer tests than those before it, or than that of an earlier attempt."""
    total = run.total or 0
    same = [each.total or 0 for each in older if each.external_id == run.external_id]
    return 2 * total < max((each.total or 0 for each in older), default=0) or total < max(same, default=0)
