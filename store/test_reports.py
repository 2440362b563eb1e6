"""What is kept of a test report with the build itself: totals, and what failed."""

from collections.abc import Collection
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import orjson

from domain.testreport import Test, TestCase, TestReport, TestStatus
from domain.text import clean
from store.columns import to_json

MOST_CASES = 200
NO_CASES = '{"cases":[],'
"""How a report begins of which only the totals are known."""

_LONGEST_NAME, _LONGEST_MESSAGE = 1000, 500


def kept(report: TestReport, first: Collection[Test] = ()) -> str:
    """As JSON: the totals, and the cases that failed, so many at most, with messages cut; these tests `first`."""
    failing = map(bounded, report.failing)
    cases = sorted(failing, key=lambda case: case.test not in first) if first else failing
    return _text(replace(report, cases=tuple(islice(cases, MOST_CASES))))


def report_of(text: str) -> TestReport:
    """What was kept."""
    value: dict[str, Any] = orjson.loads(text)
    cases: list[dict[str, Any]] = value["cases"]
    return TestReport(
        passed=value["passed"],
        failed=value["failed"],
        skipped=value["skipped"],
        notes=tuple(value.get("notes", ())),
        repeated=value.get("repeated", 0),
        cases=tuple(TestCase(**{**case, "status": TestStatus(case["status"])}) for case in cases),
    )


def totals_of(text: str) -> str:
    """Of a report that was kept, only the totals."""
    return _text(replace(report_of(text), cases=(), notes=()))


def _text(report: TestReport) -> str:
    value = asdict(report)
    if not report.repeated:
        del value["repeated"]
    return to_json(value)


def bounded(case: TestCase) -> TestCase:
    """With names and a message that any database can hold."""
    suite, name = clean(case.suite, _LONGEST_NAME), clean(case.name, _LONGEST_NAME)
    message = None if case.message is None else clean(case.message, _LONGEST_MESSAGE, lines=True)
    if suite is case.suite and name is case.name and message is case.message:
        return case  # nearly always, and there may be very many
    return replace(case, suite=suite, name=name, message=message)
