"""From a decision to the outbox: save the alert, find out who hears of it, and write the message."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.decide import Decision
from alerts.message import compose
from alerts.routing import Subject, destinations
from domain.alert import Alert, Notification, Reason
from domain.build import NO_LABELS, Build, Pipeline
from domain.message import Message
from poller.config import Configuration
from store import alerts, builds, outbox
from store.engine import Session


def tell(
    session: Session, decision: Decision, pipeline: Pipeline | None, configuration: Configuration, now: datetime
) -> frozenset[str]:
    """Save an alert and, when there is a reason to speak, one notification a channel. Returns these channels.

    A first message goes where the routes say today; every later one goes to those who got the first.
    """
    alert, reason = decision.alert, decision.reason
    if reason is Reason.FIRST:
        subject = subject_of(alert, pipeline, wrong_build(session, alert))
        alert = replace(alert, channels=destinations(configuration.routes, subject))
    saved = alerts.save(session, alert, untold=decision.baseline)
    if reason is None or not saved.channels:
        return frozenset()
    found = builds.get(session, decision.build_ids)
    message = compose(
        saved,
        reason,
        pipeline=pipeline,
        builds={number: view.build for number, view in found.items()},
        now=now,
        zone=configuration.timezone,
    )
    return say(session, saved, message, configuration, reason=reason, now=now)


def say(
    session: Session, alert: Alert, message: Message, configuration: Configuration, *, reason: Reason, now: datetime
) -> frozenset[str]:
    """Put a message about a saved alert in the outbox of each of the alert's channels that still exists."""
    if alert.id is None:
        raise ValueError("only a saved alert can be told")
    notifications = [
        Notification(
            alert_id=alert.id,
            transition=alert.transition,
            channel=channel,
            reason=reason,
            message=message,
            created_at=now,
            next_attempt_at=now,
        )
        for channel in alert.channels
        if channel in configuration.channels and (reason is not Reason.REFRESH or configuration.channels[channel].edits)
    ]
    outbox.add(session, notifications)
    return frozenset(notification.channel for notification in notifications)


def wrong_build(session: Session, alert: Alert) -> Build | None:
    """The newest build that an alert fires for, where it fires for builds."""
    named = alert.evidence.get("last_failed") or alert.evidence.get("fired_by")
    found = builds.get(session, [named["id"]]) if named else {}
    return next((view.build for view in found.values()), None)


def subject_of(alert: Alert, pipeline: Pipeline | None, build: Build | None = None) -> Subject:
    """What routes look at. A build has labels of its own, beside those of its pipeline."""
    return Subject(
        provider=alert.scope.provider,
        pipeline=alert.scope.pipeline,
        name=pipeline.name if pipeline else None,
        branch=alert.scope.branch or None,
        labels={**(pipeline.labels if pipeline else NO_LABELS), **(build.labels if build else NO_LABELS)},
        kind=alert.kind,
        severity=alert.severity,
    )


def tell_all(
    session: Session,
    decisions: Sequence[tuple[Decision, Pipeline | None]],
    configuration: Configuration,
    now: datetime,
) -> frozenset[str]:
    """Tell several decisions, in order."""
    told: frozenset[str] = frozenset()
    for decision, pipeline in decisions:
        told |= tell(session, decision, pipeline, configuration, now)
    return told
