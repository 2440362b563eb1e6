"""Every zone of the world, three years, around every change of its clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerts.policies.quiet import QuietHours, ends
from alerts.policies.reminding import passed
from alerts.policies.routing import Subject
from alerts.policies.silence import holds
from domain.alert import AlertKind, Severity
from domain.duration import parse_duration
from domain.silence import Ends, Silence
from metrics.windows import daily, rolling
from tests.support.clock_changes import FIRST, changes, zones

SUBJECT = Subject(provider="ci", kind=AlertKind.FAILURE, severity=Severity.CRITICAL)
EVERY_DAY = frozenset(range(7))
HOUR, SECOND, DAY = timedelta(hours=1), timedelta(seconds=1), timedelta(days=1)
AROUND = [timedelta(0), *(sign * each for each in (SECOND, HOUR, 6 * HOUR, 13 * HOUR) for sign in (1, -1))]


def everywhere() -> Iterator[tuple[ZoneInfo, datetime, timedelta]]:
    """Each zone with each change of its clocks, and by how much; zones without one with a moment and nothing."""
    for zone in zones():
        found = changes(zone)
        yield from ((zone, moment, by) for moment, by in found)
        if not found:
            yield zone, FIRST, timedelta(0)


def quiet(start: time, end: time) -> list[QuietHours]:
    return [QuietHours(days=EVERY_DAY, start=start, end=end)]


def walls(change: datetime, by: timedelta, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local times that do not exist, or exist twice: [from, to)."""
    after = change.astimezone(zone).replace(tzinfo=None, fold=0)
    return (after - by, after) if by > timedelta(0) else (after, after - by)


def test_the_table_is_the_world() -> None:
    table = list(everywhere())
    assert len(zones()) > 400
    assert sum(bool(by) for _, _, by in table) > 900
    assert {abs(by) for _, _, by in table} >= {timedelta(0), timedelta(minutes=30), HOUR, 2 * HOUR}


def test_overnight_hours_are_quiet_by_the_clock_on_the_wall_and_end_at_seven() -> None:
    nights = quiet(time(22), time(7))
    for zone, change, by in everywhere():
        for now in (change + each for each in AROUND):
            local = now.astimezone(zone)
            end = ends(local, nights, SUBJECT, zone)
            where = f"{zone.key} {local}"
            assert (end is not None) == (local.hour >= 22 or local.hour < 7), where
            if end is not None:
                assert end.tzinfo is UTC
                assert end.astimezone(zone).time() == time(7), where
                assert (end - SECOND).astimezone(zone).time() == time(6, 59, 59), where
                assert timedelta(0) < end - now <= 9 * HOUR + abs(by), where


def test_daytime_hours_are_quiet_by_the_clock_on_the_wall_and_end_at_seventeen() -> None:
    days = quiet(time(9, 30), time(17))
    for zone, change, _ in everywhere():
        for now in (change + each for each in AROUND):
            local = now.astimezone(zone)
            end = ends(now, days, SUBJECT, zone)
            assert (end is not None) == (time(9, 30) <= local.time() < time(17)), f"{zone.key} {local}"
            assert end is None or end.astimezone(zone).time() == time(17)


def test_an_end_that_is_skipped_is_the_change_and_one_that_comes_twice_is_the_second() -> None:
    for zone, change, by in everywhere():
        if not by:
            continue
        first, last = walls(change, by, zone)
        middle = first + (last - first) / 2
        hours = quiet((middle - 5 * HOUR).time(), middle.time())
        expected = change if by > timedelta(0) else change - by / 2
        for now in (change - HOUR, expected - SECOND):
            assert ends(now, hours, SUBJECT, zone) == expected, f"{zone.key} {change} {now}"
        assert ends(expected, hours, SUBJECT, zone) is None


def test_a_start_that_is_skipped_is_the_change_and_one_that_comes_twice_is_the_first() -> None:
    for zone, change, by in everywhere():
        if not by:
            continue
        first, last = walls(change, by, zone)
        middle = first + (last - first) / 2
        hours = quiet(middle.time(), (middle + 5 * HOUR).time())
        expected = change if by > timedelta(0) else change + by / 2
        assert ends(expected - SECOND, hours, SUBJECT, zone) is None, f"{zone.key} {change}"
        end = ends(expected, hours, SUBJECT, zone)
        assert end is not None
        assert end.astimezone(zone).replace(tzinfo=None) == middle + 5 * HOUR, f"{zone.key} {change}"


def test_quiet_days_from_midnight_to_midnight_end_with_the_local_day() -> None:
    for zone, change, _ in everywhere():
        for now in (change - 13 * HOUR, change - SECOND, change, change + 13 * HOUR):
            day = now.astimezone(zone)
            only = QuietHours(days=frozenset({day.weekday()}), start=time(0), end=time(0))
            end = ends(now, [only], SUBJECT, zone)
            assert end is not None, f"{zone.key} {day}"
            assert end.astimezone(zone).date() == day.date() + DAY, f"{zone.key} {day}"
            assert (end - 2 * HOUR - SECOND).astimezone(zone).date() == day.date(), f"{zone.key} {day}"


def test_reporting_days_leave_no_gap_and_differ_from_24_hours_by_the_change_only() -> None:
    for zone, change, by in everywhere():
        first, last = walls(change, by, zone)
        for cut_over in (time(0), time(10), (first + (last - first) / 2).time()):
            today = daily(change, cut_over, zone)
            before, after = (daily(change, cut_over, zone, days_back=back) for back in (1, -1))
            assert change in today
            assert (before.end, after.start) == (today.start, today.end)
            assert after.end - before.start == 3 * DAY - by, f"{zone.key} {change} {cut_over}"


def test_durations_are_real_time() -> None:
    day = parse_duration("24h")
    assert day == DAY
    for zone, change, by in everywhere():
        told_at = change - 12 * HOUR
        assert passed((day,), told_at, told_at + DAY - SECOND) == 0
        assert passed((day,), told_at, told_at + DAY) == 1
        silence = Silence(match={}, ends=Ends(at=told_at + day), reason="a day", created_at=told_at)
        assert holds(silence, told_at + DAY - SECOND)
        assert not holds(silence, told_at + DAY)
        window = rolling((change + 12 * HOUR).astimezone(zone), day)
        assert (window.start, window.end) == (told_at, change + 12 * HOUR)
        shown = window.end.astimezone(zone).replace(tzinfo=None) - window.start.astimezone(zone).replace(tzinfo=None)
        assert shown == DAY + by, f"{zone.key} {change}"
