"""Reports made to harm who reads them: each is refused, or read, in bounded memory."""

import io
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest
from typing_extensions import override

from domain.testreport import TestReport
from parsers import xml_events
from parsers.junit import ReportLimits, read_report
from parsers.unreadable import Unreadable

MIB = 1 << 20
MOST = 32 * MIB


class Endless(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._make = pieces
        self._pieces = pieces()
        self._rest = b""

    @override
    def tell(self) -> int:
        return 0

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._pieces, self._rest = self._make(), b""
        return 0

    @override
    def read(self, size: int = -1, /) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        read, self._rest = self._rest[:size], self._rest[size:]
        return read


def made(head: bytes, body: bytes, times: int, tail: bytes = b"") -> Callable[[], Endless]:
    return lambda: Endless(lambda: chain([head], repeat(body, times), [tail]))


def read(data: bytes | Endless, limits: ReportLimits | None = None) -> TestReport:
    return read_report(data, name="report.xml", limits=limits)  # type: ignore[arg-type]


def laughs() -> bytes:
    layers = b"".join(b'<!ENTITY a%d "%s">' % (layer + 1, b"&a%d;" % layer * 10) for layer in range(12))
    return b'<!DOCTYPE r [<!ENTITY a0 "ha">' + layers + b']><testsuite><testcase name="&a12;"/></testsuite>'


def quadratic() -> bytes:
    text = b"&a;" * 50_000
    return (
        b'<!DOCTYPE r [<!ENTITY a "' + b"x" * 50_000 + b'">]><testsuite name="' + text + b'">' + text + b"</testsuite>"
    )


def parameter_entities() -> bytes:
    return b"""<!DOCTYPE r [<!ENTITY % a "<!ENTITY b SYSTEM 'http://127.0.0.1:1/?x'>"> %a;]><testsuite name="&b;"/>"""


def declared(text: str, encoding: str) -> Callable[[], bytes]:
    return lambda: text.encode(encoding)


ENTITY = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&a;"/></testsuite>'
REFUSED: dict[str, Callable[[], bytes | Endless]] = {
    "billion laughs": laughs,
    "quadratic blowup": quadratic,
    "parameter entities": parameter_entities,
    "external entity": declared(ENTITY, "utf-8"),
    "external entity in UTF-16": declared(ENTITY, "utf-16"),
    "external entity in UTF-16 without a mark": declared(ENTITY, "utf-16-le"),
    "external entity in UTF-32": declared(ENTITY, "utf-32"),
    "external entity in UTF-7": declared(
        '<?xml version="1.0" encoding="UTF-7"?>' + ENTITY.replace("<", "+ADw-"), "ascii"
    ),
    "external entity in EBCDIC": declared('<?xml version="1.0" encoding="cp037"?>' + ENTITY, "cp037"),
    "external entity after a declared alphabet": declared('<?xml version="1.0" encoding="cp1252"?>' + ENTITY, "cp1252"),
    "external DTD": declared('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/r.dtd"><testsuite/>', "ascii"),
    "public DTD": declared('<!DOCTYPE r PUBLIC "a" "http://127.0.0.1:1/r.dtd"><testsuite/>', "ascii"),
    "default attributes": declared('<!DOCTYPE r [<!ATTLIST testcase name CDATA "x">]><testsuite/>', "ascii"),
    "undeclared entity": declared('<testsuite name="&a;"/>', "ascii"),
    "undeclared entity with a bare DOCTYPE": declared('<!DOCTYPE r><testsuite name="&a;"/>', "ascii"),
    "deep nesting": made(b"<testsuite>", b"<a>" * 10_000, 1_000),
    "deep suites": made(b"", b"<testsuite>" * 10_000, 100),
    "giant attribute": made(b'<testsuite name="', b"x" * MIB, 48, b'"/>'),
    "giant attribute of a case": made(b'<testsuite><testcase name="', b"x" * MIB, 48, b'"/></testsuite>'),
    "giant name": made(b"<", b"x" * MIB, 48, b"/>"),
    "giant comment": made(b"<testsuite><!--", b"x" * MIB, 48, b"--></testsuite>"),
    "giant comment before the root": made(b"<!--", b"x" * MIB, 48, b"--><testsuite/>"),
    "giant instruction": made(b"<testsuite><?a ", b"x" * MIB, 48, b"?></testsuite>"),
    "many attributes": lambda: b"<testsuite " + b" ".join(b'a%d=""' % number for number in range(100_000)) + b"/>",
    "many names": lambda: b"<testsuite>" + b"".join(b"<n%d/>" % number for number in range(200_000)),
    "many names of attributes": lambda: b"<testsuite>" + b"".join(b'<n a%d=""/>' % n for n in range(200_000)),
    "too large": made(b"<testsuite>", b" " * MIB, 80, b"</testsuite>"),
    "two roots": declared("<testsuite/><testsuite/>", "ascii"),
    "cut off": declared('<testsuite><testcase name="a"/>', "ascii"),
    "cut off in a tag": declared('<testsuite><testcase name="a', "ascii"),
    "empty": declared("", "ascii"),
    "blank": declared(" \n\t", "ascii"),
    "only a mark": lambda: b"\xef\xbb\xbf",
    "binary": lambda: bytes(range(256)) * 100,
    "prose": declared("no such file", "ascii"),
    "JSON": declared('{"tests": 1}', "ascii"),
    "twice the same attribute": declared('<testsuite a="1" a="2"/>', "ascii"),
    "unknown prefix": declared("<a:testsuite/>", "ascii"),
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("two roots", "report.xml: line 1: a second document begins in the same file"),
        ("cut off", "report.xml: line 1: it ends too early"),
        ("cut off in a tag", "report.xml: line 1: it ends too early"),
        ("prose", "report.xml: line 1: it is not XML"),
        ("empty", "report.xml: it is empty"),
        ("too large", "report.xml: it is larger than 64 MiB"),
        ("external DTD", "report.xml: it has a document type declaration, as only attacks do"),
    ],
)
def test_a_refusal_says_why(name: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(REFUSED[name]())
    assert str(refused.value) == reason


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_hostile_or_broken_is_refused_in_bounded_memory(name: str) -> None:
    data = REFUSED[name]()

    def refuse() -> None:
        with pytest.raises(Unreadable, match=r"^report\.xml: .{8,}"):
            read(data)

    assert peak_of(refuse) < MOST


READ = {
    "output": (b"<system-out>", b"x\n" * (MIB // 2), b"</system-out>"),
    "output of one line": (b"<system-out>", b"x" * MIB, b"</system-out>"),
    "output as CDATA": (b"<system-err><![CDATA[", b"x&<\n" * (MIB // 4), b"]]></system-err>"),
    "text of a failure": (b"<failure>", b"x\n" * (MIB // 2), b"</failure>"),
    "text of a failure as CDATA": (b"<failure><![CDATA[", b"x" * MIB, b"]]></failure>"),
    "elements": (b"<system-out>", b"<b>x</b>" * (MIB // 8), b"</system-out>"),
}


@pytest.mark.parametrize("name", READ)
def test_giant_text_is_passed_over_in_bounded_memory(name: str) -> None:
    head, body, tail = READ[name]
    times = 2 if name == "elements" else 24
    data = made(b'<testsuite><testcase name="t">' + head, body, times, tail + b"</testcase></testsuite>")()
    reports: list[TestReport] = []
    assert peak_of(lambda: reports.append(read(data, ReportLimits(size=1 << 40)))) < 8 * MIB
    (case,) = reports[0].cases
    assert len((case.message or "").encode()) <= 2048
    assert (case.message is not None) == name.startswith("text")


def test_more_cases_than_there_is_room_for_are_counted_and_a_note_says_so() -> None:
    body = b"".join(b'<testcase classname="c%d" name="t"/>' % number for number in range(1000))
    data = made(b"<testsuite>", body, 20, b'<testcase name="last"><failure/></testcase></testsuite>')()
    reports: list[TestReport] = []
    assert peak_of(lambda: reports.append(read(data, ReportLimits(cases=5_000)))) < 8 * MIB
    (report,) = reports
    assert (report.passed, report.failed, len(report.cases)) == (20_000, 1, 5_001)
    assert report.failing[0].name == "last"
    assert report.notes == ("only 5,001 of 20,001 cases are kept",)


def test_many_failures_have_short_messages_rather_than_much_memory() -> None:
    body = b'<testcase name="t"><failure>' + b"y" * 4000 + b"</failure></testcase>"
    reports: list[TestReport] = []
    data = made(b"<testsuite>", body, 3_000, b"</testsuite>")()
    assert peak_of(lambda: reports.append(read(data))) < 16 * MIB
    sizes = {len((case.message or "").encode()) for case in reports[0].cases}
    assert sizes == {2048, 256}


def test_a_large_tag_below_the_cap_is_read_in_linear_time() -> None:
    value = b"x" * (2 * MIB - 4096)
    for data in (b'<testsuite name="' + value + b'"/>', b"<!--" + value + b"--><testsuite/>"):
        assert read(data).total == 0


def test_a_bare_doctype_is_harmless() -> None:
    assert read(b'<!DOCTYPE testsuite><testsuite><testcase name="t"/></testsuite>').passed == 1


def test_entities_would_be_refused_even_if_their_declaration_came_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_events._Reading, "_doctype", lambda *_args: None)
    for name in ("billion laughs", "external entity", "parameter entities"):
        with pytest.raises(Unreadable, match="it declares entities"):
            read(REFUSED[name]())


def test_an_encoding_declared_after_much_space_does_no_harm() -> None:
    head = b'<?xml version="1.0"' + b" " * 2000 + b'encoding="gbk"?>'
    assert read(head + b'<testsuite><testcase name="t"/></testsuite>').passed == 1


def test_reading_opens_no_file_and_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("it reached out")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("socket.socket", refuse)
    for name in ("external entity", "external DTD", "parameter entities"):
        with pytest.raises(Unreadable):
            read(REFUSED[name]())
