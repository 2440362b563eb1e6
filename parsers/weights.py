"""How surely a single line says what went wrong."""

import re
from collections.abc import Iterable

from parsers.builtin_rules import builtin_rules
from parsers.logs import cut
from parsers.rules import BucketRule

SURE = 2.6  # what a rule that is this sure of names is the cause wherever it stands
TRACE = 2.45  # the exception of a trace of calls
STRONG = 2.0  # something that is called an error
WEAK = 1.4  # a word of trouble
SYMPTOM = 1.0  # the end of the story: `exit code 1`
ASIDE = 0.8  # said in passing, at a level that is no error
RECOVERED = 0.5  # it was tried again, or did not matter

_WEIGHED = 400  # characters of a line

_PREFIX = re.compile(
    r"^(?:[>|\s]+|\#\d+ \d+\.\d+ |[\w.-]{1,40}(?:-\d+)? {1,20}\| |\(\w{1,40} pid=\d+\) "
    r"|\[\d{1,2}:\d\d:\d\d[^\]]{0,10}\] "
    r"|\[(?!\s|info|warn|error|fatal|debug|failed|ok|run|passed|pipeline|severe)[\w.:/ -]{1,40}\] "
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\s*(?:[-|:]\s*)?|\#\#\[error\]"
    r"|[\w.]{1,80} - (?:error|critical|fatal) - |\[(?:error|fatal)\] ?|e:\s|\#\d+ (?=error:)"
    r"|(?:error|critical|fatal) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]{1,60}\] ?)?|[\w.-]{1,60}\tUNKNOWN STEP\t)",
    re.IGNORECASE,
)
_LEVEL = re.compile(
    r"^.{0,110}?(?:^|[\s|\[(:-])(?:(?P<calm>INFO|DEBUG|TRACE|NOTICE|WARN|WARNING|VERBOSE|info|debug|trace|notice|warn"
    r"|warning)"
    r"|(?P<bad>ERROR|CRITICAL|FATAL|SEVERE|error|critical|fatal))(?=\s*[|\]:)-]|\s+\d\d-\d\d |\s{2,})"
)
_CALM = re.compile(
    r"^(?:##\[(?:warning|debug|notice|group|endgroup|section|command)\]|\++ (?!\d)|\[Pipeline\]|\s?> (?:git|svn|hg) "
    r"|\$ "
    r"|npm (?:WARN|notice)|commit message: |head is now at |previous head |switched to |checking out |\$ git "
    r"|\(node:\d+\) (?!\[?ERR)|warn(?:ing)?\b(?!\s+(?:failed|backoff|unhealthy|evicted"
    r"|failedscheduling|failedmount))|\[warn(?:ing)?\]|note:|hint:|remote: hint|W: (?!failed to fetch)"
    r"|(?:ok|PASS|PASSED|SUCCESS|SKIPPED|SKIP)\b|✓|✔|√|✅|--- (?:PASS|SKIP)|=== (?:RUN|CONT|PAUSE)|\[\s+(?:OK"
    r"|RUN)\s+\]"
    r"|test \S+ \.\.\. ok|(?:Get|Hit|Ign):\d|#\s|//|\* \[new (?:branch|tag)\])",
    re.IGNORECASE,
)
_NO_ERROR = re.compile(
    r"\blevel=(?:info|debug|trace|warn(?:ing)?)\b|\"level\":\s?\"(?:info|debug|trace|warn(?:ing)?)\""
)
_WARNING = re.compile(
    r"^[\w./\\+-]{1,200}[:(]\d+(?:[:,]\d+)?\)?:{0,2}\s*(?:warning|note|info)\b(?!.*\bnot (?:gofmt|goimport))",
    re.IGNORECASE,
)


_Phrases = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


def _phrases(*given: tuple[str, ...]) -> _Phrases:
    """Each: words, of which a line must have one (in lower case), and expressions of which one is found only then."""
    return tuple((tuple(words.split("|")), re.compile("|".join(found), re.IGNORECASE)) for words, *found in given)


_HARMLESS = _phrases(
    (
        "error|fail|problem|issue|conflict",
        r"\b(?:0|no|zero|without) (?:\w+ )?(?:errors?|fail(?:ures?|ed|ing)|problems|issues)\b(?! .{0,40}[1-9]\d* f)",
        r"\b(?:errors?|failures?|failed|fail)\s*[:=]\s*0\b(?!.*(?:errors?|failures?|failed)\s*[:=]\s*[1-9])",
        r"^(?!.*\b(?:failed|failure):).*\b(?:errors?|failures?|failed|fail)\s*[:=]\s*(?:none|false|\[\])",
    ),
    (
        "reference path",
        r"reference path does not exist",
    ),
    (
        "finished: |build step '",
        r"^finished: \w+\s*$|^build step '.{1,200}' (?:marked|changed) build",
    ),
    (
        "no names found|no rebase",
        r"no names found, cannot describe|no rebase in progress",
    ),
    (
        "ignor",
        r"\bignor(?:ed|ing)\b",
    ),
    (
        "non-fatal|nonfatal",
        r"non-?fatal",
    ),
    (
        "expected",
        r"\(this is (?:expected|ok|fine)|expected (?:failure|to fail)|as expected",
    ),
    (
        "fail-fast|fail fast|failfast|--fail|fail_fast",
        r"fail[-_ ]?fast\b(?!:? .*fail)|--fail\b",
    ),
    (
        "if-no-files|continue-on",
        r"if-no-files-found|continue-on-error",
    ),
    (
        "-werror|error_log|on_error|onerror",
        r"-Werror|error_log|\bon_?error\b",
    ),
    (
        "error|exception|fail",
        r"(?:^|[\s/])[\w/-]*(?:error|exception|fail(?:ure)?)s?[\w-]*\.\w{1,6}(?=$|[\s'\",)])(?!.*\b(?:error|failed)\b)",
    ),
    (
        (
            "look|perform|check|detect|download|collect|unpack|setting up|requirement|select|prepar|compil|building"
            "|remov|add|creat|copy|extract|inflat|install"
        ),
        r"^\s*(?:-- )?(?:looking for|performing test|check(?:ing)? (?:for|if|whether)|detecting)\b(?!.*\bfailed)",
        r"^(?:download(?:ing|ed)|collecting|unpacking|setting up|requirement already|selecting)\b(?!.*\berror:)",
        r"^\s*(?:compiling|building \w+ object|removing|adding|creating|copying)\b(?!.*\b(?:failed|error:))",
    ),
    (
        "%]",
        r"^(?!.*(?:\bFAILED\b|\bERROR\b)).*\[\s*\d{1,3}%\]\s*$",
    ),
    (
        "passed",
        r"^(?!.*[1-9]\d* (?:failed|error)).*\bPASSED\b",
    ),
    (
        "xfail",
        r"^(?!.*[1-9]\d* failed).*\bxfail",
    ),
    (
        "no files were|no test report|post build task|checking ^",
        r"no files were found with the provided path|no test report files were found|post build task",
        r"checking \^not ok",
    ),
    (
        "cache",
        r"failed to (?:restore|save):? .{0,20}cache|cache not found",
    ),
    (
        "locally",
        r"unable to find image '.{1,200}' locally",
    ),
    (
        "fallback|falling back|defaulting",
        r"defaulting to|falling back|\bfallback",
    ),
    (
        "deprecat",
        r"deprecat",
    ),
    (
        "gracefully|retr",
        r"gracefully|retry(?:ing)? (?:in|after)|will (?:be )?retr",
    ),
    (
        "failed to autodetect|hugepage|skipp",
        r"failed to autodetect|\bskipp(?:ed|ing)\b(?!.*failed)",
    ),
)
_SYMPTOM = _phrases(
    (
        "exit|return|non-zero|nonzero",
        r"\bexit(?:ed|ing)?(?: with)?:? ?(?:an? )?(?:non-?zero )?(?:error )?(?:code|status|value)",
        r"return(?:ed)? (?:an? )?(?:non-?zero )?(?:exit )?(?:codes?|status|value)|non-?zero (?:code|exit|status)",
        r"script returned|^exit \d|##\[error\]process completed",
    ),
    (
        "did not complete",
        r"did not complete successfully",
    ),
    (
        ("build fail|failed to execute|execution failed|what went wrong|there were failing|there are test"),
        r"\bbuild fail(?:ed|ure)\b|failed to execute goal",
        r"what went wrong|execution failed for task|there (?:were|are) (?:failing tests|test failures)",
    ),
    (
        "***|recipe for|ninja: build",
        r"make(?:\[\d+\])?: \*\*\*|recipe for target|ninja: build stopped",
    ),
    (
        "elifecycle|npm err|npm error|error command|command failed|yarn|lerna",
        r"elifecycle|error command failed",
        r"npm (?:err!|error) (?:errno|a complete log|this is probably|failed at|lifecycle|exit status)",
        r"npm (?:err!|error) code e?lifecycle",
        r"npm (?:err!|error) (?:code \d|path|command|location|in workspace|syscall|\s*$)",
        r"command failed|^npm (?:err!|error)\s+[A-Z_]+\s*$",
    ),
    (
        "calledprocesserror|subprocess",
        r"calledprocesserror|subprocess\.\w+ (?:command )?failed",
    ),
    (
        "see |above|log",
        r"\bsee (?:the )?(?:[\w-]+ ){0,3}(?:above|logs?|output|report|details|messages?)\b",
        r"errors? (?:messages? )?in logs",
    ),
    (
        "was canceled|was cancelled",
        r"##\[error\]the operation was cancell?ed",
    ),
    (
        (
            "failed due|errors occurred|error occurred|terminated with|failed with|interrupted:|for more information"
            "|full stack trace|re-run|help 1"
        ),
        r"failed due to|errors? occurred|terminated with|failed with (?:exit|code|status|return|error code)",
        r"interrupted: |for more information about the errors|to see the full stack|\bre-run (?:maven|with)\b",
        r"\[help 1\]",
    ),
    (
        "error|fatal|fail",
        r"^\W*(?:error|fatal|failed|failure|failures)\W*$|stopping after|after (?:this )?(?:failure|error)",
        r"^\S+ failed\.?$|workflow: \S+ failed|^error: (?:script|process|task|command|job)\b|failure: build failed",
        r"some (?:checks|tests|jobs) (?:were|failed|haven)|(?:step|stage|target|job) .{1,80} failed",
        r"generated [1-9]\d* errors?|^[1-9]\d* errors? generated|could not compile .{1,80} due to|aborting due to",
    ),
    (
        "aborting",
        r"aborting(?: commit)?\.?$",
    ),
    (
        "during handling|direct cause",
        r"during handling of|was the direct cause",
    ),
    (
        "e   +|captured",
        r"^e {3,}\+|^-+ captured",
    ),
)
_STRONG = re.compile(
    r"(?i:^\W{0,3}(?:error|fatal|panic|critical|severe|abort|failure)\b\s*[:\]!-])|##\[error\]"
    r"|(?:^|[\s(\[:>])(?:[a-z_]\w*\.){0,12}[A-Z]\w*(?:Error|Exception|Exit|Failure)\b\s*(?::|$)"
    r"|(?i:(?<![A-Za-z_])error:)"
    r"|^(?:E: |npm (?:ERR!|error) |ERROR\b|FATAL\b|CRITICAL\b|!!! |❌)|TT_FATAL|TT_THROW|\bpanicked at "
    r"|\bAbortException\b"
)
_WEAK = re.compile(
    r"(?i)\b(?:errors?|fail(?:ed|ures?|ing|s)?|fatal|exceptions?|denied|refused|timed out|no such|cannot|can't"
    r"|could ?n[o']t|not found|killed|unable to|invalid|unexpected|missing|panic|aborted|rejected|not ok"
    r"|retries exceeded)\b"
)
_HTTP_ACCESS = re.compile(r"\"(?:GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS) \S+ HTTP/")
_FRAME = re.compile(r"^\s+at |^\s*\.\.\. \d+ (?:more|common)|^\s*File \"|\s---? \S+[(+]|^\s{8,}\[")


class Weigher:
    """Weighs lines; those that were seen before, and in a loop there are many, only once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, BucketRule | None]] = {}

    def weigh(self, line: str) -> tuple[float, BucketRule | None]:
        """How surely a line is the cause (0: not at all), and the built-in rule that knows it."""
        if line not in self._known:
            self._known[line] = _weight(cut(line, _WEIGHED))
        return self._known[line]


def bare(line: str) -> str:
    """A line without what loggers and builders put before it."""
    for _ in range(5):
        shorter = _PREFIX.sub("", line, count=1)
        if shorter == line or not shorter:
            break
        line = shorter
    return line


def _weight(line: str) -> tuple[float, BucketRule | None]:
    plain, low = bare(line), line.lower()
    if _is_calm(line, plain):
        return 0, None
    level = _LEVEL.match(line)
    if level is not None and level["calm"]:
        return (ASIDE, None) if "❌" in line or "FAIL" in line else (0, None)
    if _says(_HARMLESS, line, low):
        return 0, None
    rule = known_by(builtin_rules(), plain)
    symptom = _says(_SYMPTOM, plain, low) or _says(_SYMPTOM, line, low)
    if rule is not None and rule.sureness is not None:
        return (min(rule.sureness, STRONG + 0.1) if symptom and rule.sureness < SURE else rule.sureness), rule
    strong = _STRONG.search(plain) or _STRONG.search(line) or (level is not None and level["bad"])
    weak = WEAK if _WEAK.search(line) else 0
    return (SYMPTOM if symptom else STRONG if strong else weak), None


def _is_calm(line: str, plain: str) -> bool:
    """Whether the line says by its form that it is no error."""
    if _CALM.match(plain) or _CALM.match(line) or _FRAME.match(line):
        return True
    if _NO_ERROR.search(line):
        return True
    return _WARNING.match(plain) is not None or _HTTP_ACCESS.search(line) is not None


def _says(phrases: _Phrases, line: str, low: str) -> bool:
    return any(pattern.search(line) for words, pattern in phrases if any(word in low for word in words))


def known_by(rules: Iterable[BucketRule], line: str) -> BucketRule | None:
    """The first rule for a line by itself."""
    low = line.lower()
    for rule in rules:
        if rule.regex is not None and any(word in low for word in rule.contains) and rule.regex.search(line, timeout=1):
            return rule
    return None
