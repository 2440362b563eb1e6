"""How the tests of a stream stand, and what has become of those that had failed."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from domain.build import Verdict
from domain.testhistory import Reading, TestChanges, TestFate, TestStand
from domain.testreport import Test, TestStatus
from store import test_names
from store.among import among
from store.columns import from_ms
from store.database import Session
from store.schema import PASSED, details_due
from store.test_line import Place, Run, line_of, readings
from store.tests import compared

_LONG_GONE = 3  # reports without a suite: it is not there any more, whatever the builds failed of
_FATES = {TestStatus.PASSED: TestFate.FIXED, TestStatus.SKIPPED: TestFate.SKIPPED}


def stand(session: Session, place: Place, asked: Collection[Test] = ()) -> TestStand | None:
    """How the tests of a stream stand after its newest build that says anything of them; None: nothing is known.

    With the fates of the tests that are `asked` for. A build that failed without a report says nothing, nor does
    one that passed and whose report is still to be read.
    """
    line = line_of(session, place)
    unread = _unread(session, [run.build_id for run in line if run.results is None and run.all_well])
    line = [run for run in line if run.build_id not in unread]
    newest = next((at for at, run in enumerate(line) if run.results is not None or run.all_well), None)
    if newest is None:
        return None
    run, line = line[newest], line[newest:]
    own, *earlier = readings(line)
    earlier = earlier[sum(each.number == run.number and each.generation == run.generation for each in line[1:]) :]
    if own.statuses is None:
        told = TestChanges(compared=True)
        fates = dict.fromkeys(asked, TestFate.FIXED)
    else:
        told = compared(session, own, earlier)
        fates = _fates(session, run, own, earlier, asked)
    return TestStand(
        build_id=run.build_id,
        generation=run.generation,
        number=run.number,
        finished_at=from_ms(run.ended_at),
        verdict=Verdict.PASSED if run.verdict == PASSED else Verdict.FAILED,
        changes=told,
        fates=fates,
    )


def _unread(session: Session, ids: Collection[int]) -> set[int]:
    """Those of the builds whose details are still to come."""
    if not ids:
        return set()
    query = select(details_due.c.build_id).where(among(session, details_due.c.build_id, ids))
    return set(session.execute(query).scalars())


def _fates(
    session: Session, run: Run, own: Reading, earlier: Sequence[Reading], asked: Collection[Test]
) -> dict[Test, TestFate]:
    """What has become of tests, by the report of a build and those before it."""
    numbers = test_names.numbers(session, run.pipeline_id, asked)
    statuses = own.statuses or {}
    absent = {test for test in asked if numbers.get(test) not in statuses}
    fates = dict.fromkeys(absent, TestFate.VANISHED)
    if not own.all_well:
        missing = {test: numbers.get(test) for test in absent}
        fates |= dict.fromkeys(_not_reached(session, run, own, earlier, missing), TestFate.UNKNOWN)
    for test in set(asked) - absent:
        status = statuses[numbers[test]]
        fates[test] = _FATES.get(status, TestFate.FAILING)
    return fates


def _not_reached(
    session: Session, run: Run, own: Reading, earlier: Sequence[Reading], absent: Mapping[Test, int | None]
) -> set[Test]:
    """Those of the absent tests (and their numbers) that a failed build may just not have come to.

    All, when its report is not whole. Else those whose whole suite is absent, until it was so in several reports.
    """
    if own.partial:
        return set(absent)
    suites = test_names.suites_among(session, run.pipeline_id, {suite for suite, _ in absent}, own.statuses or {})
    reports = [each.statuses for each in earlier if each.statuses is not None][: _LONG_GONE - 1]
    young = len(reports) < _LONG_GONE - 1
    return {
        test
        for test, number in absent.items()
        if test[0] not in suites and (young or any(number in statuses for statuses in reports))
    }
