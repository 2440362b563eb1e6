"""Builds that ended, counted."""

from typing import NamedTuple


class Tally(NamedTuple):
    """Some builds that ended."""

    passed: int = 0
    failed: int = 0
    neutral: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.neutral

    @property
    def rate(self) -> float | None:
        """Passed / (passed + failed); None without data."""
        decided = self.passed + self.failed
        return self.passed / decided if decided else None

    @property
    def parts(self) -> list[tuple[str, int]]:
        """For a waffle, the worst first."""
        return [("failed", self.failed), ("passed", self.passed), ("neutral", self.neutral)]
