"""When an alert that lasts is told again."""

from collections.abc import Sequence
from datetime import datetime, timedelta


def passed(steps: Sequence[timedelta], told_at: datetime, now: datetime) -> int:
    """How many reminders have come due since an alert was told; the longest step repeats.

    24h, 72h, 7d mean: after a day, after three, after a week, after two, after three. Real time: a day of 23 hours
    in a local zone changes nothing.
    """
    lasted = now - told_at
    count = sum(step <= lasted for step in steps)
    if steps and count == len(steps):
        count += max(lasted // max(steps) - 1, 0)
    return count
