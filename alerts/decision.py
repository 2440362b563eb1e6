"""What an evaluation comes to: an alert to save, and whether and why to speak of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from domain.alert import NOTHING, Alert, AlertKind, AlertState, Reason, Scope, Severity

ROLES = ("first_failed", "last_failed", "last_passed", "fixed_by", "onset", "fired_by", "ended_by", "last_build")

Order = tuple[int, int]
"""Where a build stands in its stream: (generation, number)."""


class Placed(Protocol):
    """A build with its place in its stream."""

    @property
    def build_id(self) -> int:
        """Build.id."""
        ...

    @property
    def number(self) -> int:
        """Counts up within a generation."""
        ...

    @property
    def generation(self) -> int:
        """Counts up when the job is made anew."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An alert as it is from now on. It keeps the id of the stored alert that it continues.

    `reason` says why people are told; None means to save silently. A first message goes where the routes say,
    every later one to `alert.channels`. `baseline` marks what was already wrong at first contact: it is told in
    one summary. `build_ids` are the builds that the message speaks of.
    """

    alert: Alert
    reason: Reason | None
    baseline: bool = False
    build_ids: tuple[int, ...] = ()


def decision(alert: Alert, reason: Reason | None, *, baseline: bool = False) -> Decision:
    """A decision with the builds that the alert's evidence names."""
    named = (alert.evidence.get(role) for role in ROLES)
    ids = dict.fromkeys(reference["id"] for reference in named if reference)
    return Decision(alert=alert, reason=reason, baseline=baseline, build_ids=tuple(ids))


def opened(
    kind: AlertKind,
    scope: Scope,
    *,
    at: datetime,
    summary: str,
    evidence: Mapping[str, Any] = NOTHING,
    severity: Severity = Severity.WARNING,
    baseline: bool = False,
) -> Decision:
    """Something new is wrong since `at`. People hear of it at once; of what is `baseline` in the one summary."""
    alert = Alert(
        kind=kind,
        scope=scope,
        severity=severity,
        state=AlertState.FIRING,
        started_at=at,
        summary=summary,
        evidence=evidence,
    )
    return decision(alert, None if baseline else Reason.FIRST, baseline=baseline)


def continued(
    alert: Alert, *, summary: str, evidence: Mapping[str, Any], grown: bool = False, news: bool = False
) -> tuple[Decision, ...]:
    """The alert goes on: saved silently when its evidence has changed, otherwise nothing at all.

    With `grown` channels that can edit what they said bring it up to date; nobody is disturbed again. With `news`
    people hear of it at once, and silences may break.
    """
    if alert.summary == summary and dict(alert.evidence) == dict(evidence):
        return ()
    now = replace(alert, summary=summary, evidence=evidence)
    if news:
        return (decision(replace(now, transition=alert.transition + 1), Reason.UPDATE),)
    if grown and alert.channels:
        return (decision(replace(now, transition=alert.transition + 1), Reason.REFRESH),)
    return (decision(now, None),)


def resolved(alert: Alert, *, at: datetime, summary: str, evidence: Mapping[str, Any]) -> Decision:
    """The facts have ended the alert. Those who were told hear of it; if nobody was, it ends silently."""
    return _ended(alert, AlertState.RESOLVED, Reason.RESOLVED, at=at, summary=summary, evidence=evidence)


def closed(alert: Alert, *, because: str, at: datetime) -> Decision:
    """The alert ends without its cause having gone away; `because` completes "closed: ..."."""
    evidence = {**alert.evidence, "closed_because": because}
    return _ended(alert, AlertState.CLOSED, Reason.CLOSED, at=at, summary=f"closed: {because}", evidence=evidence)


def _ended(
    alert: Alert, state: AlertState, reason: Reason, *, at: datetime, summary: str, evidence: Mapping[str, Any]
) -> Decision:
    ended = replace(
        alert,
        state=state,
        resolved_at=max(at, alert.started_at),  # an older build may fail after a newer one has passed
        transition=alert.transition + 1,
        summary=summary,
        evidence=evidence,
    )
    return decision(ended, reason if alert.channels else None)


def firing(stored: Sequence[Alert], kind: AlertKind) -> Alert | None:
    """The alert of this kind that is firing; there is at most one per scope."""
    return next((alert for alert in stored if alert.kind is kind and alert.state is AlertState.FIRING), None)


def ended(stored: Sequence[Alert], kind: AlertKind) -> list[Alert]:
    """The alerts of this kind that are over."""
    return [alert for alert in stored if alert.kind is kind and alert.state is not AlertState.FIRING]


def order(build: Placed) -> Order:
    """Where a build stands in its stream."""
    return build.generation, build.number


def reference(build: Placed) -> dict[str, int]:
    """A build as evidence names it. JSON values only."""
    return {"id": build.build_id, "number": build.number, "generation": build.generation}


def order_of(alert: Alert, role: str) -> Order | None:
    """Where the build with this role in an alert's evidence stands in its stream."""
    named = alert.evidence.get(role)
    return (named["generation"], named["number"]) if named else None
