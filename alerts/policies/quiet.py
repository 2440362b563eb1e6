"""Hours in which messages wait. Nothing is dropped: what was held is told at their end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from alerts.policies.routing import Match, Subject
from domain.wall_clock import first_moment, last_moment
from domain.window import Window

_LONGEST = timedelta(days=7)  # that hours which never end hold a message
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """An entry of `quiet_hours:`. From `end` not later than `start` on they go over midnight.

    They belong to the day on which they begin: `days` Friday, 22:00 to 07:00 are quiet on Saturday morning, and not
    on Friday morning. `start` equal to `end` is a whole day.
    """

    days: frozenset[int]  # on which they begin; 0 is Monday
    start: time
    end: time
    match: Match = field(default_factory=Match)

    def around(self, now: datetime, zone: tzinfo) -> Iterator[Window]:
        """Their spans that began on the local date of `now`, the day before or the day after.

        They begin with the first occurrence of `start` and end with the last one of `end`, when the clock is set
        back; a time that is skipped when it is set forward is the moment of the change.
        """
        today = now.astimezone(zone).date()
        for day in (today - _DAY, today, today + _DAY):
            if day.weekday() not in self.days:
                continue
            last = day if self.end > self.start else day + _DAY
            begins = first_moment(datetime.combine(day, self.start), zone)
            ends = last_moment(datetime.combine(last, self.end), zone)
            if begins < ends:
                yield Window(start=begins, end=ends)


def ends(now: datetime, quiet: Sequence[QuietHours], subject: Subject, zone: tzinfo) -> datetime | None:
    """When the quiet time that holds `now` is over for a subject; None when it is not quiet.

    Hours that follow each other are one quiet time. Those that never end let go after 7 days.

    Args:
        now: aware, in any zone.
        quiet: `quiet_hours:` in any order; only entries whose `match` fits the subject count.
        subject: what would be told.
        zone: in which `start` and `end` are meant.

    Returns:
        Aware UTC, always later than `now`.
    """
    ours = [each for each in quiet if each.match.obstacle(subject) is None]
    moment, latest = now.astimezone(UTC), now.astimezone(UTC) + _LONGEST
    while moment < latest:
        later = [window.end for each in ours for window in each.around(moment, zone) if moment in window]
        if not later:
            break
        moment = max(later)
    return moment if moment > now else None


def held(until: datetime, now: datetime, zone: tzinfo) -> str:
    """Why a message waits, in words: `quiet hours until 07:00`, with the day when that is not the next morning."""
    local = until.astimezone(zone)
    far = until - now >= _DAY
    return f"quiet hours until {local.strftime('%a %H:%M' if far else '%H:%M')}"
