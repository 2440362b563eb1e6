"""From a decision to the outbox: save the alert, find out who hears of it and when, and write the message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerts.decide import Decision
from alerts.policies.handled import notes
from alerts.policies.quiet import ends, held
from alerts.policies.routing import Subject, destinations
from alerts.writing.case import Case
from alerts.writing.headline import headline
from alerts.writing.message import compose, thread_of
from domain.alert import Alert, AlertState, Notification, Reason
from domain.build import Pipeline
from domain.message import Message
from domain.waiting import FOR_DETAILS
from poller.config import Configuration
from poller.telling import withholding
from poller.telling.matter import WAITING, Decided, Matter, is_untold, matters
from poller.telling.subject import subject_of
from poller.telling.withholding import Hush
from store import alerts, outbox
from store.engine import Session

Told = frozenset[str]
"""Channels that have something new."""


def tell(
    session: Session, decision: Decision, pipeline: Pipeline | None, configuration: Configuration, now: datetime
) -> Told:
    """Save an alert and, when there is a reason to speak, one notification a channel. Returns these channels.

    A first message goes where the routes say today; every later one goes to those who got the first. What a silence
    covers is saved and not told, nor is a failure on a stream that is flapping: the alert remembers why, and
    `poller.telling.handling.look_after` has it told when that is over. Whoever was told that it fires is told that
    it ended.
    """
    return tell_all(session, [(decision, pipeline)], configuration, now)


def tell_all(session: Session, decisions: Iterable[Decided], configuration: Configuration, now: datetime) -> Told:
    """Tell several decisions, in order; what they need is read for all of them at once."""
    told: Told = frozenset()
    hush = Hush(session)
    ended: list[tuple[Subject, AlertState]] = []
    for decision, matter in matters(session, decisions, configuration, now):
        if decision.reason is Reason.FIRST:  # a silence until it was fixed is no silence for what comes next
            _end_silences(hush, ended, now)
        told |= _tell(hush, decision, matter, configuration, now)
        if matter.alert.state is not AlertState.FIRING:
            ended.append((matter.subject, matter.alert.state))
    _end_silences(hush, ended, now)
    return told


def _tell(hush: Hush, decision: Decision, matter: Matter, configuration: Configuration, now: datetime) -> Told:
    alert, reason = decision.alert, decision.reason
    if reason is Reason.FIRST or is_untold(alert):
        alert = first_told(hush, matter, configuration, now, update=reason is Reason.UPDATE)
        reason = Reason.FIRST if alert.channels else None
    elif reason is Reason.UPDATE and alert.channels:
        alert = _updated(hush, matter, now)
        reason = None if withholding.is_withheld(alert) else reason
    alert = alerts.save(hush.session, alert, untold=decision.baseline)
    hush.saved(alert)
    matter = replace(matter, alert=alert)
    if reason is not None and alert.channels:
        return speak(hush.session, matter, reason, configuration, now)
    if "hidden_by" in alert.handling and (decision.reason is Reason.FIRST or alert.state is not AlertState.FIRING):
        return _thread(hush, matter, configuration, now)
    return frozenset()


def _end_silences(hush: Hush, ended: list[tuple[Subject, AlertState]], now: datetime) -> None:
    """Silences until it is fixed are over with what has ended since this was asked last."""
    if ended:
        hush.end_fixed(ended, now)
        ended.clear()


def first_told(
    hush: Hush, matter: Matter, configuration: Configuration, now: datetime, *, update: bool = False
) -> Alert:
    """The alert with the channels that hear of it first, and the time; with none, and why, when it is withheld."""
    subject = matter.subject
    entry = configuration.entry_of(matter.pipeline) if matter.pipeline is not None else None
    rule = configuration.rules_of(entry).flapping
    withheld = hush.withheld(matter.alert, subject, now, flapping=rule, update=update)
    if withheld is not None:
        return replace(withheld, channels=())
    alert = withholding.released(matter.alert, now)
    channels = destinations(configuration.routes, subject)
    if not channels:
        return alert
    told_at = ends(now, configuration.quiet_hours, subject, configuration.timezone) or now
    return replace(alert, channels=channels, handling={**alert.handling, "told_at": told_at.isoformat()})


def _updated(hush: Hush, matter: Matter, now: datetime) -> Alert:
    """Something new was found since the alert was told: an acknowledgement was for what was known then."""
    silence = hush.silencing(matter.subject, now, update=True)
    if silence is not None:
        return withholding.silenced(matter.alert, silence, now)
    alert = withholding.released(matter.alert, now)
    return replace(alert, handling={key: value for key, value in alert.handling.items() if key != "acknowledged"})


def _thread(hush: Hush, matter: Matter, configuration: Configuration, now: datetime) -> Told:
    """A failure that flapping hides: that it came, and that it went, is told in the thread of the flapping alert."""
    flapping = hush.flapping_of(matter.alert)
    if flapping is None:
        return frozenset()
    grown = alerts.save(hush.session, replace(flapping, transition=flapping.transition + 1))
    hush.saved(grown)
    reason = Reason.FIRST if matter.alert.state is AlertState.FIRING else Reason.RESOLVED
    message, about = written(matter, reason, configuration, now)
    threaded = replace(message, thread=thread_of(grown))
    return say(
        hush.session,
        grown,
        threaded,
        configuration,
        reason=Reason.THREADED,
        now=now,
        subject=matter.subject,
        about=about,
    )


def speak(
    session: Session,
    matter: Matter,
    reason: Reason,
    configuration: Configuration,
    now: datetime,
    *,
    channels: Sequence[str] | None = None,
    note: str | None = None,
) -> Told:
    """Write the message about a saved alert and put it in the outbox: of its channels, or of these.

    `note` is put under it.
    """
    message, about = written(matter, reason, configuration, now)
    return say(
        session,
        matter.alert,
        message if note is None else replace(message, notes=(*message.notes, note)),
        configuration,
        reason=reason,
        now=now,
        subject=matter.subject,
        about=about,
        channels=channels,
        waits=_details_until(matter, reason, configuration, now),
    )


def _details_until(matter: Matter, reason: Reason, configuration: Configuration, now: datetime) -> datetime | None:
    """Until when a message waits for the details of its build, at most; None when it does not."""
    settings = configuration.details
    if reason not in WAITING or not matter.details_come or settings is None or not settings.wait:
        return None
    return now + settings.wait


def say(
    session: Session,
    alert: Alert,
    message: Message,
    configuration: Configuration,
    *,
    reason: Reason,
    now: datetime,
    subject: Subject | None = None,
    about: Mapping[str, Any] | None = None,
    channels: Sequence[str] | None = None,
    waits: datetime | None = None,
) -> Told:
    """Put a message about a saved alert in the outbox of each of its channels that still exists, or of these.

    In quiet hours it waits there, unless it disturbs nobody; or else until the details of its build have come, and
    no longer than `waits`. A refresh, and what is for the thread only, is for channels that can edit what they said.
    """
    if alert.id is None:
        raise ValueError("only a saved alert can be told")
    until = None
    if reason is not Reason.REFRESH:
        wanted = subject or subject_of(alert, None)
        until = ends(now, configuration.quiet_hours, wanted, configuration.timezone)
    why = held(until, now, configuration.timezone) if until is not None else FOR_DETAILS if waits is not None else None
    to_all = reason not in (Reason.REFRESH, Reason.THREADED)
    notifications = [
        Notification(
            alert_id=alert.id,
            transition=alert.transition,
            channel=channel,
            reason=reason,
            message=message,
            created_at=now,
            next_attempt_at=until or waits or now,
            about=about if about is not None else _about(Matter(alert=alert), alert.summary),
            hold_until=until or waits,
            held=why,
        )
        for channel in (alert.channels if channels is None else channels)
        if channel in configuration.channels and (to_all or configuration.channels[channel].edits)
    ]
    outbox.add(session, notifications)
    return frozenset(notification.channel for notification in notifications)


def written(
    matter: Matter, reason: Reason, configuration: Configuration, now: datetime
) -> tuple[Message, Mapping[str, Any]]:
    """The message about an alert, and what it may share with others: `Notification.about`."""
    alert, pipeline, zone = matter.alert, matter.pipeline, configuration.timezone
    named = matter.builds
    message = compose(alert, reason, pipeline=pipeline, builds=named, now=now, zone=zone, background=matter.background)
    case = Case(alert=alert, reason=reason, pipeline=pipeline, builds=named, now=now, zone=zone)
    about = _about(matter, headline(case), name=case.where)
    return replace(message, notes=(*message.notes, *notes(alert))), about


def _about(matter: Matter, broken: str, *, name: str | None = None) -> dict[str, Any]:
    """What messages are gathered by, as JSON: those that share a cause become one."""
    alert, build, subject = matter.alert, matter.build, matter.subject
    url = build.url if build is not None else None
    return {
        "provider": subject.provider,
        "pipeline": subject.pipeline,
        "name": name or subject.pipeline or subject.provider,
        "branch": subject.branch,
        "build": build.id if build is not None else None,
        "commit": build.commit if build is not None else None,
        "bucket": subject.bucket,
        "bucket_class": matter.background.bucket_class,
        "labels": dict(subject.labels),
        "kind": str(alert.kind),
        "severity": str(alert.severity),
        "state": str(alert.state),
        "url": url or (matter.pipeline.url if matter.pipeline is not None else None),
        "broken": broken,
    }
