"""From a decision to the outbox: save the alert, find out who hears of it and when, and write the message."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from alerts.background import Background
from alerts.case import Case
from alerts.decide import Decision
from alerts.handled import notes
from alerts.headline import headline
from alerts.message import compose, thread_of
from alerts.quiet import ends, held
from alerts.routing import Subject, destinations
from domain.alert import Alert, AlertKind, AlertState, Notification, Reason, Scope
from domain.build import Build, Pipeline
from domain.message import Message
from poller.config import Configuration
from poller.telling import withholding
from poller.telling.subject import subject_of, wrong_number
from poller.telling.withholding import Hush
from store import alerts, builds, outbox, streams
from store.engine import Session

Told = frozenset[str]
"""Channels that have something new."""

Decided = tuple[Decision, Pipeline | None]
"""A decision, and the pipeline that it is about."""

_AT_ONCE = 200  # decisions whose builds are read at once
_STORM = 20  # new failures told at once of which nobody wants to know how long such builds usually take
_USUAL, _ENOUGH = 30, 5  # builds that passed of which the median is taken, at most and at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """An alert that may be spoken of, and what is known about it."""

    alert: Alert
    pipeline: Pipeline | None = None
    builds: Mapping[int, Build] = field(default_factory=dict)  # by id: what the message speaks of, and what is wrong
    usual_duration: timedelta | None = None  # of builds like the one that failed

    @property
    def build(self) -> Build | None:
        """The newest that is wrong."""
        number = wrong_number(self.alert)
        return self.builds.get(number) if number is not None else None

    @property
    def subject(self) -> Subject:
        """What decides who hears of it, and when."""
        return subject_of(self.alert, self.pipeline, self.build)


def matter_of(session: Session, decided: Decision, pipeline: Pipeline | None) -> Matter:
    """What a decision is about, with the builds that it names."""
    wanted = _named(decided)
    found = {each: view.build for each, view in builds.get(session, wanted).items()}
    return Matter(alert=decided.alert, pipeline=pipeline, builds=found)


def matters(session: Session, decisions: Iterable[Decided]) -> Iterator[tuple[Decision, Matter]]:
    """What decisions are about, read for many of them at once: the builds only of those that people may hear of."""
    decided = list(decisions)
    usual = _usual_durations(session, decided)
    for start in range(0, len(decided), _AT_ONCE):
        some = decided[start : start + _AT_ONCE]
        wanted = {number for decision, _ in some if _may_be_heard(decision) for number in _named(decision)}
        found = {number: view.build for number, view in builds.get(session, wanted).items()} if wanted else {}
        for decision, pipeline in some:
            yield (
                decision,
                Matter(
                    alert=decision.alert,
                    pipeline=pipeline,
                    builds={number: found[number] for number in _named(decision) if number in found},
                    usual_duration=usual.get(decision.alert.scope),
                ),
            )


def _named(decision: Decision) -> set[int]:
    number = wrong_number(decision.alert)
    return {*decision.build_ids, *([number] if number is not None else [])}


def _may_be_heard(decision: Decision) -> bool:
    """Whether anybody may hear of it: most that goes on is saved silently."""
    return decision.reason is not None or decision.alert.state is not AlertState.FIRING or _is_untold(decision.alert)


def _is_untold(alert: Alert) -> bool:
    return alert.state is AlertState.FIRING and not alert.channels and withholding.is_withheld(alert)


def _usual_durations(session: Session, decided: Sequence[Decided]) -> Mapping[Scope, timedelta]:
    """How long the builds usually take of which one has failed now: the median of those that passed before.

    Not asked in a storm, where messages are gathered and nobody would see it.
    """
    news = {one.alert.scope for one, _ in decided if one.reason is Reason.FIRST and one.alert.kind is AlertKind.FAILURE}
    if not news or len(news) > _STORM:
        return {}
    places = {(scope.provider, scope.pipeline or "", scope.branch or ""): scope for scope in news}
    found: dict[Scope, timedelta] = {}
    for place, past in streams.pasts(session, places, limit=2 * _USUAL).items():
        took = [each.execution for each in past.passed(_USUAL) if each.execution is not None]
        if len(took) >= _ENOUGH:
            found[places[place]] = timedelta(seconds=median(took))
    return found


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
    for decision, matter in matters(session, decisions):
        if decision.reason is Reason.FIRST:  # a silence until it was fixed is no silence for what comes next
            _end_silences(hush, ended, now)
        told |= _tell(hush, decision, matter, configuration, now)
        if matter.alert.state is not AlertState.FIRING:
            ended.append((matter.subject, matter.alert.state))
    _end_silences(hush, ended, now)
    return told


def _tell(hush: Hush, decision: Decision, matter: Matter, configuration: Configuration, now: datetime) -> Told:
    alert, reason = decision.alert, decision.reason
    if reason is Reason.FIRST or _is_untold(alert):
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
    message, about = _written(matter, reason, configuration, now)
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
) -> Told:
    """Write the message about a saved alert and put it in the outbox: of its channels, or of these."""
    message, about = _written(matter, reason, configuration, now)
    subject = matter.subject
    return say(
        session,
        matter.alert,
        message,
        configuration,
        reason=reason,
        now=now,
        subject=subject,
        about=about,
        channels=channels,
    )


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
) -> Told:
    """Put a message about a saved alert in the outbox of each of its channels that still exists, or of these.

    In quiet hours it waits there, unless it disturbs nobody. A refresh, and what is for the thread only, is for
    channels that can edit what they said.
    """
    if alert.id is None:
        raise ValueError("only a saved alert can be told")
    until = None
    if reason is not Reason.REFRESH:
        wanted = subject or subject_of(alert, None)
        until = ends(now, configuration.quiet_hours, wanted, configuration.timezone)
    to_all = reason not in (Reason.REFRESH, Reason.THREADED)
    notifications = [
        Notification(
            alert_id=alert.id,
            transition=alert.transition,
            channel=channel,
            reason=reason,
            message=message,
            created_at=now,
            next_attempt_at=until or now,
            about=about if about is not None else _about(Matter(alert=alert), alert.summary),
            hold_until=until,
            held=held(until, now, configuration.timezone) if until is not None else None,
        )
        for channel in (alert.channels if channels is None else channels)
        if channel in configuration.channels and (to_all or configuration.channels[channel].edits)
    ]
    outbox.add(session, notifications)
    return frozenset(notification.channel for notification in notifications)


def _written(
    matter: Matter, reason: Reason, configuration: Configuration, now: datetime
) -> tuple[Message, Mapping[str, Any]]:
    """The message about an alert, and what it may share with others."""
    alert, pipeline, zone = matter.alert, matter.pipeline, configuration.timezone
    named = matter.builds
    background = Background(usual_duration=matter.usual_duration)
    message = compose(alert, reason, pipeline=pipeline, builds=named, now=now, zone=zone, background=background)
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
        "commit": build.commit if build is not None else None,
        "bucket": subject.bucket,
        "labels": dict(subject.labels),
        "kind": str(alert.kind),
        "severity": str(alert.severity),
        "state": str(alert.state),
        "url": url or (matter.pipeline.url if matter.pipeline is not None else None),
        "broken": broken,
    }
