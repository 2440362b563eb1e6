"""Alerts and silences."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from alerts.policies.handled import acknowledged
from domain.alert import Alert, AlertKind, AlertState, Delivery, Notification, Reason, Severity
from domain.silence import Silence
from store import alert_pages, pipelines, silences
from store.alerts import AlertView
from store.engine import Session
from web.asking import named_like, not_found
from web.shapes import instant, iso, plain

SUMMARIES = frozenset({AlertKind.BASELINE, AlertKind.DIGEST})
"""About no single place: their scope names the channel, or the digest."""


class NotificationShape(TypedDict):
    """A message about an alert."""

    id: int | None
    channel: str
    reason: Reason
    state: Delivery
    attempts: int
    created_at: str
    sent_at: str | None
    last_error: str | None


class AlertShape(TypedDict):
    """An alert and who was told, as `buildwatch alerts --json` shows it."""

    id: int | None
    kind: AlertKind
    provider: str
    pipeline: str | None
    pipeline_id: int | None
    branch: str | None
    severity: Severity
    state: AlertState
    started_at: str
    resolved_at: str | None
    summary: str
    evidence: dict[str, Any]
    channels: list[str]
    acknowledged: dict[str, Any] | None
    silenced_by: int | str | None
    hidden_by: int | str | None
    escalated: list[Any]
    reminders: int
    notifications: list[NotificationShape]


class AlertPage(TypedDict):
    """Alerts, newest first."""

    alerts: list[AlertShape]
    next: str | None


class SilenceEnds(TypedDict):
    """When a silence is over: as soon as one of these has come."""

    at: str | None
    fixed: bool
    build: int | None
    new_bucket: bool


class SilenceShape(TypedDict):
    """A silence, as `buildwatch silence --list --json` shows it."""

    id: int | None
    match: dict[str, Any]
    until: SilenceEnds
    reason: str
    by: str | None
    created_at: str
    ended_at: str | None
    ended_because: str | None


class SilencePage(TypedDict):
    """Silences, newest first."""

    silences: list[SilenceShape]
    next: str | None


def page(
    session: Session,
    *,
    limit: int,
    before: int | None,
    states: Collection[AlertState],
    kinds: Collection[AlertKind],
    severities: Collection[Severity],
    provider: str | None,
    pipeline: str | None,
) -> AlertPage:
    """Alerts, newest first, with every message about them."""
    keys = None
    if pipeline is not None:
        keys = [each.pipeline.key for each in pipelines.all(session, provider) if named_like(each, pipeline)]
    found = alert_pages.page(
        session,
        limit=limit + 1,
        before=before,
        states=states,
        kinds=kinds,
        severities=severities,
        provider=provider,
        pipelines=keys,
    )
    more = len(found) > limit
    return {"alerts": shaped(session, found[:limit]), "next": str(found[limit - 1].alert.id) if more else None}


def one(session: Session, identity: int) -> AlertShape:
    """An alert. Raises ProblemError when there is none."""
    found = shaped(session, alert_pages.views(session, [identity]))
    if not found:
        raise not_found(f"alert {identity}")
    return found[0]


def of_pipeline(session: Session, provider: str, key: str, *, since: datetime) -> list[Alert]:
    """The alerts of a pipeline that fire, or have ended since then, oldest first."""
    return alert_pages.of_pipeline(session, provider, key, since)


def shaped(session: Session, views: Sequence[AlertView]) -> list[AlertShape]:
    """Alerts as JSON shows them."""
    scopes = {(each.alert.scope.provider, each.alert.scope.pipeline or "") for each in views}
    numbers = pipelines.numbers(session, scopes)
    return [_shape(each, numbers.get((each.alert.scope.provider, each.alert.scope.pipeline or ""))) for each in views]


def _shape(view: AlertView, pipeline_id: int | None) -> AlertShape:
    alert = view.alert
    fires = alert.state is AlertState.FIRING
    handling = alert.handling
    return {
        "id": alert.id,
        "kind": alert.kind,
        "provider": alert.scope.provider,
        "pipeline": alert.scope.pipeline,
        "pipeline_id": pipeline_id,
        "branch": (alert.scope.branch or None) if alert.kind not in SUMMARIES else None,
        "severity": alert.severity,
        "state": alert.state,
        "started_at": instant(alert.started_at),
        "resolved_at": iso(alert.resolved_at),
        "summary": alert.summary,
        "evidence": plain(alert.evidence),
        "channels": list(alert.channels),
        "acknowledged": plain(handling["acknowledged"]) if acknowledged(alert) else None,
        "silenced_by": handling.get("silenced_by") if fires else None,
        "hidden_by": handling.get("hidden_by") if fires else None,
        "escalated": list(handling.get("escalated", ())),
        "reminders": handling.get("reminders", 0),
        "notifications": [_notification(each) for each in view.notifications],
    }


def _notification(notification: Notification) -> NotificationShape:
    return {
        "id": notification.id,
        "channel": notification.channel,
        "reason": notification.reason,
        "state": notification.delivery,
        "attempts": notification.attempts,
        "created_at": instant(notification.created_at),
        "sent_at": iso(notification.sent_at),
        "last_error": notification.last_error,
    }


def silence_page(session: Session, *, all: bool, limit: int, before: int | None) -> SilencePage:  # noqa: A002
    """Those that hold, or all of them (the words of `buildwatch silence --list`), newest first."""
    found = silences.listing(session, limit=limit + 1, before=before, unended=not all)
    more = len(found) > limit
    return {
        "silences": [_silence(each) for each in found[:limit]],
        "next": str(found[limit - 1].id) if more else None,
    }


def one_silence(session: Session, identity: int) -> SilenceShape:
    """A silence. Raises ProblemError when there is none."""
    found = silences.get(session, [identity])
    if identity not in found:
        raise not_found(f"silence {identity}")
    return _silence(found[identity])


def _silence(silence: Silence) -> SilenceShape:
    ends = silence.ends
    return {
        "id": silence.id,
        "match": plain(silence.match),
        "until": {"at": iso(ends.at), "fixed": ends.fixed, "build": ends.build, "new_bucket": ends.new_bucket},
        "reason": silence.reason,
        "by": silence.author,
        "created_at": instant(silence.created_at),
        "ended_at": iso(silence.ended_at),
        "ended_because": silence.ended_because,
    }
