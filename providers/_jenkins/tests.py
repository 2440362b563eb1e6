"""The test report that Jenkins keeps of a build: of one job, or put together from those of many."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from typing import Any, Final
from urllib.parse import unquote

from domain.testreport import TestCase, TestReport, TestStatus
from domain.text import clean
from providers._base import Trouble
from providers._jenkins.asking import Asker, Unread, place_in

REPORT_CAP: Final = 12 << 20
MOST_CASES: Final = 50_000
_MESSAGE_LIMIT: Final = 2000
_MANY: Final = 1000  # failures, from where on their messages are cut to a tenth
_NAME_LIMIT: Final = 500
_DEPTH: Final = 3  # a multijob of matrices of multijobs

_TOTALS: Final = "failCount,passCount,skipCount,totalCount"
_CASE: Final = "className,name,status,duration,skipped"
_TEXTS: Final = "errorDetails,errorStackTrace"
_STATUS: Final = {
    "PASSED": TestStatus.PASSED,
    "FIXED": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "REGRESSION": TestStatus.FAILED,
    "SKIPPED": TestStatus.SKIPPED,
}


def read_tests(ask: Asker, number: int) -> TestReport:
    """The report of a build, with what was left out of it. Raises Unread, absent when it has none.

    A report that is too large is asked for again without the texts of failures, and then for its totals alone.
    """
    for fields, note in (
        (f"{_CASE},{_TEXTS}", None),
        (_CASE, "the report is too large: the texts of failures are left out"),
        (None, "the report is too large: only its totals were read"),
    ):
        try:
            raw = ask.tree(_tree(fields), "testReport/", REPORT_CAP)
        except Unread as unread:
            if unread.error.trouble is not Trouble.TOO_LARGE or fields is None:
                raise
        else:
            return _with_notes(report_of(raw, number), note)
    raise AssertionError("the last way to ask either tells or raises")


def _with_notes(report: TestReport, note: str | None) -> TestReport:
    notes = [note] if note else []
    if len(report.cases) == MOST_CASES < report.total:
        notes.append(f"only {MOST_CASES:,} of its {report.total:,} cases are kept")
    return replace(report, notes=tuple(notes))


def _tree(fields: str | None, depth: int = _DEPTH) -> str:
    if fields is None:
        return _TOTALS
    own = f"{_TOTALS},suites[name,cases[{fields}]]"
    return f"{own},childReports[child[number,url],result[{_tree(fields, depth - 1)}]]" if depth else own


def report_of(raw: dict[str, Any], number: int) -> TestReport:
    """A report out of `testReport/api/json`; of more than 50,000 cases the failed ones and the first others.

    The older plug-ins' REGRESSION is a failure and FIXED a pass; a status that nobody knows is a failure when it
    comes with an error, else a skip. Reports of parts count as they are, but for those of a matrix's older builds.
    """
    many = (_count(raw, "failCount") or 0) > _MANY
    cases = list(_cases(raw, "", number, _MESSAGE_LIMIT // 10 if many else _MESSAGE_LIMIT))
    failed = sum(case.status is TestStatus.FAILED for case in cases)
    skipped = sum(case.status is TestStatus.SKIPPED for case in cases)
    passed = len(cases) - failed - skipped
    if not _has_strangers(raw, number):  # else only the cases are known to be of this build
        failed, skipped, passed = _totals(raw, failed, skipped, passed)
    return TestReport(passed=passed, failed=failed, skipped=skipped, cases=_bounded(cases))


def _totals(raw: dict[str, Any], failed: int, skipped: int, passed: int) -> tuple[int, int, int]:
    """As Jenkins counted, where it did; a report of many parts has no count of passes."""
    counted = [_count(raw, name) for name in ("failCount", "skipCount", "passCount", "totalCount")]
    if counted[0] is not None:
        failed = counted[0]
    if counted[1] is not None:
        skipped = counted[1]
    if counted[2] is not None:
        passed = counted[2]
    elif counted[3] is not None:
        passed = max(counted[3] - failed - skipped, 0)
    return failed, skipped, passed


def _count(raw: dict[str, Any], name: str) -> int | None:
    value = raw.get(name)
    return value if type(value) is int and 0 <= value < 1 << 31 else None


def _bounded(cases: list[TestCase]) -> tuple[TestCase, ...]:
    if len(cases) <= MOST_CASES:
        return tuple(cases)
    failed = [case for case in cases if case.status is TestStatus.FAILED][:MOST_CASES]
    others = [case for case in cases if case.status is not TestStatus.FAILED][: MOST_CASES - len(failed)]
    return (*failed, *others)


def _has_strangers(raw: dict[str, Any], number: int) -> bool:
    return any(_is_stranger(each, number) for each in raw.get("childReports") or ())


def _is_stranger(report: dict[str, Any], number: int) -> bool:
    """Whether it is of an older build of a matrix."""
    child = report.get("child") or {}
    if "matrix" not in str(child.get("_class")).lower():
        return False
    own = child.get("number")
    if type(own) is not int:
        place = place_in(child.get("url"))
        own = int(place.split("/")[-2]) if place else number
    return own != number


def _cases(raw: dict[str, Any], part: str, number: int, longest: int) -> Iterator[TestCase]:
    for suite in raw.get("suites") or ():
        for case in suite.get("cases") or ():
            yield _case(case, clean(str(suite.get("name") or ""), _NAME_LIMIT), part, longest)
    for report in raw.get("childReports") or ():
        if not _is_stranger(report, number):
            child = report.get("child") or {}
            place = place_in(child.get("url"))
            name = clean(unquote(place.split("/")[-3])) if place else ""
            own = int(place.split("/")[-2]) if place else number
            within = f"{part} / {name}" if part and name else part or name
            yield from _cases(report.get("result") or {}, within, own, longest)


def _case(raw: dict[str, Any], suite: str, part: str, longest: int) -> TestCase:
    suite = clean(str(raw.get("className") or ""), _NAME_LIMIT) or suite
    duration = raw.get("duration")
    message = raw.get("errorDetails") or raw.get("errorStackTrace")
    status = _STATUS.get(str(raw.get("status")))
    if status is None:
        status = TestStatus.FAILED if message else TestStatus.SKIPPED
    told = isinstance(message, str) and status is TestStatus.FAILED
    return TestCase(
        suite=f"{part} / {suite}" if part and suite else part or suite,
        name=clean(str(raw.get("name") or ""), _NAME_LIMIT),
        status=status,
        duration=float(duration)
        if isinstance(duration, int | float) and duration >= 0 and isfinite(duration)
        else None,
        message=clean(str(message).strip(), longest, lines=True) or None if told else None,
    )
