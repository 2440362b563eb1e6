"""Which line of a log says what really went wrong.

Lines with a word of trouble are weighed: what a compiler or a test runner says of a failure outweighs `error:`, which
outweighs `failed with exit code 1`, the end of the story and never its beginning. Of those that weigh most the
first one is the cause. What was tried again, what a shell went on after, and what stands behind the end of the failed
step (cleaning up, publishing) does not count.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from parsers.rules import BucketRule
from parsers.weights import RECOVERED, STRONG, SYMPTOM, TRACE, WEAK, Weigher

_WORDS = (
    "err", "fail", "fatal", "exception", "denied", "refused", "timed out", "timeout", "no such", "cannot", "can't",
    "could not", "couldn't", "not found", "unable", "killed", "panic", "invalid", "missing", "not ok", "exceeded",
    "traceback", "caused by", "exit", "critical", "severe", "❌", "✗", "✕", "●", "assert", "abort", "undefined",
    "no space", "out of memory", "enospc", "oom", "unauthorized", "forbidden", "too many", "toomany", "conflict",
    "dumped", "segmentation", "expected", "reformat", "#test_", "no rule to make",
)  # fmt: skip
_MORE_WORDS = (
    "unknown", "unexpected", "does not", "return", "reject", "not known", "offline", "memory", "lost", "shutdown",
    "expired", "429", "50", "not ", "cancel", "coverage", "offense", "problem", "differ", "requires", "unreachable",
    "superseded", "throttl", "warnings", "rollback", "backoff", "unresolved", "incorrectly", "deadline", "license",
    "licence", "no matching", "no route", "reset by", "hang up", "newer build", "higher priority", "bad_alloc",
    "disappeared", "pressure", "evict", "removednode", "certificate", "pkix", "flexlm", "flexnet", "rate limit",
    "getaddrinfo", "eai_", "nxdomain", "misbehaving", "econn", "etimedout", "max retries", "bad gateway", "read timed",
    "disconnect", "broken pipe", "curl: (", "imagepull", "publickey", "eacces", "eperm", "insufficient", "quality gate",
    "workflowscript", "dsl method", ".go:", ".py:", ".rb:", "pre-commit", "by this hook", "violation", "acceptable c",
    "java_home", "no module named", "crashloop", "unsatisfiable", "no versions", "sanitizer", "sigsegv", "sigabrt",
    "corrupt", "double free", "smashing", "unrecognized", "manifest", "lint", " e: ", "candidate",
)  # fmt: skip
"""Words that ordinary lines have, too: they count where a log does not have too many lines to weigh."""

_MOST_LINES = 1_000  # of one log are weighed: the first and the last with trouble
_LAST_WORDS = 6  # lines
_SEEN_PER_WORD = 20_000

_AGAIN_WORDS = (
    "retry", "again", "retries", "attempt", "waiting", "sleeping", "reconnecting", "ignored", "continuing",
    "recoverable",
)  # fmt: skip
_AGAIN = re.compile(
    r"\bretry(?:ing)?\b(?!.{0,20}(?:exceeded|exhausted|limit))|\btry(?:ing)? again|\bretries (?:left|remaining)"
    r"|attempt \d+ (?:of|/)"
    r"|\bwaiting \d+ ?s|\bsleeping\b|reconnecting|\(ignored\)|\bcontinuing\b|recoverable"
)
_NO_MORE = re.compile(
    r"(?i)max retries|retries exceeded|after \d+ (?:attempts|retries|tries)|giving up|no more retries|last attempt"
)
_WENT_ON = re.compile(r"^\++ (?:true|:)\s*$")
_EARLIER_COMMAND = 0.6  # is taken off what a traced shell went on after
SLACK = 0.25  # two weights this near are equal, and the earlier line wins
_DEEPEST = 600  # lines of one trace of calls
_NO_COMMAND = re.compile(
    r"^\++ (?:exit|return|rm|cleanup|echo|set|trap|false|kill|docker (?:rm|stop|compose)|popd|cd)\b"
)

_STEP = re.compile(r"^##\[group\]Run ")
_OVER = re.compile(
    r"^Build step '.{1,200}' (?:marked|changed) build|^Stage \".{1,200}\" skipped due to earlier failure"
    r"|^\[Pipeline\] \{ \(Declarative: Post Actions\)|^Post job cleanup\.|^Post build task|^Performing Post build"
    r"|^(?:travis_[^\"]{1,300})?The command \".{1,300}\" (?:exited with [1-9]|failed and exited)"
)
_TRACED = re.compile(r"^\++ \S")
_EXCEPTION = re.compile(r"(?=[A-Za-z_])(?:[\w.]{1,120}: |(?=[\w.]*[A-Z.])[\w.]{1,120}:?$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A line that may say why. `rule`: the built-in rule that knows it."""

    index: int
    weight: float
    rule: BucketRule | None = None


def causes(lines: Sequence[str]) -> list[Cause]:
    """What may have been the cause, best first; the first one is what a person would point at."""
    start, end = _failed_part(lines)
    reader = _Reader(lines)
    found = reader.weighed(start, end)
    if not any(one.weight > SYMPTOM for one in found):
        found = _told(reader.weighed(0, end)) or _told(reader.last_words()) or found or reader.weighed(0, len(lines))
    if not found:
        return []
    best = max(one.weight for one in found)
    equal = [one for one in found if one.weight >= best - (SLACK if best > SYMPTOM else 0)]
    first = equal[0]
    rest = (one for one in found if one is not first)
    return [first, *sorted(rest, key=lambda one: (-one.weight, abs(one.index - first.index)))]


def _told(found: list[Cause]) -> list[Cause]:
    """They, if any of them says more than that something failed."""
    return found if any(one.weight > SYMPTOM for one in found) else []


def _failed_part(lines: Sequence[str]) -> tuple[int, int]:
    """From where to where the failed step wrote: the whole log where nothing marks it."""
    step, error = 0, None
    for index, line in enumerate(lines):
        if line.startswith("##["):
            if _STEP.match(line):
                if error is not None:
                    return error[0], index
                step = index
            elif line.startswith("##[error]Process completed with exit code"):
                return step, index + 1
            elif line.startswith("##[error]") and error is None:
                error = step, index
        elif line and line[0] in "BSPTt[" and _OVER.match(line):
            return (error[0] if error else 0), index + 1
    return (error[0] if error else 0), len(lines)


class _Reader:
    """One log, whose troubled lines are found once and weighed for a part of it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._troubled, self._doubtful = _with_words(lines, _WORDS, _MORE_WORDS)
        self._headers = _step_headers(lines)
        self._weigher = Weigher()

    def weighed(self, start: int, end: int) -> list[Cause]:
        """Lines with a weight from `start` to before `end`, in order."""
        inside = self._inside(sorted(self._troubled | self._doubtful), start, end)
        if len(inside) > _MOST_LINES:
            inside = self._inside(sorted(self._troubled), start, end)
        if len(inside) > _MOST_LINES:
            inside = [*inside[: _MOST_LINES // 3], *inside[-_MOST_LINES * 2 // 3 :]]
        last_command = self._last_command(start, end)
        found: list[Cause] = []
        done = start
        for index in inside:
            if index < done:
                continue
            cause, done = self._cause_at(index, end)
            if cause is not None:
                found.append(self._judged(cause, last_command, end))
        return found

    def last_words(self) -> list[Cause]:
        """What Jenkins itself says at the very end, behind all cleaning up: the message of an `error` step."""
        count = len(self._lines)
        found = self.weighed(max(count - _LAST_WORDS, 0), count)
        return [one for one in found if self._lines[one.index].startswith("ERROR: ")]

    def _inside(self, ordered: Sequence[int], start: int, end: int) -> list[int]:
        return [index for index in ordered if start <= index < end and index not in self._headers]

    def _judged(self, cause: Cause, last_command: int, end: int) -> Cause:
        weight = cause.weight
        if self._was_recovered(cause.index, end):
            weight = min(weight, RECOVERED)
        elif cause.index < last_command:
            weight -= _EARLIER_COMMAND
        return Cause(index=cause.index, weight=weight, rule=cause.rule)

    def _last_command(self, start: int, end: int) -> int:
        """The last command of a shell that traces: with `-e`, and that is the rule, it was what failed."""
        lines = self._lines
        for index in range(end - 1, start - 1, -1):
            if lines[index][:1] == "+" and _TRACED.match(lines[index]) and not _NO_COMMAND.match(lines[index]):
                return index
        return start

    def _cause_at(self, index: int, end: int) -> tuple[Cause | None, int]:
        """The cause that begins in a line, and the line where to go on: a trace of calls is one cause."""
        line = self._lines[index]
        if "Traceback (most recent call last)" in line:
            return self._of_python(index, end)
        weight, rule = self._weigher.weigh(line)
        if not weight:
            return None, index + 1
        if index + 1 < end and self._lines[index + 1].lstrip().startswith("at "):
            return self._of_java(index, end, weight, rule)
        return Cause(index=index, weight=weight, rule=rule), index + 1

    def _of_python(self, index: int, end: int) -> tuple[Cause, int]:
        ended = _end_of_traceback(self._lines, index, end)
        if ended is None:
            return Cause(index=index, weight=WEAK), index + 1
        weight, rule = self._weigher.weigh(self._lines[ended])
        if weight == SYMPTOM:
            return Cause(index=ended, weight=SYMPTOM), ended + 1
        return Cause(index=ended, weight=max(weight, TRACE), rule=rule), ended + 1

    def _of_java(self, index: int, end: int, weight: float, rule: BucketRule | None) -> tuple[Cause, int]:
        deepest, stop = _deepest(self._lines, index, end)
        deep_weight, deep_rule = self._weigher.weigh(self._lines[deepest])
        if deepest != index and deep_weight >= weight - SLACK:
            return Cause(index=deepest, weight=max(weight, deep_weight, TRACE), rule=deep_rule or rule), stop
        return Cause(index=index, weight=max(weight, STRONG), rule=rule), stop

    def _was_recovered(self, index: int, end: int) -> bool:
        """Whether it was tried again, or did not matter to who ran it."""
        near = self._lines[index : min(index + 3, end)]
        if any(_WENT_ON.match(line) for line in near[1:]):
            return True
        return any(_tried_again(line) for line in near[:2]) and not _NO_MORE.search(near[0])


def _tried_again(line: str) -> bool:
    low = line.lower()
    return any(word in low for word in _AGAIN_WORDS) and _AGAIN.search(low) is not None


def _with_words(lines: Sequence[str], *kinds: tuple[str, ...]) -> list[set[int]]:
    """For each kind of words the lines that have one of them."""
    text = "\n".join(lines).replace("İ", "I").lower()  # the one letter that is longer in lower case
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return [{line for word in words for line in _lines_with(text, starts, word)} for words in kinds]


def _lines_with(text: str, starts: Sequence[int], word: str) -> Iterator[int]:
    """The lines that have a word, last first; of very many the last."""
    place = text.rfind(word)
    for _ in range(_SEEN_PER_WORD):
        if place < 0:
            return
        line = bisect_right(starts, place) - 1
        yield line
        place = text.rfind(word, 0, starts[line]) if line else -1


def _step_headers(lines: Sequence[str]) -> set[int]:
    """The lines in which GitHub repeats what a step is to run."""
    ends = ("##[group]", "##[endgroup]", "##[error]")
    marks = [index for index, line in enumerate(lines) if line.startswith(ends)]
    return {
        index
        for first, last in pairwise([*marks, len(lines)])
        if _STEP.match(lines[first])
        for index in range(first, last)
    }


def _end_of_traceback(lines: Sequence[str], index: int, end: int) -> int | None:
    """The line of the exception: the first after the frames that is not indented."""
    before = lines[index].partition("Traceback (most recent call last)")[0]
    for place in range(index + 1, min(index + _DEEPEST, end)):
        line = lines[place]
        inside = bool(before) and line.startswith(before)
        rest = line[len(before) :] if inside else line
        if _EXCEPTION.match(rest) and not rest.startswith(("File ", "Traceback")) and (" " not in rest.split(":")[0]):
            return place
        if before.strip() and not inside and not line.startswith(" "):
            return None
    return None


def _deepest(lines: Sequence[str], index: int, end: int) -> tuple[int, int]:
    """The last `Caused by:` of a Java trace, and where the trace ends."""
    deepest, place = index, index + 1
    while place < min(index + _DEEPEST, end):
        line = lines[place].strip()
        if line.startswith("Caused by: "):
            deepest = place
        elif line and not line.startswith(("at ", "... ", "Suppressed: ")):
            break
        place += 1
    return deepest, place
