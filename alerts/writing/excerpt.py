"""The log lines of a message. What they are was decided when the log was read; here they are made fit to be shown."""

import re

LINES = 15
COUNTS = 2  # lines that say how much was left out above and below

_LINE_LIMIT = 300
_ESCAPES = re.compile(
    r"(?:\x1b|\\x1b)(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\\\n]{0,2000}(?:\x07|\\x07|\x1b\\|\\x1b\\)"
    r"|[()][0-9A-B]|[=>78MNOPZc])"
)
"""Colours, titles and links for terminals; also in the visible form that `domain.text.clean` has given them."""


def excerpt(stored: str) -> str | None:
    """The stored lines without terminal escapes and empty ends; None when nothing is there.

    More than 15 lines come only from who reports builds himself: of these the first are shown, the rest is counted.
    """
    lines = [_ESCAPES.sub("", line).rstrip()[:_LINE_LIMIT] for line in stored.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    left_out = len(lines) - LINES
    if left_out > COUNTS:
        lines[LINES:] = [f"… {left_out} more lines below"]
    return "\n".join(lines) or None
