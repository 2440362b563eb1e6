from datetime import timedelta

import pytest

from alerts.wording import both_ends, duration, nth, percent, plural, short_commit, shortened


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th")]
)
def test_ordinals(count: int, text: str) -> None:
    assert nth(count) == text
    assert nth(count + 100) == f"{count + 100}{text[-2:]}"


def test_twenty_first_is_not_twenty_oneth() -> None:
    assert [nth(count) for count in (10, 20, 21, 22, 23, 24, 111, 112, 121)] == (
        ["10th", "20th", "21st", "22nd", "23rd", "24th", "111th", "112th", "121st"]
    )


def test_plurals() -> None:
    assert (plural(1, "failure"), plural(2, "failure"), plural(0, "failure")) == (
        "1 failure",
        "2 failures",
        "0 failures",
    )
    assert plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (-5, "0 s"),
        (45, "45 s"),
        (60, "1 m"),
        (7800, "2 h 10 m"),
        (7205, "2 h"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_are_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(188, 200, "94"), (0, 5, "0"), (5, 5, "100"), (999, 1000, "99.9"), (1, 1000, "0.1"), (0, 0, "0")],
)
def test_percentages_do_not_hide_the_one_that_failed(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_a_line_is_cut_where_it_is_too_long() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened(" \n\n", 4) is None
    assert shortened(None, 4) is None
    assert short_commit(None) is None


def test_a_long_name_leaves_room_for_what_has_happened() -> None:
    assert both_ends("web") == "web"
    assert both_ends("x" * 60) == "x" * 60
    shown = both_ends("platform/" + "x" * 300 + "/nightly")
    assert shown.startswith("platform/")
    assert shown.endswith("/nightly")
    assert len(shown) == 60
