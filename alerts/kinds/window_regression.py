"""The kind `window_regression`: a reporting day passes less often than the fourteen before it.

Builds of one day share clouds and schedulers, so days differ by more than chance alone would have it. How much more
is learned from the days themselves, and a day must stand out from that.

While an alert fires, the fourteen days that it fired against stay the measure: else the bad days would become normal
one by one, and "back to normal" would be told while nothing has changed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, NamedTuple

from alerts.decision import Decision, closed, continued, firing, opened, resolved
from alerts.rules import WindowRegressionRule
from alerts.wording import moment, percent
from domain.alert import Alert, AlertKind, Scope
from domain.window import Window

KIND = AlertKind.WINDOW_REGRESSION
BEFORE = 14  # windows that a window is compared with

_ENOUGH = 7  # of which so many must have builds: fewer do not say how much days differ
_REBASE = 14  # windows after which a changed rate is the new normal


class Tally(NamedTuple):
    """What came of the builds of one window."""

    passed: int = 0
    failed: int = 0

    @property
    def runs(self) -> int:
        """Both together."""
        return self.passed + self.failed

    def plus(self, other: "Tally") -> "Tally":
        """Of two parts of a window."""
        return Tally(self.passed + other.passed, self.failed + other.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is normal: so many of so many builds passed, and days differ by so much more than by chance (1 and up)."""

    passed: int
    runs: int
    phi: float
    windows: int

    @property
    def rate(self) -> float:
        """The share that passed. Where nothing ever failed, as if one build more had: a rate of 1 allows no doubt."""
        return self.passed / self.runs if self.passed < self.runs else (self.runs + 1) / (self.runs + 2)


def past_of(windows: Sequence[Tally]) -> Past | None:
    """The past that some windows make together; None when they are too few to say, or nothing ever passed."""
    used = [each for each in windows if each.runs]
    passed, runs = sum(each.passed for each in used), sum(each.runs for each in used)
    if len(used) < _ENOUGH or not passed:
        return None
    rate = passed / runs
    spread = sum((each.passed - each.runs * rate) ** 2 / each.runs for each in used)
    chance = rate * (1 - rate)
    phi = max(1.0, spread / chance / (len(used) - 1)) if chance else 1.0
    return Past(passed=passed, runs=runs, phi=phi, windows=len(used))


def z_of(tally: Tally, past: Past) -> float:
    """How many standard deviations of such days a window lies above (below: negative) the past."""
    variance = past.phi * past.rate * (1 - past.rate) * (1 / tally.runs + 1 / past.runs)
    return (tally.passed / tally.runs - past.rate) / math.sqrt(variance)


def decide_window_regression(
    *,
    scope: Scope,
    window: Window,
    tally: Tally,
    before: Sequence[Tally],
    stored: Sequence[Alert],
    rule: WindowRegressionRule,
    zone: tzinfo,
    facts: Mapping[str, Any] | None = None,
) -> tuple[Decision, ...]:
    """Judge a window that has closed, once.

    Args:
        scope: a pipeline, or a label value (provider `*`, branch `cloud=aws`).
        window: the one that has closed.
        tally: what came of its builds.
        before: the fourteen windows before it.
        stored: the alerts of the scope; those that fire are enough.
        rule: what is looked for.
        zone: in which the window is named.
        facts: more evidence: where in it most builds failed, and whose label it is.
    """
    current = firing(stored, KIND)
    if current is not None and current.evidence["window"]["end"] >= window.end.isoformat():
        return ()  # judged already
    found = _found(window, tally, zone) | dict(facts or {})
    if current is not None:
        return (_follow(current, found, tally, rule, window),)
    past = past_of(before)
    if past is None or not _is_worse(tally, past, rule):
        return ()
    evidence = found | _compared(tally, past) | {"windows_since": 0}
    return (opened(KIND, scope, at=window.start, summary=_summary(evidence), evidence=evidence),)


def _is_worse(tally: Tally, past: Past, rule: WindowRegressionRule) -> bool:
    if tally.runs < rule.min_runs:
        return False
    drop = 100 * (past.passed / past.runs - tally.passed / tally.runs)
    return drop >= rule.points and z_of(tally, past) < -rule.z


def _follow(
    alert: Alert, found: Mapping[str, Any], tally: Tally, rule: WindowRegressionRule, window: Window
) -> Decision:
    """The next window: back inside, still outside, or with too few builds to tell."""
    kept = alert.evidence
    past = Past(
        passed=kept["baseline_passed"], runs=kept["baseline_runs"], phi=kept["phi"], windows=kept["baseline_windows"]
    )
    count = kept["windows_since"] + 1
    enough = tally.runs >= rule.min_runs
    evidence = dict(kept) | {"windows_since": count, "window": found["window"]}
    if enough:
        evidence |= dict(found) | _compared(tally, past)
        if not _is_worse(tally, past, rule):
            return resolved(alert, at=window.end, summary=_summary(evidence), evidence=evidence)
    if count >= _REBASE:
        because = (
            f"{percent(tally.passed, tally.runs)} % is taken as normal from now on, after {count} days"
            if enough
            else f"too few builds to judge by for {count} days"
        )
        return closed(replace(alert, evidence=evidence), because=because, at=window.end)
    return continued(alert, summary=_summary(evidence), evidence=evidence)[0]


def _found(window: Window, tally: Tally, zone: tzinfo) -> dict[str, Any]:
    return {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "day": moment(window.end, zone),
        "passed": tally.passed,
        "runs": tally.runs,
    }


def _compared(tally: Tally, past: Past) -> dict[str, Any]:
    return {
        "baseline_passed": past.passed,
        "baseline_runs": past.runs,
        "baseline_windows": past.windows,
        "z": round(z_of(tally, past), 2),
        "phi": round(past.phi, 4),
    }


def _summary(evidence: Mapping[str, Any]) -> str:
    """`success rate 94 % → 68 % (75/110 in the day until 2026-11-21 10:00 IST; 1442/1534 in the 14 days before)`."""
    passed, runs = evidence["passed"], evidence["runs"]
    normal_passed, normal_runs = evidence["baseline_passed"], evidence["baseline_runs"]
    before = f"{normal_passed}/{normal_runs} in the {BEFORE} days before"
    rates = f"{percent(normal_passed, normal_runs)} % → {percent(passed, runs)} %"
    return f"success rate {rates} ({passed}/{runs} in the day until {evidence['day']}; {before})"
