"""The lines of a log that a person would have scrolled to: around the cause, without what only fills the screen."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from parsers.logs import cut
from parsers.secrets import redacted
from parsers.weights import bare

LINES = 15
LINE_LIMIT = 300

_BEFORE = 5  # of the lines, how many may stand before the cause
_TIMES = "  … "
_FRAMES = 2  # of a stack, how many are shown
_NEAR = (80, 400)  # lines before and after the cause that are looked at: more than 15 remain of them when folded
_FRAME = re.compile(r"^(?:\S.{0,60}\s)?\s*(?:at [\w.$<>/@]+[(:]|at \S+ \(|\.\.\. \d+ more|--- \S{1,200}[(+])")
_COUNTED = re.compile(r"… \d+ more lines? (?:above|below)")
_OVER = re.compile(r"^##\[error\]Process completed with exit code|^Build step '.{1,200}' (?:marked|changed) build")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """8 to 15 lines, redacted, and how many were left out around them."""

    lines: tuple[str, ...]
    cause: int | None  # which of the lines is the cause; None: nothing in the log looks like one
    above: int = 0  # lines of the log that stand before
    below: int = 0
    log: str | None = None  # the stage or job that wrote it

    @property
    def text(self) -> str:
        """As it is stored and shown: with the left-out lines counted where they were."""
        before = [_left_out(self.above, "above")] if self.above else []
        after = [_left_out(self.below, "below")] if self.below else []
        return "\n".join([*before, *self.lines, *after])

    @property
    def first_error(self) -> str | None:
        """The line of the cause without what its logger put before it."""
        return None if self.cause is None else bare(self.lines[self.cause]).strip() or None


@dataclass(slots=True)
class _Shown:
    """A line to show, and the lines of the log that it stands for."""

    text: str
    first: int
    last: int


def shown_log(text: str) -> str:
    """The lines of the log in the text of an excerpt: without the count of those that were left out."""
    return "\n".join(line for line in text.split("\n") if not _COUNTED.fullmatch(line))


def excerpt(lines: Sequence[str], cause: int | None, *, log: str | None = None) -> Excerpt | None:
    """What is around a line; without one, the end of the log, for there is what the build did last."""
    last = _last_line(lines)
    if last < 0:
        return None
    center = last if cause is None else cause
    start = max(center - _NEAR[0], 0)
    stop = min(_end(lines, center, last) + 1, center + _NEAR[1])
    clean = redacted("\n".join(cut(line, 2 * LINE_LIMIT) for line in lines[start:stop])).split("\n")
    shown = _folded(clean, start, keep=center)
    position = next(index for index, one in enumerate(shown) if one.first <= center <= one.last)
    begin = max(position - (_BEFORE if cause is not None else LINES - 1), 0)
    begin = max(min(begin, len(shown) - LINES), 0)
    window = shown[begin : begin + LINES]
    while window and not window[0].text and window[0].last < center:
        window.pop(0)
    while window and not window[-1].text:
        window.pop()
    return Excerpt(
        lines=tuple(cut(one.text, LINE_LIMIT) for one in window),
        cause=None if cause is None else next(i for i, one in enumerate(window) if one.first <= center <= one.last),
        above=0 if _blank(lines, 0, window[0].first) else window[0].first,
        below=last - window[-1].last,
        log=log,
    )


def _last_line(lines: Sequence[str]) -> int:
    last = len(lines) - 1
    while last >= 0 and not lines[last].strip():
        last -= 1
    return last


def _end(lines: Sequence[str], center: int, last: int) -> int:
    """Where the failed step ends: what is cleaned up after it is of no interest."""
    for index in range(center, min(center + LINES, last)):
        if _OVER.match(lines[index]):
            return index
    return last


def _blank(lines: Sequence[str], start: int, end: int) -> bool:
    return all(not line.strip() for line in lines[start : min(end, start + LINES)]) and end - start < LINES


def _folded(lines: Sequence[str], offset: int, *, keep: int) -> list[_Shown]:
    """Blank lines, repeated lines, long stacks and the headers of steps each as one line; `keep` stays as it is."""
    shown: list[_Shown] = []
    frames = 0
    header = False
    for place, line in enumerate(lines, start=offset):
        frames = frames + 1 if _FRAME.match(line) else 0
        header = line.startswith("##[group]Run ") or (header and not line.startswith("##[endgroup]"))
        previous = shown[-1] if shown else None
        if previous is None or keep in {place, previous.last}:
            shown.append(_Shown(line, place, place))
        elif _is_folded(line, previous.text, header=header):
            previous.last = place
        elif frames > _FRAMES:
            _fold_frame(shown, place, frames)
        elif line.strip() and line == previous.text.partition(_TIMES)[0]:
            previous.text, previous.last = f"{line}{_TIMES}{place - previous.first + 1} times", place
        else:
            shown.append(_Shown(line, place, place))
    for one in shown:
        one.text = one.text.removeprefix("##[group]")
    return shown


def _is_folded(line: str, before: str, *, header: bool) -> bool:
    """Whether it belongs to the line before: a second blank one, or what GitHub says of the step that it begins."""
    if line.startswith("##[endgroup]") or (header and not line.startswith("##[group]")):
        return True
    return not line.strip() and not before.strip()


def _fold_frame(shown: list[_Shown], place: int, frames: int) -> None:
    if frames == _FRAMES + 1:
        shown.append(_Shown("    … 1 more frame", place, place))
    else:
        shown[-1].text, shown[-1].last = f"    … {frames - _FRAMES} more frames", place


def _left_out(count: int, where: str) -> str:
    return f"… {count} more {'line' if count == 1 else 'lines'} {where}"
