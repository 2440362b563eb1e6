"""The words with which others say how a build stands, and the times that they write."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final

from domain.build import Build, Outcome, Status, Verdict
from domain.text import clean
from domain.wall_clock import first_moment

Standing = tuple[Status, Outcome | None]

_OUTCOMES: Final[Mapping[Outcome, tuple[str, ...]]] = MappingProxyType(
    {
        Outcome.SUCCESS: ("success", "succeeded", "successful", "passed", "pass", "ok", "fixed"),
        Outcome.FAILURE: ("failure", "failed", "fail", "broken", "startup_failure"),
        Outcome.ERROR: ("error", "errored"),
        Outcome.UNSTABLE: ("unstable",),
        Outcome.TIMEOUT: ("timeout", "timed_out", "timedout"),
        Outcome.CANCELLED: ("cancelled", "canceled", "aborted", "killed", "stopped", "stale", "terminated"),
        Outcome.SKIPPED: ("skipped", "neutral", "not_built", "action_required"),
        Outcome.UNKNOWN: ("unknown",),
    }
)
_STATUSES: Final[Mapping[Status, tuple[str, ...]]] = MappingProxyType(
    {
        Status.RUNNING: ("running", "in_progress", "inprogress", "started", "building"),
        Status.QUEUED: ("queued", "pending", "waiting", "requested", "scheduled"),
    }
)
STANDINGS: Final[Mapping[str, Standing]] = MappingProxyType(
    {word: (Status.FINISHED, outcome) for outcome, words in _OUTCOMES.items() for word in words}
    | {word: (status, None) for status, words in _STATUSES.items() for word in words}
)
"""By the word in small letters, with underscores."""

_LATER: Final = timedelta(days=1)  # clocks disagree, and zones are mistaken; beyond that it is nonsense
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_OUTCOMES: Final = MappingProxyType(
    {Outcome.CANCELLED: "cancelled", Outcome.SKIPPED: "skipped", Outcome.UNKNOWN: "unknown"}
)


def standing_of(word: str) -> Standing:
    """What a word for a status means: `PASSED`, `in progress`, `timed-out`. Raises ValueError for an unknown one."""
    found = STANDINGS.get(word.strip().casefold().replace(" ", "_").replace("-", "_"))
    if found is None:
        known = "success, failure, error, unstable, timeout, cancelled (or killed), skipped, running, queued"
        raise ValueError(f'"{clean(word, 40)}" is no status: use one of {known}')
    return found


def moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """An ISO 8601 time as aware UTC; without an offset it is what the clocks in `zone` show.

    Raises ValueError for what is no time, and for one in the far future.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'"{clean(text, 40)}" is no time: write it like 2025-10-24T10:05:01Z') from None
    try:
        found = first_moment(found, zone) if found.tzinfo is None else found.astimezone(UTC)
        late = found > now + _LATER
    except OverflowError:
        late = True
    if late or found < _EARLIEST:
        raise ValueError(f'"{clean(text, 40)}" is not a time between 1970 and now')
    return found.replace(microsecond=found.microsecond // 1000 * 1000)  # as exact as the store


def word_of(build: Build, verdict: Verdict | None) -> str:
    """How a build stands, in the words of the clients: success, failure, running, cancelled, skipped, unknown.

    A build that waits is `running`: they know no other word. An unstable one is what it counts as.
    """
    if build.outcome is None:
        return "running"
    return _OF_OUTCOMES.get(build.outcome, "success" if verdict is Verdict.PASSED else "failure")


def iso(at: datetime | None) -> str | None:
    """`2025-08-25T20:28:03Z`, with milliseconds where there are any."""
    if at is None:
        return None
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")
