"""Test reports as they may be stored: without secrets, with what several tests fail of."""

from collections.abc import Callable
from dataclasses import replace

from domain.testhistory import ErrorGroup
from domain.testreport import FAILING, TestCase, TestReport
from metrics.error_groups import error_groups
from parsers.secrets import redacted
from parsers.signatures import signature

_LONGEST = 2000  # characters of a message that are looked at


def harmless(report: TestReport, redact: Callable[[str], str]) -> TestReport:
    """Without what the tests that passed wrote, and without secrets in what the others did."""
    known: dict[str, str] = {}

    def told(case: TestCase) -> TestCase:
        if case.message is None:
            return case
        if case.status not in FAILING:
            return replace(case, message=None)
        text = case.message[:_LONGEST]
        if text not in known:
            known[text] = redact(redacted(text))
        return replace(case, message=known[text])

    return replace(report, cases=tuple(map(told, report.cases)), notes=tuple(map(redact, report.notes)))


def errors(report: TestReport) -> tuple[ErrorGroup, ...]:
    """What several of its tests fail of."""
    return error_groups(report.failing, signature)
