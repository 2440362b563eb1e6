"""Windows: rolling, daily with a cut-over hour in a zone, and the words for them."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.window import Window
from metrics.windows import DAILY, daily, day_window, parse_window, reporting_day, rolling, window_of

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = sorted(zoneinfo.available_timezones())
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_rolling_window_ends_now_and_is_kept_in_utc() -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    window = rolling(now, timedelta(hours=24))
    assert window == Window(start=at("2026-11-20T04:30:00+00:00"), end=at("2026-11-21T04:30:00+00:00"))
    assert now not in window
    assert window.start in window


def test_a_day_runs_from_ten_to_ten_local_time() -> None:
    window = daily(at("2026-11-21T12:00:00+05:30"), time(10), KOLKATA)
    assert window == Window(start=at("2026-11-21T04:30:00+00:00"), end=at("2026-11-22T04:30:00+00:00"))


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-21T09:59:59+05:30", date(2026, 11, 20)),
        ("2026-11-21T10:00:00+05:30", date(2026, 11, 21)),
        ("2026-11-22T09:59:59.999999+05:30", date(2026, 11, 21)),
    ],
)
def test_before_the_cut_over_it_is_still_the_day_before(now: str, day: date) -> None:
    assert reporting_day(at(now), time(10), KOLKATA) == day


def test_days_back_counts_calendar_days() -> None:
    now = at("2026-03-09T12:00:00-04:00")
    assert daily(now, time(10), NEW_YORK, days_back=1) == day_window(date(2026, 3, 8), time(10), NEW_YORK)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 7), 23), (date(2026, 3, 8), 24), (date(2026, 10, 31), 25), (date(2026, 11, 1), 24)],
)
def test_the_day_of_a_clock_change_has_23_or_25_real_hours(day: date, hours: int) -> None:
    window = day_window(day, time(10), NEW_YORK)
    assert window.end - window.start == hours * HOUR


def test_a_cut_over_that_does_not_exist_is_the_moment_of_the_change() -> None:
    assert day_window(date(2026, 3, 8), time(2, 30), NEW_YORK).start == at("2026-03-08T07:00:00+00:00")


def test_a_cut_over_that_exists_twice_is_its_first_occurrence() -> None:
    assert day_window(date(2026, 11, 1), time(1, 30), NEW_YORK).start == at("2026-11-01T05:30:00+00:00")
    between = at("2026-11-01T06:15:00+00:00")  # 01:15 for the second time: the new day has begun already
    assert reporting_day(between, time(1, 30), NEW_YORK) == date(2026, 11, 1)


def test_midnight_that_does_not_exist_is_one_o_clock() -> None:
    assert day_window(date(2018, 11, 4), time(0), ZoneInfo("America/Sao_Paulo")).start == at(
        "2018-11-04T03:00:00+00:00"
    )


def test_a_date_that_a_zone_left_out_is_an_empty_day() -> None:
    samoa = ZoneInfo("Pacific/Apia")
    window = day_window(date(2011, 12, 30), time(0), samoa)
    assert window.start == window.end == day_window(date(2011, 12, 31), time(0), samoa).start
    assert reporting_day(window.start, time(0), samoa) == date(2011, 12, 31)


@pytest.mark.parametrize("cut_over", [time(0), time(2, 30), time(10)])
def test_days_of_all_zones_in_three_years_join_without_gap_and_last_as_long_as_the_clocks_say(cut_over: time) -> None:
    for zone, changes in distinct_zones():
        for day in {around + timedelta(days=off) for around in changes for off in (-2, -1, 0, 1)}:
            window = day_window(day, cut_over, zone)
            assert window.end == day_window(day + timedelta(days=1), cut_over, zone).start, (zone, day)
            _assert_first_moment(window.start, day, cut_over, zone)
            assert reporting_day(window.start, cut_over, zone) == day, (zone, day)
            assert reporting_day(window.end - timedelta(microseconds=1), cut_over, zone) == day, (zone, day)
        length = day_window(date(2028, 1, 1), cut_over, zone).start - day_window(date(2025, 1, 1), cut_over, zone).start
        assert abs(length - timedelta(days=3 * 365)) <= HOUR, zone  # Morocco's clocks follow the moon


@cache
def distinct_zones() -> list[tuple[ZoneInfo, list[date]]]:
    """One zone of those whose clocks agree from 2025 to 2027, with the days on which its clocks change."""
    noons = [datetime(2025, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(3 * 365)]
    zones = {tuple(noon.astimezone(zone).utcoffset() for noon in noons): zone for zone in map(ZoneInfo, ZONES)}
    return [
        (zone, [noons[0].date(), *(noons[n].date() for n in range(1, len(noons)) if offsets[n] != offsets[n - 1])])
        for offsets, zone in zones.items()
    ]


def _assert_first_moment(moment: datetime, day: date, cut_over: time, zone: ZoneInfo) -> None:
    wall = datetime.combine(day, cut_over)
    assert moment.astimezone(zone).replace(tzinfo=None) >= wall, (zone, day)
    assert (moment - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < wall, (zone, day)


@given(
    now=st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    cut_over=st.times(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_now_lies_in_its_own_day_and_days_never_overlap(now: datetime, cut_over: time, zone: ZoneInfo) -> None:
    window = daily(now, cut_over, zone)
    assert now in window
    assert daily(now, cut_over, zone, days_back=1).end == window.start
    assert daily(now, cut_over, zone, days_back=-1).start == window.end


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("24h", timedelta(hours=24)),
        (" 7d ", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("20 builds", 20),
        ("1 build", 1),
        ("50builds", 50),
        ("Daily", DAILY),
    ],
)
def test_window_words(text: str, span: object) -> None:
    assert parse_window(text) == span


@pytest.mark.parametrize("text", ["", "24", "0 builds", "0h", "-1 builds", "weekly", "twenty builds", "9" * 400 + "d"])
def test_other_words_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="is not a window: write a time like 24h or 7d, a number of builds like"):
        parse_window(text)


def test_a_window_word_means_a_window_at_a_moment() -> None:
    now = at("2026-11-21T12:00:00+00:00")
    assert window_of(timedelta(hours=24), now, day_starts_at=time(10), zone=KOLKATA) == rolling(now, 24 * HOUR)
    assert window_of(DAILY, now, day_starts_at=time(10), zone=KOLKATA) == daily(now, time(10), KOLKATA)
    assert window_of(20, now, day_starts_at=time(10), zone=KOLKATA) == 20
