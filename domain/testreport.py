"""Test results of one build, in JUnit's words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

Test = tuple[str, str]
"""Suite and name: what a test is known by within its pipeline."""


class TestStatus(StrEnum):
    """How one test case ended."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


FAILING = frozenset({TestStatus.FAILED, TestStatus.ERROR})
_WORST_FIRST = (TestStatus.ERROR, TestStatus.FAILED, TestStatus.PASSED, TestStatus.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One test case of one build. `duration` is in seconds."""

    __test__ = False

    suite: str
    name: str
    status: TestStatus
    duration: float | None = None
    message: str | None = None
    flaky: bool = False  # it passed, after it had failed in the same build

    @property
    def test(self) -> Test:
        """What the test is known by."""
        return self.suite, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The totals of a build's tests, and its cases where they were read."""

    __test__ = False

    passed: int
    failed: int  # failures and errors together
    skipped: int
    cases: tuple[TestCase, ...] = ()
    notes: tuple[str, ...] = ()  # what is missing in `cases`, in words for people
    repeated: int = 0  # of what failed: failures of tests that had failed already, in another file or matrix part

    def __post_init__(self) -> None:
        """Refuse counts below zero."""
        if min(self.passed, self.failed, self.skipped) < 0:
            message = f"test counts cannot be negative: {self.passed}, {self.failed}, {self.skipped}"
            raise ValueError(message)

    @property
    def total(self) -> int:
        """All cases, whatever their status."""
        return self.passed + self.failed + self.skipped

    @property
    def failing_tests(self) -> int:
        """Tests that failed: one that failed twice counts once."""
        return max(self.failed - self.repeated, 0)

    @property
    def failing(self) -> tuple[TestCase, ...]:
        """The cases that failed, in their order, as far as cases were read."""
        return tuple(case for case in self.cases if case.status in FAILING)


def each_once(report: TestReport) -> TestReport:
    """The same with each test once among its cases. The counts stay."""
    cases = tuple(by_test(report.cases).values())
    if len(cases) == len(report.cases):
        return report
    repeated = len(report.failing) - sum(case.status in FAILING for case in cases)
    return replace(report, cases=cases, repeated=report.repeated + repeated)


def by_test(cases: Iterable[TestCase]) -> dict[Test, TestCase]:
    """Each test once, in the order of the cases. Of several cases with one name the worst counts."""
    found: dict[Test, TestCase] = {}
    for case in cases:
        known = found.get(case.test)
        if known is None or _WORST_FIRST.index(case.status) < _WORST_FIRST.index(known.status):
            found[case.test] = case
    return found
