"""How commands show things: JSON with stable forms, tables for people, plain text for pipes."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.duration import format_duration
from domain.text import clean

Cell = str | tuple[str, str]
"""A text, or a text and the style that a terminal may give it (rich's words)."""

GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"
_GAP = "  "


def iso(moment: datetime | None) -> str | None:
    """`2026-11-20T12:00:00.000Z`: ISO 8601 in UTC, always of the same length."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(duration: timedelta | None) -> float | None:
    """A duration for JSON."""
    return None if duration is None else round(duration.total_seconds(), 3)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not readable))


def ago(moment: datetime | None, now: datetime) -> str:
    """`5m ago`: the largest unit is enough for people."""
    if moment is None:
        return "never"
    past = now - moment
    if past < timedelta(seconds=1):
        return "now"
    return f"{format_duration(timedelta(seconds=int(past.total_seconds()))).split()[0]} ago"


def took(duration_seconds: float | None) -> str:
    """`1m 30s`, or a dash."""
    return "-" if duration_seconds is None else format_duration(timedelta(seconds=duration_seconds))


def share(rate: float | None) -> str:
    """`97.3 %`, or a dash: no data is not zero."""
    return "-" if rate is None else f"{rate * 100:.1f} %"


def is_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def say(text: str, style: str = "") -> None:
    """Print a line; foreign characters in it can neither colour it nor move the cursor."""
    safe = clean(text, len(text) + 1000, lines=True)
    if not style or not is_terminal():
        print(safe)
        return
    from rich.text import Text

    _terminal().print(Text(safe, style=style))


def complain(text: str) -> None:
    """Print a line to stderr."""
    sys.stdout.flush()
    print(clean(text, len(text) + 1000, lines=True), file=sys.stderr)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under headers: in colour and cut to the width of a terminal, whole and plain elsewhere."""
    safe = [[_safe(cell) for cell in row] for row in rows]
    if is_terminal():
        _print_rich(headers, safe)
        return
    lines = [list(headers), *[[text for text, _ in row] for row in safe]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headers))]
    for line in lines:
        print(_GAP.join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*[Text(text, style=style) for text, style in row])
    _terminal().print(table)


def _terminal() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _safe(cell: Cell) -> tuple[str, str]:
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return clean(text, 300), style
