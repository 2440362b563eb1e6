"""The lines of a log that say what went wrong: around the first error, not the blind tail."""

import re

LINES = 15

_BEFORE = 5  # of the lines, how many may stand before the error
_LINE_LIMIT = 300
_ESCAPES = re.compile(
    r"(?:\x1b|\\x1b)(?:\[[0-?]*[ -/]*[@-~]|\].*?(?:\x07|\\x07|\x1b\\|\\x1b\\)|[()][0-9A-B]|[=>78MNOPZc])"
)
"""Colours, titles and links for terminals; also in the visible form that `domain.text.clean` has given them."""

_ERROR = re.compile(
    r"(?i:^\W{0,3}(?:error|fatal|panic|failure|failed|failures)\b)"  # "ERROR: …", "[ERROR] …", "FAILED tests/test_a.py"
    r"|##\[error\]|\bTraceback \(most recent|\b[A-Z]\w*(?:Error|Exception)\b|^E  +\S|^not ok\b|(?i:\berror:)"
)
_TROUBLE = re.compile(
    r"(?i)\b(?:errors?|failed|failures?|fatal|exception|denied|refused|timed out|no such|cannot|not found|killed)\b"
)
_HARMLESS = re.compile(r"(?i)\b(?:0|no) (?:errors?|failures?|failed)\b|\b(?:errors?|failures?|failed)[:=] ?0\b")


def excerpt(log: str) -> str | None:
    """At most 15 lines around the first error, without terminal escapes; None when nothing is there.

    Left-out lines are counted where they were.
    """
    lines = [_ESCAPES.sub("", line).rstrip()[:_LINE_LIMIT] for line in log.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    if len(lines) <= LINES:
        return "\n".join(lines) or None
    start = min(max(_first_error(lines) - _BEFORE, 0), len(lines) - LINES)
    end = start + LINES
    before = [_left_out(start, "above")] if start else []
    after = [_left_out(len(lines) - end, "below")] if end < len(lines) else []
    return "\n".join([*before, *lines[start:end], *after])


def _first_error(lines: list[str]) -> int:
    """Its index; the end where no line looks like an error, for there is what the build did last."""
    for pattern in (_ERROR, _TROUBLE):
        for index, line in enumerate(lines):
            if pattern.search(line) and not _HARMLESS.search(line):
                return index
    return len(lines)


def _left_out(count: int, where: str) -> str:
    return f"… {count} more {'line' if count == 1 else 'lines'} {where}"
