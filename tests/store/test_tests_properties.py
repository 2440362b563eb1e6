"""In whatever order reports are read, and however often, all that is said of the tests is the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.build import Outcome
from domain.testreport import FAILING, Test, TestCase, TestReport, TestStatus
from store import builds, tests
from store.engine import Database, Session
from store.test_history import history
from store.test_stand import stand
from tests.store.test_upsert_properties import clear
from tests.support.builders import NOON, build
from tests.support.histories import verdict_of

PLACE = ("ci", "web/deploy", "main")
OUTCOMES = (Outcome.SUCCESS, Outcome.FAILURE, Outcome.CANCELLED, None)
Results = Mapping[Test, TestStatus]

results = st.dictionaries(
    st.tuples(st.sampled_from(["", "s", "suite\0\ud800"]), st.sampled_from("abcdé")),
    st.sampled_from(list(TestStatus)),
    min_size=1,
)
lives = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 2), st.sampled_from(OUTCOMES), st.none() | results),
    min_size=1,
    max_size=10,
    unique_by=lambda each: each[:2],
)
Life = tuple[int, int, Outcome | None, Results | None]


def report_of(some: Results) -> TestReport:
    cases = tuple(TestCase(suite=suite, name=name, status=status) for (suite, name), status in some.items())
    failed = sum(status in FAILING for status in some.values())
    return TestReport(passed=len(cases) - failed, failed=failed, skipped=0, cases=cases)


def stored(session: Session, lives: Sequence[Life]) -> dict[tuple[int, int], int]:
    some = [build(number, outcome, attempt=attempt) for number, attempt, outcome, _ in lives]
    found = builds.upsert(session, some, verdict_of, NOON)
    return {(change.seen.number, change.seen.attempt): change.id for change in found}


def said(session: Session, ids: Mapping[tuple[int, int], int]) -> dict[str, Any]:
    """All that the store says of the tests, without ids."""
    asked = [(suite, name) for suite in ("", "s") for name in "abc"]
    found = stand(session, PLACE, asked)
    runs, courses = history(session, PLACE)
    return {
        "cases": {key: tests.cases_of(session, build_id) for key, build_id in ids.items()},
        "changes": {key: tests.changes(session, [build_id]).get(build_id) for key, build_id in ids.items()},
        "before": {key: tests.failing_before(session, build_id) for key, build_id in ids.items()},
        "stand": found and (found.number, found.verdict, found.changes, found.fates),
        "history": ([(run.number, run.attempt, run.total, run.failed) for run in runs], courses),
    }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=lives, data=st.data())
def test_the_order_of_reading_changes_nothing(database: Database, lives: list[Life], data: st.DataObject) -> None:
    found = []
    reported = [each for each in lives if each[3] is not None]
    for again in (False, True):
        clear(database)
        wanted = data.draw(st.permutations(reported)) if again else reported
        extra = data.draw(st.lists(st.sampled_from(reported), max_size=3)) if again and reported else []

        def unit(session: Session, some: Sequence[Life]) -> dict[str, Any]:
            ids = stored(session, lives)
            for number, attempt, _, its in some:
                tests.record(session, ids[number, attempt], report_of(its or {}))
            return said(session, ids)

        found.append(database.transact(lambda session, some=[*wanted, *extra]: unit(session, some)))  # type: ignore[misc]
    assert found[0] == found[1]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=lives)
def test_what_was_recorded_is_read_back(database: Database, lives: list[Life]) -> None:
    clear(database)

    def unit(session: Session) -> None:
        ids = stored(session, lives)
        for number, attempt, _, its in lives:
            if its is not None:
                tests.record(session, ids[number, attempt], report_of(its))
        for number, attempt, _, its in lives:
            found = {case.test: case.status for case in tests.cases_of(session, ids[number, attempt])}
            assert found == {
                (suite.replace("\0", "\ufffd").replace("\ud800", "\ufffd"), name): status
                for (suite, name), status in (its or {}).items()
            }

    database.transact(unit)
