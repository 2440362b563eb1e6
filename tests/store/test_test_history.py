from datetime import timedelta

import pytest

from domain.build import Outcome
from domain.testhistory import ErrorGroup
from domain.testreport import TestCase, TestReport, TestStatus
from store import tests
from store.engine import Database
from store.test_history import durations, history, places
from tests.support.builders import NOON, build, pipeline
from tests.support.reports import line, read, report, stored

PLACE = ("ci", "web/deploy", "main")


def told(database: Database, **given: object) -> dict[str, str]:
    """Letters by test, oldest build first."""
    runs, courses = database.read(lambda session: history(session, PLACE, **given))  # type: ignore[arg-type]
    assert all(len(course.statuses) == len(runs) for course in courses)
    letters = {status: status.name[0] for status in TestStatus}
    return {
        course.name: "".join("-" if status is None else letters[status] for status in course.statuses)
        for course in courses
    }


def test_only_tests_that_failed_have_a_history_unless_asked_for(database: Database) -> None:
    line(database, "PFP", "PES", "PPP")
    assert told(database) == {"b": "FEP"}
    assert told(database, tests=[("s", "a"), ("s", "c"), ("s", "z")]) == {"a": "PPP", "c": "PSP"}


def test_a_build_that_passed_without_a_report_counts_and_one_that_failed_does_not(database: Database) -> None:
    line(database, "", "FP", "x", "", "FP", {"b": "P"})
    assert told(database) == {"a": "PFPF-"}
    runs, _ = database.read(lambda session: history(session, PLACE))
    assert [(run.number, run.total, run.failed) for run in runs] == [
        (1, 0, 0),
        (2, 2, 1),
        (4, 0, 0),
        (5, 2, 1),
        (6, 1, 0),
    ]


def test_history_has_an_end_and_a_length(database: Database) -> None:
    line(database, "F", "P", "F", "P")
    assert told(database, until=(0, 3)) == {"a": "FP"}
    assert told(database, limit=2) == {"a": "FP"}
    line(database, "", "x", first=5)
    assert told(database, limit=2) == {}


def test_history_knows_all_attempts_and_retries(database: Database) -> None:
    first, again = stored(database, build(1, Outcome.FAILURE), build(1, attempt=2))
    read(database, first, "FP")
    flaky = TestReport(
        passed=1, failed=0, skipped=0, cases=(TestCase(suite="s", name="b", status=TestStatus.PASSED, flaky=True),)
    )
    database.transact(lambda session: tests.record(session, again, flaky))
    runs, courses = database.read(lambda session: history(session, PLACE))
    assert [(run.number, run.attempt, run.commit) for run in runs] == [(1, 1, f"{1:040x}"), (1, 2, f"{1:040x}")]
    assert [(course.name, course.retried) for course in courses] == [("a", ()), ("b", (1,))]


def test_times_are_known_by_test_and_build(database: Database) -> None:
    one, two = stored(database, build(1), build(2))
    database.transact(lambda session: tests.record(session, one, report("PP", duration=2.0)))
    database.transact(lambda session: tests.record(session, two, report("P")))
    found = database.read(lambda session: durations(session, [one, two]))
    assert found == {("s", name): {one: pytest.approx(2.0, rel=0.04)} for name in "ab"}


def test_streams_with_reports_are_known(database: Database) -> None:
    line(database, "P", "")
    line(database, "P", pipeline=pipeline("lib/x", branched=False))
    line(database, "", pipeline=pipeline("lib/y"))
    assert database.read(lambda session: places(session, NOON)) == [("ci", "lib/x", ""), PLACE]
    assert database.read(lambda session: places(session, NOON + timedelta(days=1))) == []


def test_what_several_tests_failed_of_is_kept(database: Database) -> None:
    (build_id,) = stored(database, build(1, Outcome.FAILURE))
    groups = (ErrorGroup("timeout after <n> s", 37, (("s", "a"), ("s", "b"))),)
    database.transact(lambda session: tests.record(session, build_id, report("FF"), errors=groups))
    assert database.read(lambda session: tests.errors_of(session, build_id)) == groups
    read(database, build_id, "FF")
    assert database.read(lambda session: tests.errors_of(session, build_id)) == ()
