"""Test reports that are a line of JSON for each event: `go test -json`, and Dart's and Flutter's machine output.

Lines that are no JSON are passed over: builds and tests print between the events.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from domain.testreport import TestStatus
from parsers.tally import Tally

_PASSED, _FAILED, _ERROR, _SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED
_LONGEST_LINE = 1 << 20
_MOST_OPEN = 10_000  # tests that run at the same time
_MOST_GROUPS = 50_000  # packages, suites
_OUTPUT = 2048  # characters that are kept of each
_UNFINISHED = "it did not finish"


class _Dialect(Protocol):
    def take(self, event: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def read_event_lines(lines: Iterable[bytes], tally: Tally) -> bool:
    """Count the cases of a file. False: its first object is no event of a kind that is known."""
    dialect: _Dialect | None = None
    for line in lines:
        event = _event(line)
        if event is None:
            continue
        if dialect is None:
            dialect = _dialect(event, tally)
            if dialect is None:
                return False
        dialect.take(event)
    if dialect is not None:
        dialect.close()
    return dialect is not None


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{") or len(line) > _LONGEST_LINE:
        return None
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


def _dialect(event: dict[str, Any], tally: Tally) -> _Dialect | None:
    if isinstance(event.get("Action"), str):
        return _GoEvents(tally)
    return _DartEvents(tally) if "protocolVersion" in event else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class _GoEvents:
    """`{"Action": "fail", "Package": "shop/cart", "Test": "TestAdd/one", "Elapsed": 0.5}`.

    A test with subtests counts beside them, as Go counts it.
    """

    _STATUS = {"pass": _PASSED, "fail": _FAILED, "skip": _SKIPPED}  # noqa: RUF012  (never changed)

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._open: dict[tuple[str, str], str] = {}  # what each test, or package (without a test), has printed
        self._failed: set[str] = set()  # packages that told which test failed

    def take(self, event: dict[str, Any]) -> None:
        package, test, action = _text(event.get("Package")), _text(event.get("Test")), _text(event.get("Action"))
        if action in {"run", "start"}:
            self._print(package, test, "")
        elif action == "output":
            self._print(package, test, _text(event.get("Output")))
        elif action in self._STATUS:
            status = self._STATUS[action]
            printed = self._open.pop((package, test), "")
            if test:
                message = printed if status is not _PASSED else None
                self._tally.add(package, test, status, _seconds(event.get("Elapsed")), message)
                if status is _FAILED and len(self._failed) < _MOST_GROUPS:
                    self._failed.add(package)
            elif status is _FAILED:
                self._end_failed(package, printed)

    def close(self) -> None:
        """Whoever was interrupted leaves tests without an end."""
        for package, test in tuple(self._open):
            if test:
                self._tally.add(package, test, _ERROR, message=self._open[package, test] or _UNFINISHED)

    def _end_failed(self, package: str, printed: str) -> None:
        """A panic ends a package in the middle of its tests, a compiler error before the first."""
        running = [test for of, test in self._open if of == package and test]
        for test in running:
            self._tally.add(package, test, _ERROR, message=self._open.pop((package, test)) or _UNFINISHED)
        if not running and package not in self._failed:
            self._tally.add(package, "<package>", _ERROR, message=printed)

    def _print(self, package: str, test: str, text: str) -> None:
        printed = self._open.get((package, test))
        if printed is None:
            if len(self._open) >= _MOST_OPEN:
                return
            printed = ""
        if len(printed) < _OUTPUT and not text.lstrip().startswith(("=== ", "--- ")):
            printed += text[:_OUTPUT]
        self._open[package, test] = printed


class _DartEvents:
    """`{"type": "testDone", "testID": 8, "result": "failure", "skipped": false, "hidden": false}`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._suites: dict[object, str] = {}
        self._open: dict[object, tuple[str, str, float]] = {}  # suite, name, and when it began in milliseconds
        self._errors: dict[object, str] = {}

    def take(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        suite, test = event.get("suite"), event.get("test")
        if kind == "suite" and isinstance(suite, dict) and len(self._suites) < _MOST_GROUPS:
            self._suites[_id(suite.get("id"))] = _text(suite.get("path")).replace("\\", "/")
        elif kind == "testStart" and isinstance(test, dict) and len(self._open) < _MOST_OPEN:
            suite_name = self._suites.get(_id(test.get("suiteID")), "")
            self._open[_id(test.get("id"))] = suite_name, _text(test.get("name")), _number(event.get("time"))
        elif kind == "error" and len(self._errors) < _MOST_OPEN:
            self._errors.setdefault(_id(event.get("testID")), _text(event.get("error"))[:_OUTPUT])
        elif kind == "testDone":
            self._end(event)

    def close(self) -> None:
        """Whoever was interrupted leaves tests without an end."""
        for suite, name, _ in self._open.values():
            if not name.startswith("loading "):
                self._tally.add(suite, name, _ERROR, message=_UNFINISHED)

    def _end(self, event: dict[str, Any]) -> None:
        test = _id(event.get("testID"))
        suite, name, began = self._open.pop(test, ("", "", 0.0))
        error = self._errors.pop(test, None)
        if event.get("hidden") is True:
            return
        result = event.get("result")
        status = _PASSED if result == "success" else _FAILED if result == "failure" else _ERROR
        if event.get("skipped") is True:
            status = _SKIPPED
        self._tally.add(suite, name, status, str((_number(event.get("time")) - began) / 1000), error)


def _id(value: object) -> object:
    return value if isinstance(value, int | str) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _seconds(value: object) -> str | None:
    return str(value) if isinstance(value, int | float) else None
