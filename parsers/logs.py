"""Logs made readable: no terminal escapes, no hidden notes, no time stamps of the CI server, no progress bars."""

import re
from collections.abc import Sequence

from domain.details import Log

LINE_LIMIT = 2_000  # characters: what no person wrote and no person reads is longer

_HIDDEN_NOTES = re.compile(r"\x1b\[8mha:[^\x1b\n]*(?:\x1b\[0m)?")
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78MNOPZcDEH])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]"
)
_CUT_NOTE = re.compile(r"\A[A-Za-z0-9+/=]{8,}\x1b\[0m")  # the log was cut within a hidden note
_OF_SERVERS = re.compile(
    r"^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z(?: |$)|\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\](?: |$))",
    re.MULTILINE,
)
_ON_EACH_LINE = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)\]?(?:[ \t]|$)",
        r"^\[?\d\d:\d\d:\d\d(?:[.,]\d{1,6})?\]?(?:[ \t]{1,2}|$)",
    )
)
_VOID = re.compile(r"\n{100,}")
_SAMPLE = 300  # lines that show what each line begins with
_MOST = 0.8
_TROUBLE = re.compile(
    r"(?i)\b(?:error|fatal|failed|failure|exception|denied|killed|cannot|panic)|no space left|out of memory"
)


def lines_of(log: Log) -> list[str]:
    """The lines of a log as a person would want them, without trailing blanks; of a hundred empty lines one stays."""
    text = log.text if log.whole else _from_first_line(log.text)
    text = _ESCAPES.sub("", _HIDDEN_NOTES.sub("", _CUT_NOTE.sub("", text)))
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n")
    text = _VOID.sub("\n\n", _without_stamps(text))
    lines = [line.rstrip() for line in text.split("\n")]
    return [_as_shown(line) if "\r" in line or len(line) > LINE_LIMIT else line for line in lines]


def _from_first_line(text: str) -> str:
    """Without the line that the beginning was cut off; all, when there is only one."""
    _, found, rest = text.partition("\n")
    return rest if found and rest.strip() else text


def _without_stamps(text: str) -> str:
    """Without what the CI server put before each line; what a program wrote itself stays, unless each line has it."""
    text = _OF_SERVERS.sub("", text)
    lines = [line for line in text[:200_000].split("\n") if line.strip()]
    sample = lines[:: max(len(lines) // _SAMPLE, 1)]
    for pattern in _ON_EACH_LINE:
        if sample and sum(pattern.match(line) is not None for line in sample) >= _MOST * len(sample):
            return pattern.sub("", text)
    return text


def _as_shown(line: str) -> str:
    """What a terminal shows last of a progress bar, unless it said what is wrong before; cut to the limit."""
    if "\r" in line:
        parts = [part for part in line.split("\r") if part.strip()]
        telling = [part for part in parts if _TROUBLE.search(part, 0, LINE_LIMIT)]
        line = (telling or parts or [""])[-1]
    return cut(line, LINE_LIMIT)


def cut(line: str, limit: int, *, around: int | None = None) -> str:
    """At most so many characters of a line: its start, or what is around a place in it (default: its trouble)."""
    if len(line) <= limit:
        return line
    if around is None:
        found = _TROUBLE.search(line)
        around = found.start() if found else 0
    start = 0 if around < limit * 3 // 4 else min(around - limit // 4, len(line) - limit + 1)
    end = start + limit - (start > 0)
    return f"{'…' * (start > 0)}{line[start : end - (end < len(line))]}{'…' * (end < len(line))}"


def joined(lines: Sequence[str]) -> str:
    """The lines as one text, to be searched."""
    return "\n".join(lines)
