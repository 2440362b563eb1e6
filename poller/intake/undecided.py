"""Builds came and ended, and none of them passed or failed: judged when they arrive, where builds are expected."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from alerts.decision import Decision
from alerts.kinds.no_verdict import decide_no_verdict
from alerts.policies.routing import watched
from domain.alert import Scope
from domain.build import Pipeline
from poller.config import Configuration
from store import alerts, pace
from store.builds import Change
from store.engine import Session
from store.pipelines import Key, Known

NEWEST = 20  # builds of a stream that are looked at


def judge_no_verdict(
    session: Session,
    changes: Sequence[Change],
    known: Mapping[Key, Known],
    *,
    configuration: Configuration,
    now: datetime,
) -> Iterator[tuple[Decision, Pipeline | None]]:
    """What becomes of the `no_verdict` alerts of the streams in which a build has ended."""
    for key, stream in _ended_in(changes, configuration):
        pipeline = known[key].pipeline
        scope = Scope(provider=key[0], pipeline=key[1], branch=stream)
        newest = pace.newest_ended(session, known[key].id, stream, NEWEST)
        decisions = decide_no_verdict(
            scope=scope,
            newest=newest,
            stored=alerts.of_scope(session, scope),
            rule=configuration.rules_of(configuration.entry_of(pipeline)).no_verdict,
            watched_since=known[key].watched_since,
            now=now,
        )
        for decision in decisions:
            yield decision, pipeline


def _ended_in(changes: Sequence[Change], configuration: Configuration) -> dict[tuple[Key, str], None]:
    """The watched streams in which a build has ended, where builds are expected."""
    found: dict[tuple[Key, str], None] = {}
    branches: dict[Key, Sequence[str] | None] = {}  # a hundred thousand builds may come at once, of few pipelines
    for change in changes:
        build = change.seen
        if change.verdict is None or build.stream is None:
            continue
        key = build.pipeline.provider, build.pipeline.key
        if key not in branches:
            entry = configuration.entry_of(build.pipeline)
            expected = entry is not None and configuration.rules_of(entry).stale is not None
            branches[key] = entry.branches if entry is not None and expected else None
        its = branches[key]
        if its is not None and watched(build, its, build.pipeline.default_branch):
            found[key, build.stream] = None
    return found
