"""The kind `flapping`: a stream goes back and forth between passing and failing.

While it does, each new failure is no news: it is told in the thread of this alert, until so many come in a row that
something is really broken.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from alerts.decision import Decision, continued, ended, firing, opened, order, order_of, reference, resolved
from alerts.rules import FlappingRule
from domain.alert import Alert, AlertKind, Scope
from domain.build import Verdict
from domain.stream import Settled

KIND = AlertKind.FLAPPING


def decide_flapping(
    *,
    scope: Scope,
    tail: Sequence[Settled],
    stored: Sequence[Alert],
    rule: FlappingRule,
    watched_since: datetime,
) -> tuple[Decision, ...]:
    """Count how often the verdict changes among the newest builds. What flapped at first contact is baseline."""
    if not tail:
        return ()
    recent = tail[-rule.within :]
    changes = [after for before, after in pairwise(recent) if before.verdict is not after.verdict]
    current = firing(stored, KIND)
    if current is not None:
        evidence = dict(current.evidence) | _counts(recent, len(changes))
        if len(changes) > rule.calm:
            return continued(current, summary=_summary(evidence), evidence=evidence)
        evidence["ended_by"] = reference(recent[-1])
        return (resolved(current, at=recent[-1].finished_at, summary=_summary(evidence), evidence=evidence),)
    if len(changes) < rule.transitions or _is_judged(recent[-1], ended(stored, KIND)):
        return ()
    baseline = (
        _changes([each for each in tail if each.finished_at <= watched_since][-rule.within :]) >= rule.transitions
    )
    evidence = _counts(recent, len(changes)) | {"onset": reference(changes[0]), "fired_by": reference(recent[-1])}
    marked = evidence | ({"baseline": True} if baseline else {})
    started_at = changes[0].finished_at
    return (opened(KIND, scope, at=started_at, summary=_summary(evidence), evidence=marked, baseline=baseline),)


def _changes(recent: Sequence[Settled]) -> int:
    return sum(before.verdict is not after.verdict for before, after in pairwise(recent))


def _is_judged(newest: Settled, over: Sequence[Alert]) -> bool:
    """Whether an alert that is over has ended with this build, or a later one: nothing new has come since."""
    return any(end is not None and order(newest) <= end for end in (order_of(alert, "ended_by") for alert in over))


def _counts(recent: Sequence[Settled], changes: int) -> dict[str, Any]:
    failed = sum(settled.verdict is Verdict.FAILED for settled in recent)
    return {"changes": changes, "builds": len(recent), "failed": failed}


def _summary(evidence: dict[str, Any]) -> str:
    return f"changed sides {evidence['changes']} times in {evidence['builds']} builds, {evidence['failed']} failed"
