"""Zip archives, good and bad. Members are read; nothing is ever written."""

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from parsers.archives import ArchiveLimits, Member, members
from parsers.unreadable import Unreadable

MIB = 1 << 20
REPORT = b"<testsuite/>"


def archive(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in files:
            made.writestr(name, data, compress_type=method)
    return stream.getvalue()


def found(data: bytes, pattern: str = "**/*.xml", limits: ArchiveLimits | None = None) -> list[Member]:
    return list(members(data, pattern, limits=limits))


def told(data: bytes, limits: ArchiveLimits | None = None) -> list[tuple[str, str | None]]:
    return [(member.name, member.problem) for member in found(data, limits=limits)]


def changed(data: bytes, *changes: tuple[bytes, int, str, int]) -> bytes:
    """With other numbers in headers: after a signature, at an offset."""
    made = bytearray(data)
    for signature, offset, kind, value in changes:
        struct.pack_into(kind, made, made.index(signature) + offset, value)
    return bytes(made)


ENTRY, HEADER, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def test_members_are_found_by_their_pattern_in_every_folder() -> None:
    data = archive(("a.xml", b"1"), ("b/", b""), ("b/TEST-c.xml", b"2"), ("b/c/d/TEST-e.xml", b"3"), ("b/f.txt", b"4"))
    assert [(each.name, each.data) for each in found(data)] == [
        ("a.xml", b"1"),
        ("b/TEST-c.xml", b"2"),
        ("b/c/d/TEST-e.xml", b"3"),
    ]
    assert [each.name for each in found(data, "b/*.xml")] == ["b/TEST-c.xml"]
    assert [each.name for each in found(data, "**/TEST-*.xml")] == ["b/TEST-c.xml", "b/c/d/TEST-e.xml"]
    assert found(data, "*.md") == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_members_are_read_whole(method: int) -> None:
    large = bytes(range(256)) * 10_000
    assert [each.data for each in found(archive(("a.xml", large), ("b.xml", b""), method=method))] == [large, b""]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_told_and_do_no_harm_to_the_others(method: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("a.xml", REPORT, compress_type=method)
        made.writestr("b.xml", REPORT)
    problem = f"it is compressed by method {method}, which is not supported"
    assert told(stream.getvalue()) == [("a.xml", problem), ("b.xml", None)]


@pytest.mark.parametrize(
    ("name", "as_told"),
    [
        ("../../etc/cron.d/x.xml", "../../etc/cron.d/x.xml"),
        ("/etc/x.xml", "etc/x.xml"),
        ("./a/x.xml", "a/x.xml"),
        ("C:\\a\\x.xml", "C:/a/x.xml"),
        ("a\\b\\x.xml", "a/b/x.xml"),
        ("\N{SNOWMAN}/x.xml", "\N{SNOWMAN}/x.xml"),
    ],
)
def test_any_name_is_only_a_name(name: str, as_told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert told(archive((name, REPORT))) == [(as_told, None)]
    assert list(tmp_path.rglob("*")) == []


def test_a_link_is_not_followed() -> None:
    link = zipfile.ZipInfo("link.xml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert told(archive((link, b"/etc/passwd"))) == [("link.xml", "it is a symbolic link")]


def test_an_encrypted_member_is_told() -> None:
    data = changed(archive(("a.xml", REPORT)), (ENTRY, 8, "<H", 1), (HEADER, 6, "<H", 1))
    assert told(data) == [("a.xml", "it is encrypted")]


def test_a_member_with_a_wrong_checksum_spoils_no_other() -> None:
    data = bytearray(archive(("a.xml", b"first" * 10), ("b.xml", b"other"), method=zipfile.ZIP_STORED))
    data[data.index(b"first")] ^= 1
    (bad, good) = found(bytes(data))
    assert bad.problem is not None
    assert bad.problem.startswith("it is broken: Bad CRC-32")
    assert (bad.data, good.data, good.problem) == (b"", b"other", None)


def test_members_that_are_cut_or_garbled_spoil_no_other() -> None:
    data = archive(("a.xml", bytes(range(256)) * 40), ("b.xml", REPORT))
    body = data.index(b"a.xml") + 5
    garbled = data[:body] + b"\xff" * 100 + data[body + 100 :]
    renamed = data[: body - 5] + b"z.xml" + data[body:]
    for each in (garbled, renamed):
        (bad, good) = found(each)
        assert bad.problem is not None
        assert bad.problem.startswith("it is broken: ")
        assert good.data == REPORT


def bomb(size: int) -> bytes:
    return archive(("bomb.xml", b"\0" * size), ("good.xml", REPORT))


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_told_by_its_ratio_in_bounded_memory() -> None:
    data = bomb(100 * MIB)
    results: list[tuple[str, str | None]] = []
    assert peak_of(lambda: results.extend(told(data))) < 40 * MIB
    assert results == [("bomb.xml", "one byte of it becomes more than 300"), ("good.xml", None)]


def test_a_member_is_cut_off_at_its_cap_whatever_size_it_claims() -> None:
    data = bomb(30 * MIB)
    limits = ArchiveLimits(member_bytes=2 * MIB, ratio=2000)
    lying = changed(data, (ENTRY, 24, "<I", 100), (HEADER, 22, "<I", 100))
    assert told(data, limits) == [("bomb.xml", "it is larger than 2 MiB"), ("good.xml", None)]
    results: list[Member] = []
    assert peak_of(lambda: results.extend(found(lying, limits=limits))) < 8 * MIB
    assert [(each.name, len(each.data) <= 2 * MIB) for each in results] == [("bomb.xml", True), ("good.xml", True)]
    assert results[1].data == REPORT


def test_what_all_members_may_take_is_capped() -> None:
    data = archive(*((f"{number}.xml", bytes(range(256)) * 2048) for number in range(5)), ("last.xml", REPORT))
    limits = ArchiveLimits(total_bytes=MIB)
    too_much = "with it more than 1 MiB would be read"
    assert told(data, limits) == [
        ("0.xml", None),
        ("1.xml", None),
        *((f"{number}.xml", too_much) for number in (2, 3, 4)),
        ("last.xml", too_much),
    ]


def test_how_many_members_are_read_is_capped() -> None:
    data = archive(*((f"{number}.xml", REPORT) for number in range(7)))
    assert told(data, ArchiveLimits(members=2)) == [
        ("0.xml", None),
        ("1.xml", None),
        ("**/*.xml", "5 more members match; only 2 are read"),
    ]


def test_an_archive_of_too_many_entries_is_not_opened() -> None:
    entry = ENTRY + b"\0" * 42
    data = entry * 300_000 + END + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(entry) * 300_000, 0, 0)

    def refuse() -> None:
        with pytest.raises(Unreadable, match="the archive has more than 50,000 entries"):
            found(data)

    assert peak_of(refuse) < MIB


def test_members_that_share_their_bytes_are_told() -> None:
    body = archive(("a.xml", b"x" * 100), ("b.xml", b"y"), method=zipfile.ZIP_STORED)
    second = body.index(HEADER, 4)
    shared = bytearray(body)
    entry = shared.index(ENTRY, shared.index(ENTRY) + 4)
    assert struct.unpack_from("<I", shared, entry + 42) == (second,)
    struct.pack_into("<I", shared, entry + 42, 20)  # the second entry begins within the first
    assert told(bytes(shared))[0] == ("a.xml", "it overlaps another member")
    same = body[: body.index(ENTRY)] + body[body.index(ENTRY) : entry] * 2
    same += END + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(same) - body.index(ENTRY), body.index(ENTRY), 0)
    assert told(same)[0] == ("a.xml", "it overlaps another member")


def test_archives_within_are_not_opened() -> None:
    inner = archive(("deep.xml", REPORT))
    data = archive(("inner.zip", inner), ("a.xml", REPORT), method=zipfile.ZIP_STORED)
    assert told(data) == [("a.xml", None)]
    assert [each.data for each in found(data, "*.zip")] == [inner]


def test_zip64_is_read() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made, made.open("a.xml", "w", force_zip64=True) as member:
        member.write(REPORT)
    assert [each.data for each in found(stream.getvalue())] == [REPORT]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"<testsuite/>",
        END,
        archive(("a.xml", REPORT))[:-30],
        changed(archive(("a.xml", REPORT)), (ENTRY, 6, "<B", 99)),
        changed(archive(("a.xml", REPORT)), (END, 12, "<I", 1 << 31)),
        changed(archive(("\N{SNOWMAN}.xml", REPORT)), (ENTRY, 46, "<B", 0xFF)),
    ],
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^the archive cannot be opened: .+"):
        found(data)


def test_a_directory_at_another_place_than_it_says_is_told_of_its_members() -> None:
    data = changed(archive(("a.xml", REPORT)), (END, 16, "<I", 1 << 31))
    assert told(data)[0][1] is not None


def test_odd_names_are_survived() -> None:
    data = archive(("x" * 5000 + ".xml", REPORT), ("a.xml", REPORT))
    assert told(data) == [("a.xml", None)]
    nameless = changed(archive(("a.xml", REPORT)), (ENTRY, 28, "<H", 0), (ENTRY, 32, "<H", 5))
    assert [each.name for each in found(nameless, "**")] == [""]


def test_an_empty_archive_has_no_members() -> None:
    assert found(archive()) == []
