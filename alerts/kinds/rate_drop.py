"""The kind `success_rate_drop`: a stream passes less often than it used to. Nothing has to be configured.

While an alert fires, the baseline that it fired with is frozen in its evidence. The drop is over when the
mirrored test says that the old rate is back, and closed when the new rate has held for 200 builds.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts.decision import (
    Decision,
    Order,
    closed,
    continued,
    ended,
    firing,
    opened,
    order,
    order_of,
    reference,
    resolved,
)
from alerts.kinds.cusum import REBASE, Drop, Recovery, model, open_drop
from alerts.rules import RateDropRule
from alerts.wording import percent
from domain.alert import Alert, AlertKind, Scope
from domain.build import Verdict
from domain.stream import Settled

KIND = AlertKind.SUCCESS_RATE_DROP

LIMITS = {"low": 9.0, "medium": 7.0, "high": 5.0}


def decide_rate_drop(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rule: RateDropRule,
    hidden: bool,
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """Follow the drop that was told, or look for a new one.

    `hidden`: a failure alert fires on the stream. Then no drop opens; it does as soon as the failure is fixed,
    if it is still there. One that is open already goes on, and ends, as if nothing were in front of it.
    """
    current = firing(stored, KIND)
    if current is not None:
        return _follow(current, tail, now)
    if hidden:
        return ()
    since = _newest_end(ended(stored, KIND))
    drop = open_drop(tail, limit=LIMITS[rule.sensitivity], min_baseline=rule.min_baseline, since=since)
    if drop is None:
        return ()
    baseline = drop.fired_by.finished_at <= watched_since
    return (_opened(scope, drop, baseline=baseline),)


def _newest_end(over: Sequence[Alert]) -> Order | None:
    """Up to where earlier alerts have judged the stream."""
    ends = [end for alert in over if (end := order_of(alert, "ended_by")) is not None]
    return max(ends, default=None)


def _follow(alert: Alert, tail: Sequence[Settled], now: datetime) -> tuple[Decision, ...]:
    """Whether the old rate is back, judged by the builds after the one that fired."""
    fired_by, at_firing = order_of(alert, "fired_by"), alert.evidence["at_firing"]
    if fired_by is None or not tail:
        return ()
    later = [settled for settled in tail if order(settled) > fired_by]
    run = _failures_before(tail, len(tail) - len(later))
    baseline = alert.evidence["baseline_runs"] - alert.evidence["baseline_passed"], alert.evidence["baseline_runs"]
    recovery = Recovery(model(*baseline), passed=at_firing["passed"], failed=at_firing["failed"], run=run)
    end = next((settled for settled in later if recovery.ends_with(settled)), None)
    evidence = dict(alert.evidence) | _rate(recovery.passed, recovery.failed)
    if end is None:
        return continued(alert, summary=_summary(evidence), evidence=evidence)
    evidence["ended_by"] = reference(end)
    if recovery.recovered:
        return (resolved(alert, at=end.finished_at, summary=_summary(evidence), evidence=evidence),)
    because = f"{_percent(evidence)} % has held for {REBASE} builds and is taken as normal from now on"
    return (closed(replace(alert, evidence=evidence), because=because, at=now),)


def _failures_before(tail: Sequence[Settled], end: int) -> int:
    """The failures in a row just before a place in the tail."""
    start = end
    while start and tail[start - 1].verdict is Verdict.FAILED:
        start -= 1
    return end - start


def _opened(scope: Scope, drop: Drop, *, baseline: bool) -> Decision:
    normal = drop.normal
    evidence: dict[str, Any] = {
        "baseline_passed": normal.runs - normal.failed,
        "baseline_runs": normal.runs,
        "at_firing": {"passed": drop.passed_at_firing, "failed": drop.failed_at_firing},
        "onset": reference(drop.onset),
        "fired_by": reference(drop.fired_by),
        "between": [drop.earliest.number, drop.latest.number],
    } | _rate(drop.passed, drop.failed)
    if baseline:
        evidence["baseline"] = True
    at = drop.onset.finished_at
    return opened(KIND, scope, at=at, summary=_summary(evidence), evidence=evidence, baseline=baseline)


def _rate(passed: int, failed: int) -> dict[str, Any]:
    return {"passed": passed, "runs": passed + failed}


def _summary(evidence: dict[str, Any]) -> str:
    """`success rate 94 % → 68 % (17/25 since #812; baseline 188/200), started between #808 and #815`."""
    since = f"{evidence['passed']}/{evidence['runs']} since #{evidence['onset']['number']}"
    before = f"baseline {evidence['baseline_passed']}/{evidence['baseline_runs']}"
    first, last = evidence["between"]
    began = f"started between #{first} and #{last}" if first != last else f"started at #{first}"
    normal = percent(evidence["baseline_passed"], evidence["baseline_runs"])
    return f"success rate {normal} % → {_percent(evidence)} % ({since}; {before}), {began}"


def _percent(evidence: dict[str, Any]) -> str:
    return percent(evidence["passed"], evidence["runs"])
