"""Why a job failed, in GitHub's own words: the best of what is written at it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from domain.build import Outcome
from domain.text import TITLE_LIMIT, clean
from providers._github.inquiry import is_too_long
from providers._github.jobs import Annotation

_NO_RUNNER: Final = (
    "lost communication with the server",
    "runner has received a shutdown signal",
    "hosted runner encountered an error",
    "error occurred while provisioning",
    "was not acquired by runner",
    "no enabled runners online",
    "encountered an internal error when running your job",
    "job was not started because",
)
_NO_ROOM: Final = ("no space left on device", "running out of disk space", "runner ran out of memory")
_EXIT_CODE: Final = re.compile(r"process completed with exit code -?\d+\.?", re.IGNORECASE)
_PROGRAM: Final = re.compile(r"the process '[^']*' failed with exit code -?\d+\.?", re.IGNORECASE)
_CANCELLED: Final = re.compile(r"the (operation|job|run) was cancell?ed.*", re.IGNORECASE)


class Worth(IntEnum):
    """How much a remark explains; the least comes first."""

    MACHINE = 0  # too long, no runner, no room
    SPECIFIC = 1
    WARNING = 2  # of a full disk: only a warning, and yet the cause
    PROGRAM = 3
    EXIT_CODE = 4
    CANCELLED = 5
    NOTHING = 6


_EMPTY_WORDS: Final = ((_EXIT_CODE, Worth.EXIT_CODE), (_PROGRAM, Worth.PROGRAM), (_CANCELLED, Worth.CANCELLED))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a job failed; `outcome` when it tells more than "failure"."""

    text: str
    worth: Worth
    outcome: Outcome | None = None


def reason_of(annotations: Sequence[Annotation]) -> Reason | None:
    """The best reason among the annotations of one job; warnings and notices are none."""
    found = [_reason(each) for each in annotations]
    return min((each for each in found if each.worth < Worth.NOTHING), key=lambda each: each.worth, default=None)


def _reason(annotation: Annotation) -> Reason:
    message = _line(annotation.get("message")) or _line(annotation.get("title"))
    has_no_room = any(mark in message.lower() for mark in _NO_ROOM)
    if not message or annotation.get("annotation_level") in {"warning", "notice"}:
        return Reason(message, Worth.WARNING if has_no_room else Worth.NOTHING)
    if is_too_long(message):
        return Reason(message, Worth.MACHINE, Outcome.TIMEOUT)
    if any(mark in message.lower() for mark in _NO_RUNNER):
        return Reason(message, Worth.MACHINE, Outcome.ERROR)
    for pattern, worth in _EMPTY_WORDS:
        if pattern.fullmatch(message):
            return Reason(message, worth)
    return Reason(_placed(annotation, message), Worth.MACHINE if has_no_room else Worth.SPECIFIC)


def _placed(annotation: Annotation, message: str) -> str:
    """With its file and line, where a compiler or a test gave one; the runner itself writes `.github`."""
    path, line, title = annotation.get("path"), annotation.get("start_line"), _line(annotation.get("title"))
    if title and title not in message:
        message = f"{title}: {message}"
    if isinstance(path, str) and path not in {"", ".github"} and path not in message:
        message = f"{path}:{line}: {message}" if isinstance(line, int) and line > 0 else f"{path}: {message}"
    return clean(message, TITLE_LIMIT)


def _line(text: object) -> str:
    """The first line that says anything."""
    lines = (line.strip() for line in text.splitlines()) if isinstance(text, str) else ()
    return clean(next(filter(None, lines), ""), TITLE_LIMIT)
