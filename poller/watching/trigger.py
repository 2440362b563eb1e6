"""When a poll is due: a trigger for APScheduler that no jump of the clock can confuse."""

import hashlib
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from typing_extensions import override

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class EveryTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler ships no types
    """Every `period`, at a phase of its own, so that a thousand targets do not fire together.

    APScheduler's interval trigger counts on from the previous fire time: after a jump of ten years it
    enumerates every missed one. This one only ever looks at now. The first run is due at once.
    """

    def __init__(self, period: timedelta, identity: str) -> None:
        self._period = period
        digest = hashlib.blake2b(identity.encode(), digest_size=8).digest()
        self._phase = period * (int.from_bytes(digest) / 2**64)

    @override
    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next moment of this phase after now; now itself for the first run."""
        if previous_fire_time is None:
            return now
        periods = (now - EPOCH - self._phase) // self._period
        return EPOCH + self._phase + (periods + 1) * self._period
