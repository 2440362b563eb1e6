"""The time, and the discovery that somebody changed it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Two clocks: `now` is the wall's (aware UTC), `monotonic` only measures (seconds)."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


class JumpDetector:
    """Compares the wall clock with the monotonic one: they drift apart when the time is set."""

    TOLERANCE = timedelta(seconds=2)  # NTP slews by far less between two looks

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._measure()

    def _measure(self) -> timedelta:
        since_epoch = self._clock.now() - datetime(1970, 1, 1, tzinfo=UTC)
        return since_epoch - timedelta(seconds=self._clock.monotonic())

    def jump(self) -> timedelta | None:
        """How far the wall clock has moved since the last look, beyond the passing of time; None if it has not.

        A suspended machine looks like a jump forward too, and wants the same answer.
        """
        offset = self._measure()
        jump, self._offset = offset - self._offset, offset
        return jump if abs(jump) > self.TOLERANCE else None
