"""The kind `success_rate_below`: the success rate in a window lies under a line that the user chose."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any

from alerts.decision import Decision, continued, firing, opened, resolved
from alerts.rules import RateBelowRule
from alerts.wording import duration, percent
from domain.alert import Alert, AlertKind, Scope
from domain.stream import Settled

KIND = AlertKind.SUCCESS_RATE_BELOW

_MARGIN = 5.0  # points above the line at which the alert ends


def decide_rate_below(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rule: RateBelowRule,
    counts: tuple[int, int],
    watched_since: datetime,
    now: datetime,
) -> tuple[Decision, ...]:
    """`counts`: passed and failed builds in the rule's window. Too few of them decide nothing, either way."""
    passed, failed = counts
    runs = passed + failed
    if runs == 0 or runs < rule.min_runs:
        return ()
    current = firing(stored, KIND)
    evidence = _evidence(rule, passed, runs)
    summary = _summary(evidence)
    if current is not None:
        evidence |= {"baseline": True} if current.evidence.get("baseline") else {}
        if 100 * passed / runs >= min(rule.percent + _MARGIN, 100.0):
            return (resolved(current, at=now, summary=summary, evidence=evidence),)
        return continued(current, summary=summary, evidence=evidence)
    if not _is_below(rule, passed, runs):
        return ()
    baseline = not tail or tail[-1].finished_at <= watched_since
    evidence |= {"baseline": True} if baseline else {}
    return (opened(KIND, scope, at=now, summary=summary, evidence=evidence, baseline=baseline),)


def _is_below(rule: RateBelowRule, passed: int, runs: int) -> bool:
    line = rule.percent / 100
    if rule.confidence is None:
        return passed / runs < line
    return wilson_upper(passed, runs, rule.confidence) < line


def wilson_upper(passed: int, runs: int, confidence: float) -> float:
    """The one-sided upper limit of Wilson's score interval: so high may the true rate be, at this confidence."""
    z = NormalDist().inv_cdf(confidence)
    rate = passed / runs
    centre = rate + z * z / (2 * runs)
    spread = z * math.sqrt(rate * (1 - rate) / runs + z * z / (4 * runs * runs))
    return (centre + spread) / (1 + z * z / runs)


def _evidence(rule: RateBelowRule, passed: int, runs: int) -> dict[str, Any]:
    return {
        "passed": passed,
        "runs": runs,
        "line": rule.percent,
        "window": _window(rule.window),
    }


def _window(window: timedelta | int | str) -> str:
    """`the last 24 h`, `the last 20 builds`, `the reporting day`."""
    if isinstance(window, timedelta):
        return "the last 24 h" if window == timedelta(days=1) else f"the last {duration(window)}"
    return f"the last {window} builds" if isinstance(window, int) else "the reporting day"


def _summary(evidence: dict[str, Any]) -> str:
    passed, runs = evidence["passed"], evidence["runs"]
    found = f"{percent(passed, runs)} % ({passed}/{runs})"
    return f"success rate {found} in {evidence['window']}, the line is {evidence['line']:g} %"
