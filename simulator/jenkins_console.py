"""Consoles of the simulated Jenkins: `progressiveText` as Stapler's LargeText writes it, and `consoleText`."""

import re
from collections.abc import Iterator
from html import escape
from itertools import chain

from simulator.jenkins_world import Build
from simulator.server import Answer, Request, html_answer, text_answer

_NOTE = re.compile(rb"\x1b\[8mha:[^\x1b]*\x1b\[0m")
_CHATTER = b"[INFO] copied 1 of 1 files, nothing to complain about here\n"
_SHOWN = 150 * 1024  # bytes
_PIECE = 1000 * len(_CHATTER)


def progressive(build: Build, request: Request) -> Answer:
    """From `start` in raw bytes, whole lines while it grows; from 0 when `start` is too far."""
    raw, running = build.visible_log(), not build.finished()
    size = build.chatter + len(raw)
    if not size:
        return text_answer(b"", headers={"X-Text-Size": "0", "X-More-Data": "true"})
    start = int(request.query.get("start", "0"))
    start = 0 if start > size else start
    piece = raw[max(start - build.chatter, 0) :]
    if running:
        piece = piece[: piece.rfind(b"\n") + 1]
    end = max(start, build.chatter) + len(piece)
    headers = {"X-Text-Size": str(end), **({"X-More-Data": "true"} if running else {})}
    chatter = _chatter(start, build.chatter)
    lines = (_wire_lines(each) for each in chain(chatter, [piece]))
    return _text(lines if start < build.chatter else None, piece, headers)


def console_text(build: Build) -> Answer:
    """All of it, with line feeds."""
    log = _NOTE.sub(b"", build.visible_log())
    if not build.chatter:
        return text_answer(log)
    return _text(chain(_chatter(0, build.chatter), [log]), log, {})


def console_page(build: Build) -> Answer:
    """The page for people: the last 150 KB, and how much it skips."""
    raw = build.visible_log()
    skipped = build.chatter + len(raw) - _SHOWN
    hint = f'Skipping {skipped // 1024:,} KB.. <a href="consoleFull">Full Log</a>' if skipped > 0 else ""
    shown = escape(_NOTE.sub(b"", raw[-_SHOWN:]).decode("utf-8", "replace"), quote=False)
    return html_answer(
        f'<html><body><h1>Console Output</h1>{hint}<pre class="console-output">{shown}</pre></body></html>'
    )


def _text(chunks: Iterator[bytes] | None, piece: bytes, headers: dict[str, str]) -> Answer:
    if chunks is None:
        return text_answer(_wire_lines(piece), headers=headers)
    return Answer(headers={"Content-Type": "text/plain;charset=utf-8", **headers}, chunks=chunks)


def _wire_lines(data: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", _NOTE.sub(b"", data))


def _chatter(start: int, end: int) -> Iterator[bytes]:
    """The bytes of endless harmless lines between two offsets, in pieces."""
    while start < end:
        skipped = start % len(_CHATTER)
        piece = (_CHATTER * (_PIECE // len(_CHATTER) + 1))[skipped:][: min(_PIECE, end - start)]
        yield piece
        start += len(piece)
