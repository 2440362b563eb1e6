"""The excerpt of a log is what a person would have scrolled to."""

import pytest

from alerts.excerpt import LINES, excerpt


def _log(*wrong: str, before: int = 40, after: int = 40) -> str:
    return "\n".join(
        [
            *(f"step {number}: compiling" for number in range(before)),
            *wrong,
            *(f"cleanup {number}" for number in range(after)),
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        "Error: INSTALLATION FAILED: timed out waiting for the condition",
        "[ERROR] Failed to execute goal",
        "##[error]Process completed with exit code 1.",
        "Traceback (most recent call last):",
        "java.lang.NullPointerException: null",
        "E   assert 1 == 2",
        "FAILED tests/test_login.py::test_session",
        "web.c:3:1: error: expected ';'",
        "bash: helm: command not found",
        "write: permission denied",
    ],
)
def test_it_shows_fifteen_lines_around_the_first_error_and_counts_the_rest(line: str) -> None:
    shown = (excerpt(_log(line, "a consequence: failed")) or "").splitlines()
    assert len(shown) == LINES + 2
    assert shown[0] == "… 35 more lines above"
    assert shown[6] == line
    assert shown[-1] == "… 32 more lines below"


def test_a_sure_sign_wins_over_an_earlier_doubtful_one() -> None:
    shown = excerpt(_log("warning: cache not found", *["ok"] * 30, "ERROR: out of memory")) or ""
    assert "out of memory" in shown
    assert "not found" not in shown


@pytest.mark.parametrize("line", ["finished with 0 errors", "no failures", "Failures: 0, Errors: 0"])
def test_no_error_is_not_an_error(line: str) -> None:
    shown = excerpt(_log(line)) or ""
    assert line not in shown
    assert shown.endswith("cleanup 39")


def test_without_any_sign_the_end_is_shown() -> None:
    assert (excerpt(_log(before=20, after=0)) or "").splitlines()[0] == "… 5 more lines above"


def test_a_short_log_is_shown_whole_without_empty_ends() -> None:
    assert excerpt("\n\nstep 1\n\nboom\n\n") == "step 1\n\nboom"
    assert excerpt(" \n") is None
    assert excerpt("") is None


def test_one_left_out_line_is_one_line() -> None:
    assert (excerpt("\n".join("x" * 16)) or "").splitlines()[0] == "… 1 more line above"


@pytest.mark.parametrize(
    "colour", ["\x1b[1;31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", "\x1b]0;title\x07red", "\\x1b]8;;https://x\\x07red"]
)
def test_terminal_escapes_are_gone_also_where_they_were_made_visible(colour: str) -> None:
    assert excerpt(f"a {colour} b") == "a red b"


def test_a_very_long_line_is_cut() -> None:
    assert len(excerpt("x" * 5_000) or "") == 300
