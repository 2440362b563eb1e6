"""What all channels share: a message made harmless, and its plain-text form."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alerts.channels._characters import aligned, spark, strips
from domain.alert import Notification
from domain.message import SIGNS, Cell, Chart, Fact, Heat, HeatRow, Link, Message, Table, Tone
from domain.text import EXCERPT_LIMIT, clean, clean_url

_HEADLINE_LIMIT = 500
_NAME_LIMIT = 75
_VALUE_LIMIT = 1000
_CELL_LIMIT = 160
_NOTE_LIMIT = 300
_ROWS, _COLUMNS = 50, 10  # of a table
_CELLS = 62  # of a strip or a chart: two months
_SECTIONS = 12  # of each sort


def tidy(message: Message) -> Message:
    """The message with its sign in front and every string cleaned; links that are not http(s) lose their URL.

    Providers clean what they read, but texts also come from config.yaml, and no byte may make an alert unsendable.
    """
    headline = clean(message.headline, _HEADLINE_LIMIT)
    signed = headline if headline.startswith(tuple(SIGNS.values())) else f"{SIGNS[message.tone]} {headline}"
    links = ((clean(link.label, _NAME_LIMIT), clean_url(link.url)) for link in message.links)
    return replace(
        message,
        headline=signed,
        facts=tuple(_tidy_fact(fact) for fact in message.facts),
        details=clean(message.details or "", EXCERPT_LIMIT, lines=True).strip("\n") or None,
        charts=tuple(_tidy_chart(each) for each in message.charts[:_SECTIONS]),
        heats=tuple(_tidy_heat(each) for each in message.heats[:_SECTIONS] if each.rows),
        tables=tuple(_tidy_table(each) for each in message.tables[:_SECTIONS] if each.rows),
        links=tuple(Link(label=label, url=url) for label, url in links if url),
        notes=tuple(clean(each, _NOTE_LIMIT) for each in message.notes[:_SECTIONS]),
        thread=clean(message.thread),
    )


def _tidy_fact(fact: Fact) -> Fact:
    value = clean(fact.value, _VALUE_LIMIT, lines=True).strip()
    return Fact(name=clean(fact.name, _NAME_LIMIT), value=value, url=clean_url(fact.url))


def _tidy_chart(chart: Chart) -> Chart:
    columns = tuple(clean(each, _NAME_LIMIT) for each in chart.columns[-_CELLS:])
    values = chart.values[-_CELLS:]
    unit = clean(chart.unit, _NAME_LIMIT)
    return replace(chart, title=clean(chart.title, _CELL_LIMIT), columns=columns, values=values, unit=unit)


def _tidy_heat(heat: Heat) -> Heat:
    rows = tuple(
        HeatRow(
            name=clean(row.name, _NAME_LIMIT),
            shares=row.shares[-_CELLS:],
            value=clean(row.value, _NAME_LIMIT),
            url=clean_url(row.url),
        )
        for row in heat.rows[:_ROWS]
    )
    columns = tuple(clean(each, _NAME_LIMIT) for each in heat.columns[-_CELLS:])
    return Heat(title=clean(heat.title, _CELL_LIMIT), columns=columns, rows=rows)


def _tidy_table(table: Table) -> Table:
    return Table(
        title=clean(table.title, _CELL_LIMIT),
        columns=tuple(clean(each, _NAME_LIMIT) for each in table.columns[:_COLUMNS]),
        rows=tuple(tuple(_tidy_cell(cell) for cell in row[:_COLUMNS]) for row in table.rows[:_ROWS]),
        more=table.more + max(len(table.rows) - _ROWS, 0),
    )


def _tidy_cell(cell: Cell) -> Cell:
    return replace(cell, text=clean(cell.text, _CELL_LIMIT).strip(), url=clean_url(cell.url))


def styled(message: Message) -> Iterator[tuple[str, str]]:
    """A tidy message as pieces of text with the style (rich's words) that a terminal may give them."""
    yield message.headline + "\n", f"bold {_COLOURS[message.tone]}"
    for line in (message.details or "").splitlines():
        yield f"   │ {line}\n", "dim"
    width = max((len(each.name) for each in message.facts), default=0)
    for fact in message.facts:
        value = fact.value.replace("\n", "\n" + " " * (width + 5))
        yield f"   {fact.name:<{width}}  ", "dim"
        yield value, ""
        yield (f"  {fact.url}\n" if fact.url and fact.url not in value else "\n"), "dim"
    yield from _sections(message)
    for link in message.links:
        yield f"   {link.label}: ", "dim"
        yield f"{link.url}\n", "cyan"
    for note in message.notes:
        yield f"   {note}\n", "dim"


def _sections(message: Message) -> Iterator[tuple[str, str]]:
    charts = ((chart.title, [spark(chart)]) for chart in message.charts)
    heats = ((heat.title, strips(heat)) for heat in message.heats)
    tables = ((table.title, aligned(table)) for table in message.tables)
    for title, lines in (*charts, *heats, *tables):
        yield f"   {title}\n", "bold"
        for line in lines:
            yield f"     {line}\n", ""


_COLOURS = {Tone.BROKEN: "red", Tone.WORSE: "yellow", Tone.FIXED: "green", Tone.NOTE: "blue"}


def plain(message: Message) -> str:
    """A tidy message as plain text of several lines."""
    return "".join(text for text, _ in styled(message))


def delivery_id(notification: Notification) -> str:
    """A name for this notification that stays the same over all attempts, unique among several stores.

    Row numbers alone are not: two daemons that post to the same place both have a notification 17.
    """
    created = int(notification.created_at.timestamp() * 1000)
    return f"{created:x}.{notification.alert_id}.{notification.transition}.{notification.id or 0}"


def marked_as_repeat(message: Message) -> Message:
    """For a channel that cannot find out whether an earlier attempt was accepted."""
    sign, _, headline = message.headline.partition(" ")
    return replace(message, headline=f"{sign} (repeat?) {headline}")


def as_mapping(value: object) -> dict[str, Any]:
    """Foreign JSON where an object was expected; anything else counts as empty."""
    return value if isinstance(value, dict) else {}
