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
    """Without what the tests that passed wrote, and without secrets in names and in what the others wrote."""
    known: dict[str, str] = {}

    def hidden(text: str) -> str:
        if text not in known:
            known[text] = redact(redacted(text))
        return known[text]

    def told(case: TestCase) -> TestCase:
        suite, name = hidden(case.suite), redact(redacted(case.name))
        message = hidden(case.message[:_LONGEST]) if case.message is not None and case.status in FAILING else None
        if (suite, name, message) == (case.suite, case.name, case.message):
            return case
        return replace(case, suite=suite, name=name, message=message)

    return replace(report, cases=tuple(map(told, report.cases)), notes=tuple(map(redact, report.notes)))


def errors(report: TestReport) -> tuple[ErrorGroup, ...]:
    """What several of its tests fail of."""
    return error_groups(report.failing, signature)
