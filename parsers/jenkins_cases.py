"""junitResult.xml, in which Jenkins keeps what it read."""

from domain.testreport import TestStatus
from parsers.tally import Tally
from parsers.unreadable import NotAReport

_TEXTS = frozenset(
    {"className", "testName", "duration", "skipped", "skippedMessage", "errorDetails", "errorStackTrace"}
)


class JenkinsCases:
    """`<case><className>..</className><testName>..</testName><skipped>false</skipped><errorDetails>..`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._suites = False
        self._texts: dict[str, str] | None = None  # of the open case

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A case or one of its texts begins."""
        del attributes
        if tag == "suites":
            self._suites = True
        elif tag == "case":
            self._texts = {}
        return self._texts is not None and tag in _TEXTS

    def end(self, tag: str, text: str) -> None:
        """A case or one of its texts ends."""
        if self._texts is None:
            return
        if tag in _TEXTS:
            self._texts[tag] = text.strip()
        elif tag == "case":
            self._add(self._texts)
            self._texts = None

    def close(self) -> None:
        """Other files have a root of this name too."""
        if not self._suites:
            raise NotAReport("<result> is not a test report")

    def _add(self, texts: dict[str, str]) -> None:
        details = texts.get("errorDetails") or texts.get("errorStackTrace")
        status = TestStatus.FAILED if details else TestStatus.PASSED
        if texts.get("skipped") == "true":
            status, details = TestStatus.SKIPPED, texts.get("skippedMessage")
        name, suite = texts.get("testName", ""), texts.get("className", "")
        self._tally.add(suite, name, status, texts.get("duration"), details)
