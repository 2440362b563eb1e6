"""Slack's blocks and mails as lines of text: what a person sees of them."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Piece = tuple[str, str]
"""Some text and its style (rich's words)."""

Line = list[Piece]

COLOURS = {"🔴": "red", "🟠": "yellow", "🟢": "green", "🔵": "blue"}
"""Of the sign that begins each headline."""

_MARK = re.compile(
    r"<!date\^[^|>]*\|(?P<date>[^>]*)>|<(?P<url>https?://[^|>]+)\|(?P<label>[^>]*)>|\*(?P<bold>[^*\n]+)\*"
    r"|(?<!\S)_(?P<italic>[^_\n]+)_(?!\S)"
)
_FENCE = "```"
_WIDEST = 48  # of one of two columns


def colour_of(headline: str) -> str:
    """The colour that goes with a headline's sign."""
    return COLOURS.get(headline[:1], "default")


def card(blocks: Sequence[Mapping[str, Any]], text: str) -> list[Line]:
    """A Slack message: its blocks, or its text where it has none."""
    lines = [line for block in blocks for line in _block(block)]
    return lines or [[(part, "")] for part in text.splitlines()]


def headline_of(text: str) -> str:
    """A Slack message in one line: its fallback text."""
    return html.unescape(text.partition("\n")[0])


def _block(block: Mapping[str, Any]) -> Iterator[Line]:
    if block["type"] == "header":
        headline = str(block["text"]["text"])
        yield [(html.unescape(headline), f"bold {colour_of(headline)}")]
    elif block["type"] == "context":
        yield [(piece, "dim") for element in block["elements"] for piece, _ in spoken(str(element.get("text", "")))]
    elif block["type"] == "section" and "fields" in block:
        yield from _columns([str(field["text"]) for field in block["fields"]])
    elif block["type"] == "section":
        yield from _section(str(block["text"]["text"]))


def _section(text: str) -> Iterator[Line]:
    if text.startswith(_FENCE):
        for line in text.strip("`").strip("\n").split("\n"):
            yield [(f"  {html.unescape(line)}", "dim")]
        return
    first, *rest = text.split("\n")
    yield spoken(first)
    yield from ([("  ", ""), *spoken(line)] for line in rest)


def _columns(fields: Sequence[str]) -> Iterator[Line]:
    """Fields side by side, two in a row, as Slack shows them; one that is too wide has a row of its own."""
    cells = [_field(field) for field in fields]
    widest = max((_width(cell) for cell in cells if _width(cell) <= _WIDEST), default=0)
    waiting: Line | None = None
    for cell in cells:
        if waiting is not None and _width(cell) <= _WIDEST:
            yield [*waiting, (" " * (widest - _width(waiting) + 3), ""), *cell]
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = cell if _width(cell) <= _WIDEST else None
        if waiting is None:
            yield cell
    if waiting is not None:
        yield waiting


def _field(text: str) -> Line:
    _, name, value = text.split("*", 2)
    return [(f"{html.unescape(name)} ", "dim"), *spoken(value.strip())]


def _width(line: Line) -> int:
    return sum(len(text) for text, _ in line)


def spoken(text: str) -> Line:
    """Slack's mrkdwn as it is read: links by their labels, bold text, dates, no escapes."""
    line: Line = []
    end = 0
    for mark in _MARK.finditer(text):
        if mark.start() > end:
            line.append((html.unescape(text[end : mark.start()]), ""))
        if mark["url"] is not None:
            line.append((html.unescape(mark["label"]), "underline"))
        else:
            style = "bold" if mark["bold"] else "dim" if mark["italic"] else ""
            line.append((html.unescape(mark["date"] or mark["bold"] or mark["italic"]), style))
        end = mark.end()
    if end < len(text):
        line.append((html.unescape(text[end:]), ""))
    return line


def letter(subject: str, text: str) -> list[Line]:
    """A mail: its subject and its text, without the subject's repetition and the signature."""
    body = text.partition("\n-- \n")[0].strip("\n").split("\n")
    if body and body[0].strip() == subject.strip():
        body = body[1:]
    return [[("Subject: ", "dim"), (subject, f"bold {colour_of(subject)}")], *[[(line, "")] for line in body]]
