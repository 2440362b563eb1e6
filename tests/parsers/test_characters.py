import pytest

from domain.testreport import TestReport
from parsers.characters import repaired
from parsers.junit import read_report
from parsers.unreadable import Unreadable

REPORT = '<testsuite name="{name}"><testcase name="{name}"><failure>{text}</failure></testcase></testsuite>'
HEAD = '<?xml version="1.0" encoding="{}"?>\n'


def read(data: bytes) -> TestReport:
    return read_report(data, name="report.xml")


def written(name: str, text: str, declared: str = "") -> str:
    return (HEAD.format(declared) if declared else "") + REPORT.format(name=name, text=text)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", ""),
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("utf-16", ""),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-32", ""),
        ("utf-32-be", ""),
        ("utf-8", "utf-16"),  # .NET: a string called itself UTF-16 before it became a file
        ("iso-8859-1", "ISO-8859-1"),
        ("windows-1252", "windows-1252"),
        ("cp1250", "Windows-1250"),
        ("iso-8859-15", "iso-8859-15"),
        ("utf-8", "no-such-encoding"),
        ("utf-8", "unicode_escape"),
        ("utf-8", "ISO-8859-999"),
    ],
)
def test_a_report_is_read_in_its_encoding(encoding: str, declared: str) -> None:
    if encoding == "utf-32-be":
        data = b"\0\0\xfe\xff" + written("Größe", "läuft", declared).encode(encoding)
    else:
        data = written("Größe", "läuft", declared).encode(encoding)
    (case,) = read(data).cases
    assert (case.suite, case.name, case.message) == ("Größe", "Größe", "läuft")


@pytest.mark.parametrize("encoding", ["gb18030", "GBK", "Shift_JIS", "EUC-JP", "big5"])
def test_encodings_of_several_bytes_are_read(encoding: str) -> None:
    (case,) = read(
        written("測試", "失敗" if encoding in {"GBK", "gb18030", "big5"} else "日本", encoding).encode(encoding)
    ).cases
    assert case.name == "測試"


def test_stray_bytes_are_replaced() -> None:
    (case,) = read(written("Gr@e", "l@uft", "UTF-8").encode().replace(b"@", b"\xf6")).cases
    assert (case.name, case.message) == ("Gr\ufffde", "l\ufffduft")
    data = written("a", "\N{SNOWMAN}" * 40_000).encode().replace(b"</failure>", b"\xff</failure>")
    assert read(data).failed == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("&#27;[1;31mred&#x1B;[0m", "red"),
        (
            "nul &#0; or &#x0; or &#xFFFE; or &#xD800; or &#1114112;",
            "nul \ufffd or \ufffd or \ufffd or \ufffd or \ufffd",
        ),
        ("bell \x07", "bell \ufffd"),
        ("long &#" + "0" * 30 + "65;", "long A"),
        ("long &#" + "1" * 30 + ";", "long \ufffd"),
        ("kept &#65;&amp;&#x42;&#x1F600;", "kept A&B\U0001f600"),
        ("\x00<![CDATA[&#27;]]>", "\ufffd\ufffd"),
    ],
)
def test_characters_that_xml_forbids_are_replaced(text: str, message: str) -> None:
    (case,) = read(written("t", text).encode()).cases
    assert case.message == message


def test_what_stands_across_two_pieces_is_repaired_too() -> None:
    text = "<a>\x01&#27;&amp;\N{SNOWMAN}\U0001f600 & &#x0;</a>"
    for encoding in ("utf-8", "utf-16"):
        data = text.encode(encoding)
        for size in range(1, 9):
            pieces = [data[:4], *(data[start : start + size] for start in range(4, len(data), size))]
            assert b"".join(repaired(pieces)).decode() == "<a>\ufffd\ufffd&amp;\N{SNOWMAN}\U0001f600 & \ufffd</a>"
    assert list(repaired([])) == []


def test_structure_is_not_repaired() -> None:
    for text in ("a < b", "a & b", "<b>", "</b>", "]]>", "&#", "&#27", "&#x;"):
        with pytest.raises(Unreadable):
            read(written("t", f"\x1b{text}").encode())


def test_space_before_the_declaration_is_passed_over() -> None:
    assert read(b"\n  " + written("t", "x", "UTF-8").encode()).failed == 1
