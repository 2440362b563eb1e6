"""Reports of Visual Studio's test runner: .trx."""

import sys

from domain.testreport import TestStatus
from parsers.dotnet_words import parted, status_of
from parsers.tally import Tally


class TrxCases:
    """`<UnitTestResult testId="1" testName="Add" outcome="Failed">`; its class comes later, in `<TestDefinitions>`.

    The rows of a data-driven test (`<InnerResults>`) are one test, as Visual Studio counts them.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._open: list[dict[str, str]] = []  # results; an inner one is never counted
        self._results: list[tuple[str, str, TestStatus, str | None, str | None]] = []
        self._message: str | None = None
        self._run_error: str | None = None
        self._classes: dict[str, str] = {}
        self._test = ""  # the id of the definition that is open

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A result, a definition or a message begins."""
        if tag.endswith("Result") and "testName" in attributes:
            self._open.append(attributes)
        elif tag == "UnitTest":
            self._test = attributes.get("id", "")
        elif tag == "TestMethod":
            self._classes[self._test] = sys.intern(attributes.get("className", "").partition(",")[0])
        elif tag == "RunInfo" and self._run_error is None and attributes.get("outcome") == "Error":
            self._run_error = ""
        elif tag == "Text":
            return self._run_error == ""
        return tag == "Message" and len(self._open) == 1 and self._message is None

    def end(self, tag: str, text: str) -> None:
        """A result, a definition or a message ends."""
        if tag == "Message" and len(self._open) == 1:
            self._message = self._message or text.strip() or None
        elif tag.endswith("Result") and self._open:
            result = self._open.pop()
            if not self._open:
                self._add(result)
        elif tag == "Text" and self._run_error == "":
            self._run_error = text.strip() or "the run failed"

    def close(self) -> None:
        """Now the classes are known. A test host that crashed leaves tests that passed and a run that failed."""
        for test, name, status, time, message in self._results:
            suite, rest = parted(self._classes.get(test), name)
            self._tally.add(suite, rest, status, time, message)
        if self._run_error and not self._tally.failed:
            self._tally.add("", "<run>", TestStatus.ERROR, message=self._run_error)

    def _add(self, result: dict[str, str]) -> None:
        status = status_of(result.get("outcome", "error"))  # left out: the default of the format
        message = self._message if status is not TestStatus.PASSED else None
        self._results.append((result.get("testId", ""), result["testName"], status, result.get("duration"), message))
        self._message = None
