"""How tests fared over many builds of a stream: for flaky ones, for the history of one, for times that grow."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, text

from domain.testhistory import Course, Trial
from domain.testreport import FAILING, Test, TestStatus
from store import test_names
from store.among import among
from store.columns import from_ms, to_ms
from store.database import Session
from store.rows import commit_text
from store.schema import COUNTED, VERDICTS, builds, names, test_runs
from store.test_codes import unpacked, unpacked_durations, unpacked_flaky
from store.test_line import LOOKED_BACK, Place, Run, line_of

History = tuple[list[Trial], list[Course]]
"""Builds, oldest first, and how tests fared in each of them."""


def history(
    session: Session,
    place: Place,
    *,
    limit: int = LOOKED_BACK,
    until: tuple[int, int] | None = None,
    tests: Collection[Test] | None = None,
) -> History:
    """The newest builds of a stream, and its tests that failed in any of them, or these tests.

    Of a build all attempts. `until`: only builds before this (generation, number).
    """
    line = [run for run in line_of(session, place, limit=limit, until=until) if run.results is not None or run.all_well]
    line.reverse()
    if not any(run.results is not None for run in line):
        return [], []
    results = [None if run.results is None else unpacked(run.results) for run in line]
    retried = [frozenset[int]() if run.results is None else unpacked_flaky(run.results) for run in line]
    if tests is None:
        failed = {number for each in results if each for number, status in each.items() if status in FAILING}
        wanted = test_names.tests_of(session, failed.union(*retried))
    else:
        pipeline_id = line[0].pipeline_id
        wanted = {number: test for test, number in test_names.numbers(session, pipeline_id, tests).items()}
    lines = [
        Course(
            suite,
            name,
            tuple(TestStatus.PASSED if each is None else each.get(number) for each in results),
            tuple(place for place, each in enumerate(retried) if number in each),
        )
        for number, (suite, name) in sorted(wanted.items(), key=lambda each: each[1])
    ]
    return [_run(each) for each in line], lines


def places(session: Session, since: datetime) -> list[Place]:
    """The streams of which a report was read of a build that ended since then."""
    # Left to itself SQLite reads all builds, to see which of them have a report.
    join = "CROSS JOIN" if session.dialect.name == "sqlite" else "JOIN"
    rows = session.execute(text(_PLACES.format(join=join)), {"since": to_ms(since)})
    return sorted((row.provider, row.key, row.text) for row in rows)


def streams(session: Session, pipeline_id: int, since: datetime) -> list[str]:
    """The streams of one pipeline (`store.pipelines.Known.id`) with such a build that counts."""
    query = (
        select(names.c.text)
        .distinct()
        .select_from(builds)
        .join(test_runs, test_runs.c.build_id == builds.c.id)
        .join(names, names.c.id == builds.c.stream_id)
        .where(builds.c.pipeline_id == pipeline_id, builds.c.finished_at >= to_ms(since), COUNTED)
    )
    return sorted(session.execute(query).scalars())


_PLACES = """SELECT DISTINCT p.provider, p.key, n.text FROM test_runs r
{join} builds b ON b.id = r.build_id {join} pipelines p ON p.id = b.pipeline_id {join} names n ON n.id = b.stream_id
WHERE coalesce(b.finished_at, b.started_at) >= :since"""


def _run(run: Run) -> Trial:
    return Trial(
        build_id=run.build_id,
        generation=run.generation,
        number=run.number,
        attempt=run.attempt,
        verdict=None if run.verdict is None else VERDICTS[run.verdict],
        commit=commit_text(run.commit),
        labels=run.labels_id,
        finished_at=from_ms(run.ended_at),
        total=run.total or 0,
        failed=run.failed or 0,
    )


def durations(session: Session, ids: Collection[int]) -> dict[Test, dict[int, float]]:
    """How long each test took in each of these builds, in seconds, within 4 %; what is not known is left out."""
    query = select(test_runs.c.build_id, test_runs.c.results, test_runs.c.durations)
    known = test_runs.c.durations.is_not(None)
    found: dict[int, dict[int, float]] = {}
    for row in session.execute(query.where(among(session, test_runs.c.build_id, ids), known)):
        results = unpacked(row.results)
        for number, took in zip(results, unpacked_durations(row.durations, len(results)), strict=True):
            if took is not None:
                found.setdefault(number, {})[row.build_id] = took
    texts = test_names.tests_of(session, found)
    return {texts[number]: its for number, its in found.items() if number in texts}
