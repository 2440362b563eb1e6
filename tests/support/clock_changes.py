"""Every zone of the world, and the moments at which its clocks are set forward or back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=5)  # no zone changes its clocks twice in so short a time: Morocco does for 28 days and more
_SECOND = timedelta(seconds=1)


@cache
def zones() -> tuple[ZoneInfo, ...]:
    """All zones that this machine knows, by name."""
    return tuple(ZoneInfo(name) for name in sorted(available_timezones()))


@cache
def changes(zone: ZoneInfo) -> tuple[tuple[datetime, timedelta], ...]:
    """When the clocks change in three years (aware UTC, to the second), and by how much; forward is positive."""
    return tuple(_changes(zone))


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    start = FIRST
    while start < LAST:
        end = start + _STEP
        before, after = _offset(start, zone), _offset(end, zone)
        if before != after:
            yield _instant(start, end, zone), after - before
        start = end


def _instant(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The first second of the new offset."""
    before = _offset(early, zone)
    while late - early > _SECOND:
        middle = early + (late - early) // (2 * _SECOND) * _SECOND
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
