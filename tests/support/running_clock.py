"""A clock that goes on like the real one, and ahead of it as far as a test says."""

import time
from datetime import UTC, datetime, timedelta

from poller.running.clock import Clock


class RunningClock:
    """For the daemon and the servers together: `clock()` for one, `now` for the others."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def clock(self) -> Clock:
        return Clock(now=self.now, monotonic=lambda: time.monotonic() + self._ahead.total_seconds())

    def pass_by(self, **time_passing: float) -> None:
        """`pass_by(hours=3)`: both clocks are later; nothing has jumped."""
        self._ahead += timedelta(**time_passing)
