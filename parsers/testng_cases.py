"""Reports of TestNG: testng-results.xml."""

from domain.testreport import TestStatus
from parsers.tally import Tally, seconds

_WORDS = {"PASS": TestStatus.PASSED, "FAIL": TestStatus.FAILED, "SKIP": TestStatus.SKIPPED}


class TestNGCases:
    """`<class name="shop.Cart"><test-method name="add" status="FAIL" duration-ms="12">`.

    Methods of configuration (`is-config`) count only when they fail: then they are why the tests were skipped. Attempts
    that were retried do not count.
    """

    __test__ = False

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._class = ""
        self._method: dict[str, str] | None = None
        self._message: str | None = None
        self._exception = ""

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A class, a method or a message begins."""
        if tag == "class":
            self._class = attributes.get("name", "")
        elif tag == "test-method":
            self._method, self._message, self._exception = attributes, None, ""
        elif tag == "exception":
            self._exception = attributes.get("class", "")
        return tag == "message" and self._method is not None

    def end(self, tag: str, text: str) -> None:
        """A class, a method or a message ends."""
        if tag == "message":
            self._message = text.strip() or None
        elif tag == "test-method" and self._method is not None:
            self._add(self._method)
            self._method = None

    def close(self) -> None:
        """Nothing is left."""

    def _add(self, method: dict[str, str]) -> None:
        status = _WORDS.get(method.get("status", "").upper(), TestStatus.ERROR)
        if method.get("is-config") == "true":
            if status is not TestStatus.FAILED:
                return
            status = TestStatus.ERROR
        if method.get("retried") == "true":
            return
        milliseconds = seconds(method.get("duration-ms"))
        time = None if milliseconds is None else str(milliseconds / 1000)
        message = (self._message or self._exception) if status is not TestStatus.PASSED else None
        self._tally.add(self._class, method.get("name", ""), status, time, message)
