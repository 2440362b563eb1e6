"""What the clock on the wall shows, as moments: it skips an hour in spring, and shows one twice in autumn."""

from datetime import UTC, datetime, timedelta, tzinfo

_SECOND = timedelta(seconds=1)


def first_moment(wall: datetime, zone: tzinfo) -> datetime:
    """The first moment (aware UTC, whole seconds) at which a clock in `zone` shows this naive time, or a later one.

    A time that exists twice is its first occurrence; one that does not exist is the moment of the change.
    """
    wall = wall.replace(microsecond=0, tzinfo=None, fold=0)
    moment = wall.replace(tzinfo=zone).astimezone(UTC)  # fold=0: the first of two occurrences
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # The wall time was skipped. Read with the offset after the change it lies before the change; search between.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment - before > _SECOND:
        middle = before + timedelta(seconds=(moment - before) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            moment = middle
    return moment


def last_moment(wall: datetime, zone: tzinfo) -> datetime:
    """Like `first_moment`, but of a time that exists twice its second occurrence."""
    wall = wall.replace(microsecond=0, tzinfo=None, fold=1)
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall.replace(fold=0):
        return moment
    return first_moment(wall, zone)
