"""From the reports of builds to what people are told of their tests."""

from datetime import timedelta
from pathlib import Path

from alerts.rules import FailureRule
from domain.alert import AlertKind, AlertState, Notification, Reason
from domain.build import Outcome
from domain.details import Details
from store import tests
from store.engine import Database
from tests.support.builders import NOON, build, pipeline
from tests.support.reports import report
from tests.support.teller import ExplainedDesk

PASSES = "defaults: {unstable: passed}\n"
REQUIRES = 'defaults: {require: {artifact: "reports/*.xml"}}\n'
XML = b'<testsuite name="s"><testcase name="a" classname="s"/></testsuite>'


def desk(database: Database, folder: Path, more: str = "", **rules: object) -> ExplainedDesk:
    found = ExplainedDesk(database, folder, more)
    found.teller.usual = Details()
    found.with_rules(**rules)
    return found


def comes(desk: ExplainedDesk, letter: str, results: str = "", files: dict[str, bytes] | None = None) -> None:
    """The next build, with such a report, which is read at once; `-`: it has none."""
    number = desk._number + 1
    desk.teller.by_number[number] = Details(tests=report(results)) if results not in ("", "-") else Details()
    desk.teller.files = files or {}
    desk.builds(letter)
    desk.explains()


def told(desk: ExplainedDesk, kind: AlertKind = AlertKind.TEST_REGRESSION) -> list[Notification]:
    return [row for row in desk.rows() if row.about["kind"] == kind]


def words(desk: ExplainedDesk) -> list[str]:
    return [row.message.headline.partition("main ")[2] for row in told(desk)]


def test_the_failure_tells_new_failing_tests_and_nothing_else_does(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path)
    comes(here, "P")
    comes(here, "F", "PFP")
    assert told(here) == []
    (row,) = told(here, AlertKind.FAILURE)
    assert row.message.tables[0].title == "1 failing test, 1 of them new"
    comes(here, "F", "PFF")
    assert [each.reason for each in told(here, AlertKind.FAILURE)] == [Reason.FIRST, Reason.UPDATE]
    comes(here, "F", "PFF")
    comes(here, "P")
    assert [each.reason for each in told(here, AlertKind.FAILURE)][2:] == [Reason.RESOLVED]
    assert told(here) == []


def test_without_failure_alerts_a_regression_is_told_and_its_end(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, failure=None)
    comes(here, "P")
    comes(here, "F", "PFP")
    comes(here, "F", "PFP")
    comes(here, "F", "FFP")
    comes(here, "F", "-")
    comes(here, "F", "FPP")
    comes(here, "P")
    assert words(here) == [
        "has 2 new failing tests: s: a, s: b",  # nobody had seen the first message when the second test failed
        "has 1 more failing test: s: a",
        "is well again: 2 tests fixed (50 m)",
    ]
    (alert,) = here.alerts()
    assert (alert.kind, alert.state) == (AlertKind.TEST_REGRESSION, AlertState.RESOLVED)


def test_a_failure_that_waits_leaves_new_failing_tests_to_be_told(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, failure=FailureRule(after=3))
    comes(here, "P")
    comes(here, "F", "PF")
    assert words(here) == ["has 1 new failing test: s: b"]
    comes(here, "P", "-")
    assert [row.reason for row in told(here)] == [Reason.FIRST, Reason.RESOLVED]


def test_what_was_known_to_be_flaky_is_no_news(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, failure=None, test_regression=False)
    for letter in "PFPFP":
        comes(here, letter, {"P": "PP", "F": "FP"}[letter])
    here.with_rules(test_regression=True)
    comes(here, "F", "FP")
    assert told(here) == []
    comes(here, "F", "FF")
    assert words(here) == ["has 1 new failing test: s: b"]


def test_an_unstable_build_that_counts_as_passed_tells_its_new_failing_tests(
    database: Database, tmp_path: Path
) -> None:
    here = desk(database, tmp_path, PASSES)
    comes(here, "P")
    comes(here, "U", "PF")
    assert words(here) == ["has 1 new failing test: s: b"]
    assert told(here, AlertKind.FAILURE) == []
    comes(here, "U", "PF")
    comes(here, "P", "-")
    assert [row.reason for row in told(here)] == [Reason.FIRST, Reason.RESOLVED]


def test_pull_requests_say_nothing_of_tests(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, failure=None)
    comes(here, "P", "PP")
    here.teller.usual = Details(tests=report("FF"))
    here.comes(build(9, Outcome.FAILURE, is_pull_request=True, branch="fix", pipeline=pipeline()))
    here.explains()
    assert told(here) == []


def test_a_report_that_comes_late_is_judged_in_its_place(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, failure=None)
    comes(here, "P")
    here.builds("FF")
    older, newer = sorted(here.due())
    here.teller.by_number = {2: Details(tests=report("FP")), 3: Details(tests=report("FP"))}
    here.explains(newer)
    assert words(here) == ["has 1 new failing test: s: a"]
    here.explains(older)
    assert len(told(here)) == 1
    assert here.database.read(lambda session: tests.changes(session, [newer]))[newer].newly_failing == ()


def test_a_file_that_must_be_there_and_is_not_is_told(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, REQUIRES)
    comes(here, "P", files={"reports/a.xml": XML})
    assert told(here) == []
    comes(here, "P", files={"notes.txt": b"nothing"})
    assert words(here) == ["ran, but its artifact reports/*.xml is missing"]
    comes(here, "P", files={})
    comes(here, "P", files={"reports/a.xml": XML})
    assert words(here)[1:] == ["has its artifacts again (20 m)"]


def test_a_file_that_cannot_be_read_is_told_with_the_reason(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, 'defaults: {require: {artifact: "*.xml"}, parsers: {junit: "*.xml"}}\n')
    comes(here, "P", files={"a.xml": XML})
    comes(here, "P", files={"a.xml": b"<testsuite><testcase"})
    (first,) = words(here)
    assert first.startswith("ran, but its artifact a.xml cannot be read: ")


def test_a_build_that_failed_before_its_tests_need_not_leave_files(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, REQUIRES)
    comes(here, "P", files={"reports/a.xml": XML})
    comes(here, "F", files={})
    assert told(here) == []
    comes(here, "F", "PF", files={})
    assert words(here) == ["ran, but its artifact reports/*.xml is missing"]


def test_flaky_tests_are_no_news_to_a_failure_that_goes_on(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path)
    for letter in "PFPFP":
        comes(here, letter, {"P": "PPP", "F": "FPP"}[letter])
    comes(here, "F", "PFP")
    before = len(here.rows())
    comes(here, "F", "FFP")
    assert len(here.rows()) == before
    comes(here, "F", "FFF")
    assert [row.reason for row in here.rows()[before:]] == [Reason.UPDATE]


def test_what_had_failed_before_first_contact_is_no_news(database: Database, tmp_path: Path) -> None:
    here = desk(database, tmp_path, REQUIRES, failure=None)
    here.teller.by_number[2] = Details(tests=report("PF"))
    here.now = NOON + timedelta(days=1)
    here.comes(build(1), build(2, Outcome.FAILURE))
    here.explains()
    assert told(here) == []
    here._number = 2
    here.teller.by_number[3] = Details(tests=report("FF"))
    here.comes(build(3, Outcome.FAILURE, started_at=here.now))
    here.explains()
    assert words(here) == ["has 1 new failing test: s: a; and its artifact reports/*.xml is missing"]
