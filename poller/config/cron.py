"""Crontab lines, and the moments that they mean in a time zone.

Not APScheduler's CronTrigger: it counts the days of the week from Monday, wants the day of the month and the day of
the week to fit where crontab wants either, fires twice in autumn, and cannot look back. cronsim is Debian's cron.
"""

from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5  # a sixth would be seconds
_ANY = datetime(2026, 1, 1, tzinfo=UTC)


def check(cron: str) -> None:
    """Raise ValueError, saying what is wrong and how it is written, unless it is a crontab line that can come true."""
    _line(cron, _ANY)


def next_after(cron: str, zone: tzinfo, after: datetime) -> datetime | None:
    """The first moment later than `after` (aware) that the line means in a zone, in UTC.

    A time that the zone leaves out (clocks set forward) is the first moment after the gap; one that exists twice is
    its first occurrence. None when no calendar is left to look in. Raises ValueError like `check`.
    """
    return _first(_line(cron, after.astimezone(zone)))


def previous_before(cron: str, zone: tzinfo, before: datetime) -> datetime | None:
    """The last moment earlier than `before` (aware) that the line means in a zone, in UTC. See `next_after`."""
    return _first(_line(cron, before.astimezone(zone), reverse=True))


def _first(moments: CronSim) -> datetime | None:
    try:
        return next(moments).astimezone(UTC)
    except (StopIteration, OverflowError, ValueError):  # the end of the calendar
        return None


def _line(cron: str, start: datetime, *, reverse: bool = False) -> CronSim:
    line = _NICKNAMES.get(cron.strip().lower(), cron)
    if len(line.split()) != _FIELDS:
        raise ValueError(
            f"{cron!r} is not a crontab line: write five fields, minute hour day month weekday, like 0 9 * * mon-fri"
        )
    try:
        return CronSim(line, start, reverse=reverse)
    except CronSimError as error:
        raise ValueError(f"{cron!r} is not a crontab line: {str(error)[:1].lower()}{str(error)[1:]}") from error
