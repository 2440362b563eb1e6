"""What time does to alerts that fire: silences end, reminders and escalations come due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.decision import decision
from alerts.kinds.reachability import Unreadable
from alerts.policies import escalation
from alerts.policies.escalation import Escalation
from alerts.policies.handled import acknowledged, told_at
from alerts.policies.quiet import ends
from alerts.policies.reminding import passed
from alerts.policies.routing import Match, Subject
from alerts.policies.silence import covers, holds
from domain.alert import Alert, AlertKind, Reason
from domain.build import Pipeline
from domain.globs import matches
from domain.silence import Silence
from poller.config import Configuration
from poller.telling import withholding
from poller.telling.matter import matter_of
from poller.telling.subject import pipeline_of, subjects
from poller.telling.tell import Told, speak, tell
from store import alerts, pipelines, silences
from store.engine import Session
from store.pipelines import Known


def look_after(session: Session, configuration: Configuration, now: datetime) -> Told:
    """Every few seconds: tell what a silence or flapping withheld and withholds no more, remind, escalate.

    Nothing is told of a provider that does not answer: what was known of it may be true no more. Two short queries
    when nothing fires and nothing is silenced. Returns the channels that have something new.
    """
    holding = _holding(session, now)
    firing = alerts.firing(session)
    frozen = Unreadable.of(firing)
    told: Told = frozenset()
    lasting = []
    for alert in firing:
        if alert.kind is not AlertKind.PROVIDER_UNREACHABLE and frozen.covers(
            alert.scope.provider, alert.scope.pipeline
        ):
            continue
        if withholding.is_withheld(alert):
            if not _still_withheld(alert, holding, firing):
                told |= _wake(session, alert, configuration, now)
        elif alert.channels:
            lasting.append(alert)
    return told | _follow_up(session, lasting, holding, configuration, now)


def settled_stream(session: Session, silence: Silence) -> str | None:
    """A stream that a silence `until build N` covers, and in which that build, or a later one, passed or failed."""
    number = silence.ends.build
    if number is None:
        return None
    place = Match(provider=silence.match.get("provider"), pipeline=silence.match.get("pipeline"))
    covered = {
        each.id: each
        for each in pipelines.all(session)
        if place.obstacle(_subject(each.pipeline)) is None and _labelled(silence, each.pipeline)
    }
    branch = silence.match.get("branch")
    for pipeline_id, stream in silences.settled_streams(session, list(covered), number):
        if branch is None or matches(branch, stream):
            name = covered[pipeline_id].pipeline.name
            return f"{name} / {stream}" if stream else name
    return None


def _subject(pipeline: Pipeline) -> Subject:
    return Subject(provider=pipeline.provider, pipeline=pipeline.key, name=pipeline.name, kind="", severity="")


def _labelled(silence: Silence, pipeline: Pipeline) -> bool:
    """Whether no label of the pipeline speaks against it; those of its builds are not known."""
    wanted: Mapping[str, str] = silence.match.get("labels", {})
    return all(matches(wanted[name], value) for name, value in pipeline.labels.items() if name in wanted)


def _holding(session: Session, now: datetime) -> list[Silence]:
    """The silences that hold; those whose end has come are ended."""
    found = []
    for silence in silences.unended(session):
        if not holds(silence, now):
            silences.end(session, silence.id or 0, "its time was over", now)
        elif (stream := settled_stream(session, silence)) is not None:
            silences.end(session, silence.id or 0, f"build {silence.ends.build} of {stream} has come", now)
        else:
            found.append(silence)
    return found


def _still_withheld(alert: Alert, holding: Sequence[Silence], firing: Sequence[Alert]) -> bool:
    silenced_by, hidden_by = alert.handling.get("silenced_by"), alert.handling.get("hidden_by")
    return silenced_by in {each.id for each in holding} or hidden_by in {each.id for each in firing}


def _wake(session: Session, alert: Alert, configuration: Configuration, now: datetime) -> Told:
    """Tell what was withheld: the alert, or what was new about it. `tell` asks again whether anything forbids it."""
    reason = Reason.UPDATE if alert.channels else Reason.FIRST
    again = replace(alert, transition=alert.transition + 1) if alert.channels else alert
    return tell(session, decision(again, reason), pipeline_of(session, alert), configuration, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    alert: Alert
    pipeline: Pipeline | None
    reminders: int | None  # how many there are with the one that is due; None when none is
    escalations: tuple[Escalation, ...]


def _follow_up(
    session: Session, lasting: Sequence[Alert], holding: Sequence[Silence], configuration: Configuration, now: datetime
) -> Told:
    """Remind and escalate, where nobody asked for silence."""
    known = pipelines.find(session, {(each.scope.provider, each.scope.pipeline or "") for each in lasting})
    found = [each for alert in lasting if (each := _due(alert, known, configuration, now)) is not None]
    flapping = {each.scope for each in lasting if each.kind is AlertKind.FLAPPING}
    told: Told = frozenset()
    for due, subject in zip(found, subjects(session, [each.alert for each in found]), strict=True):
        hidden = due.alert.kind is AlertKind.FAILURE and due.alert.scope in flapping
        if hidden or any(covers(silence, subject) for silence in holding):
            continue
        told |= _remind(session, due, subject, configuration, now)
        told |= _escalate(session, due, subject, configuration, now)
    return told


def _due(
    alert: Alert, known: Mapping[tuple[str, str], Known], configuration: Configuration, now: datetime
) -> _Due | None:
    pipeline = known.get((alert.scope.provider, alert.scope.pipeline or ""))
    its = pipeline.pipeline if pipeline is not None else None
    reminders = _reminders(alert, its, configuration, now)
    told = told_at(alert)
    escalations = tuple(escalation.due(configuration.escalations, alert, told_at=told, now=now))
    if reminders is None and not escalations:
        return None
    return _Due(alert=alert, pipeline=its, reminders=reminders, escalations=escalations)


def _reminders(alert: Alert, pipeline: Pipeline | None, configuration: Configuration, now: datetime) -> int | None:
    if alert.kind is not AlertKind.FAILURE or pipeline is None or acknowledged(alert):
        return None
    rule = configuration.rules_of(configuration.entry_of(pipeline)).failure
    count = passed(rule.remind, told_at(alert), now) if rule is not None else 0
    return count if count > alert.handling.get("reminders", 0) else None


def _remind(session: Session, due: _Due, subject: Subject, configuration: Configuration, now: datetime) -> Told:
    """One reminder, however many were due while nobody was to be disturbed."""
    quiet = ends(now, configuration.quiet_hours, subject, configuration.timezone)
    if due.reminders is None or quiet is not None:
        return frozenset()
    handling = {**due.alert.handling, "reminders": due.reminders}
    alert = replace(due.alert, transition=due.alert.transition + 1, handling=handling)
    return tell(session, decision(alert, Reason.REMINDER), due.pipeline, configuration, now)


def _escalate(session: Session, due: _Due, subject: Subject, configuration: Configuration, now: datetime) -> Told:
    """Tell further channels. They hear of it for the first time, and they will hear how it ends."""
    told: Told = frozenset()
    for each in due.escalations:
        if each.match.obstacle(subject) is not None or due.alert.id is None:
            continue
        alert = alerts.get(session, [due.alert.id])[due.alert.id]
        deaf = alert.scope.branch if alert.kind is AlertKind.DELIVERY_FAILED else None  # never told of itself
        new = tuple(name for name in each.to if name not in alert.channels and name != deaf)
        handling = {
            **alert.handling,
            "escalated": [*alert.handling.get("escalated", ()), escalation.trace(each, now)],
        }
        saved = alerts.save(session, replace(alert, channels=(*alert.channels, *new), handling=handling))
        matter = matter_of(session, saved, due.pipeline, configuration, now)
        told |= speak(session, matter, Reason.FIRST, configuration, now, channels=new)
    return told
