"""The lines of a stored excerpt, as a message shows them."""

import pytest

from alerts.writing.excerpt import COUNTS, LINES, excerpt


def test_a_stored_excerpt_is_shown_whole_with_what_it_says_was_left_out() -> None:
    stored = "\n".join(["… 35 more lines above", *(f"line {number}" for number in range(LINES)), "… 1 more line below"])
    assert excerpt(stored) == stored


def test_of_more_lines_the_first_are_shown_and_the_rest_is_counted() -> None:
    shown = (excerpt("\n".join(f"line {number}" for number in range(LINES + COUNTS + 1))) or "").splitlines()
    assert shown[:LINES] == [f"line {number}" for number in range(LINES)]
    assert shown[LINES:] == [f"… {COUNTS + 1} more lines below"]


def test_empty_ends_are_left_out() -> None:
    assert excerpt("\n\nstep 1\n\nboom\n\n") == "step 1\n\nboom"
    assert excerpt(" \n") is None
    assert excerpt("") is None


@pytest.mark.parametrize(
    "colour", ["\x1b[1;31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", "\x1b]0;title\x07red", "\\x1b]8;;https://x\\x07red"]
)
def test_terminal_escapes_are_gone_also_where_they_were_made_visible(colour: str) -> None:
    assert excerpt(f"a {colour} b") == "a red b"


def test_a_very_long_line_is_cut() -> None:
    assert len(excerpt("x" * 5_000) or "") == 300
