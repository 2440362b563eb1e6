"""A card lists the tests that fail, new ones first, and what changed since it was well."""

from datetime import UTC
from typing import Any

from alerts.background import Background
from alerts.case import Case
from alerts.sections import sections
from domain.alert import AlertState, Reason
from domain.build import Outcome
from domain.message import Cell, Table, Tone
from domain.testreport import TestCase, TestReport, TestStatus
from tests.support.builders import NOON, alert, build

FAILED = {"last_failed": {"id": 2, "number": 812, "generation": 0}}
GOOD = {"last_passed": {"id": 1, "number": 810, "generation": 0}}


def _report(*names: str, failed: int | None = None) -> TestReport:
    cases = [TestCase(suite="web", name=name, status=TestStatus.FAILED) for name in names]
    fine = TestCase(suite="web", name="fine", status=TestStatus.PASSED)
    return TestReport(passed=1, failed=len(names) if failed is None else failed, skipped=0, cases=(fine, *cases))


def _sections(tests: TestReport | None = None, evidence: Any = FAILED, **background: Any) -> tuple[Table, ...]:
    case = Case(
        alert=alert(evidence=evidence),
        reason=Reason.FIRST,
        pipeline=None,
        builds={2: build(812, Outcome.FAILURE, tests=tests)},
        now=NOON,
        zone=UTC,
        background=Background(**background),
    )
    return sections(case)


def test_new_failures_stand_before_those_that_were_failing() -> None:
    (table,) = _sections(_report("old", "new"), failing_before=frozenset({("web", "old")}))
    assert table.title == "2 failing tests, 1 of them new"
    assert table.rows == (
        (Cell(text="web: new"), Cell(text="new", tone=Tone.BROKEN)),
        (Cell(text="web: old"), Cell(text="still", tone=Tone.WORSE)),
    )


def test_without_the_build_before_nothing_is_called_new() -> None:
    (table,) = _sections(_report("a"))
    assert table == Table(title="1 failing test", rows=((Cell(text="web: a"),),))


def test_five_are_shown_and_the_rest_is_counted_also_when_it_was_not_read() -> None:
    (table,) = _sections(_report(*"abcdefg", failed=90))
    assert len(table.rows) == 5
    assert table.more == 85
    assert table.title == "90 failing tests"


def test_a_test_without_a_suite_has_its_name_only() -> None:
    report = TestReport(passed=0, failed=1, skipped=0, cases=(TestCase(suite="", name="x", status=TestStatus.ERROR),))
    (table,) = _sections(report)
    assert table.rows == ((Cell(text="x"),),)


def test_totals_without_cases_have_no_table() -> None:
    assert _sections(TestReport(passed=1, failed=2, skipped=0)) == ()
    assert _sections() == ()


def test_what_changed_is_named_neutrally_and_counted() -> None:
    (table,) = _sections(evidence=FAILED | GOOD, suspects=tuple("abcdefgh"))
    assert table.title == "Changes since #810"
    assert [row[0].text for row in table.rows] == ["a", "b", "c", "d", "e"]
    assert table.more == 3
    assert _sections(suspects=("a",))[0].title == "Changes"


def test_nothing_is_listed_once_it_is_over() -> None:
    over = Case(
        alert=alert(evidence=FAILED, state=AlertState.RESOLVED),
        reason=Reason.RESOLVED,
        pipeline=None,
        builds={2: build(812, Outcome.FAILURE, tests=_report("a"))},
        now=NOON,
        zone=UTC,
    )
    assert sections(over) == ()
