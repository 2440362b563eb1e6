"""The kind `stale`: a pipeline on which a build was due, and none has come. Silence is not success.

It is about a pipeline as a whole: a build of any branch that is watched will do. A build counts from when it was
queued, or else from its start; how it goes on is the business of other kinds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from alerts.decision import Decision, closed, firing, opened, reference, resolved
from alerts.rules import Expectation
from alerts.wording import duration
from domain.alert import Alert, AlertKind, Scope
from domain.percentile import percentile

KIND = AlertKind.STALE
NO_TRIGGER = "no trigger came"

_EARLY = timedelta(minutes=1)  # a server whose clock is behind ours begins so long before a cron time, at most
_ENOUGH = 20  # builds from which `auto` learns
_USUAL, _LATE = 0.95, 3
_SEEN_BEFORE = 1.1  # times the second longest gap: what happened twice, like a weekend, is a habit


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A build that has been queued or started."""

    build_id: int
    number: int
    generation: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the next build has to have come, and in words why."""

    at: datetime  # before grace
    grace: timedelta
    expected: str

    @property
    def latest(self) -> datetime:
        """From when on it is overdue."""
        return self.at + self.grace


def due(
    rule: Expectation,
    begun: Sequence[Begun],
    *,
    watched_since: datetime,
    next_after: Callable[[str, datetime], datetime | None],
) -> Due | None:
    """When the next build is due; None when nothing is expected (`auto` knows too little, the cron line is over).

    Args:
        rule: what is expected.
        begun: the newest builds of the pipeline, oldest first; for `auto` all of some weeks.
        watched_since: what counts for a pipeline that has no builds.
        next_after: the first moment after another one that a cron line means.
    """
    last = begun[-1].at if begun else watched_since
    if rule.every is not None:
        return Due(at=last + rule.every, grace=rule.grace, expected=f"every {duration(rule.every)}")
    if rule.cron is not None:
        at = next_after(rule.cron, last + _EARLY if begun else last)
        return None if at is None else Due(at=at, grace=rule.grace, expected=f"by cron {rule.cron}")
    usual = _usual([each.at for each in begun])
    if usual is None:
        return None
    gap, patience = usual
    return Due(at=last + patience, grace=timedelta(0), expected=f"as usual, within {duration(gap)}")


def _usual(moments: Sequence[datetime]) -> tuple[timedelta, timedelta] | None:
    """The gap between builds that 95 of 100 keep within, and how long to wait for the next one."""
    if len(moments) < _ENOUGH:
        return None
    gaps = sorted((later - earlier).total_seconds() for earlier, later in pairwise(moments))
    usual = percentile(gaps, _USUAL)
    patience = max(_LATE * usual, _SEEN_BEFORE * gaps[-2])
    return timedelta(seconds=usual), timedelta(seconds=max(patience, _EARLY.total_seconds()))


def decide_stale(
    *,
    scope: Scope,
    due: Due | None,
    last: Begun | None,
    stored: Sequence[Alert],
    rule: Expectation | None,
    because: str = NO_TRIGGER,
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """Whether a pipeline has become stale, or is stale no more.

    Only a build ends it: another expectation neither repeats nor ends an alert that fires. What was overdue already
    when we first met the pipeline is baseline. `because` says why no build came, as far as anybody knows.
    """
    current = firing(stored, KIND)
    if current is not None:
        if rule is None:
            return (closed(current, because=f"{KIND} is switched off", at=now),)
        return (_ended(current, last, now),) if last is not None and _is_newer(last, current) else ()
    if due is None or now < due.latest:
        return ()
    begun = opened(
        KIND,
        scope,
        at=min(due.at, now),
        summary=_summary(last, watched_since, due, because, now),
        evidence=_evidence(last, due, because, watched_since),
        baseline=due.latest <= watched_since,
    )
    return (begun,)


def _evidence(last: Begun | None, due: Due, because: str, watched_since: datetime) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "expected": due.expected,
        "due": due.at.isoformat(),
        "grace_seconds": due.grace.total_seconds(),
        "because": because,
        "since": (last.at if last is not None else watched_since).isoformat(),
    }
    return evidence if last is None else evidence | {"last_build": reference(last)}


def _summary(last: Begun | None, watched_since: datetime, due: Due, because: str, now: datetime) -> str:
    for_so_long = duration(now - (last.at if last is not None else watched_since))
    return f"no build for {for_so_long}, expected {due.expected}: {because}"


def _is_newer(last: Begun, alert: Alert) -> bool:
    before = alert.evidence.get("last_build")
    is_other = before is None or last.build_id != before["id"]
    return is_other and last.at > datetime.fromisoformat(alert.evidence["since"])


def _ended(alert: Alert, last: Begun, now: datetime) -> Decision:
    waited = duration(last.at - datetime.fromisoformat(alert.evidence["since"]))
    evidence = {**alert.evidence, "ended_by": reference(last), "waited": waited}
    return resolved(alert, at=min(max(last.at, alert.started_at), now), summary="builds again", evidence=evidence)
