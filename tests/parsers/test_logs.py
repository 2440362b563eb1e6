"""Logs as a person would want to read them."""

import pytest

from domain.details import Log
from parsers.logs import LINE_LIMIT, cut, lines_of


def _lines(text: str, *, whole: bool = True) -> list[str]:
    return lines_of(Log(name=None, text=text, whole=whole))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m text\x1b[K", "red text"),
        ("\x1b]0;title\x07a\x1b]8;;https://x\x1b\\b", "ab"),
        ("\x1b[8mha:////4AAAAbc+/=\x1b[0m[Pipeline] sh", "[Pipeline] sh"),
        ("\ufeff2026-11-21T09:00:00.1234567Z text", "text"),
        ("[2026-11-21T09:00:00.123Z] text", "text"),
        ("10%\r50%\r100%", "100%"),
        ("10%\rerror: no\r", "error: no"),
        ("\r\r", ""),
        ("tail   ", "tail"),
        ("caf\u00e9 \u2603", "caf\u00e9 \u2603"),
    ],
)
def test_what_only_a_terminal_or_a_server_needs_is_gone(text: str, expected: str) -> None:
    assert _lines(text) == [expected]


def test_a_clock_before_each_line_is_gone_and_one_before_some_stays() -> None:
    assert _lines("09:00:00 a\n09:00:01 b\n[09:00:02] c") == ["a", "b", "c"]
    assert _lines("2026-11-21T09:00:00Z a\n2026-11-21T09:00:01Z b") == ["a", "b"]
    assert _lines("09:00:00 a\nb\nc\nd") == ["09:00:00 a", "b", "c", "d"]


def test_line_ends_of_every_kind_end_lines() -> None:
    assert _lines("a\r\nb\r\r\nc\n") == ["a", "b", "c", ""]


def test_of_very_many_empty_lines_one_stays() -> None:
    assert _lines("a" + "\n" * 1_000 + "b") == ["a", "", "b"]


def test_a_log_that_was_cut_begins_with_a_whole_line() -> None:
    assert _lines("alf a line\nwhole", whole=False) == ["whole"]
    assert _lines("only this", whole=False) == ["only this"]
    assert _lines("AbCd0123+/==\x1b[0mrest") == ["rest"]


def test_a_long_line_keeps_its_trouble() -> None:
    (line,) = _lines("x" * 10_000 + " error: here " + "y" * 10_000)
    assert len(line) <= LINE_LIMIT
    assert "error: here" in line
    assert cut("abcdef", 4) == "abc\u2026"
    assert cut("0123456789", 5, around=9) == "\u20266789"
    assert len(cut("0123456789", 5, around=5)) == 5
