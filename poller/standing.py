"""What is judged by the daemon's own clock instead of an arriving build: providers, baseline, configuration."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.decide import Decision, closed
from alerts.kinds.reachability import KIND, Unreadable, decide_unreachable, is_due
from alerts.policies.routing import watched
from alerts.policies.silence import labels_of
from alerts.rules import UnreachableRule
from alerts.writing.message import baseline_message
from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Pipeline
from domain.message import SIGNS, Message, Tone
from poller.config import Configuration
from poller.reload import Broken
from poller.telling.matter import matters
from poller.telling.tell import first_told, say, tell, tell_all
from poller.telling.withholding import Hush
from poller.watching.parts import Part, forget, most_of, remember
from providers._base import Target
from store import alerts, builds, outbox, pipelines, streams
from store import providers as stored_providers
from store.engine import Session
from store.pipelines import Known
from store.providers import ProviderHealth

log = logging.getLogger(__name__)

Told = frozenset[str]
"""Channels that have something new."""

NOT_WATCHED = "no longer watched"
RECENT = 20  # builds of a stream that are looked at
SETTLING = timedelta(seconds=15)  # a file that is broken for so long was not just being edited


def judge_provider(
    session: Session,
    facts: ProviderHealth,
    configuration: Configuration,
    now: datetime,
    *,
    parts: Sequence[Part] = (),
    targets: Sequence[Target] = (),
) -> Told:
    """Whether a provider that does not answer is worth a message by now, or one that answers again.

    The same for its `parts` that fail by themselves, each on its own; when most of its `targets`, or of its pipelines,
    do, it is the provider. Without `targets` nobody knows yet what is polled, and nothing is said of parts.
    """
    rule = configuration.rules.provider_unreachable
    asked_for = _asked_for(facts.name, targets, configuration)
    parts = [part for part in parts if asked_for(part.key)]
    keys = [each.pipeline.key for each in pipelines.all(session, facts.name)] if facts.failing_since or parts else []
    due = [part for part in parts if rule is not None and is_due(part, rule, now)]
    is_whole = most_of(due, targets=len(targets), pipelines=len(keys))
    if is_whole and facts.failing_since is None:
        facts = _together(facts, due)
    stored_providers.save(session, facts)
    stored = alerts.of_scope(session, Scope(provider=facts.name))
    decisions = list(decide_unreachable(facts=facts, stored=stored, rule=rule, pipelines=len(keys), now=now))
    if targets:
        remember(session, facts.name, parts, now)
        told = _of_parts(session, facts.name, parts, keys, asked_for=asked_for, rule=rule, now=now)
        decisions += [each for each in told if not is_whole or each.reason is not Reason.FIRST]
    return tell_all(session, [(decision, None) for decision in decisions], configuration, now)


def _together(facts: ProviderHealth, due: Sequence[Part]) -> ProviderHealth:
    """Most of a provider cannot be read, although something can."""
    first = min(due, key=lambda part: part.failing_since)
    others = f" (and {len(due) - 1} more)" if len(due) > 1 else ""
    return replace(
        facts,
        failing_since=first.failing_since,
        failures=max(part.failures for part in due),
        trouble=first.trouble,
        text=f"{first.key}{others}: {first.text}",
    )


def _of_parts(
    session: Session,
    provider: str,
    failing: Sequence[Part],
    keys: Sequence[str],
    *,
    asked_for: Callable[[str], bool],
    rule: UnreachableRule | None,
    now: datetime,
) -> Iterator[Decision]:
    """What becomes of the alerts about parts of a provider: those that fail, and those that did."""
    by_key = {part.key: part for part in failing}
    firing = alerts.firing_of(session, [KIND])
    told = [alert.scope.branch for alert in firing if alert.scope.provider == provider and alert.scope.branch]
    for key in dict.fromkeys([*by_key, *told]):
        scope = Scope(provider=provider, branch=key)
        stored = [alert for alert in firing if alert.scope == scope]
        if not asked_for(key):
            yield from (closed(alert, because=NOT_WATCHED, at=now) for alert in stored)
            continue
        one = Unreadable(frozenset(), frozenset({(provider, key.casefold())}))
        yield from decide_unreachable(
            facts=by_key.get(key) or ProviderHealth(name=provider),
            stored=stored,
            rule=rule,
            pipelines=sum(one.covers(provider, pipeline) for pipeline in keys),
            part=key,
            now=now,
        )


def _asked_for(provider: str, targets: Sequence[Target], configuration: Configuration) -> Callable[[str], bool]:
    """Whether a part is polled at all: it is a target, or a pipeline that an entry names."""
    polled, entries = {target.key for target in targets}, configuration.entries_of(provider)
    return lambda key: key in polled or any(entry.matches(key) for entry in entries)


def tell_baseline(session: Session, configuration: Configuration, now: datetime) -> Told:
    """One summary of everything that was failing already at first contact, to each channel that it concerns."""
    untold = alerts.untold_baseline(session)
    if not untold:
        return frozenset()
    known = _known(session)
    by_channel: dict[str, list[Alert]] = {}
    hush = Hush(session)
    first = [(Decision(alert=alert, reason=Reason.FIRST), _pipeline_of(alert, known)) for alert in untold]
    for _, matter in matters(session, first, configuration, now):
        saved = alerts.save(session, first_told(hush, matter, configuration, now))
        for channel in saved.channels:
            by_channel.setdefault(channel, []).append(saved)
    alerts.mark_baseline_told(session, [alert.id for alert in untold if alert.id is not None])
    told: Told = frozenset()
    for channel, its in by_channel.items():
        named = {each.key: each for each in (_pipeline_of(alert, known) for alert in its) if each}
        message = baseline_message(its, named, now)
        summary = alerts.save(
            session,
            Alert(
                kind=AlertKind.BASELINE,
                scope=Scope(provider="*", branch=channel),
                severity=Severity.INFO,
                state=AlertState.RESOLVED,
                started_at=now,
                resolved_at=now,
                summary=message.headline,
                evidence={"alerts": [alert.id for alert in its]},
                channels=(channel,),
            ),
        )
        told |= say(session, summary, message, configuration, reason=Reason.FIRST, now=now)
    return told


def judge_configuration(session: Session, broken: Broken | None, configuration: Configuration, now: datetime) -> Told:
    """One message when config.yaml stays broken, one when it is valid again: to the channels of the last route."""
    scope = Scope(provider="buildwatch")
    firing = next(
        (
            alert
            for alert in alerts.of_scope(session, scope)
            if alert.kind is AlertKind.CONFIGURATION_BROKEN and alert.state is AlertState.FIRING
        ),
        None,
    )
    if broken and firing is None and now - broken.since >= SETTLING:
        alert = Alert(
            kind=AlertKind.CONFIGURATION_BROKEN,
            scope=scope,
            severity=Severity.WARNING,
            state=AlertState.FIRING,
            started_at=broken.since,
            summary="config.yaml is broken, the old configuration stays in use",
            evidence={"problems": broken.text},
            channels=configuration.routes[-1].to if configuration.routes else (),
        )
        message = _configuration_message(alert, Tone.WORSE, broken.text, now)
        return say(session, alerts.save(session, alert), message, configuration, reason=Reason.FIRST, now=now)
    if not broken and firing is not None:
        fixed = replace(
            firing,
            state=AlertState.RESOLVED,
            resolved_at=now,
            transition=firing.transition + 1,
            summary="config.yaml is valid again and in use",
        )
        message = _configuration_message(fixed, Tone.FIXED, None, now)
        return say(session, alerts.save(session, fixed), message, configuration, reason=Reason.RESOLVED, now=now)
    return frozenset()


def _configuration_message(alert: Alert, tone: Tone, details: str | None, now: datetime) -> Message:
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} buildwatch: {alert.summary}",
        details=details,
        thread=f"{alert.fingerprint}|{alert.started_at.isoformat()}",
        at=now,
    )


def clear_away(session: Session, configuration: Configuration, now: datetime) -> Told:
    """What an earlier configuration has left behind: alerts, messages to channels, the health of providers."""
    told = close_orphans(session, configuration, now)
    dropped = outbox.drop_channels(session, configuration.channels, now)
    if dropped:
        log.warning("messages to channels that are not in config.yaml any more are given up messages=%s", dropped)
    stored = {facts.name for facts in stored_providers.all(session)}
    stored_providers.forget(session, stored - configuration.providers.keys())
    forget(session, configuration.providers)
    return told


def close_orphans(session: Session, configuration: Configuration, now: datetime) -> Told:
    """End the alerts on what is not watched any more, so that nobody waits for a fix that cannot come."""
    known = _known(session)
    told: Told = frozenset()
    for alert in alerts.firing(session):
        pipeline = _pipeline_of(alert, known)
        because = _orphaned(session, alert, pipeline, configuration)
        if because is not None:
            told |= tell(session, closed(alert, because=because, at=now), pipeline, configuration, now)
    return told


def _orphaned(session: Session, alert: Alert, pipeline: Pipeline | None, configuration: Configuration) -> str | None:
    """Why no build can end the alert any more; None when one can."""
    if alert.scope.provider not in configuration.providers:
        return None if _needs_no_provider(alert, configuration) else NOT_WATCHED
    entry = configuration.entry_of(pipeline) if pipeline else None
    if pipeline is None or entry is None:
        return NOT_WATCHED if pipeline else None
    if not getattr(configuration.rules_of(entry), alert.kind, True):
        return f"{alert.kind} is switched off"
    if alert.kind is AlertKind.NO_VERDICT and configuration.rules_of(entry).stale is None:
        return "no build is expected any more"
    return None if _is_watched(session, alert, pipeline, entry.branches) else NOT_WATCHED


def _needs_no_provider(alert: Alert, configuration: Configuration) -> bool:
    """Whether an alert about config.yaml, about a channel or about a label value still has its subject."""
    if alert.kind is AlertKind.DELIVERY_FAILED:
        return alert.scope.branch in configuration.channels
    if labels_of(alert.scope):
        return configuration.rules.window_regression is not None
    return alert.kind is AlertKind.CONFIGURATION_BROKEN


def _is_watched(session: Session, alert: Alert, pipeline: Pipeline, branches: Sequence[str]) -> bool:
    """Whether any newer build of the alert's stream counts: by its branch, or by what triggered it."""
    if alert.scope.branch is None:
        return True
    tail = streams.tail(session, pipeline.provider, pipeline.key, alert.scope.branch, limit=RECENT)
    recent = builds.get(session, [settled.build_id for settled in tail]).values()
    return not recent or any(watched(view.build, branches, pipeline.default_branch) for view in recent)


def _known(session: Session) -> Mapping[tuple[str, str], Known]:
    return {(each.pipeline.provider, each.pipeline.key): each for each in pipelines.all(session)}


def _pipeline_of(alert: Alert, known: Mapping[tuple[str, str], Known]) -> Pipeline | None:
    each = known.get((alert.scope.provider, alert.scope.pipeline or ""))
    return each.pipeline if each else None
