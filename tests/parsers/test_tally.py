import math

import pytest

from domain.testreport import TestStatus
from parsers.tally import Tally, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.25", 0.25),
        ("1,234.56", 1234.56),
        ("1,234,567", 1234567),
        ("2,503.1", 2503.1),
        ("2,503", 2503),
        ("0,5", 0.5),
        ("12,25", 12.25),
        (" 1.5 ", 1.5),
        ("1.5s", 1.5),
        ("1e-3", 0.001),
        ("00:01:02.5000000", 62.5),
        ("1.00:00:01", 86401),
        ("0", 0),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e300", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("1.234,56", None),
        ("\u0661", 1),
        ("9" * 400, None),
        ("9" * 5000 + ":1:1", None),
        ("1:2", None),
    ],
)
def test_durations_are_read_as_tools_write_them(text: str | None, expected: float | None) -> None:
    found = seconds(text)
    assert found is expected or (found is not None and expected is not None and math.isclose(found, expected))


def test_long_names_are_cut_and_stay_different() -> None:
    tally = Tally(10)
    for end in ("a", "b"):
        tally.add("s" * 1000, "n" * 1000 + end, TestStatus.PASSED)
    names = [case.name for case in tally.report().cases]
    assert len(set(names)) == 2
    assert all(len(name) < 520 for name in names)
    assert all(len(case.suite) < 520 for case in tally.report().cases)


def test_names_and_messages_are_harmless_wherever_they_are_shown() -> None:
    tally = Tally(10)
    tally.add("a\n\tb", "c\x7f\x00\u202edrow", TestStatus.FAILED, message="one\r\n\ttwo\u202e\x07 \ud800")
    (case,) = tally.report().cases
    assert case.test == (r"a\x0a\x09b", "c\\x7f\ufffd\\u202edrow")
    assert case.message == "one\n\ttwo\\u202e\\x07 \ufffd"
    tally.add("s", "e" + "\u0301" * 50, TestStatus.FAILED, message="e" + "\u0301" * 50)
    case = tally.report().cases[1]
    assert (len(case.name), len(case.message or "")) == (9, 9)


def test_messages_are_cut_at_whole_characters() -> None:
    tally = Tally(10)
    tally.add("s", "n", TestStatus.FAILED, message="\N{SNOWMAN}" * 5000)
    tally.add("s", "n", TestStatus.FAILED, message=" \x1b[0m ")
    first, second = (case.message for case in tally.report().cases)
    assert first is not None
    assert len(first.encode()) <= 2048
    assert first.strip("\N{SNOWMAN}") == "…"
    assert second is None


def test_durations_are_remembered_up_to_a_point() -> None:
    tally = Tally(30_000)
    for number in range(20_000):
        tally.add("s", "n", TestStatus.PASSED, str(number))
    assert [case.duration for case in tally.report().cases] == list(range(20_000))
