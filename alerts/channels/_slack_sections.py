"""Charts, heat strips and tables as sections of mrkdwn: a line a row, for a phone is narrow and Slack has no table."""

import re
from collections.abc import Iterator

from alerts.channels._characters import ends, spark, squares
from alerts.channels._slack_text import fit, link, units
from domain.message import SIGNS, Cell, Chart, Heat, HeatRow, Message, Table

_SECTION_LIMIT = 2890
_MOST_SECTIONS = 24  # the rest of a card takes at most 16 of 40 blocks
_TITLE_LIMIT = 200
_URL_IN_ROW = 300
_PERSON = re.compile(r"[UW][A-Z0-9]{4,}")  # nothing else becomes a mention, wherever it came from
_BETWEEN = "  ·  "


def sections(message: Message, room: int) -> Iterator[str]:
    """The texts of the sections, each within Slack's limit and all of them within `room` UTF-16 units.

    A section that has no room any more is named by its title alone, or left out.
    """
    parts: list[tuple[str, list[str], int]] = [
        *((each.title, [_chart(each)], 0) for each in message.charts),
        *((each.title, [*_heat(each)], 0) for each in message.heats),
        *((each.title, [*_table(each)], each.more) for each in message.tables),
    ]
    for title, lines, more in parts[:_MOST_SECTIONS]:
        text = _section(title, lines, more, min(room, _SECTION_LIMIT))
        if text is None:
            return
        room -= units(text)
        yield text


def _section(title: str, lines: list[str], more: int, room: int) -> str | None:
    """The title and as many lines as there is room for; the others are counted. None when not even one fits."""
    head = f"*{fit(title, _TITLE_LIMIT)}*"
    room -= units(head) + len("\n… and 99999 more")
    kept = [head]
    for index, line in enumerate(lines):
        room -= units(line) + 1
        if room < 0:
            more += len(lines) - index
            break
        kept.append(line)
    if len(kept) == 1:
        return None
    return "\n".join([*kept, f"… and {more} more"] if more else kept)


def _chart(chart: Chart) -> str:
    columns = f"  _{fit(ends(chart.columns), _TITLE_LIMIT)}_" if chart.columns else ""
    return fit(spark(chart), 400) + columns


def _heat(heat: Heat) -> Iterator[str]:
    if heat.columns:
        yield f"_{fit(ends(heat.columns), _TITLE_LIMIT)}_"
    for row in heat.rows:
        yield _strip(row)


def _strip(row: HeatRow) -> str:
    value = f"  {fit(row.value, 100)}" if row.value else ""
    return f"{squares(row.shares)}  {_cell(Cell(text=row.name, url=row.url))}{value}"


def _table(table: Table) -> Iterator[str]:
    if table.columns:
        yield f"_{_BETWEEN.join(fit(each, 80) for each in table.columns if each)}_"
    for row in table.rows:
        cells = [_cell(cell) for cell in row if cell.text]
        yield _BETWEEN.join(cells) or "-"


def _cell(cell: Cell) -> str:
    if cell.mention and _PERSON.fullmatch(cell.mention):
        return f"<@{cell.mention}>"
    text = fit(cell.text, 400)
    linked = link(text, cell.url) if cell.url and len(cell.url) <= _URL_IN_ROW and text else text
    return f"{SIGNS[cell.tone]} {linked}" if cell.tone else linked
