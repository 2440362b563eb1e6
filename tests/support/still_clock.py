"""A clock that moves only when a test says so."""

from datetime import UTC, datetime, timedelta


class StillClock:
    """Callable like `simulator.server.wall_clock`."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> datetime:
        self.moment += timedelta(seconds=seconds)
        return self.moment
