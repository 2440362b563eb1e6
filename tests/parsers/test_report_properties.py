"""What holds of any report and any archive, however it was damaged."""

import io
import zipfile
from contextlib import suppress
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.testreport import TestReport, TestStatus
from parsers.archives import ArchiveLimits, members
from parsers.characters import repaired
from parsers.junit import ReportLimits, merged, read_report
from parsers.unreadable import Unreadable

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Mn", "Me"]), max_size=20)
OUTCOMES = {
    "": TestStatus.PASSED,
    "failure": TestStatus.FAILED,
    "error": TestStatus.ERROR,
    "skipped": TestStatus.SKIPPED,
}
CASES = st.tuples(TEXT.filter(str.strip), TEXT, st.sampled_from(sorted(OUTCOMES)), TEXT)


@st.composite
def suites(draw: st.DrawFn, depth: int = 3) -> ET.Element:
    """A suite with cases and suites in it, in any order."""
    suite = ET.Element("testsuite", name=draw(TEXT.filter(str.strip)))
    for name, classname, outcome, message in draw(st.lists(CASES, max_size=4)):
        case = ET.SubElement(suite, "testcase", name=name, classname=classname)
        if outcome:
            ET.SubElement(case, outcome, message=message).text = message
        ET.SubElement(case, "system-out").text = message
    if depth:
        for inner in draw(st.lists(suites(depth - 1), max_size=2)):
            suite.insert(draw(st.integers(0, len(suite))), inner)
    return suite


def expected(suite: ET.Element) -> list[tuple[str, str, TestStatus]]:
    """Suite, name and status of all cases in their order, found by the tree."""
    found = []
    for child in suite:
        if child.tag == "testsuite":
            found += expected(child)
        elif child.tag == "testcase":
            statuses = [OUTCOMES[each.tag] for each in child if each.tag in OUTCOMES] or [TestStatus.PASSED]
            owner = child.get("classname") or suite.get("name") or ""
            found.append((owner, child.get("name") or "", statuses[0]))
    return found


@QUICK
@given(suites(), st.sampled_from(["utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252", "gb18030"]))
def test_every_case_is_found_in_any_encoding(suite: ET.Element, encoding: str) -> None:
    report = read_report(ET.tostring(suite, encoding=encoding, xml_declaration=True), name="report")
    found = [(case.suite, case.name, case.status) for case in report.cases]
    assert found == expected(suite)
    assert report.total == len(report.cases)
    for status, count in ((TestStatus.PASSED, report.passed), (TestStatus.SKIPPED, report.skipped)):
        assert sum(case.status is status for case in report.cases) == count


@QUICK
@given(suites(), st.data())
def test_a_damaged_report_is_read_or_refused(suite: ET.Element, data: st.DataObject) -> None:
    whole = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    with suppress(Unreadable):
        report = read_report(damaged(whole, data), name="report", limits=ReportLimits(cases=3))
        assert len(report.cases) <= report.total


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for beginning in (b"", b"<testsuite>", b"{", b'{"Action":"x"}\n', b"PK\x03\x04", b"\xff\xfe<\0"):
        for read in (lambda each: read_report(each, name="report"), lambda each: list(members(each, "**"))):
            with suppress(Unreadable):
                read(beginning + data)


NAMES = st.sampled_from(["a.xml", "b/a.xml", "../c.xml", "d.txt"])
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=400)), max_size=4, unique_by=lambda file: file[0])


@QUICK
@given(FILES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_every_member_is_read_whole(files: list[tuple[str, bytes]], method: int) -> None:
    found = list(members(zipped(files, method), "**/*.xml"))
    assert [(each.name, each.data, each.problem) for each in found] == [
        (name, data, None) for name, data in files if name.endswith(".xml")
    ]


@QUICK
@given(FILES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.data())
def test_a_damaged_archive_never_gives_more_than_its_limits(
    files: list[tuple[str, bytes]], method: int, data: st.DataObject
) -> None:
    limits = ArchiveLimits(members=3, member_bytes=300, total_bytes=500)
    with suppress(Unreadable):
        found = list(members(damaged(zipped(files, method), data), "**", limits=limits))
        assert all(len(each.data) <= 300 and not (each.data and each.problem) for each in found)
        assert sum(len(each.data) for each in found) <= 500


@QUICK
@given(st.text(max_size=60), st.integers(1, 9), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_repairing_does_not_depend_on_where_pieces_end(text: str, size: int, encoding: str) -> None:
    data = f"<a>{text}&#27;&#x1F600;".encode(encoding, "surrogatepass")
    pieces = [data[:4], *(data[start : start + size] for start in range(4, len(data), size))]
    assert b"".join(repaired(pieces)) == b"".join(repaired([data]))


@QUICK
@given(st.lists(suites(1), max_size=4))
def test_merging_adds_counts_and_keeps_each_test_once(found: list[ET.Element]) -> None:
    reports = [read_report(ET.tostring(each), name="report") for each in found]
    report = merged(reports)
    assert report.total == sum(each.total for each in reports)
    tests = {case.test for each in reports for case in each.cases}
    assert [case.test for case in report.cases] == list(dict.fromkeys(case.test for case in report.cases))
    assert {case.test for case in report.cases} == tests
    failing = {case.test for each in reports for case in each.failing}
    assert {case.test for case in report.failing} == failing
    assert merged([report]) == report or report == TestReport(passed=0, failed=0, skipped=0)


def zipped(files: list[tuple[str, bytes]], method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for number, (name, data) in enumerate(files):
            made.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, number)), data, compress_type=method)
    return stream.getvalue()


def damaged(whole: bytes, data: st.DataObject) -> bytes:
    """Bytes replaced, taken out or put in, in a few places."""
    made = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(made)))
        end = start + data.draw(st.integers(0, 4))
        made[start:end] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"<", b"&", b"]]>", b"\0", b"<!DOCTYPE a ["])
        )
    return bytes(made)
