"""Spans of time that builds are counted in, and what is counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.build import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The half-open span [start, end) of aware UTC times. A build lies in it by its finished_at."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive or inverted spans."""
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            message = f"a window needs aware UTC times, got {self.start} and {self.end}"
            raise ValueError(message)
        if self.end < self.start:
            message = f"a window cannot end ({self.end}) before it starts ({self.start})"
            raise ValueError(message)

    def __contains__(self, moment: datetime) -> bool:
        """Whether a time lies in the window; the end does not."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What happened in a window. Durations are in seconds, of passed and failed builds."""

    total: int  # finished builds of every verdict, plus those running now
    passed: int
    failed: int
    neutral: int
    running: int
    duration_mean: float | None = None
    duration_p50: float | None = None
    duration_p95: float | None = None
    last_outcome: Outcome | None = None

    @property
    def success_rate(self) -> float | None:
        """Passed / (passed + failed), between 0 and 1; None without data, which is not the same as 0."""
        decided = self.passed + self.failed
        return self.passed / decided if decided else None
