"""XML whose characters are broken, made readable: control characters, a wrong or unusual encoding, stray bytes.

Tools copy terminal output into reports, escapes and all, and .NET writes UTF-8 that calls itself UTF-16. Structure is
not repaired. UTF-7 and whatever else hides tags from plain reading stays what it is: letters.
"""

import codecs
import re
from collections.abc import Iterable, Iterator

_MARKS = (  # the longer one first: the mark of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_EVERYDAY = re.compile(
    r"iso-?8859-\d+|latin-?\d|windows-\d+|cp-?\d+|ms\d+|koi8-[ru]|gb2312|gbk|gb18030|big5(-hkscs)?|shift-?jis|sjis"
    r"|euc-?(jp|kr|cn)|macintosh"
)
_EXPATS_OWN = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii"})
_DECLARATION = 400  # bytes in which it stands
_ILLEGAL = re.compile("[\0-\b\v\f\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]+)|([0-9]+));")
_LONGEST_REFERENCE = 12  # characters; nobody means a longer one
_HIGHEST = 0x10FFFF
_STRANGE = "\ufffd"


def is_unusual(beginning: bytes) -> bool:
    """Whether a text declares an encoding that expat does not know by itself.

    pyexpat would then ask Python's codecs, all of them: not only for alphabets, but for escapes and the like.
    """
    declared = _declared(beginning.replace(b"\0", b""))
    return declared is not None and declared not in _EXPATS_OWN


def repaired(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same text in UTF-8, with characters that XML allows; what nobody can read becomes U+FFFD.

    The reader must be told that it is UTF-8: the declaration stays as it was.
    """
    decoder: codecs.IncrementalDecoder | None = None
    rest = ""
    for piece in pieces:
        if decoder is None:
            mark, encoding = _encoding(piece)
            decoder = codecs.getincrementaldecoder(encoding)("replace")
            text = decoder.decode(piece[len(mark) :])
        else:
            text = rest + decoder.decode(piece)
        whole = _before_reference(text)
        rest = text[whole:]
        yield _legal(text[:whole]).encode()
    if decoder is not None:
        yield _legal(rest + decoder.decode(b"", final=True)).encode()


def _encoding(beginning: bytes) -> tuple[bytes, str]:
    """The mark that the text begins with, and its encoding."""
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return b"" if b"<" in mark else mark, encoding
    name = _declared(beginning)
    if name is not None and _EVERYDAY.fullmatch(name):
        try:
            return b"", codecs.lookup(name).name
        except LookupError:
            pass
    return b"", "utf-8"


def _declared(beginning: bytes) -> str | None:
    found = _DECLARED.search(beginning[:_DECLARATION])
    return found[1].decode().lower().replace("_", "-") if found else None


def _before_reference(text: str) -> int:
    """Where a reference begins that the end of the text cuts off."""
    start = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
    return len(text) if start < 0 or ";" in text[start:] else start


def _legal(text: str) -> str:
    return _REFERENCE.sub(_legal_reference, _ILLEGAL.sub(_STRANGE, text))


def _legal_reference(found: re.Match[str]) -> str:
    if len(found[0]) > _LONGEST_REFERENCE:
        return _STRANGE
    code = int(found[1], 16) if found[1] else int(found[2])
    return _STRANGE if code > _HIGHEST or _ILLEGAL.match(chr(code)) else found[0]
