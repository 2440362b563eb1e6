"""Runs that somebody may run again, and when each is asked for next.

GitHub allows a re-run for 30 days after a run began. While a run is on the first page of the list, its re-run
changes that page, at no cost. Below, only the run itself tells: one that failed is asked for every hour on the
first day after it ended and every 12 hours until its 30 days are over; one that was cancelled or skipped is let
go after the first day. They are asked for conditionally, at most 20 every 15 minutes: a run that nobody touches
costs no point of the rate limit, or one each time where the token changes in between (an App's, every hour).

Not found: a re-run below the first page of a run that had passed, and of the 201st failure of a repository.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from domain.build import Build, Outcome

LOOK_EVERY: Final = timedelta(minutes=15)
AT_A_TIME: Final = 20
KEPT: Final = 200
_ALLOWED: Final = timedelta(days=30)
_DAY: Final = timedelta(days=1)
_ON_THE_FIRST_DAY: Final = timedelta(hours=1)
_LATER: Final = timedelta(hours=12)

_FAILED: Final = frozenset({Outcome.FAILURE, Outcome.ERROR, Outcome.TIMEOUT})
_UNHAPPY: Final = _FAILED | {Outcome.CANCELLED, Outcome.SKIPPED, Outcome.UNKNOWN}

Unhappy = dict[str, Any]
"""A run that did not succeed, for the cursor: {id, ended, until, seen_at?, tag?}; times as ISO 8601 in UTC."""


def worth_watching(build: Build, created: datetime | None) -> Unhappy | None:
    """What to remember of a build's run; None when it did well or goes on. `created`: its first attempt."""
    ended = build.finished_at
    if build.outcome not in _UNHAPPY or ended is None:
        return None
    until = (created or ended) + _ALLOWED if build.outcome in _FAILED else ended + _DAY
    return {"id": int(build.external_id), "ended": ended.isoformat(), "until": until.isoformat()}


def still_allowed(unhappy: Iterable[Unhappy], now: datetime) -> list[Unhappy]:
    """Those that can be run again; of more than 200 those that can be for longest."""
    allowed = [each for each in unhappy if datetime.fromisoformat(each["until"]) >= now]
    return sorted(allowed, key=lambda each: str(each["until"]))[-KEPT:]


def due(unhappy: Iterable[Unhappy], floor: int, now: datetime) -> list[Unhappy]:
    """Those to ask for now, the longest unseen first. Those from `floor` on are on the first page."""
    waiting = [each for each in unhappy if each["id"] < floor and _is_due(each, now)]
    return sorted(waiting, key=lambda each: str(each.get("seen_at", "")))[:AT_A_TIME]


def _is_due(run: Unhappy, now: datetime) -> bool:
    """Also when our clock was set back since."""
    every = _ON_THE_FIRST_DAY if now - datetime.fromisoformat(run["ended"]) < _DAY else _LATER
    return "seen_at" not in run or abs(now - datetime.fromisoformat(run["seen_at"])) >= every
