"""Tests of builds: what is kept of a report, and what it says beside those before it in its stream.

What changed is worked out when it is asked for, from the reports of the builds before: so it does not matter in which
order builds are read, whether twice, or what was pruned meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import orjson
from sqlalchemy import select

from domain.testhistory import ErrorGroup, Reading, TestChanges, compare, standing
from domain.testreport import FAILING, Test, TestCase, TestReport, TestStatus, by_test, each_once
from store import test_names
from store.among import among
from store.changes import note_builds
from store.columns import to_json
from store.database import Session
from store.dialect import insert_into
from store.schema import build_details, test_runs
from store.test_codes import packed, packed_durations, unpacked, unpacked_durations, unpacked_flaky
from store.test_line import before, readings, runs, with_attempts
from store.test_reports import bounded, kept, report_of


def record(session: Session, build_id: int, report: TestReport, *, errors: Sequence[ErrorGroup] = ()) -> TestChanges:
    """Keep the report of a build, instead of one that was kept before; what changed against the builds before it.

    With the build itself stay the totals and what failed, of at most 200 cases. A build of a stream keeps the status
    of every test, and its `errors`. A build that is not stored (any more) and a report without cases change nothing.
    """
    known = runs(session, [build_id])
    if not known:
        return TestChanges()
    run = known[0]
    report = each_once(replace(report, cases=tuple(map(bounded, report.cases))))
    cases = {case.test: case for case in report.cases}
    if run.stream_id is None or not cases:
        _keep_report(session, build_id, report)
        return TestChanges(failing=tuple(sorted(test for test, case in cases.items() if case.status in FAILING)))
    numbers = test_names.learn(session, run.pipeline_id, list(cases), run.ended_at)
    _write(session, build_id, {numbers[test]: case for test, case in cases.items()}, errors)
    told = changes(session, [build_id])[build_id]
    _keep_report(session, build_id, report, frozenset(told.newly_failing))
    return told


def _keep_report(session: Session, build_id: int, report: TestReport, first: Collection[Test] = ()) -> None:
    row = insert_into(session, build_details).values(build_id=build_id, tests=kept(report, first))
    session.execute(row.on_conflict_do_update(index_elements=["build_id"], set_={"tests": row.excluded.tests}))
    note_builds(session, [build_id])


def _write(session: Session, build_id: int, cases: Mapping[int, TestCase], errors: Sequence[ErrorGroup]) -> None:
    values = {
        "total": len(cases),
        "failed": sum(case.status in FAILING for case in cases.values()),
        "results": packed(
            {number: case.status for number, case in cases.items()},
            {number for number, case in cases.items() if case.flaky and case.status is TestStatus.PASSED},
        ),
        "errors": to_json([each._asdict() for each in errors]) if errors else None,
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
    flaky = unpacked_flaky(row.results)
    told = by_test(report_of(row.tests).cases) if row.tests else {}
    cases = []
    for (number, status), duration in zip(results.items(), durations, strict=True):
        if number not in texts:
            continue
        suite, name = texts[number]
        message = told[suite, name].message if (suite, name) in told else None
        case = TestCase(suite=suite, name=name, status=status, duration=duration, message=message)
        cases.append(replace(case, flaky=True) if number in flaky else case)
    return tuple(sorted(cases, key=lambda case: case.test))


def errors_of(session: Session, build_id: int) -> tuple[ErrorGroup, ...]:
    """What several tests of a build fail of, the most frequent first."""
    found = session.execute(select(test_runs.c.errors).where(test_runs.c.build_id == build_id)).scalar()
    return tuple(
        ErrorGroup(each["error"], each["size"], tuple((suite, name) for suite, name in each["tests"]))
        for each in (orjson.loads(found) if found else ())
    )


def changes(session: Session, ids: Collection[int]) -> dict[int, TestChanges]:
    """Of each of these builds what changed against those before it; builds without a report are left out."""
    found: dict[int, TestChanges] = {}
    for run in runs(session, ids):
        if run.results is None:
            continue
        attempts = list(with_attempts(session, [run]))
        own, *earlier = readings([*attempts, *before(session, run)])
        found[run.build_id] = compared(session, own, earlier[len(attempts) - 1 :])
    return found


def compared(session: Session, own: Reading, earlier: Sequence[Reading]) -> TestChanges:
    """What one build says against what those before it said, newest first, in words."""
    sets = compare(own.statuses or {}, standing(earlier), partial=own.partial)
    texts = test_names.tests_of(session, {number for some in sets.values() for number in some})
    named = {key: tuple(sorted(texts[number] for number in some if number in texts)) for key, some in sets.items()}
    return TestChanges(**named, compared="vanished" in sets, partial=own.partial)


def failing_before(session: Session, build_id: int) -> frozenset[Test] | None:
    """The tests that failed before this build in its stream; None: not known."""
    return failing_before_each(session, [build_id])[build_id]


def failing_before_each(session: Session, ids: Collection[int]) -> dict[int, frozenset[Test] | None]:
    """Of each of these builds the tests that failed before it in its stream; None: not known."""
    found: dict[int, frozenset[Test] | None] = dict.fromkeys(ids)
    for run in runs(session, ids):
        known = standing(readings(before(session, run)))
        if known is not None:
            failed = [number for number, status in known.items() if status in FAILING]
            found[run.build_id] = frozenset(test_names.tests_of(session, failed).values())
    return found


def with_report(session: Session, ids: Collection[int]) -> set[int]:
    """Those of the builds, of streams, whose report was read."""
    if not ids:
        return set()
    return set(session.execute(select(test_runs.c.build_id).where(among(session, test_runs.c.build_id, ids))).scalars())
