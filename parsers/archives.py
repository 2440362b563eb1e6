"""Members of zip archives, read in memory and never extracted, so that names with `..` or `/` are only names.

What Python's zipfile leaves to its caller is done here: caps on members, bytes and ratio, entries that overlap (Python
before 3.11.8 reads them), links, and methods whose decompressors take as much memory as the file asks for (LZMA).
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from domain.globs import matches
from domain.text import clean
from parsers.unreadable import Unreadable

_ENTRY = b"PK\x01\x02"  # begins every entry of the central directory
_HEADER = 30  # bytes before the name in a member's own header
_PIECE = 1 << 18
_LONGEST_NAME = 1024  # characters
_FREE = 1 << 20  # bytes below which any ratio is harmless
_ENCRYPTED = 0x1
_READABLE = (ZIP_STORED, ZIP_DEFLATED)
_BROKEN = (BadZipFile, zlib.error, NotImplementedError, struct.error, ValueError, EOFError, OSError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """How much of an archive is read."""

    entries: int = 50_000  # of all members; an archive with more is not opened
    members: int = 2_000  # that are read
    member_bytes: int = 64 << 20
    total_bytes: int = 256 << 20
    ratio: int = 300  # bytes out of one byte; deflate reaches 1032, test reports 20 to 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in an archive, or why it was not read."""

    name: str
    data: bytes = b""
    problem: str | None = None


def members(data: bytes, pattern: str, *, limits: ArchiveLimits | None = None) -> Iterator[Member]:
    """The files whose names match, in the order of the archive, one in memory at a time.

    Args:
        data: the archive.
        pattern: as domain.globs has it: `**/TEST-*.xml`.
        limits: what goes beyond is not read, and comes with its problem.

    Raises:
        Unreadable: the whole is not a zip archive, is broken, or has too many entries.
    """
    limits = limits or ArchiveLimits()
    with _opened(data, limits.entries) as archive:
        overlapping = _overlapping(archive.infolist())
        wanted = [info for info in archive.infolist() if _is_wanted(info, pattern)]
        left = limits.total_bytes
        for info in wanted[: limits.members]:
            problem = _problem(info) or ("it overlaps another member" if info.header_offset in overlapping else None)
            member = Member(name=_path(info), problem=problem) if problem else _read(archive, info, limits, left)
            left -= len(member.data)
            yield member
        if len(wanted) > limits.members:
            rest = len(wanted) - limits.members
            yield Member(name=pattern, problem=f"{rest:,} more members match; only {limits.members:,} are read")


def _opened(data: bytes, entries: int) -> ZipFile:
    if data.count(_ENTRY) > entries:  # before zipfile makes half a kilobyte of objects of each
        raise Unreadable(f"the archive has more than {entries:,} entries")
    try:
        return ZipFile(BytesIO(data))
    except _BROKEN as error:
        raise Unreadable(f"the archive cannot be opened: {error}") from None


def _is_wanted(info: ZipInfo, pattern: str) -> bool:
    """Not `is_dir`: a name may be empty. Nor a name that would keep the pattern busy."""
    name = info.filename
    return not name.endswith("/") and len(name) <= _LONGEST_NAME and matches(pattern, _path(info))


def _path(info: ZipInfo) -> str:
    """The name with slashes, as patterns have it: some archives come from Windows, some begin with `./` or `/`."""
    name = info.filename if "/" in info.filename else info.filename.replace("\\", "/")
    return clean(name.removeprefix("./").lstrip("/"), _LONGEST_NAME)


def _problem(info: ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a symbolic link"
    if info.compress_type not in _READABLE:
        return f"it is compressed by method {info.compress_type}, which is not supported"
    return None


def _overlapping(infos: list[ZipInfo]) -> set[int]:
    """Where members begin that reach into the next: a few kilobytes would come out thousands of times."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    found = set()
    for info, following in pairwise(ordered):
        end = info.header_offset + _HEADER + len(info.orig_filename) + info.compress_size
        if end > following.header_offset:
            found.add(info.header_offset)
    return found


def _read(archive: ZipFile, info: ZipInfo, limits: ArchiveLimits, left: int) -> Member:
    name = _path(info)
    room = min(limits.member_bytes, left)
    pieces: list[bytes] = []
    size = 0
    try:
        with archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > room:
                    return Member(name=name, problem=_too_much(limits, left))
                if size > max(_FREE, info.compress_size * limits.ratio):
                    return Member(name=name, problem=f"one byte of it becomes more than {limits.ratio}")
                pieces.append(piece)
    except _BROKEN as error:
        return Member(name=name, problem=f"it is broken: {error}")
    return Member(name=name, data=b"".join(pieces))


def _too_much(limits: ArchiveLimits, left: int) -> str:
    if left < limits.member_bytes:
        return f"with it more than {limits.total_bytes >> 20} MiB would be read"
    return f"it is larger than {limits.member_bytes >> 20} MiB"
