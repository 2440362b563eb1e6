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
class Message:
    """Everything a channel needs. All text is plain: each channel escapes it for its own format.

    `thread` is the same for all messages of one alert; a channel that can keep them together does.
    """

    tone: Tone
    headline: str  # readable on a lock screen, without markup
    facts: tuple[Fact, ...] = ()
    details: str | None = None  # several lines, shown in a fixed-width font
    links: tuple[Link, ...] = ()
    thread: str
    at: datetime
