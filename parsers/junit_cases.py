"""JUnit's XML: Ant, Maven, Gradle, pytest, jest, mocha, Bazel, googletest, CTest, Go, RSpec, PHPUnit and many others.

They agree on `<testsuite>` with `<testcase>` in it, and on hardly anything else. The counts in the attributes of
suites are often wrong or missing, so the cases are counted.
"""

from domain.testreport import TestStatus
from parsers.tally import Tally

_FAILED, _ERROR, _SKIPPED, _PASSED = TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED, TestStatus.PASSED
_OUTCOMES = {
    "failure": _FAILED,
    "error": _ERROR,
    "skipped": _SKIPPED,
    "ignored": _SKIPPED,
    "disabled": _SKIPPED,
}
# In the attributes `status` and `result`, for tools that write no element: googletest, CTest, behave.
_WORDS = {
    "fail": _FAILED,
    "failed": _FAILED,
    "failure": _FAILED,
    "error": _ERROR,
    "errored": _ERROR,
    "broken": _ERROR,
    "skipped": _SKIPPED,
    "suppressed": _SKIPPED,
    "notrun": _SKIPPED,
    "disabled": _SKIPPED,
    "ignored": _SKIPPED,
    "pending": _SKIPPED,
    "untested": _SKIPPED,
}
_WORSE = {_PASSED: 0, _SKIPPED: 1, _FAILED: 2, _ERROR: 3}
_SUITE = "<init>"  # as Jenkins calls what broke outside of any case
# Messages that say nothing; the text behind them does. go-junit-report writes "Failed" for every failure.
_HOLLOW = frozenset({"", "failed", "failure", "fail", "error", "test failed", "test failure", "assertion failed"})
_MOST_CLAIMS = 100
_RETRIED = frozenset({"flakyFailure", "flakyError"})  # Surefire: the case passed when it was run again


class JUnitCases:
    """Reads one document into a tally."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._suites: list[str] = []  # the names of those that are open
        self._broken: set[int] = set()  # the depths of open suites that told of an error of their own
        self._claims: list[str] = []
        self._case: dict[str, str] | None = None  # the attributes of the open case
        self._status = _PASSED
        self._message: str | None = None
        self._flaky = False
        self._instead = ""  # the message of the open outcome if it has no text

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A suite, a case or its outcome begins."""
        if tag == "testcase":
            if self._case is not None:  # one within another: the outer one says no more
                self._add_case(self._case)
            self._case = attributes
            return False
        if tag in _OUTCOMES:
            return self._begin_outcome(tag, attributes)
        if tag in _RETRIED:
            self._flaky = True
        elif tag == "testsuite":
            self._suites.append(attributes.get("name", ""))
            self._note_claim(attributes)
        return False

    def end(self, tag: str, text: str) -> None:
        """A suite, a case or its outcome ends."""
        if tag == "testcase":
            if self._case is not None:
                self._add_case(self._case)
                self._case = None
        elif tag in _OUTCOMES:
            self._end_outcome(tag, text)
        elif tag == "testsuite":
            self._broken.discard(len(self._suites))
            self._suites.pop()

    def close(self) -> None:
        """A report that tells of failures and lists no case must not pass for one without failures."""
        if not self._tally.total:
            for suite in self._claims:
                self._tally.add(suite, _SUITE, _ERROR, message="it counts failures and lists no case")

    def _note_claim(self, attributes: dict[str, str]) -> None:
        claimed = attributes.get("failures", "0"), attributes.get("errors", "0")
        if len(self._claims) < _MOST_CLAIMS and any(each.isdecimal() and each.strip("0") for each in claimed):
            self._claims.append(attributes.get("name", ""))

    def _begin_outcome(self, tag: str, attributes: dict[str, str]) -> bool:
        status = _OUTCOMES[tag]
        if self._case is None:
            if status is not _ERROR or not self._suites or len(self._suites) in self._broken:
                return False
            self._broken.add(len(self._suites))
            self._message = None
        elif _WORSE[status] <= _WORSE[self._status]:
            return False
        self._status = status
        message = attributes.get("message", "").strip()
        hollow = message.rstrip(".!:").lower() in _HOLLOW
        self._message = None if hollow else message
        self._instead = message or attributes.get("type", "")
        return hollow

    def _end_outcome(self, tag: str, text: str) -> None:
        if _OUTCOMES[tag] is self._status and self._message is None:
            self._message = text.strip() or self._instead
        if self._case is None and self._status is _ERROR and self._suites:
            self._tally.add(self._suites[-1], _SUITE, _ERROR, message=self._message)
            self._status, self._message = _PASSED, None

    def _add_case(self, case: dict[str, str]) -> None:
        status = self._status
        if status is _PASSED:
            word = case.get("status") or case.get("result")
            if word is not None:
                status = _WORDS.get(word.lower(), _PASSED)
        name = case.get("name", "")
        suite = case.get("classname") or case.get("class")
        if suite is None or not suite:
            suite = self._suites[-1] if self._suites else ""
            if not suite:  # as Jenkins does
                suite, _, name = name.rpartition(".")
        self._tally.add(suite, name, status, case.get("time"), self._message, flaky=self._flaky and status is _PASSED)
        self._status, self._message, self._flaky = _PASSED, None, False
