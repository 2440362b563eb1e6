"""Failed builds settle: `rerun.wait` after their end, or when a re-run of them has ended.

Until then they are marked in the store and left out of their streams. Time alone can settle a build, and so this
is asked for at every tick; without marked builds it costs one look into an empty index.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from alerts.kinds.reachability import Unreadable
from alerts.policies.routing import watched
from alerts.settling import is_awaited, patience
from domain.alert import Scope
from domain.build import Build, Pipeline, Verdict
from domain.stream import Awaited
from poller.config import Configuration
from poller.intake.judging import Line, judge_streams
from poller.telling.tell import tell_all
from store import alerts, awaited, builds, pipelines
from store.builds import Change
from store.engine import Session

Told = frozenset[str]
"""Channels that have something new."""

KnownUntil = Callable[[pipelines.Key], datetime | None]
"""Up to when everything is known about a pipeline; None while nobody knows."""

Stream = tuple[str, str, str]
"""Provider, key of the pipeline, stream."""


def await_reruns(
    session: Session, streams: Iterable[tuple[Sequence[Change], timedelta, datetime]], now: datetime
) -> Collection[int]:
    """Mark those of the builds that may be run again, and return them: they are news when they have settled.

    `streams` are, for each stream, what has changed in it, how long a re-run is waited for, and since when it is
    watched: what had failed before first contact is baseline at once.
    """
    marked = {
        build
        for changes, wait, watched_since in streams
        if wait
        for build in _rerunnable(changes, max(watched_since, now - patience(wait)))
    }
    if marked:
        awaited.mark(session, marked)
    return marked


def _rerunnable(changes: Sequence[Change], since: datetime) -> Iterator[int]:
    for change in changes:
        build = change.seen
        if change.verdict is not Verdict.FAILED or change.before_verdict is Verdict.FAILED or build.attempt != 1:
            continue
        if build.finished_at is not None and build.finished_at > since:
            yield change.id


def settled(
    session: Session,
    configuration: Configuration,
    now: datetime,
    *,
    among: Container[pipelines.Key] | None = None,
    known_until: KnownUntil | None = None,
) -> dict[Stream, list[int]]:
    """Builds that have settled by now, by stream: from now on their streams show them.

    A build whose re-run has passed is not among them, although its stream is: nobody has to hear of it. Nor is any
    of a stream that is not watched, or is not any more: no alert of it could end.
    `among` limits this to some pipelines. `known_until` says up to when a pipeline is known: what its re-runs have
    come to since then, and while it cannot be read, nobody knows. Without it all is known now.
    """
    waiting = [build for build in awaited.all(session) if among is None or (build.provider, build.pipeline) in among]
    if not waiting:
        return {}
    known = pipelines.find(session, {(build.provider, build.pipeline) for build in waiting})
    released: list[Awaited] = []
    for build in waiting:
        pipeline = known[build.provider, build.pipeline].pipeline
        until = now if known_until is None else known_until((build.provider, build.pipeline))
        if until is not None and not is_awaited(build, _wait(pipeline, configuration), min(until, now)):
            released.append(build)
    return _released(session, released, configuration) if released else {}


def _released(session: Session, released: Sequence[Awaited], configuration: Configuration) -> dict[Stream, list[int]]:
    ids = [build.build_id for build in released]
    awaited.release(session, ids)
    views = builds.get(session, ids)
    found: dict[Stream, list[int]] = {}
    for build in released:
        if _is_watched(views[build.build_id].build, configuration):
            news = found.setdefault(_stream(build), [])
            if not build.passed:
                news.append(build.build_id)
    return found


def _is_watched(build: Build, configuration: Configuration) -> bool:
    """As configured now: that may have changed while the build waited."""
    entry = configuration.entry_of(build.pipeline)
    return entry is not None and watched(build, entry.branches, build.pipeline.default_branch)


def settle_due(
    session: Session, configuration: Configuration, now: datetime, *, known_until: KnownUntil | None = None
) -> Told:
    """Judge the streams in which a failed build has settled since it was last looked at; see `settled`."""
    if not awaited.any(session):
        return frozenset()
    unreadable = Unreadable.of(alerts.firing(session))

    def readable_until(pipeline: pipelines.Key) -> datetime | None:
        if unreadable.covers(*pipeline):
            return None
        return now if known_until is None else known_until(pipeline)

    found = settled(session, configuration, now, known_until=readable_until)
    known = pipelines.find(session, {stream[:2] for stream in found})
    lines = [
        Line(
            scope=Scope(provider=provider, pipeline=key, branch=stream),
            rules=configuration.rules_of(configuration.entry_of(known[provider, key].pipeline)),
            met=known[provider, key].watched_since,
            fresh=fresh,
        )
        for (provider, key, stream), fresh in found.items()
    ]
    judged = judge_streams(session, lines, configuration=configuration, now=now)
    decided = [
        (decision, known[line.place[:2]].pipeline)
        for line, decisions in zip(lines, judged, strict=True)
        for decision in decisions
    ]
    return tell_all(session, decided, configuration, now)


def forget(session: Session, is_gone: Callable[[Awaited], bool]) -> None:
    """Await these builds no more, where no re-run can come. Nobody hears of them."""
    if awaited.any(session):
        awaited.release(session, [build.build_id for build in awaited.all(session) if is_gone(build)])


def _wait(pipeline: Pipeline, configuration: Configuration) -> timedelta:
    """As configured now: it may have been changed, or the pipeline left out, while the build waited."""
    entry = configuration.entry_of(pipeline)
    return timedelta(0) if entry is None else configuration.rules_of(entry).rerun_wait


def _stream(build: Awaited) -> Stream:
    return build.provider, build.pipeline, build.stream
