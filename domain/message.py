"""What a message says, before any channel has given it a form."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Tone(StrEnum):
    """How a message reads: the colour of its card, the first sign of its subject."""

    BROKEN = "broken"
    WORSE = "worse"  # a warning: rates, durations
    FIXED = "fixed"
    NOTE = "note"


SIGNS = {Tone.BROKEN: "🔴", Tone.WORSE: "🟠", Tone.FIXED: "🟢", Tone.NOTE: "🔵"}
"""The first sign of every headline, so that its tone shows without colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of the card: a name and its value, with a link where there is one."""

    name: str
    value: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A button or a link at the end of the card."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A piece of a table: its text, how it reads, and where it leads."""

    text: str
    tone: Tone | None = None
    url: str | None = None
    mention: str | None = None  # the id in Slack of the person that the text names, to be notified there


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that belong together, under a title: failing tests, suspects, the members of a group, a ranking.

    Without `columns` there is no line of column names. All rows are as long as the longest of them.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...]
    more: int = 0  # rows that were left out: "and 7 more"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRow:
    """One strip: the shares from 0 (all wrong) to 1 (all fine), one a column; None where nothing is known."""

    name: str
    shares: tuple[float | None, ...]
    value: str = ""  # what stands behind the strip: "94 %"
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Strips to be read at a glance: how much passed, day by day, a row a pipeline."""

    title: str
    columns: tuple[str, ...]  # what each cell stands for: "Sat 14", "Sun 15", ...
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A line over time: drawn where pictures can be shown, characters elsewhere."""

    title: str
    columns: tuple[str, ...]  # what each value stands for: "Sat 14", "Sun 15", ...
    values: tuple[float | None, ...]  # one a column; None where nothing is known
    usual: float | None = None  # a level to compare with, drawn across
    unit: str = "%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Everything a channel needs. All text is plain: each channel escapes it for its own format.

    `thread` is the same for all messages of one alert; a channel that can keep them together does.
    """

    tone: Tone
    headline: str  # readable on a lock screen, without markup
    facts: tuple[Fact, ...] = ()
    details: str | None = None  # several lines, shown in a fixed-width font
    charts: tuple[Chart, ...] = ()
    heats: tuple[Heat, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()  # small print at the end
    thread: str
    at: datetime
