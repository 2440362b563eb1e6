"""The windows that builds are counted in, made from `now`, and the words people write for them."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from domain.duration import parse_duration
from domain.wall_clock import first_moment
from domain.window import Window

Span = timedelta | int | Literal["daily"]
"""What a window word means: a rolling span, a number of last builds, or the reporting day."""

DAILY: Literal["daily"] = "daily"

_LAST_BUILDS = re.compile(r"(\d+)\s*builds?")


def parse_window(text: str) -> Span:
    """`"24h"`, `"7d"` → a timedelta; `"20 builds"` → 20; `"daily"` → `"daily"`.

    Raises ValueError naming the text and the forms.
    """
    word = text.strip().lower()
    if word == DAILY:
        return DAILY
    if match := _LAST_BUILDS.fullmatch(word):
        span: Span = int(match[1])
    else:
        try:
            span = parse_duration(word)
        except (ValueError, OverflowError):
            raise ValueError(_not_a_window(text)) from None
    if not span:
        raise ValueError(_not_a_window(text))
    return span


def _not_a_window(text: str) -> str:
    return f"{text!r} is not a window: write a time like 24h or 7d, a number of builds like 20 builds, or daily"


def window_of(span: Span, now: datetime, *, day_starts_at: time, zone: tzinfo) -> Window | int:
    """The window that a word means at `now`; a number of last builds stays that number: it has no times."""
    if isinstance(span, int):
        return span
    if isinstance(span, timedelta):
        return rolling(now, span)
    return daily(now, day_starts_at, zone)


def rolling(now: datetime, span: timedelta) -> Window:
    """The last `span` before `now`: [now - span, now). `now` is aware, in any zone."""
    end = now.astimezone(UTC)
    return Window(start=end - span, end=end)


def daily(now: datetime, day_starts_at: time, zone: tzinfo, days_back: int = 0) -> Window:
    """The reporting day that holds `now`, from its whole start to its whole end; or one `days_back` earlier.

    With `day_starts_at` 10:00 a day runs from 10:00 to 10:00 local time. It has 23 or 25 hours when the zone
    changes its clocks within it. See `day_window` for cut-over times that do not exist or exist twice.
    """
    return day_window(reporting_day(now, day_starts_at, zone) - timedelta(days=days_back), day_starts_at, zone)


def reporting_day(now: datetime, day_starts_at: time, zone: tzinfo) -> date:
    """The local date on which the reporting day that holds `now` starts: its name, in digests and charts."""
    moment = now.astimezone(UTC)
    # A day later than the local date happens after a clock that was set back over the cut-over.
    day = moment.astimezone(zone).date() + timedelta(days=1)
    while _cut_over(day, day_starts_at, zone) > moment:
        day -= timedelta(days=1)
    return day


def day_window(day: date, day_starts_at: time, zone: tzinfo) -> Window:
    """The reporting day that starts on the local date `day`.

    It starts at the first moment when the local clock shows that date and time, or later. So a cut-over that exists
    twice (clocks set back) is its first occurrence; one that does not exist (clocks set forward) is the moment
    of the change; and a date that a zone left out altogether (Samoa, 30 December 2011) is empty or short. Days
    never overlap and leave no gap.
    """
    return Window(
        start=_cut_over(day, day_starts_at, zone), end=_cut_over(day + timedelta(days=1), day_starts_at, zone)
    )


def _cut_over(day: date, at: time, zone: tzinfo) -> datetime:
    return first_moment(datetime.combine(day, at), zone)
