"""Crontab lines, and the moments that they mean in a time zone.

APScheduler's CronTrigger is not used: `from_crontab` counts the days of the week from Monday, wants both the day of
the month and the day of the week to fit where crontab wants either, fires twice in autumn, and cannot look back.
"""

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from metrics.windows import day_window

_DAY = timedelta(days=1)
_YEARS = 9  # the longest way between two 29 Februaries (2096 to 2104) is eight
_SUNDAY = 7
_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(?P<all>\*)?(?:(?P<low>\w+)(?:-(?P<high>\w+))?)?(?:/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    lowest: int
    highest: int
    words: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, _SUNDAY, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class _Line:
    times: tuple[time, ...]  # ascending
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 1 = Monday, 7 = Sunday, as in ISO 8601
    either: bool  # the day of the month or that of the week: crontab's rule when both are restricted

    def fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() in self.weekdays
        return by_month or by_week if self.either else by_month and by_week


def check(cron: str) -> None:
    """Raise ValueError, saying what is wrong and how it is written, unless it is a crontab line that can come true."""
    _line(cron)


def next_after(cron: str, zone: tzinfo, after: datetime) -> datetime | None:
    """The first moment later than `after` (aware) that the line means in a zone, in UTC.

    A time that the zone leaves out (clocks set forward) is the first moment after the gap; one that exists twice is
    its first occurrence: so every time of the line comes once. None when no calendar is left to look in.
    Raises ValueError like `check`.
    """
    line = _line(cron)
    for day in _days(after.astimezone(zone).date() - _DAY, 1):
        if line.fits(day):
            place = bisect_right(line.times, after, key=lambda at, day=day: _moment(day, at, zone))  # type: ignore[misc]
            if place < len(line.times):
                return _moment(day, line.times[place], zone)
    return None


def previous_before(cron: str, zone: tzinfo, before: datetime) -> datetime | None:
    """The last moment earlier than `before` (aware) that the line means in a zone, in UTC. See `next_after`."""
    line = _line(cron)
    for day in _days(before.astimezone(zone).date() + _DAY, -1):
        if line.fits(day):
            place = bisect_left(line.times, before, key=lambda at, day=day: _moment(day, at, zone))  # type: ignore[misc]
            if place > 0:
                return _moment(day, line.times[place - 1], zone)
    return None


def _moment(day: date, at: time, zone: tzinfo) -> datetime:
    """The first moment when the local clock shows this date and time, or later: grows with the time of the day."""
    return day_window(day, at, zone).start


def _days(start: date, step: int) -> Iterator[date]:
    for count in range(366 * _YEARS):
        number = start.toordinal() + count * step
        if not date.min.toordinal() < number < date.max.toordinal():
            return
        yield date.fromordinal(number)


@lru_cache(maxsize=256)
def _line(cron: str) -> _Line:
    words = _NICKNAMES.get(cron.strip().lower(), cron).split()
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"{cron!r} is not a crontab line: write five fields, minute hour day month weekday, like 0 9 * * mon-fri"
        )
    minutes, hours, days, months, weekdays = (
        _values(word, field, cron) for word, field in zip(words, _FIELDS, strict=True)
    )
    either = not words[2].startswith("*") and not words[4].startswith("*")
    if not either and not any(min(days) <= monthrange(2024, month)[1] for month in months):  # 2024: a leap year
        raise ValueError(f"{cron!r} never comes: those months have no such day")
    return _Line(
        times=tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=frozenset(each or _SUNDAY for each in weekdays),
        either=either,
    )


def _values(word: str, field: _Field, cron: str) -> frozenset[int]:
    return frozenset(value for part in word.split(",") for value in _range(part, field, cron))


def _range(part: str, field: _Field, cron: str) -> Sequence[int]:
    """`*`, `5`, `1-5`, `mon-fri`, `*/15`, `0-30/10`, and `5/10` for `5-59/10`."""
    found = _PART.fullmatch(part)
    if found is None or bool(found["all"]) is bool(found["low"]):
        raise ValueError(f"{cron!r} is not a crontab line: {part!r} is no {field.name}")
    step = int(found["step"] or 1)
    if step == 0:
        raise ValueError(f"{cron!r} is not a crontab line: a step of 0 in {part!r}")
    highest = field.highest - (field.highest == _SUNDAY)  # 0 and 7 are the same day
    if found["all"]:
        return range(field.lowest, highest + 1, step)
    low = _number(found["low"], field, cron)
    high = _number(found["high"], field, cron) if found["high"] else highest if found["step"] else low
    if high == 0 and field.highest == _SUNDAY and low > 0:
        high = _SUNDAY  # fri-sun
    if high < low:
        raise ValueError(f"{cron!r} is not a crontab line: {part!r} ends before it begins")
    return range(low, high + 1, step)


def _number(word: str, field: _Field, cron: str) -> int:
    value = field.words.get(word.lower(), int(word) if word.isdecimal() else None)
    if value is None or not field.lowest <= value <= field.highest:
        raise ValueError(
            f"{cron!r} is not a crontab line: {field.name} {word!r} is not between {field.lowest} and {field.highest}"
        )
    return value
