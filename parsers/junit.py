"""Test reports, whoever wrote them."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO, Protocol

from domain.testreport import FAILING, TestCase, TestReport, each_once
from domain.text import clean
from parsers.characters import is_unusual, repaired
from parsers.dotnet_cases import NUnitCases, XUnitNetCases
from parsers.jenkins_cases import JenkinsCases
from parsers.json_documents import read_document
from parsers.json_events import read_event_lines
from parsers.junit_cases import JUnitCases
from parsers.tally import Tally
from parsers.testng_cases import TestNGCases
from parsers.trx_cases import TrxCases
from parsers.unreadable import NotAReport, Unreadable
from parsers.xml_events import Malformed, Visitor, read_events

_PIECE = 1 << 16
_SHOWN = 80  # characters of a root
_MOST_TESTS = 250_000  # of a build
_LARGEST_DOCUMENT = 16 << 20  # bytes of JSON; as objects they become ten times as many
_LONGEST_LINE = 1 << 20
_DECLARATION = 1024  # bytes in which a text names its encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """How much of a report is read."""

    size: int = 64 << 20  # bytes; a larger report is not read at all
    cases: int = 250_000  # that are kept; all are counted


class _Dialect(Visitor, Protocol):
    def close(self) -> None: ...


_DIALECTS: dict[str, Callable[[Tally], _Dialect]] = {
    "testsuites": JUnitCases,
    "testsuite": JUnitCases,
    "test-run": NUnitCases,
    "test-results": NUnitCases,
    "assemblies": XUnitNetCases,
    "assembly": XUnitNetCases,
    "TestRun": TrxCases,
    "testng-results": TestNGCases,
    "result": JenkinsCases,
}


def read_report(data: bytes | BinaryIO, *, name: str, limits: ReportLimits | None = None) -> TestReport:
    """The totals and cases of one file.

    Args:
        data: the file, or where it is read from; a stream must be seekable.
        name: of the file, for messages.
        limits: how much is read.

    Raises:
        NotAReport: a sound XML or JSON file of another kind.
        Unreadable: it is broken, hostile or too large.
    """
    limits = limits or ReportLimits()
    stream = BytesIO(data) if isinstance(data, bytes) else data
    start = stream.tell()
    try:
        beginning = stream.read(_DECLARATION)
        stream.seek(start)
        if beginning.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[")):
            return _read_json(stream, limits)
        if not is_unusual(beginning):
            try:
                return _read(stream, limits)
            except Malformed as error:
                if not error.repairable:
                    raise
            stream.seek(start)
        return _read(stream, limits, repair=True)
    except NotAReport as error:
        raise NotAReport(f"{name}: {error}") from None
    except Unreadable as error:
        raise Unreadable(f"{name}: {error}") from None


def _read(stream: BinaryIO, limits: ReportLimits, *, repair: bool = False) -> TestReport:
    tally = Tally(limits.cases)
    chosen: list[_Dialect] = []

    def choose(root: str) -> Visitor:
        if root not in _DIALECTS:
            raise NotAReport(f"<{clean(root, _SHOWN)}> is not a test report")
        chosen.append(_DIALECTS[root](tally))
        return chosen[0]

    pieces = _pieces(stream, limits.size)
    if repair:
        read_events(repaired(pieces), choose, encoding="utf-8")
    else:
        read_events(pieces, choose)
    chosen[0].close()
    return tally.report()


def _read_json(stream: BinaryIO, limits: ReportLimits) -> TestReport:
    tally = Tally(limits.cases)
    lines = _lines(_pieces(stream, limits.size))
    start = stream.tell()
    if not read_event_lines(lines, tally):
        stream.seek(start)
        read_document(b"".join(_pieces(stream, min(limits.size, _LARGEST_DOCUMENT))), tally)
    return tally.report()


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their end; one that grows beyond all measure comes in parts."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST_LINE:
            yield rest
            rest = b""
    yield rest


def merged(reports: Iterable[TestReport]) -> TestReport:
    """The report of a build from those of its files: shards, modules, repetitions.

    The counts are the sum, as Jenkins counts. Among the cases each test stands once: parameters that a name does not
    show, or a module built twice, are one test, which is as good as its worst case.
    """
    reports = tuple(reports)
    added = TestReport(
        passed=sum(report.passed for report in reports),
        failed=sum(report.failed for report in reports),
        skipped=sum(report.skipped for report in reports),
        cases=tuple(case for report in reports for case in report.cases),
        repeated=sum(report.repeated for report in reports),
    )
    once = each_once(added)
    cases, notes = _bounded(once.cases)
    notes = tuple(dict.fromkeys((*(note for report in reports for note in report.notes), *notes)))
    return replace(once, cases=cases, notes=notes)


def _bounded(cases: tuple[TestCase, ...]) -> tuple[tuple[TestCase, ...], tuple[str, ...]]:
    """Of too many the failing ones and the first others, and what is to be said of it."""
    if len(cases) <= _MOST_TESTS:
        return cases, ()
    failing = [case for case in cases if case.status in FAILING][:_MOST_TESTS]
    others = [case for case in cases if case.status not in FAILING][: _MOST_TESTS - len(failing)]
    return (*failing, *others), (f"only {_MOST_TESTS:,} of {len(cases):,} tests are kept",)


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    read = 0
    while piece := stream.read(_PIECE):
        if not read:
            piece = piece.lstrip(b" \t\r\n")  # before an XML declaration it would be an error, and it happens
        read += len(piece)
        if read > size:
            raise Unreadable(f"it is larger than {size >> 20} MiB")
        yield piece
    if not read:
        raise Unreadable("it is empty")
