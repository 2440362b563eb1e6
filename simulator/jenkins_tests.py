"""Test reports of the simulated Jenkins, in the junit, matrix and multijob plug-ins' words."""

from collections.abc import Callable, Mapping, Sequence

from domain.testreport import TestCase, TestStatus
from simulator.jenkins_kinds import MATRIX, MULTIJOB
from simulator.jenkins_world import Build
from simulator.tree import Bean, Record

_FAILED = (TestStatus.FAILED, TestStatus.ERROR)
_AGGREGATED = {
    MATRIX: "hudson.tasks.test.MatrixTestResult",
    MULTIJOB: "com.tikal.jenkins.plugins.multijob.MultiJobTestResults",
}

Before = Mapping[tuple[str, str], TestStatus]


def totals(tests: Sequence[TestCase]) -> dict[str, object]:
    """failCount, skipCount, totalCount."""
    return {
        "failCount": sum(case.status in _FAILED for case in tests),
        "skipCount": sum(case.status is TestStatus.SKIPPED for case in tests),
        "totalCount": len(tests),
    }


def has_report(build: Build) -> bool:
    """Whether it published one, or something that it is made of did."""
    return bool(build.tests) or any(has_report(part) for part in _parts(build))


def _parts(build: Build) -> list[Build]:
    """A matrix puts together only what it ran itself."""
    return [*(run for run in build.runs if run.number == build.number), *build.parts]


def all_tests(build: Build) -> list[TestCase]:
    """Its own and those of what it is made of."""
    return [*build.tests, *(case for part in _parts(build) for case in all_tests(part))]


class Reports:
    """`testReport/api/json` of builds.

    Args:
        child: Shows a build that a report names.
        compares: Whether the words tell what is new: REGRESSION and FIXED, as older plug-ins have it.
    """

    def __init__(self, child: Callable[[Build], Bean], *, compares: bool) -> None:
        self._child = child
        self._compares = compares

    def of(self, build: Build) -> Bean:
        """Suites of cases; of a matrix or multijob the reports of its parts, and no passCount."""
        if build.job.class_name in _AGGREGATED:
            parts = [part for part in _parts(build) if has_report(part)]
            children = [
                Record(None, {"child": self._child(part), "result": self.of(part)}, visibility=999) for part in parts
            ]
            values = {**totals(all_tests(build)), "childReports": children}
            return Record(_AGGREGATED[build.job.class_name], values, visibility=999, inline=True)
        return self._own(build)

    def _own(self, build: Build) -> Bean:
        counts, before = totals(build.tests), _before(build)
        suites: dict[str, list[TestCase]] = {}
        for case in build.tests:
            suites.setdefault(case.suite, []).append(case)
        values = {
            "duration": sum(case.duration or 0 for case in build.tests),
            "empty": not build.tests,
            "failCount": counts["failCount"],
            "passCount": sum(case.status is TestStatus.PASSED for case in build.tests),
            "skipCount": counts["skipCount"],
            "suites": [self._suite(name, cases, before) for name, cases in suites.items()],
        }
        return Record("hudson.tasks.junit.TestResult", values, visibility=999)

    def _suite(self, name: str, cases: list[TestCase], before: Before) -> Bean:
        values = {
            "cases": [self._case(case, before) for case in cases],
            "duration": sum(case.duration or 0 for case in cases),
            "id": None,
            "name": name,
            "timestamp": None,
        }
        return Record(None, values, visibility=999)

    def _case(self, case: TestCase, before: Before) -> Bean:
        failed = case.status in _FAILED
        trace = f"{case.message}\n\tat {case.suite}.{case.name}({case.suite.rpartition('.')[2]}.java:41)"
        values = {
            "age": int(failed),
            "className": case.suite,
            "duration": case.duration or 0,
            "errorDetails": case.message if failed else None,
            "errorStackTrace": trace if failed and case.message else None,
            "failedSince": 0,
            "name": case.name,
            "skipped": case.status is TestStatus.SKIPPED,
            "skippedMessage": case.message if case.status is TestStatus.SKIPPED else None,
            "status": self._word(case, before),
            "stderr": None,
            "stdout": None,
        }
        return Record(None, values, visibility=999)

    def _word(self, case: TestCase, before: Before) -> str:
        failed, failed_before = case.status in _FAILED, before.get((case.suite, case.name)) in _FAILED
        if self._compares and failed and not failed_before:
            return "REGRESSION"
        if self._compares and case.status is TestStatus.PASSED and failed_before:
            return "FIXED"
        return "FAILED" if failed else case.status.upper()


def _before(build: Build) -> Before:
    """How the tests ended in the build before this one that had any."""
    older = [each for each in build.job.builds.values() if each.number < build.number and each.tests]
    last = max(older, key=lambda each: each.number, default=None)
    return {(case.suite, case.name): case.status for case in last.tests} if last is not None else {}
