"""Tests of builds: what is kept of a report, and what it says beside those before it in its stream.

What changed is worked out when it is asked for, from the reports of the builds before: so it does not matter in which
order builds are read, whether twice, or what was pruned meanwhile.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Select, select, tuple_

from domain.build import Outcome
from domain.testhistory import Reading, TestChanges, compare, standing
from domain.testreport import FAILING, Test, TestCase, TestReport, by_test
from store import test_names
from store.among import among
from store.database import Session
from store.dialect import insert_into
from store.schema import AWAITED, NEUTRAL, OUTCOMES, PASSED, SETTLED, build_details, builds, test_runs
from store.test_codes import packed, packed_durations, unpacked, unpacked_durations
from store.test_reports import bounded, kept, report_of

_LOOKED_BACK = 30  # builds among which reports are looked for
_COMPARED = 5  # reports of which the largest says how many tests there are
_UNSTABLE = OUTCOMES.index(Outcome.UNSTABLE)


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
    finished_at: int  # milliseconds
    total: int | None
    results: bytes | None

    @property
    def all_well(self) -> bool:
        """It passed, and not in spite of its tests."""
        return self.verdict == PASSED and self.outcome != _UNSTABLE


_ENDED = builds.c.finished_at
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
    _ENDED,
    test_runs.c.total,
    test_runs.c.results,
).select_from(builds.outerjoin(test_runs, test_runs.c.build_id == builds.c.id))


def record(session: Session, build_id: int, report: TestReport) -> TestChanges:
    """Keep the report of a build, instead of one that was kept before; what changed against the builds before it.

    With the build itself stay the totals and what failed, of at most 200 cases. A build of a stream keeps the status
    of every test. A build that is not stored (any more) and a report without cases change nothing.
    """
    known = _runs(session, [build_id])
    if not known:
        return TestChanges()
    run = known[0]
    cases = by_test(map(bounded, report.cases))
    _keep_report(session, build_id, report)
    if run.stream_id is None or not cases:
        return TestChanges(failing=tuple(sorted(test for test, case in cases.items() if case.status in FAILING)))
    numbers = test_names.learn(session, run.pipeline_id, list(cases), run.finished_at or 0)
    _write(session, build_id, {numbers[test]: case for test, case in cases.items()})
    return changes(session, [build_id])[build_id]


def _keep_report(session: Session, build_id: int, report: TestReport) -> None:
    row = insert_into(session, build_details).values(build_id=build_id, tests=kept(report))
    session.execute(row.on_conflict_do_update(index_elements=["build_id"], set_={"tests": row.excluded.tests}))


def _write(session: Session, build_id: int, cases: Mapping[int, TestCase]) -> None:
    values = {
        "total": len(cases),
        "failed": sum(case.status in FAILING for case in cases.values()),
        "results": packed({number: case.status for number, case in cases.items()}),
        "durations": packed_durations([cases[number].duration for number in sorted(cases)]),
    }
    row = insert_into(session, test_runs).values(build_id=build_id, **values)
    session.execute(row.on_conflict_do_update(index_elements=["build_id"], set_=values))


def cases_of(session: Session, build_id: int) -> tuple[TestCase, ...]:
    """All tests of a build, by suite and name, with the messages that were kept. Durations are within 4 %."""
    query = select(test_runs.c.results, test_runs.c.durations, build_details.c.tests).select_from(
        test_runs.outerjoin(build_details, build_details.c.build_id == test_runs.c.build_id)
    )
    row = session.execute(query.where(test_runs.c.build_id == build_id)).one_or_none()
    if row is None:
        return ()
    results = unpacked(row.results)
    durations = unpacked_durations(row.durations, len(results))
    texts = test_names.tests_of(session, results)
    told = by_test(report_of(row.tests).cases) if row.tests else {}
    cases = []
    for (number, status), duration in zip(results.items(), durations, strict=True):
        suite, name = texts[number]
        message = told[suite, name].message if (suite, name) in told else None
        cases.append(TestCase(suite=suite, name=name, status=status, duration=duration, message=message))
    return tuple(sorted(cases, key=lambda case: case.test))


def changes(session: Session, ids: Collection[int]) -> dict[int, TestChanges]:
    """Of each of these builds what changed against those before it; builds without a report are left out."""
    found: dict[int, TestChanges] = {}
    for run in _runs(session, ids):
        if run.results is None:
            continue
        attempts = list(_with_attempts(session, [run]))
        own, *earlier = _readings([*attempts, *_before(session, run)])
        sets = compare(own.statuses or {}, standing(earlier[len(attempts) - 1 :]), partial=own.partial)
        texts = test_names.tests_of(session, {number for some in sets.values() for number in some})
        named = {key: tuple(sorted(texts[number] for number in some)) for key, some in sets.items()}
        found[run.build_id] = TestChanges(**named, compared="vanished" in sets, partial=own.partial)
    return found


def failing_before(session: Session, build_id: int) -> frozenset[Test] | None:
    """The tests that failed before this build in its stream; None: not known."""
    return failing_before_each(session, [build_id])[build_id]


def failing_before_each(session: Session, ids: Collection[int]) -> dict[int, frozenset[Test] | None]:
    """Of each of these builds the tests that failed before it in its stream; None: not known."""
    found: dict[int, frozenset[Test] | None] = dict.fromkeys(ids)
    for run in _runs(session, ids):
        known = standing(_readings(_before(session, run)))
        if known is not None:
            failed = [number for number, status in known.items() if status in FAILING]
            found[run.build_id] = frozenset(test_names.tests_of(session, failed).values())
    return found


def _runs(session: Session, ids: Collection[int]) -> list[Run]:
    return [Run._make(row) for row in session.execute(_RUNS.where(among(session, builds.c.id, ids)))]


def _before(session: Session, run: Run) -> list[Run]:
    """The builds before one in its stream that passed or failed, newest first; of a build all attempts."""
    place = tuple_(builds.c.generation, builds.c.number)
    query = _RUNS.where(
        builds.c.pipeline_id == run.pipeline_id,
        builds.c.stream_id == run.stream_id,
        SETTLED,
        builds.c.flags < AWAITED,
        place < (run.generation, run.number),
    ).order_by(builds.c.generation.desc(), builds.c.number.desc(), builds.c.id.desc())
    found = [Run._make(row) for row in session.execute(query.limit(_LOOKED_BACK))]
    return list(_with_attempts(session, found))


def _with_attempts(session: Session, runs: Sequence[Run]) -> Iterator[Run]:
    """A re-run may repeat only what had failed: behind each build come its earlier attempts."""
    rerun = [run for run in runs if run.attempt > 1]
    earlier: dict[str, list[Run]] = {}
    if rerun:
        theirs = builds.c.pipeline_id == rerun[0].pipeline_id, builds.c.superseded == 1, builds.c.verdict < NEUTRAL
        query = _RUNS.where(*theirs, among(session, builds.c.external_id, [run.external_id for run in rerun]))
        for row in session.execute(query.order_by(builds.c.attempt.desc())):
            earlier.setdefault(row.external_id, []).append(Run._make(row))
    for run in runs:
        yield run
        yield from (each for each in earlier.get(run.external_id, ()) if each.attempt < run.attempt)


def _readings(runs: Iterable[Run]) -> Iterator[Reading]:
    """What these builds say, newest first. A report with far fewer tests than those before it is not whole."""
    line = list(runs)
    reported = [run for run in line if run.total is not None]
    for run in line:
        if run.results is None:
            yield Reading(None, run.all_well, partial=False)
            continue
        place = reported.index(run)
        older = list(islice(reported, place + 1, place + 1 + _COMPARED))
        most = max((each.total or 0 for each in older), default=0)
        same = [each.total or 0 for each in older if each.external_id == run.external_id]
        partial = 2 * (run.total or 0) < most or (run.total or 0) < max(same, default=0)
        yield Reading(unpacked(run.results), run.all_well, partial)
