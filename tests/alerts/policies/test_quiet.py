from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.policies.quiet import QuietHours, ends, held
from alerts.policies.routing import Match, Subject
from domain.alert import AlertKind, Severity

KOLKATA = ZoneInfo("Asia/Kolkata")
SUBJECT = Subject(provider="ci", pipeline="web", kind=AlertKind.FAILURE, severity=Severity.WARNING)
FRIDAY, SATURDAY, SUNDAY, MONDAY = range(20, 24)  # of November 2026
EVERY_DAY = frozenset(range(7))
NIGHTS = QuietHours(days=EVERY_DAY, start=time(22), end=time(7))
WEEKEND = QuietHours(days=frozenset({5, 6}), start=time(0), end=time(0))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=KOLKATA)


def test_a_night_ends_in_the_morning_in_utc() -> None:
    end = ends(at(FRIDAY, 23), [NIGHTS], SUBJECT, KOLKATA)
    assert end == at(SATURDAY, 7)
    assert end.tzinfo is UTC
    assert ends(at(SATURDAY, 6, 59), [NIGHTS], SUBJECT, KOLKATA) == at(SATURDAY, 7)
    assert ends(at(SATURDAY, 7), [NIGHTS], SUBJECT, KOLKATA) is None
    assert ends(at(FRIDAY, 21, 59), [NIGHTS], SUBJECT, KOLKATA) is None


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    fridays = QuietHours(days=frozenset({4}), start=time(22), end=time(7))
    assert ends(at(SATURDAY, 3), [fridays], SUBJECT, KOLKATA) == at(SATURDAY, 7)
    assert ends(at(FRIDAY, 3), [fridays], SUBJECT, KOLKATA) is None


def test_equal_ends_are_a_whole_day_and_days_in_a_row_are_one_quiet_time() -> None:
    assert ends(at(SATURDAY, 12), [WEEKEND], SUBJECT, KOLKATA) == at(MONDAY, 0)
    assert ends(at(FRIDAY, 23), [WEEKEND], SUBJECT, KOLKATA) is None


def test_hours_of_different_entries_follow_each_other() -> None:
    assert ends(at(FRIDAY, 23), [WEEKEND, NIGHTS], SUBJECT, KOLKATA) == at(MONDAY, 7)
    assert ends(at(SATURDAY, 12), [NIGHTS, WEEKEND], SUBJECT, KOLKATA) == at(MONDAY, 7)


def test_only_what_matches_is_quiet() -> None:
    warnings = QuietHours(days=EVERY_DAY, start=time(22), end=time(7), match=Match(severity="warning"))
    other = QuietHours(days=EVERY_DAY, start=time(22), end=time(7), match=Match(severity="critical"))
    assert ends(at(FRIDAY, 23), [warnings], SUBJECT, KOLKATA) == at(SATURDAY, 7)
    assert ends(at(FRIDAY, 23), [other], SUBJECT, KOLKATA) is None
    assert ends(at(FRIDAY, 23), [], SUBJECT, KOLKATA) is None


def test_hours_that_never_end_let_go_after_a_week() -> None:
    always = QuietHours(days=EVERY_DAY, start=time(0), end=time(0))
    end = ends(at(FRIDAY, 12), [always], SUBJECT, KOLKATA)
    assert end is not None
    assert timedelta(days=7) <= end - at(FRIDAY, 12) < timedelta(days=8)


def test_hours_that_a_change_of_clocks_swallows_are_not_quiet() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    short = QuietHours(days=EVERY_DAY, start=time(2, 10), end=time(2, 50))
    for minute in (59, 0):
        now = datetime(2026, 3, 29, 0 if minute else 1, minute, tzinfo=UTC)  # 01:59, then 03:00
        assert ends(now, [short], SUBJECT, berlin) is None


@pytest.mark.parametrize(
    ("now", "until", "text"),
    [
        (at(FRIDAY, 23), at(SATURDAY, 7), "quiet hours until 07:00"),
        (at(SATURDAY, 1), at(MONDAY, 7), "quiet hours until Mon 07:00"),
    ],
)
def test_why_a_message_waits_is_said_in_local_time(now: datetime, until: datetime, text: str) -> None:
    assert held(until.astimezone(UTC), now, KOLKATA) == text
