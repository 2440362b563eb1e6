from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poller.config.cron import check, next_after, previous_before

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of summer time
KOLKATA = ZoneInfo("Asia/Kolkata")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def runs(cron: str, zone: ZoneInfo, start: str, end: str) -> list[str]:
    """All moments in (start, end), in UTC."""
    found, moment = [], utc(start)
    while (following := next_after(cron, zone, moment)) is not None and following < utc(end):
        found.append(f"{following:%m-%d %H:%M}")
        moment = following
    return found


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 9 * * *", "2026-11-21 08:59", "2026-11-21 09:00"),
        ("0 9 * * *", "2026-11-21 09:00", "2026-11-22 09:00"),
        ("*/15 * * * *", "2026-11-21 09:01", "2026-11-21 09:15"),
        ("5/20 * * * *", "2026-11-21 09:26", "2026-11-21 09:45"),
        ("0 9,17 * * *", "2026-11-21 10:00", "2026-11-21 17:00"),
        ("0 9 * * 0", "2026-11-21 10:00", "2026-11-22 09:00"),  # the 22nd is a Sunday
        ("0 9 * * 7", "2026-11-21 10:00", "2026-11-22 09:00"),
        ("0 9 * * 1", "2026-11-21 10:00", "2026-11-23 09:00"),
        ("0 9 * * mon-fri", "2026-11-20 10:00", "2026-11-23 09:00"),
        ("0 9 * * 1-5", "2026-11-20 10:00", "2026-11-23 09:00"),
        ("0 9 * * Fri,Sat,Sun", "2026-11-22 10:00", "2026-11-27 09:00"),
        ("0 9 * * 5-7", "2026-11-21 10:00", "2026-11-22 09:00"),
        ("0 9 * JAN *", "2026-11-21 10:00", "2027-01-01 09:00"),
        ("0 9 13 * 5", "2026-11-21 10:00", "2026-11-27 09:00"),  # either, as crontab has it
        ("0 9 13 * *", "2026-11-21 10:00", "2026-12-13 09:00"),
        ("0 9 */10 * 5", "2026-11-21 10:00", "2026-12-11 09:00"),  # both, as the day of the month starts with *
        ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),
        ("@daily", "2026-11-21 10:00", "2026-11-22 00:00"),
        (" @Hourly ", "2026-11-21 10:00", "2026-11-21 11:00"),
    ],
)
def test_a_line_means_what_crontab_means_by_it(cron: str, after: str, expected: str) -> None:
    following = next_after(cron, ZoneInfo("UTC"), utc(after))
    assert following == utc(expected)
    assert previous_before(cron, ZoneInfo("UTC"), utc(expected) + timedelta(seconds=1)) == following


def test_at_the_end_of_time_nothing_is_due() -> None:
    assert next_after("0 0 1 1 *", KOLKATA, utc("9999-06-01")) is None
    assert previous_before("0 0 1 12 *", KOLKATA, utc("0001-06-01")) is None


@pytest.mark.parametrize(
    ("cron", "because"),
    [
        ("9 * * *", "five fields"),
        ("", "five fields"),
        ("@reboot", "five fields"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("0 0 * 13 *", "bad month"),
        ("0 0 * * 8", "bad day-of-week"),
        ("0 0 * * monday", "bad day-of-week"),
        ("H 2 * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("30-10 * * * *", "bad minute"),
        ("0 0 * * fri-mon", "bad day-of-week"),
        ("*5 * * * *", "bad minute"),
        ("1--2 * * * *", "bad minute"),
        ("/5 * * * *", "bad minute"),
        ("0 0 31 2,4 *", "bad day-of-month"),
    ],
)
def test_what_is_no_crontab_line_is_refused_in_words(cron: str, because: str) -> None:
    with pytest.raises(ValueError, match="crontab line") as refusal:
        check(cron)
    assert because in str(refusal.value)


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-10-25", ["10-25 00:30"]),  # exists twice: the first
        ("0 3 * * *", BERLIN, "2026-10-25", ["10-25 02:00"]),
        ("30 2 * * *", BERLIN, "2026-03-29", ["03-29 01:00"]),  # does not exist: the end of the gap
        ("0,30 2 * * *", BERLIN, "2026-03-29", ["03-29 01:00"]),
        ("0,30 2,3 * * *", BERLIN, "2026-03-29", ["03-29 01:00", "03-29 01:30"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04", ["04-04 14:45"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03", ["10-03 15:30"]),
        ("30 9 * * *", KOLKATA, "2026-10-25", ["10-25 04:00"]),
    ],
)
def test_each_time_comes_once_when_the_clocks_change(cron: str, zone: ZoneInfo, day: str, expected: list[str]) -> None:
    following = f"{utc(day) + timedelta(days=1):%Y-%m-%d}"
    assert runs(cron, zone, day, following) == expected


def days_around_changes(zone: ZoneInfo) -> list[date]:
    """The dates of three years near which a zone sets its clocks, and some where nothing happens."""
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    noons = [first + timedelta(days=count) for count in range(1096)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    near = {at + more for at in range(1, 1096) if offsets[at] != offsets[at - 1] for more in range(-3, 3)}
    return [noons[at].date() for at in sorted(near | set(range(0, 1096, 60))) if at < 1096]


def test_half_past_two_comes_once_on_every_date_in_every_zone() -> None:
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        zone = ZoneInfo(name)
        for day in days_around_changes(zone):
            evening = datetime.combine(day - timedelta(days=1), time(23), zone).astimezone(UTC)
            first = next_after("30 2 * * *", zone, evening)
            assert first is not None
            assert first.astimezone(zone).date() == day, (name, day)
            second = next_after("30 2 * * *", zone, first)
            assert second is not None
            assert second.astimezone(zone).date() == day + timedelta(days=1), (name, day)
            assert previous_before("30 2 * * *", zone, second) == first, (name, day)


@given(
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "15 1-3 * * sun", "0 0 1 * *", "0 12 29 2 *"]),
    st.sampled_from([BERLIN, LORD_HOWE, KOLKATA, ZoneInfo("America/Santiago"), ZoneInfo("Pacific/Apia")]),
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis
)
@settings(deadline=None, max_examples=200)
def test_nothing_lies_between_a_moment_and_the_one_before_it(cron: str, zone: ZoneInfo, now: datetime) -> None:
    following, last = next_after(cron, zone, now), previous_before(cron, zone, now)
    assert following is not None
    assert last is not None
    assert last < now < following or next_after(cron, zone, last) == now
    assert previous_before(cron, zone, following) in {last, now}
