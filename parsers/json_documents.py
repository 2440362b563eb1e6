"""Test reports that are one JSON document: jest and vitest (`--json`), mocha, RSpec."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from domain.testreport import TestStatus
from parsers.tally import Tally
from parsers.unreadable import NotAReport, Unreadable

_PASSED, _FAILED, _ERROR, _SKIPPED = TestStatus.PASSED, TestStatus.FAILED, TestStatus.ERROR, TestStatus.SKIPPED
_MOST_VALUES = 500_000  # as objects each takes a hundred bytes
_WORDS = {
    "passed": _PASSED,
    "failed": _FAILED,
    "pending": _SKIPPED,
    "skipped": _SKIPPED,
    "todo": _SKIPPED,
    "disabled": _SKIPPED,
    "focused": _PASSED,
}


def read_document(data: bytes, tally: Tally) -> None:
    """Count the cases of a file.

    Raises:
        NotAReport: it is JSON of another kind.
        Unreadable: it is not JSON, or too large.
    """
    if data.count(b",") > _MOST_VALUES:
        raise Unreadable(f"it has more than {_MOST_VALUES:,} values")
    try:
        document = orjson.loads(data.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is not JSON: {error}") from None
    if isinstance(document, dict):
        for key, read in _DIALECTS.items():
            if isinstance(document.get(key), list):
                read(document, tally)
                return
    raise NotAReport("this JSON is not a test report")


def _jest(document: dict[str, Any], tally: Tally) -> None:
    """`{"testResults": [{"name": "a.test.js", "assertionResults": [{"title": "adds", "status": "failed"}]}]}`."""
    for file in _objects(document, "testResults"):
        cases = tuple(_objects(file, "assertionResults"))
        for case in cases:
            ancestors = " ".join(_text(each) for each in _list(case, "ancestorTitles"))
            status = _WORDS.get(_text(case.get("status")), _ERROR)
            message = "\n".join(_text(each) for each in _list(case, "failureMessages"))
            name = _text(case.get("title")) or _text(case.get("fullName"))
            tally.add(ancestors or _text(file.get("name")), name, status, _seconds(case, "duration", 1000), message)
        if not cases and file.get("status") == "failed":
            tally.add(_text(file.get("name")), "<suite>", _ERROR, message=_text(file.get("message")))


def _mocha(document: dict[str, Any], tally: Tally) -> None:
    """`{"passes": [..], "failures": [{"title": "adds", "fullTitle": "Cart adds", "err": {..}}], "pending": [..]}`."""
    for key, status in (("passes", _PASSED), ("failures", _FAILED), ("pending", _SKIPPED)):
        for case in _objects(document, key):
            name, full = _text(case.get("title")), _text(case.get("fullTitle"))
            suite = full.removesuffix(name).rstrip() or _text(case.get("file")).replace("\\", "/").rpartition("/")[2]
            error = case.get("err")
            message = (_text(error.get("message")) or _text(error.get("stack"))) if isinstance(error, dict) else ""
            tally.add(suite, name, status, _seconds(case, "duration", 1000), message)


def _rspec(document: dict[str, Any], tally: Tally) -> None:
    """`{"examples": [{"file_path": "./a_spec.rb", "full_description": "Cart adds", "status": "failed"}]}`."""
    for case in _objects(document, "examples"):
        error = case.get("exception")
        message = _text(error.get("message")) if isinstance(error, dict) else _text(case.get("pending_message"))
        status = _WORDS.get(_text(case.get("status")), _ERROR)
        suite = _text(case.get("file_path")).removeprefix("./")
        tally.add(suite, _text(case.get("full_description")), status, _seconds(case, "run_time", 1), message)
    summary = document.get("summary")
    outside = summary.get("errors_outside_of_examples_count") if isinstance(summary, dict) else 0
    if isinstance(outside, int) and outside > 0:
        tally.add("", "<outside of examples>", _ERROR, message="an error outside of any example")


_DIALECTS: dict[str, Callable[[dict[str, Any], Tally], None]] = {
    "testResults": _jest,
    "passes": _mocha,
    "examples": _rspec,
}


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    found = holder.get(key)
    return found if isinstance(found, list) else []


def _objects(holder: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    return (each for each in _list(holder, key) if isinstance(each, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(holder: dict[str, Any], key: str, parts: int) -> str | None:
    value = holder.get(key)
    return str(value / parts) if isinstance(value, int | float) else None
