"""How many polls were made, how many failed, and the longest time between two good ones: by provider, for digests."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.window import Window
from store import notes
from store.engine import Session

PREFIX = "poll_counts:"  # of the notes, one for each day (UTC)
KEPT = timedelta(days=120)  # a digest may look back over a quarter of a year
SETTLED = timedelta(hours=1)  # a poll that began on a day has ended by then
QUARTER = timedelta(minutes=15)  # every zone's days begin at one

Counts = tuple[int, int, float]
"""Polls that went well, polls that failed, longest gap in seconds."""

NONE: Counts = (0, 0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a provider was polled in a window."""

    made: int
    failed: int
    longest_gap: timedelta | None  # None: no second good poll of any target


class PollCounts:
    """Counts of this run; `save` writes them added to those of earlier runs. May be called from several threads."""

    def __init__(self) -> None:
        self._own: dict[str, dict[str, Counts]] = {}  # by day, by `10:15 provider`
        self._earlier: dict[str, Mapping[str, Counts]] = {}  # what earlier runs had saved of the same days
        self._lock = threading.Lock()

    def made(self, provider: str, at: datetime, last: datetime | None) -> None:
        """A poll of a target that began at `at` went well, after the one that began at `last`."""
        gap = (at - last).total_seconds() if last is not None else 0.0
        self._add(provider, at, (1, 0, max(gap, 0.0)))

    def failed(self, provider: str, at: datetime) -> None:
        """A poll went wrong."""
        self._add(provider, at, (0, 1, 0.0))

    def _add(self, provider: str, at: datetime, more: Counts) -> None:
        moment = at.astimezone(UTC)
        slot = f"{moment:%H}:{moment.minute // 15 * 15:02} {provider}"
        with self._lock:
            its = self._own.setdefault(f"{moment:%Y-%m-%d}", {})
            its[slot] = _sum(its.get(slot, NONE), more)

    def save(self, session: Session, now: datetime) -> None:
        """Write the totals of the days that may still change; harmless to repeat when the transaction fails."""
        with self._lock:
            ours = {day: dict(its) for day, its in self._own.items()}
        for day, its in ours.items():
            if day not in self._earlier:
                self._earlier[day] = _stored(session, day)
                _forget_old(session, now)
            earlier = self._earlier[day]
            total = {slot: _sum(earlier.get(slot, NONE), counts) for slot, counts in its.items()}
            notes.put(session, PREFIX + day, {**earlier, **total}, now)
        self._forget(f"{now - SETTLED:%Y-%m-%d}")

    def _forget(self, oldest: str) -> None:
        """Days that are over, and were written for the last time a while after their end."""
        with self._lock:
            for day in [day for day in self._own if day < oldest]:
                del self._own[day]
                self._earlier.pop(day, None)


def watched(session: Session, window: Window) -> dict[str, Watched]:
    """How each provider was polled in a window, as far as it is saved; to the quarter of an hour."""
    found: dict[str, Counts] = {}
    for key, note in notes.read(session, PREFIX).items():
        for slot, counts in note.value.items():
            time, provider = slot.split(" ", 1)
            begins = datetime.fromisoformat(f"{key.removeprefix(PREFIX)}T{time}+00:00")
            if begins + QUARTER > window.start and begins < window.end:
                found[provider] = _sum(found.get(provider, NONE), tuple(counts))
    return {
        provider: Watched(made=made, failed=failed, longest_gap=timedelta(seconds=gap) if gap else None)
        for provider, (made, failed, gap) in found.items()
    }


def _sum(one: Counts, other: Counts) -> Counts:
    return (one[0] + other[0], one[1] + other[1], max(one[2], other[2]))


def _stored(session: Session, day: str) -> Mapping[str, Counts]:
    note = notes.get(session, PREFIX + day)
    return {slot: (made, failed, gap) for slot, (made, failed, gap) in note.value.items()} if note else {}


def _forget_old(session: Session, now: datetime) -> None:
    oldest = f"{PREFIX}{now - KEPT:%Y-%m-%d}"
    notes.remove(session, [key for key in notes.read(session, PREFIX) if key < oldest])
