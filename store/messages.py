"""Messages out of the outbox's JSON. Rows of an earlier version lack what it did not know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.message import Cell, Chart, Fact, Heat, HeatRow, Link, Message, Table, Tone


def message_of(stored: Mapping[str, Any]) -> Message:
    """The message that `dataclasses.asdict` and JSON made this of."""
    return Message(
        tone=Tone(stored["tone"]),
        headline=stored["headline"],
        facts=tuple(Fact(**each) for each in stored["facts"]),
        details=stored["details"],
        charts=tuple(_chart(each) for each in stored.get("charts", ())),
        heats=tuple(_heat(each) for each in stored.get("heats", ())),
        tables=tuple(_table(each) for each in stored.get("tables", ())),
        links=tuple(Link(**each) for each in stored["links"]),
        notes=tuple(stored.get("notes", ())),
        thread=stored["thread"],
        at=datetime.fromisoformat(stored["at"]),
    )


def _chart(stored: Mapping[str, Any]) -> Chart:
    return Chart(**{**stored, "columns": tuple(stored["columns"]), "values": tuple(stored["values"])})


def _heat(stored: Mapping[str, Any]) -> Heat:
    rows = tuple(HeatRow(**{**each, "shares": tuple(each["shares"])}) for each in stored["rows"])
    return Heat(title=stored["title"], columns=tuple(stored["columns"]), rows=rows)


def _table(stored: Mapping[str, Any]) -> Table:
    rows = tuple(tuple(_cell(cell) for cell in row) for row in stored["rows"])
    return Table(title=stored["title"], columns=tuple(stored["columns"]), rows=rows, more=stored["more"])


def _cell(stored: Mapping[str, Any]) -> Cell:
    return Cell(**{**stored, "tone": Tone(stored["tone"]) if stored["tone"] else None})
