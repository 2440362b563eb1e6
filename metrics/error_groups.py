"""Failing tests that fail with the same error: forty messages may be one cause."""

from collections.abc import Callable, Iterable

from domain.testhistory import ErrorGroup
from domain.testreport import Test, TestCase

_MOST = 20  # groups
_SHOWN = 5  # tests of a group
_DIFFERENT = 2000  # messages whose signature is asked for


def error_groups(failing: Iterable[TestCase], signature: Callable[[str], str | None]) -> tuple[ErrorGroup, ...]:
    """What several tests fail of, the most frequent first.

    Args:
        failing: the cases that failed.
        signature: what a line of an error says without what differs from test to test; None: nothing.
    """
    found: dict[str, list[Test]] = {}
    known: dict[str, str | None] = {}
    for case in failing:
        line = _first_line(case.message or "")
        if line not in known and len(known) < _DIFFERENT:
            known[line] = signature(line) if line else None
        error = known.get(line)
        if error is not None:
            found.setdefault(error, []).append(case.test)
    several = [(error, tests) for error, tests in found.items() if len(tests) > 1]
    several.sort(key=lambda each: (-len(each[1]), each[0]))
    return tuple(ErrorGroup(error, len(tests), tuple(tests[:_SHOWN])) for error, tests in several[:_MOST])


def _first_line(message: str) -> str:
    return next((line for each in message.splitlines() if (line := each.strip())), "")
