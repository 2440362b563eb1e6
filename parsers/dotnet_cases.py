"""Reports of NUnit (2 and 3) and of xUnit.net."""

from domain.testreport import TestStatus
from parsers.dotnet_words import parted, status_of
from parsers.tally import Tally

_PASSED, _FAILED, _ERROR, _SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED
_BROKEN = frozenset({"error", "cancelled", "invalid"})  # labels of failures


class NUnitCases:
    """NUnit 3: `<test-case result="Failed" label="Error">`; NUnit 2: `<test-case executed="True" success="False">`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._suites: list[dict[str, str]] = []
        self._case: dict[str, str] | None = None
        self._message: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A suite, a case or a message begins."""
        if tag == "test-case":
            self._case, self._message = attributes, None
        elif tag == "test-suite":
            self._suites.append(attributes)
            self._message = None
        return tag == "message" and self._message is None

    def end(self, tag: str, text: str) -> None:
        """A suite, a case or a message ends."""
        if tag == "message":
            self._message = self._message or text.strip()
        elif tag == "test-case" and self._case is not None:
            self._add(self._case)
            self._case = None
        elif tag == "test-suite":
            self._add_teardown(self._suites.pop())

    def close(self) -> None:
        """Nothing is left."""

    def _add(self, case: dict[str, str]) -> None:
        name = case.get("name", "")
        kind = case.get("classname")
        suite, name = parted(kind, name) if kind else self._split(case, name)
        status = _status(case)
        message = self._message if status is not _PASSED else None
        self._tally.add(suite, name, status, case.get("duration") or case.get("time"), message)

    def _split(self, case: dict[str, str], name: str) -> tuple[str, str]:
        full = case.get("fullname", "")
        if full.endswith(f".{name}"):
            return full[: -len(name) - 1], name
        suite, name = parted(None, full or name)
        return suite or (self._suites[-1].get("name", "") if self._suites else ""), name

    def _add_teardown(self, suite: dict[str, str]) -> None:
        """What broke after the cases of a suite is told by the suite alone; what broke before, by each case too."""
        if suite.get("site") == "TearDown" and _status(suite) in (_FAILED, _ERROR):
            name = suite.get("fullname") or suite.get("name", "")
            self._tally.add(name, "<teardown>", _ERROR, message="the tear-down of the suite failed")


def _status(attributes: dict[str, str]) -> TestStatus:
    if "result" in attributes:
        status = status_of(attributes["result"])
        broken = status is _FAILED and attributes.get("label", "").lower() in _BROKEN
        return _ERROR if broken else status
    if attributes.get("executed", "").lower() == "false":
        return _SKIPPED
    return _PASSED if attributes.get("success", "").lower() == "true" else _FAILED


class XUnitNetCases:
    """`<test type="Shop.CartTests" method="Add" result="Fail">` of xUnit.net, and errors outside of any test."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._case: dict[str, str] | None = None
        self._message: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> bool:
        """A test, an error or a message begins."""
        if tag in {"test", "error"}:
            self._case, self._message = attributes, None
        return tag in {"message", "reason"} and self._case is not None and self._message is None

    def end(self, tag: str, text: str) -> None:
        """A test, an error or a message ends."""
        if tag in {"message", "reason"}:
            self._message = self._message or text.strip()
        elif self._case is None:
            return
        elif tag == "test":
            suite, name = parted(self._case.get("type"), self._case.get("name", ""))
            status = status_of(self._case.get("result", ""))
            self._tally.add(suite, name, status, self._case.get("time"), self._message)
            self._case = None
        elif tag == "error":
            name = f"<{self._case.get('type', 'error')}>"
            self._tally.add(self._case.get("name", ""), name, _ERROR, message=self._message)
            self._case = None

    def close(self) -> None:
        """Nothing is left."""
