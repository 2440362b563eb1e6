"""How values are shown in pages."""

from datetime import UTC, timedelta, timezone

import pytest

from tests.support.builders import NOON
from web.dashboard.rendering import ago, clock, is_time, number, outside, points, query, share, took


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "\u2013"), (1.0, "100 %"), (0.0, "0 %"), (0.9999, "99.9 %"), (0.0001, "0.1 %"), (0.5, "50.0 %")],
)
def test_a_rate_is_never_rounded_to_all_or_nothing(rate: float | None, text: str) -> None:
    assert share(rate) == text


@pytest.mark.parametrize(
    "url", [None, "javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a b", 'https://x/"']
)
def test_only_http_addresses_become_links(url: str | None) -> None:
    assert outside(url) is None


def test_http_addresses_do() -> None:
    assert outside("https://ci.example.com/1?a=b&c") == "https://ci.example.com/1?a=b&c"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234567, "1\u202f234\u202f567"), (0.12346, "0.1235"), (12345.6, "12\u202f346")]
)
def test_figures_have_groups_and_no_more_digits_than_say_something(value: float, text: str) -> None:
    assert number(value) == text


def test_times_and_lengths_are_short() -> None:
    assert [ago(NOON - timedelta(minutes=each), NOON, UTC) for each in (0, 90)] == ["now", "1h ago"]
    assert [took(None), took(90.0), took(timedelta(seconds=1))] == ["\u2013", "1m 30s", "1s"]
    assert [points(None), points(0.021), points(-0.021)] == ["\u2013", "+2.1", "\u22122.1"]


def test_what_is_older_than_a_day_has_a_date_in_the_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    old = [ago(NOON - timedelta(days=each), NOON, zone) for each in (1, 19, 400)]
    assert old == ["19 Nov, 17:30", "1 Nov, 17:30", "16 Oct 2025"]
    assert [clock(NOON - timedelta(hours=each), NOON, zone) for each in (1, 25)] == ["16:30", ""]


@pytest.mark.parametrize(("name", "is_it"), [("duration_seconds", True), ("tests_failed", False), ("boot time", True)])
def test_lengths_of_time_are_known_by_their_names(name: str, *, is_it: bool) -> None:
    assert is_time(name) is is_it


def test_a_query_keeps_what_was_given_and_takes_away_what_is_none() -> None:
    assert query({"a": "1", "b": "x y&"}, a=None, c=2) == "?b=x+y%26&c=2"
    assert query({}) == "?"
