"""Why a job failed: the best of what is written at it."""

from typing import Any

import pytest

from domain.build import Outcome
from providers._github.reasons import Worth, reason_of

EXIT = {"annotation_level": "failure", "path": ".github", "message": "Process completed with exit code 1."}
DEPRECATED = {"annotation_level": "warning", "path": ".github", "message": "Node.js 16 actions are deprecated."}
TIMED_OUT = "The job running on runner GitHub Actions 7 has exceeded the maximum execution time of 360 minutes."
LOST = "The hosted runner: GitHub Actions 3 lost communication with the server. Anything in your workflow that ..."
LOW = "You are running out of disk space. The runner will stop working when the machine runs out of disk space."


def failure(message: str, **more: Any) -> dict[str, Any]:
    return {"annotation_level": "failure", "path": ".github", "start_line": 1, "message": message} | more


def text(*annotations: dict[str, Any]) -> str | None:
    found = reason_of(annotations)
    return found.text if found else None


def test_what_says_more_than_the_exit_code_wins() -> None:
    specific = failure("expected 42, got 41", path="tests/test_cart.py", start_line=12)
    assert text(EXIT, DEPRECATED, specific) == "tests/test_cart.py:12: expected 42, got 41"


def test_without_anything_better_the_exit_code_is_the_reason() -> None:
    found = reason_of([DEPRECATED, EXIT])
    assert found is not None
    assert (found.text, found.worth) == ("Process completed with exit code 1.", Worth.EXIT_CODE)


def test_warnings_and_notices_are_no_reasons() -> None:
    assert text(DEPRECATED, failure("saved", annotation_level="notice")) is None
    assert text() is None


def test_a_full_disk_is_only_a_warning_and_yet_the_cause() -> None:
    assert text(EXIT, failure(LOW, annotation_level="warning")) == LOW


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (TIMED_OUT, Outcome.TIMEOUT),
        ("The job has exceeded the maximum execution time of 6h0m0s", Outcome.TIMEOUT),
        (LOST, Outcome.ERROR),
        ("The self-hosted runner: agent-7 lost communication with the server. Verify the machine ...", Outcome.ERROR),
        ("The runner has received a shutdown signal. This can happen when ...", Outcome.ERROR),
        ("The job was not started because recent account payments have failed", Outcome.ERROR),
        ("System.IO.IOException: No space left on device : '/home/runner/x.log'", None),
    ],
)
def test_what_the_machine_says_comes_first(message: str, outcome: Outcome | None) -> None:
    found = reason_of([failure("error TS2322", path="src/cart.ts"), EXIT, failure(message)])
    assert found is not None
    assert (found.text, found.outcome, found.worth) == (message, outcome, Worth.MACHINE)


def test_the_first_of_equal_worth_wins() -> None:
    assert text(failure("first"), failure("second")) == "first"


@pytest.mark.parametrize(
    ("message", "worth"),
    [
        ("The process '/usr/bin/npm' failed with exit code 1", Worth.PROGRAM),
        ("Process completed with exit code -1073741819.", Worth.EXIT_CODE),
        ("The operation was canceled.", Worth.CANCELLED),
        ("The run was canceled by @ada.", Worth.CANCELLED),
        ("npm ERR! Process completed with exit code 1, see above", Worth.SPECIFIC),
    ],
)
def test_empty_words_are_worth_little(message: str, worth: Worth) -> None:
    found = reason_of([failure(message)])
    assert found is not None
    assert found.worth is worth


def test_titles_and_places_are_told_once() -> None:
    assert text(failure("boom", title="FAIL tests")) == "FAIL tests: boom"
    assert text(failure("boom: FAIL tests", title="FAIL tests")) == "boom: FAIL tests"
    assert text(failure("src/a.ts is broken", path="src/a.ts")) == "src/a.ts is broken"
    assert text(failure("boom", path="src/a.ts", start_line=None)) == "src/a.ts: boom"
    assert text(failure("", title="FAIL tests")) == "FAIL tests"


def test_of_many_lines_the_first_that_says_anything_is_told() -> None:
    assert text(failure("\n  \n  AssertionError: no\n  at cart.ts\n")) == "AssertionError: no"


def test_what_makes_no_sense_is_no_reason() -> None:
    assert text({}, {"message": None}, {"message": 7}, {"message": "\n", "title": ["x"]}) is None


def test_long_and_hostile_words_are_made_harmless() -> None:
    found = text(failure("\x1b[31m" + "x" * 5000, path="a\u202eb"))
    assert found is not None
    assert len(found) == 300
    assert "\x1b" not in found
    assert "\u202e" not in found
