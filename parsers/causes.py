"""Which line of a log says what really went wrong.

Lines with a word of trouble are weighed: what a compiler or a test runner says of a failure outweighs `error:`, which
outweighs `failed with exit code 1`, the end of the story and never its beginning. Of those that weigh most the
first one is the cause. What was tried again, what a shell went on after, and what stands behind the end of the failed
step (cleaning up, publishing) does not count.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parsers.builtin_rules import builtin_rules
from parsers.rules import BucketRule

_WORDS = (
    "err", "fail", "fatal", "exception", "denied", "refused", "timed out", "timeout", "no such", "cannot", "can't",
    "could not", "couldn't", "not found", "unable", "killed", "panic", "invalid", "unknown", "missing", "not ok",
    "aborted", "exceeded", "traceback", "caused by", "exit", "critical", "severe", "unexpected", "does not", "❌", "✗",
    "✕", "assert", "returned", "abort", "undefined", "rejected", "expected",
)  # fmt: skip
_MOST_LINES = 4_000  # of one log are weighed: the first and the last with trouble
_SEEN_PER_WORD = 20_000

_PREFIX = re.compile(
    r"^(?:[>|\s]+|\#\d+ \d+\.\d+ |[\w.-]{1,40}(?:-\d+)? {1,20}\| |\(\w{1,40} pid=\d+\) |\[\d{1,2}:\d\d:\d\d[^\]]{0,10}\] "
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\s*(?:[-|:]\s*)?|\#\#\[error\]|\[(?:error|ERROR|exec|stderr|java|junit)\] ?|e:\s"
    r"|(?:ERROR|CRITICAL|FATAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]{1,60}\] ?)?)"
)
_LEVEL = re.compile(
    r"^.{0,60}?(?:^|[\s|\[(:-])(?:(?P<calm>INFO|DEBUG|TRACE|NOTICE|WARN|WARNING|VERBOSE|info|debug|trace|notice|warn|warning)"
    r"|(?P<bad>ERROR|CRITICAL|FATAL|SEVERE|error|critical|fatal))(?=\s*[|\]:)-]|\s+\d\d-\d\d |\s{2,})"
)
_CALM = re.compile(
    r"^(?:##\[(?:warning|debug|notice|group|endgroup|section|command)\]|\++ (?!\d)|\[Pipeline\]|\s?> (?:git|svn|hg) |\$ |npm (?:WARN|warn|notice)|\(node:\d+\) |warning\b|warn\b|note:|hint:|remote: hint"
    r"|(?:ok|PASS|PASSED|SUCCESS|SKIPPED|SKIP)\b|✓|✔|√|✅|--- (?:PASS|SKIP)|=== (?:RUN|CONT|PAUSE)|\[\s+(?:OK|RUN)\s+\]|test \S+ \.\.\. ok|(?:Get|Hit|Ign):\d|#\s|//|\* \[new (?:branch|tag)\])",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(?i)\b(?:0|no|zero|without) (?:\w+ )?(?:errors?|failures?|failed|failing|problems|issues|conflicts)\b|\b(?:errors?|failures?|failed|fail)\s*[:=]\s*(?:0\b|none|false|\[\])"
    r"|\b(?:errors?|failures?): +0\b|reference path does not exist|no names found, cannot describe|no rebase in progress|\bignor(?:ed|ing)\b|non-fatal|nonfatal|\(this is (?:expected|ok|fine)|fail-?fast\b"
    r"|if-no-files-found|continue-on-error|--fail\b|-Werror|error_log|on_?error\b|\berrors?\.(?:py|js|ts|go|rb|java|log|html|h|c|cpp|o)\b|[\w/-]+(?:error|exception)s?\w*\.(?:o|obj|class|jar|cpp?\.o|d|html|rst|md)\b"
    r"|^\s*(?:-- )?(?:looking for|performing test|check(?:ing)? (?:for|if|whether)|detecting|downloading|downloaded|collecting|unpacking|setting up|requirement already|selecting|preparing to unpack|compiling|building \w+ object|removing|adding|creating|copying|extracting|inflating)\b"
    r"|\[\s*\d{1,3}%\]\s*$|\bPASSED\b|\bXFAIL\b|\bxfail(?:ed)?\b(?!.*[1-9]\d* failed)|expected (?:failure|to fail)|no files were found with the provided path|no test report files were found|post build task|checking \^not ok"
    r"|failed to restore cache|cache not found|unable to find image '.{1,200}' locally|no acknowledg|defaulting to|falling back|fallback|deprecat|gracefully|retry(?:ing)? (?:in|after)|will (?:be )?retr"
)
_AGAIN = re.compile(
    r"(?i)\bretry(?:ing)?\b(?!.{0,20}(?:exceeded|exhausted|limit))|\btry(?:ing)? again|\bretries (?:left|remaining)|attempt \d+ (?:of|/)|will retry|waiting \d+ ?s|\bsleeping\b|reconnecting|\(ignored\)|continuing|\bskipping\b|recoverable"
)
_WENT_ON = re.compile(r"^\++ (?:true|:)\s*$")
_SYMPTOM = re.compile(
    r"(?i)\bexit(?:ed|ing)?(?: with)?:? ?(?:an? )?(?:non-?zero )?(?:error )?(?:code|status|value)|exit (?:code|status)\b|return(?:ed)? (?:an? )?(?:non-?zero )?(?:exit )?(?:codes?|status|value)|non-?zero (?:code|exit|status)|did not complete successfully|marked build as failure"
    r"|finished: failure|^build (?:failed|failure)|\bbuild failed\b|failed to execute goal|make(?:\[\d+\])?: \*\*\*|recipe for target|elifecycle|error command failed|npm err! (?:errno|a complete log|this is probably|failed at|lifecycle|exit status|code elifecycle|path|command|\s*$)|npm error (?:command|path|lifecycle|a complete log|location)"
    r"|calledprocesserror|see (?:the )?(?:[\w-]+ ){0,3}(?:above|log|logs|output|report|details)|script returned|##\[error\](?:the operation was|process completed)|ninja: build stopped|there (?:were|are) (?:failing tests|test failures)|failed due to|failure: build failed|what went wrong|execution failed for task"
    r"|after (?:this )?(?:failure|error)|stopping after|interrupted: |^(?:error|fatal|failed|failure|failures)\W*$|^\W*failures\W*$|some (?:checks|tests|jobs) (?:were|failed|haven)|\bre-run (?:maven|with)\b|to see the full stack trace|for more information about the errors|\[help 1\]|command failed|step .{1,80} failed|stage .{1,80} (?:failed|skipped)|errors? occurred|terminated with"
    r"|during handling of|was the direct cause|errors? (?:messages? )?in logs|aborting(?: commit)?\.?$|^\S+ failed\.?$|workflow: \S+ failed|failed with|^error: (?:script|process|task|command|job)\b|^e {3,}\+|^-+ captured|^npm (?:err!|error) [A-Z_]+$"
)
_STRONG = re.compile(
    r"(?i:^\W{0,3}(?:error|fatal|panic|critical|severe|abort|failure)\b\s*[:\]!-])|##\[error\]|\b(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Failure)\b\s*(?::|$)|(?i:\berror:)|^(?:E: |npm (?:ERR!|error) |ERROR\b|FATAL\b|CRITICAL\b)|❌|TT_FATAL|TT_THROW|\bAbortException\b"
)
_WEAK_WORD = re.compile(
    r"(?i)\b(?:errors?|failed|failures?|failing|fails?|fatal|exceptions?|denied|refused|timed out|no such|cannot|can't|could ?n[o']t|not found|killed|unable to|invalid|unexpected|missing|panic|aborted|rejected|not ok)\b"
)
_HTTP_ACCESS = re.compile(r"\"(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) \S+ HTTP/")
_FRAME = re.compile(r"^\s+at |^\s*\.\.\. \d+ (?:more|common)|^\s+File \"|^\s*---? \S+[(+]")

_KNOWN_LEAST = 1.0
_STRONG_WEIGHT = 2.0
_TRACE_WEIGHT = 2.45
_SYMPTOM_WEIGHT = 1.0
_WEAK_WEIGHT = 1.4
_RECOVERED_WEIGHT = 0.5
_SLACK = 0.25  # two weights this near are equal, and the earlier line wins
_EARLIER_COMMAND = 0.6  # is taken off what a traced shell went on after

_STEP = re.compile(r"^##\[group\]Run ")
_GROUP_END = "##[endgroup]"
_STEP_FAILED = re.compile(r"^##\[error\]")
_OVER = re.compile(
    r"^Build step '.{1,200}' (?:marked|changed) build|^Stage \".{1,200}\" skipped due to earlier failure|^\[Pipeline\] \{ \(Declarative: Post Actions\)|^Post job cleanup\.|^\[Pipeline\] // stage.{0}$(?!)"
)
_TRACED = re.compile(r"^\++ \S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A line that may say why. `rule`: the built-in rule that knows it."""

    index: int
    weight: float
    rule: BucketRule | None = None


def causes(lines: Sequence[str]) -> list[Cause]:
    """What may have been the cause, best first; the first one is what a person would point at."""
    start, end = _failed_part(lines)
    weigher = _Weigher()
    found = _weighed(lines, _troubled(lines), start, end, weigher)
    if not any(one.weight > _SYMPTOM_WEIGHT for one in found):
        found = _weighed(lines, _troubled(lines), 0, len(lines), weigher)
    if not found:
        return []
    best = max(one.weight for one in found)
    first = next(one for one in found if one.weight >= best - _SLACK)
    if first.weight <= _SYMPTOM_WEIGHT:
        first = found[-1] if first.weight < _SYMPTOM_WEIGHT else first
    rest = sorted(
        (one for one in found if one is not first), key=lambda one: (-one.weight, abs(one.index - first.index))
    )
    return [first, *rest]


def _troubled(lines: Sequence[str]) -> list[int]:
    """The lines with a word of trouble, in order; of very many the first and the last."""
    text = "\n".join(lines).casefold()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    if len(text) != starts[-1] - 1:  # casefolding made some letter longer: «ß»
        return [index for index, line in enumerate(lines) if _WEAK_WORD.search(line)][-_MOST_LINES:]
    seen: set[int] = set()
    for word in _words():
        place, count = text.rfind(word), 0
        while place >= 0 and count < _SEEN_PER_WORD:
            line = bisect_right(starts, place) - 1
            seen.add(line)
            count += 1
            place = text.rfind(word, 0, starts[line]) if line else -1
    ordered = sorted(seen)
    return ordered if len(ordered) <= _MOST_LINES else [*ordered[: _MOST_LINES // 2], *ordered[-_MOST_LINES // 2 :]]


def _words() -> Iterable[str]:
    return _WORDS


def _failed_part(lines: Sequence[str]) -> tuple[int, int]:
    """From where to where the failed step wrote: the whole log where nothing marks it."""
    start, step_started = 0, 0
    for index, line in enumerate(lines):
        if _STEP.match(line):
            step_started = index
        elif line.startswith("##[error]Process completed with exit code"):
            return step_started, index + 1
        elif _OVER.match(line):
            return start, index + 1
    errors = [index for index, line in enumerate(lines) if _STEP_FAILED.match(line)]
    if errors:
        before = [index for index, line in enumerate(lines[: errors[0]]) if _STEP.match(line)]
        return (before[-1] if before else 0), len(lines)
    return start, len(lines)


def _weighed(lines: Sequence[str], troubled: list[int], start: int, end: int, weigher: "_Weigher") -> list[Cause]:
    skipped = _step_headers(lines)
    commands = [index for index in range(start, end) if _TRACED.match(lines[index])]
    last_command = commands[-1] if commands else start
    found: list[Cause] = []
    done = start
    for index in troubled:
        if not start <= index < end or index in skipped or index < done:
            continue
        cause, done_until = _cause_at(lines, index, end, weigher)
        done = max(done, done_until)
        if cause is None:
            continue
        weight = cause.weight
        if _was_recovered(lines, cause.index, end):
            weight = min(weight, _RECOVERED_WEIGHT)
        elif commands and cause.index < last_command:
            weight -= _EARLIER_COMMAND
        found.append(Cause(index=cause.index, weight=weight, rule=cause.rule))
    return found


def _cause_at(lines: Sequence[str], index: int, end: int, weigher: "_Weigher") -> tuple[Cause | None, int]:
    """The cause that begins in a line, and the line where to go on: a trace of calls is one cause."""
    line = lines[index]
    if "Traceback (most recent call last)" in line:
        ended = _end_of_traceback(lines, index, end)
        if ended is not None:
            weight, rule = weigher.weigh(lines[ended])
            return Cause(index=ended, weight=max(weight, _TRACE_WEIGHT), rule=rule), ended + 1
        return Cause(index=index, weight=_STRONG_WEIGHT), index + 1
    weight, rule = weigher.weigh(line)
    if index + 1 < end and lines[index + 1].lstrip().startswith("at ") and weight:
        deepest, stop = _deepest(lines, index, end)
        if deepest != index:
            deep_weight, deep_rule = weigher.weigh(lines[deepest])
            if deep_weight >= weight - _SLACK:
                return Cause(
                    index=deepest, weight=max(weight, deep_weight, _TRACE_WEIGHT), rule=deep_rule or rule
                ), stop
        return Cause(index=index, weight=max(weight, _STRONG_WEIGHT), rule=rule), stop
    return (Cause(index=index, weight=weight, rule=rule) if weight else None), index + 1


def _end_of_traceback(lines: Sequence[str], index: int, end: int) -> int | None:
    """The line of the exception: the first after the frames that is not indented."""
    before = lines[index].partition("Traceback (most recent call last)")[0]
    for place in range(index + 1, min(index + 200, end)):
        line = lines[place]
        rest = line[len(before) :] if before and line.startswith(before) else line.lstrip() if before else line
        if re.match(r"[A-Za-z_][\w.]{0,120}(?:: |:?$)", rest) and not rest.startswith(("File ", "Traceback")):
            return place
        if before and not line.startswith(before.rstrip()) and re.match(r"\S", line):
            return None
    return None


def _deepest(lines: Sequence[str], index: int, end: int) -> tuple[int, int]:
    """The last `Caused by:` of a Java trace, and where the trace ends."""
    deepest, place = index, index + 1
    while place < min(index + 600, end):
        line = lines[place].strip()
        if line.startswith("Caused by: "):
            deepest = place
        elif not (line.startswith(("at ", "... ", "Suppressed: ")) or not line):
            break
        place += 1
    return deepest, place


def _was_recovered(lines: Sequence[str], index: int, end: int) -> bool:
    """Whether it was tried again, or did not matter to who ran it."""
    for line in lines[index : min(index + 3, end)]:
        if _AGAIN.search(line):
            return True
    return any(_WENT_ON.match(line) for line in lines[index + 1 : min(index + 3, end)])


def _step_headers(lines: Sequence[str]) -> set[int]:
    """The lines in which GitHub repeats what a step is to run."""
    inside = False
    headers: set[int] = set()
    for index, line in enumerate(lines):
        if line.startswith("##[group]"):
            inside = _STEP.match(line) is not None
        elif line.startswith(_GROUP_END):
            inside = False
        if inside:
            headers.add(index)
    return headers


class _Weigher:
    """Weighs lines; those that were seen before, and in a loop there are many, only once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, BucketRule | None]] = {}

    def weigh(self, line: str) -> tuple[float, BucketRule | None]:
        """How surely a line is the cause (0: not at all), and the built-in rule that knows it."""
        if line not in self._known:
            self._known[line] = _weight(line)
        return self._known[line]


def bare(line: str) -> str:
    """A line without what loggers and builders put before it."""
    for _ in range(4):
        shorter = _PREFIX.sub("", line, count=1)
        if shorter == line or not shorter:
            break
        line = shorter
    return line


def _weight(line: str) -> tuple[float, BucketRule | None]:
    plain = bare(line)
    if (
        _HTTP_ACCESS.search(line)
        or _CALM.match(plain)
        or _CALM.match(line)
        or _HARMLESS.search(line)
        or _FRAME.match(line)
    ):
        return 0, None
    level = _LEVEL.match(line)
    if level is not None and level["calm"]:
        return (0.8, None) if "❌" in line or "FAIL" in line else (0, None)
    rule = known_by(builtin_rules(), plain)
    symptom = _SYMPTOM.search(line) is not None
    if rule is not None and rule.sureness is not None:
        return (min(rule.sureness, 2.1) if symptom and rule.sureness < 3 else rule.sureness), rule
    if symptom:
        return _SYMPTOM_WEIGHT, None
    if _STRONG.search(plain) or _STRONG.search(line) or (level is not None and level["bad"]):
        return _STRONG_WEIGHT, None
    return (_WEAK_WEIGHT if _WEAK_WORD.search(line) else 0), None


def known_by(rules: Iterable[BucketRule], line: str) -> BucketRule | None:
    """The first rule for a line by itself."""
    low = line.casefold()
    for rule in rules:
        if rule.sureness is not None and any(word in low for word in rule.contains):
            if rule.regex is not None and rule.regex.search(line, timeout=1):
                return rule
    return None
