"""The end of a console: found by its size, read within a cap, decoded at whole lines."""

import codecs
import re
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from requests import Response

from domain.details import Log
from providers._jenkins_asking import Asker, Unread
from providers._wire import read_end

_STREAMED: Final = 8  # times the cap: what is read of a console that cannot be asked for its end
_PROGRESSIVE: Final = "logText/progressiveText"
_NOTE: Final = re.compile(rb"\x1b\[8mha:[^\x1b]*\x1b\[0m")  # hidden: how Jenkins draws the line as HTML
_CUT_NOTE: Final = re.compile(rb"\A[A-Za-z0-9+/=]*\x1b\[0m|\x1b\[8mha:[^\x1b]*\Z")
_TAG: Final = re.compile(r"<[^<>]*>")
_LONG_LINE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a console: where it starts in it, and how large the console is as far as this is known."""

    data: bytes
    start: int
    size: int | None
    taken: int = 0  # bytes that came


def read_log(ask: Asker, limit: int) -> Log | None:
    """At most `limit` bytes of the end of the console; None when nothing was written. Raises Unread.

    The first request learns the size from its headers and reads on only when all of it fits; of a longer console
    a second request gets the end. `start` beyond the size would make Jenkins send everything.
    """
    try:
        piece = _asked(ask, 0, limit)
        if piece.size is not None and piece.size > limit:
            piece = _asked(ask, piece.size - limit, limit)
    except Unread as unread:
        if not unread.absent:
            raise
        piece = _streamed(ask, limit)
    whole = piece.start == 0 and piece.taken <= len(piece.data)
    text = decoded_log(piece.data, whole=whole)
    return Log(name=None, text=text, whole=whole, url=f"{ask.url}console") if text else None


def _asked(ask: Asker, start: int, limit: int) -> _Piece:
    """The console from `start` on; nothing of it when it starts at its beginning and is too long."""
    with ask.opened(_PROGRESSIVE, {"start": str(start)}) as response:
        size = _size(response)
        if start == 0 and size is not None and size > limit:
            return _Piece(data=b"", start=0, size=size)
        if size is not None and size < start:
            start = 0  # it is shorter than a moment ago: this is its beginning
        most = _STREAMED if size is None else 2  # each line break may come as two bytes
        data, taken = read_end(response, limit, most * limit)
        return _Piece(data=data, start=start, size=None, taken=taken)


def _streamed(ask: Asker, limit: int) -> _Piece:
    """From the whole console: its end when it is not too long, else what comes first."""
    with ask.opened("consoleText") as response:
        length = response.headers.get("Content-Length", "")
        short = not length.isdigit() or int(length) <= _STREAMED * limit
        data, taken = read_end(response, limit, _STREAMED * limit if short else limit)
        return _Piece(data=data, start=0, size=None, taken=taken if short else taken + 1)


def _size(response: Response) -> int | None:
    text = response.headers.get("X-Text-Size", "")
    return int(text) if text.isascii() and text.isdigit() else None


def decoded_log(data: bytes, *, whole: bool) -> str:
    """As text with line feeds, without Jenkins' hidden notes; a cut line, character or note in front goes."""
    if not whole:
        line_end = data.find(b"\n", 0, _LONG_LINE)
        data = data[line_end + 1 :] if line_end >= 0 else data.lstrip(bytes(range(0x80, 0xC0)))
    data = _CUT_NOTE.sub(b"", _NOTE.sub(b"", data))
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data)  # drops half a character at the end
    return text.replace("\r\n", "\n")


def read_step_log(ask: Asker, node: str, name: str | None, limit: int) -> Log | None:
    """The end of what one step of a pipeline wrote, at most 10 KiB; None when it wrote nothing. Raises Unread."""
    raw: dict[str, Any] = ask.json(f"execution/node/{node}/wfapi/log")
    html = raw.get("text")
    if not isinstance(html, str) or not html.strip():
        return None
    text = unescape(_TAG.sub("", html)).replace("\r\n", "\n")
    whole = raw.get("hasMore") is not True and len(text) <= limit
    return Log(name=name, text=text[-limit:], whole=whole, url=f"{ask.url}execution/node/{node}/log/")
