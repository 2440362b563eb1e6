"""The windows of the dashboard: reporting days, like 10:00 → 10:00 in the configured zone."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.window import Window
from metrics.windows import day_window, reporting_day
from web.problems import Fault, ProblemError
from web.settings import Settings

SHOWN = 7
_EARLIEST = date(1971, 1, 1)
_BACK = re.compile(r"[0-6]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One of them."""

    date: date  # the local date on which it starts
    window: Window
    is_current: bool

    @property
    def name(self) -> str:
        """As it stands in addresses."""
        return self.date.isoformat()

    @property
    def weekday(self) -> str:
        """`Fri`."""
        return self.date.strftime("%a")

    @property
    def short(self) -> str:
        """`20 Nov`."""
        return f"{self.date.day} {self.date.strftime('%b')}"


def last_days(now: datetime, settings: Settings, count: int = SHOWN) -> list[Day]:
    """The last days, the current one last."""
    today = reporting_day(now, settings.day_starts_at, settings.zone)
    return [_day(today - timedelta(days=back), today, settings) for back in reversed(range(count))]


def day_named(name: str | None, now: datetime, settings: Settings) -> Day:
    """The day that an address names: a date, or how many days back it is; the current one without a name.

    Raises ProblemError.
    """
    today = reporting_day(now, settings.day_starts_at, settings.zone)
    if not name or name == "today":
        return _day(today, today, settings)
    if _BACK.fullmatch(name):
        return _day(today - timedelta(days=int(name)), today, settings)
    try:
        wanted = date.fromisoformat(name)
    except ValueError:
        wanted = _EARLIEST - timedelta(days=1)
    if not _EARLIEST <= wanted <= today:
        fault = Fault("query.window", "a date up to today, like 2026-11-20, or 0 to 6 days back")
        raise ProblemError(422, "there is no such window", [fault])
    return _day(wanted, today, settings)


def before(day: Day, settings: Settings) -> Day:
    """The day before a day."""
    return _day(day.date - timedelta(days=1), None, settings)


def _day(wanted: date, today: date | None, settings: Settings) -> Day:
    window = day_window(wanted, settings.day_starts_at, settings.zone)
    return Day(date=wanted, window=window, is_current=wanted == today)
