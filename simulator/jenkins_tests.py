"""Test reports of the simulated Jenkins, in the junit and matrix plug-ins' words."""

from collections.abc import Callable, Sequence

from domain.testreport import TestCase, TestStatus
from simulator.jenkins_world import MATRIX, Build
from simulator.tree import Bean, Record

_FAILED = (TestStatus.FAILED, TestStatus.ERROR)


def totals(tests: Sequence[TestCase]) -> dict[str, object]:
    """failCount, skipCount, totalCount."""
    return {
        "failCount": sum(case.status in _FAILED for case in tests),
        "skipCount": sum(case.status is TestStatus.SKIPPED for case in tests),
        "totalCount": len(tests),
    }


def report_of(build: Build, child: Callable[[Build], Bean]) -> Bean:
    """`testReport/api/json`: suites of cases; for a matrix the reports of its configurations, without passCount."""
    if build.job.class_name == MATRIX:
        own = [run for run in build.runs if run.number == build.number and run.tests]
        children = [Record(None, {"child": child(run), "result": report_of(run, child)}, visibility=999) for run in own]
        cases = [case for run in own for case in run.tests]
        return Record(
            "hudson.tasks.test.MatrixTestResult",
            {**totals(cases), "childReports": children},
            visibility=999,
            inline=True,
        )
    counts = totals(build.tests)
    suites: dict[str, list[TestCase]] = {}
    for case in build.tests:
        suites.setdefault(case.suite, []).append(case)
    values = {
        "duration": sum(case.duration or 0 for case in build.tests),
        "empty": not build.tests,
        "failCount": counts["failCount"],
        "passCount": sum(case.status is TestStatus.PASSED for case in build.tests),
        "skipCount": counts["skipCount"],
        "suites": [_suite(name, cases) for name, cases in suites.items()],
    }
    return Record("hudson.tasks.junit.TestResult", values, visibility=999)


def _suite(name: str, cases: list[TestCase]) -> Bean:
    words = {TestStatus.ERROR: "FAILED"}
    listed = [
        Record(
            None,
            {
                "age": int(case.status in _FAILED),
                "className": case.suite,
                "duration": case.duration or 0,
                "errorDetails": case.message,
                "errorStackTrace": case.message,
                "failedSince": 0,
                "name": case.name,
                "skipped": case.status is TestStatus.SKIPPED,
                "skippedMessage": None,
                "status": words.get(case.status, case.status.upper()),
                "stderr": None,
                "stdout": None,
            },
            visibility=999,
        )
        for case in cases
    ]
    values = {
        "cases": listed,
        "duration": sum(c.duration or 0 for c in cases),
        "id": None,
        "name": name,
        "timestamp": None,
    }
    return Record(None, values, visibility=999)
