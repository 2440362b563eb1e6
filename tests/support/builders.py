"""Small values for tests: name only what the test is about, the rest is plausible."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.alert import Alert, AlertKind, AlertState, Notification, Reason, Scope, Severity
from domain.build import Build, Outcome, Pipeline, Status
from domain.message import Message, Tone

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The time at which tests begin."""

BUILD_EVERY = timedelta(minutes=10)
BUILD_TAKES = timedelta(minutes=5)


def minutes(count: float) -> datetime:
    """So many minutes after NOON."""
    return NOON + timedelta(minutes=count)


def pipeline(key: str = "web/deploy", **changes: Any) -> Pipeline:
    """A branched pipeline of the provider `ci`, named like the last part of its key."""
    values: dict[str, Any] = {
        "provider": "ci",
        "key": key,
        "name": key.rsplit("/", 1)[-1],
        "url": f"https://ci.example.com/{key}/",
        "default_branch": "main",
    }
    return Pipeline(**(values | changes))


def build(number: int = 1, outcome: Outcome | None = Outcome.SUCCESS, **changes: Any) -> Build:
    """Build `number` of `pipeline()` on main; it runs still when the outcome is None.

    Build n starts n * 10 minutes after NOON and takes 5 minutes.
    """
    started_at = changes["started_at"] if "started_at" in changes else NOON + number * BUILD_EVERY
    finished = outcome is not None
    values: dict[str, Any] = {
        "pipeline": changes.get("pipeline") or pipeline(),
        "external_id": str(number),
        "number": number,
        "status": Status.FINISHED if finished else Status.RUNNING,
        "outcome": outcome,
        "raw_outcome": outcome.upper() if outcome is not None else None,
        "branch": "main",
        "commit": f"{number:040x}",
        "trigger": "push",
        "actor": "ada",
        "started_at": started_at,
        "finished_at": started_at + BUILD_TAKES if finished and started_at is not None else None,
    }
    return Build(**(values | changes))


def builds(outcomes: str | Iterable[Outcome | None], first: int = 1, **changes: Any) -> list[Build]:
    """Consecutive builds, one for each letter: P passed, F failed, U unstable, A aborted, R running."""
    letters = {"P": Outcome.SUCCESS, "F": Outcome.FAILURE, "U": Outcome.UNSTABLE, "A": Outcome.CANCELLED, "R": None}
    wanted = [letters[each] if isinstance(each, str) and len(each) == 1 else each for each in outcomes]
    return [build(number, outcome, **changes) for number, outcome in enumerate(wanted, first)]  # type: ignore[arg-type]


def alert(**changes: Any) -> Alert:
    """A failure alert that fires since NOON on main of `pipeline()`; not stored yet."""
    values: dict[str, Any] = {
        "kind": AlertKind.FAILURE,
        "scope": Scope(provider="ci", pipeline="web/deploy", branch="main"),
        "severity": Severity.CRITICAL,
        "state": AlertState.FIRING,
        "started_at": NOON,
        "summary": "deploy / main failed",
        "channels": ("team",),
    }
    if changes.get("state") in {AlertState.RESOLVED, AlertState.CLOSED}:
        values["resolved_at"] = minutes(30)
    return Alert(**(values | changes))


def message(**changes: Any) -> Message:
    """A short message in the thread `alert-1`."""
    values: dict[str, Any] = {
        "tone": Tone.BROKEN,
        "headline": "deploy / main failed",
        "thread": "alert-1",
        "at": NOON,
    }
    return Message(**(values | changes))


def notification(**changes: Any) -> Notification:
    """The first message of alert 1 for the channel `team`, due since NOON."""
    values: dict[str, Any] = {
        "alert_id": 1,
        "transition": 1,
        "channel": "team",
        "reason": Reason.FIRST,
        "message": changes.get("message") or message(),
        "created_at": NOON,
        "next_attempt_at": NOON,
    }
    return Notification(**(values | changes))
