"""Success rates under a line, in windows of time: builds leave them without any build arriving."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from alerts.decide import Decision
from alerts.kinds.rate_below import decide_rate_below
from alerts.policies.routing import watched
from alerts.rules import RateBelowRule
from domain.alert import AlertKind, Scope
from domain.build import Pipeline
from domain.window import Window
from metrics.windows import window_of
from poller.config import Configuration
from poller.telling.tell import tell_all
from store import alerts, builds, daily, notes, pipelines, streams
from store import providers as stored_providers
from store.engine import Session
from store.pipelines import Key, Known

EVERY = timedelta(minutes=5)
RECENT = 20  # builds of a stream that are looked at to see whether it is watched

KnownUntil = Callable[[Key], datetime | None]
"""Up to when everything is known about a pipeline; None while nobody knows."""

Judged = tuple[Decision, Pipeline | None]

NOTE = "success_rate_below"


def judge_rates(
    session: Session, configuration: Configuration, now: datetime, *, known_until: KnownUntil | None = None
) -> frozenset[str]:
    """Judge `success_rate_below` where its window is a span of time, every few minutes; in between a look at a note.

    Not judged is what belongs to a provider that cannot be read, what is stale, and what `known_until` knows nothing
    of yet: afterwards it is. Returns the channels that have something new.
    """
    windows = set(_windows(configuration, now))
    if not windows:
        return frozenset()
    note = notes.get(session, NOTE)
    if note is not None and timedelta(0) <= now - note.updated_at < EVERY:
        return frozenset()
    notes.put(session, NOTE, None, now)
    frozen = {health.name for health in stored_providers.all(session) if health.failing_since is not None}

    def is_known(pipeline: Pipeline) -> bool:
        if pipeline.provider in frozen:
            return False
        return known_until is None or known_until((pipeline.provider, pipeline.key)) is not None

    judged = [each for window in windows for each in _judged(session, configuration, window, now, is_known)]
    return tell_all(session, judged, configuration, now)


def _windows(configuration: Configuration, now: datetime) -> Iterator[Window]:
    for entry in configuration.pipelines:
        window = _window(configuration, configuration.rules_of(entry).success_rate_below, now)
        if window is not None:
            yield window


def _window(configuration: Configuration, rule: RateBelowRule | None, now: datetime) -> Window | None:
    """The window of a rule, when it moves with time."""
    if rule is None:
        return None
    span = window_of(rule.window, now, day_starts_at=configuration.day_starts_at, zone=configuration.timezone)
    return span if isinstance(span, Window) else None


def _judged(
    session: Session,
    configuration: Configuration,
    window: Window,
    now: datetime,
    is_known: Callable[[Pipeline], bool],
) -> Iterator[Judged]:
    """The streams whose rule has this window: those with an alert, and those that are under the line."""
    firing = {alert.scope for alert in alerts.firing_of(session, [AlertKind.SUCCESS_RATE_BELOW])}
    stale = {(alert.scope.provider, alert.scope.pipeline) for alert in alerts.firing_of(session, [AlertKind.STALE])}
    known = {(each.pipeline.provider, each.pipeline.key): each for each in pipelines.all(session)}
    for (provider, key, stream), (passed, failed) in sorted(daily.by_stream(session, window).items()):
        its, scope = known[provider, key], Scope(provider=provider, pipeline=key, branch=stream)
        rule = _rule(configuration, its)
        if rule is None or _window(configuration, rule, now) != window:
            continue
        if (provider, key) in stale or not is_known(its.pipeline):
            continue
        under = 100 * passed < rule.percent * (passed + failed)
        if scope in firing or (under and _is_watched(session, configuration, its, stream)):
            where = session, provider, key, stream
            decisions = decide_rate_below(
                scope=scope,
                tail=streams.tail(*where, limit=1),
                stored=alerts.of_scope(session, scope),
                rule=rule,
                counts=streams.counts(*where, window=window),
                watched_since=its.watched_since,
                now=now,
            )
            for decision in decisions:
                yield decision, its.pipeline


def _rule(configuration: Configuration, known: Known) -> RateBelowRule | None:
    entry = configuration.entry_of(known.pipeline)
    return None if entry is None else configuration.rules_of(entry).success_rate_below


def _is_watched(session: Session, configuration: Configuration, known: Known, stream: str) -> bool:
    """Whether a newer build of the stream counts for alerts."""
    pipeline = known.pipeline
    entry = configuration.entry_of(pipeline)
    tail = streams.tail(session, pipeline.provider, pipeline.key, stream, limit=RECENT)
    recent = builds.get(session, [settled.build_id for settled in tail]).values()
    return entry is not None and any(watched(view.build, entry.branches, pipeline.default_branch) for view in recent)
