"""Two clocks that a test moves."""

from datetime import datetime, timedelta

from poller.running.clock import Clock
from tests.support.builders import NOON


class Hands:
    """A wall clock and a monotonic one, standing still until they are told to go on."""

    def __init__(self) -> None:
        self.wall: datetime = NOON
        self.seconds = 100.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.wall, monotonic=lambda: self.seconds)

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds
