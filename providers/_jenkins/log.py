"""The end of a console: found by its size, read within a cap, decoded at whole lines."""

import codecs
import re
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from requests import Response

from domain.details import Log
from domain.text import clean
from providers._base import Trouble
from providers._jenkins.asking import Asker, Unread
from providers._wire import read_end

END_NOT_READ: Final = "only its beginning was read: the server does not tell where it ends"

_STREAMED: Final = 8  # times the cap: what is read of a console that cannot be asked for its end
_PROGRESSIVE: Final = "logText/progressiveText"
_FRUGAL: Final = (2, 516)  # before, Jenkins held in memory all of a console that it was asked for (JENKINS-75081)
_PAGE_CAP: Final = 256 * 1024
_SHOWN_BY_PAGE: Final = 150 * 1024  # bytes that the page of a console shows
_SKIPPED: Final = re.compile(rb"(\d[\d.,'\s\xa0\xc2\xe2\x80\xaf]*?)\s*[A-Za-z]{1,3}\W{0,8}<a href=\"consoleFull\"")
_NOTE: Final = re.compile(rb"\x1b\[8mha:[^\x1b]*\x1b\[0m")  # hidden: how Jenkins draws the line as HTML
_CUT_NOTE: Final = re.compile(rb"\A[A-Za-z0-9+/=]*\x1b\[0m|\x1b\[8mha:[^\x1b]*\Z")
_TAG: Final = re.compile(r"<[^<>]*>")
_LONG_LINE: Final = 64 * 1024
_HEAD: Final = 32 * 1024  # where a console names the agent
_STAMP: Final = r"^(?:\[[^\]\n]*\] +|[\d:. -]+ )?"  # of the timestamper
_TIMED_OUT: Final = re.compile(_STAMP + r"(Build timed out \(after [^\n]{1,200})", re.MULTILINE)
_INTERRUPTED: Final = re.compile(
    _STAMP + r"(Cancelling nested steps due to timeout|Timeout has been exceeded)", re.MULTILINE
)
_QUEUED: Final = re.compile(r"^[^\n]{0,60}Still waiting to schedule task\r?\n([^\n]{1,300})", re.MULTILINE)
_RUNS_ON: Final = re.compile(
    r"^(?:\[[\d:T.Z -]+\] +)?(?:\[(?P<branch>[^\]\n]+)\] )?"
    r"(?:Running on|Building remotely on|Building on) (?P<runner>.{1,200}?) (?:\([^)\n]*\) )?"
    r"in (?:workspace )?[/A-Za-z]",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a console."""

    data: bytes
    whole: bool = False
    size: int | None = None  # of the console, when it was too long to be read at once
    note: str | None = None


def read_log(ask: Asker, limit: int) -> tuple[Log | None, str | None]:
    """At most `limit` bytes of the end of the console, and a note when it is not its end. Raises Unread.

    The first request learns the size from its headers and reads on only when all of it fits; of a longer console
    a second request gets the end. `start` beyond the size would make Jenkins send everything. A connection that
    breaks is tried once more.
    """
    try:
        return _read_log(ask, limit)
    except Unread as unread:
        if unread.error.trouble is not Trouble.CONNECTION:
            raise
        return _read_log(ask, limit)


def _read_log(ask: Asker, limit: int) -> tuple[Log | None, str | None]:
    is_old = (ask.version or _FRUGAL) < _FRUGAL
    piece = (_spared if is_old else _progressive)(ask, limit) or _streamed(ask, limit)
    text = decoded_log(piece.data, whole=piece.whole)
    log = Log(name=None, text=text, whole=piece.whole, url=f"{ask.url}console") if text else None
    return log, piece.note


def _progressive(ask: Asker, limit: int) -> _Piece | None:
    """By Jenkins' own way of showing a console as it grows; None when that is not there."""
    try:
        piece = _asked(ask, 0, limit)
        return piece if piece.size is None else _asked(ask, piece.size - limit, limit)
    except Unread as unread:
        if unread.absent:
            return None
        raise


def _asked(ask: Asker, start: int, limit: int, *, follows: int = 0) -> _Piece:
    """The console from `start` on; its size alone when it starts at its beginning and is too long.

    `follows`: how many bytes may come after `start`, where these are more than `limit`.
    """
    with ask.opened(_PROGRESSIVE, {"start": str(start)}) as response:
        size = _size(response)
        if start == 0 and size is not None and size > limit:
            return _Piece(data=b"", size=size)
        is_begin = start == 0 or (size is not None and size < start)  # it is shorter than a moment ago
        most = _STREAMED * limit if size is None else 2 * max(limit, follows) + 1  # a line break may be two bytes
        return _end(response, limit, most, is_begin=is_begin)


def _end(response: Response, limit: int, most: int, *, is_begin: bool) -> _Piece:
    data, taken = read_end(response, min(most, 2 * limit + 1), most)
    lines = data.replace(b"\r\n", b"\n")
    if taken >= most:
        return _Piece(data=lines[-limit:], note=END_NOT_READ)
    return _Piece(data=lines[-limit:], whole=is_begin and taken == len(data) and len(lines) <= limit)


def _streamed(ask: Asker, limit: int) -> _Piece:
    """From the whole console: its end when it is not too long, else what comes first."""
    with ask.opened("consoleText") as response:
        length = response.headers.get("Content-Length", "")
        is_long = length.isdigit() and int(length) > _STREAMED * limit
        return _end(response, limit, limit if is_long else _STREAMED * limit, is_begin=True)


def _spared(ask: Asker, limit: int) -> _Piece | None:
    """From a Jenkins that would hold in memory whatever it is asked for at once; None when there is no consoleText.

    A short console is read as it comes. The page of a longer one tells how much it skips, so only its end is
    asked for.
    """
    try:
        with ask.opened("consoleText") as response:
            begin = _end(response, limit // 4, limit // 4, is_begin=True)
    except Unread as unread:
        if unread.absent:
            return None
        raise
    if begin.whole:
        return begin
    try:
        with ask.opened("console") as response:
            page, _ = read_end(response, _PAGE_CAP, _PAGE_CAP)
        skipped = _SKIPPED.search(page)
        if skipped is None:
            return begin
        left = limit * 3 // 4
        start = int(re.sub(rb"\D", b"", skipped[1])) * 1024 - max(left - _SHOWN_BY_PAGE, 0)
        return _asked(ask, max(start, 1), left, follows=_SHOWN_BY_PAGE + 1024)
    except Unread:
        return begin


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


def read_runner(ask: Asker, stage: str | None) -> str | None:
    """The agent that the beginning of the console names. Raises Unread."""
    with ask.opened("consoleText") as response:
        data, _ = read_end(response, _HEAD, _HEAD)
    return runner_in(decoded_log(data, whole=True), stage)


def read_step_log(ask: Asker, node: str, name: str | None, limit: int) -> Log | None:
    """The end of what one step of a pipeline wrote, at most 10 KiB; None when it wrote nothing. Raises Unread."""
    raw: dict[str, Any] = ask.json(f"execution/node/{node}/wfapi/log")
    html = raw.get("text")
    if not isinstance(html, str) or not html.strip():
        return None
    text = unescape(_TAG.sub("", html)).replace("\r\n", "\n")
    whole = raw.get("hasMore") is not True and len(text) <= limit
    return Log(name=name, text=text[-limit:], whole=whole, url=f"{ask.url}execution/node/{node}/log/")


def runner_in(text: str, stage: str | None) -> str | None:
    """The agent that a console names: that of the parallel branch that failed, else the only one or the last one.

    None when several branches ran on several agents and none of them is the one that failed.
    """
    found = [(match["branch"], clean(match["runner"])) for match in _RUNS_ON.finditer(text)]
    own = [runner for branch, runner in found if branch is not None and branch == stage]
    if own:
        return own[-1]
    in_turn = [runner for branch, runner in found if branch is None]
    if in_turn and len(in_turn) == len(found):
        return in_turn[-1]
    return found[0][1] if len({runner for _, runner in found}) == 1 else None


def timeout_in(text: str, *, cancelled: bool) -> str | None:
    """The words in which a console tells that the build took too long; of what is not `cancelled` only a plug-in's."""
    found = _TIMED_OUT.search(text) or (_INTERRUPTED.search(text) if cancelled else None)
    return clean(found[1].strip()) if found else None


def why_queued(text: str) -> list[str]:
    """What a pipeline waited for when it asked for an agent, as a note."""
    found = _QUEUED.search(text)
    return [clean(f"queue: {found[1].strip()}", 300)] if found else []
