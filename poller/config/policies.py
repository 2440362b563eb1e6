"""`quiet_hours`, `escalate` and `digests` of config.yaml: when people are told, and who else."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from poller.config.kinds import Cron
from poller.config.problems import did_you_mean
from poller.config.sections import Clock, EndOfDay, Names, Part, RouteMatch, Span
from providers._base import Duration

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(len(DAYS)))

_NAMED = {
    "daily": EVERY_DAY,
    "weekdays": frozenset(range(5)),
    "weekend": frozenset({5, 6}),
    "weekends": frozenset({5, 6}),
}


def _as_days(value: object) -> object:
    if isinstance(value, frozenset):
        return value
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError('must be days, like [mon, tue], "mon-fri", weekdays or weekend')
    days: set[int] = set()
    for part in (part.strip().casefold() for word in words for part in word.split(",")):
        days |= _NAMED[part] if part in _NAMED else _span(part)
    return frozenset(days)


def _span(text: str) -> set[int]:
    """`mon`, `monday`, `fri-mon`: day numbers, Monday is 0."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    start = _day(first)
    length = (_day(last) - start) % len(DAYS) if dash else 0
    return {(start + step) % len(DAYS) for step in range(length + 1)}


def _day(word: str) -> int:
    if re.fullmatch(r"[a-z]{3,9}", word) and word[:3] in DAYS:
        full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[DAYS.index(word[:3])]
        if full.startswith(word):
            return DAYS.index(word[:3])
    raise ValueError(f'unknown day "{word}"{did_you_mean(word, (*DAYS, *_NAMED))}')


Days = Annotated[
    frozenset[int],
    BeforeValidator(_as_days),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class QuietHoursEntry(Part):
    """Hours in which messages wait; at their end one summary tells what is left of them."""

    days: Days = Field(default=EVERY_DAY, description="On which days they begin: mon-fri, [sat, sun]; default: all.")
    start: Clock = Field(alias="from", description='When they begin: "22:00".')
    end: EndOfDay = Field(alias="to", description='When they end; not later than `from`: on the next day. "07:00".')
    match: RouteMatch | None = Field(default=None, description="What waits; left out: everything.")


class EscalationEntry(Part):
    """Who else is told when an alert lasts."""

    after: Duration = Field(description="It has been told for so long.")
    unless: Literal["acked"] | None = Field(default="acked", description="acked: not when somebody acknowledged it.")
    to: Names = Field(description="Names of entries of `channels:`.")
    match: RouteMatch | None = Field(default=None, description="Which alerts; left out: all.")


class DigestEntry(Part):
    """A regular summary."""

    name: str | None = Field(default=None, min_length=1, description="What it is called; default: its times.")
    cron: Cron = Field(description='When it is sent, in `timezone`: "0 10 * * *".')
    window: Literal["daily"] | Span = Field(
        default="daily", description="daily: the last reporting day; or the time before it is sent: 24h, 7d."
    )
    to: Names = Field(description="Names of entries of `channels:`.")


def digest_name(entry: DigestEntry) -> str:
    """What a digest is known by in the store: stable while its entry stays as it is."""
    return entry.name or f"{entry.cron} {entry.window if entry.window == 'daily' else _short(entry.window)}"


def _short(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g}h"
