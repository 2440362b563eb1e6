"""A wall clock that runs like ours, at another time: a test sets it, to be in another season or to be hours later."""

from datetime import UTC, datetime, timedelta

from poller.running.clock import Clock


class TravellingClock:
    """Callable like `simulator.server.wall_clock`; the monotonic clock of the daemon is left alone."""

    def __init__(self, start: str) -> None:
        self._offset = timedelta(0)
        self.set(start)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, to: str) -> None:
        """It is this time now, in UTC: `2026-10-25 00:29:55`."""
        self._offset = datetime.fromisoformat(to).replace(tzinfo=UTC) - datetime.now(UTC)

    def clock(self) -> Clock:
        """For the daemon."""
        return Clock(now=self)
