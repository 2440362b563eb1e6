"""Test results of one build, in JUnit's words."""

from dataclasses import dataclass
from enum import StrEnum


class TestStatus(StrEnum):
    """How one test case ended."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One test case of one build. `duration` is in seconds."""

    __test__ = False

    suite: str
    name: str
    status: TestStatus
    duration: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The totals of a build's tests, and its cases where they were read."""

    __test__ = False

    passed: int
    failed: int  # failures and errors together
    skipped: int
    cases: tuple[TestCase, ...] = ()

    def __post_init__(self) -> None:
        """Refuse counts below zero."""
        if min(self.passed, self.failed, self.skipped) < 0:
            message = f"test counts cannot be negative: {self.passed}, {self.failed}, {self.skipped}"
            raise ValueError(message)

    @property
    def total(self) -> int:
        """All cases, whatever their status."""
        return self.passed + self.failed + self.skipped
