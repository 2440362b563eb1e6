"""What was read about a build is stored, its stream judged anew, its messages brought up to date: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.routing import watched
from alerts.verdict import verdict_of
from domain.alert import Scope
from domain.build import Build
from domain.counted import Counted
from poller.config import Configuration
from poller.details.catching_up import catch_up
from poller.details.reading import Explanation
from poller.intake.judging import Line, judge_streams
from poller.telling.tell import tell_all
from store import builds, counted, details
from store.builds import BuildView, Change
from store.engine import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What storing an explanation has changed."""

    told: frozenset[str] = frozenset()  # channels that have something new
    counted: Sequence[Counted] = ()  # the build, when its verdict or outcome is another now


def save(session: Session, explanation: Explanation, configuration: Configuration, now: datetime) -> Saved:
    """Store an explanation, and let people know as far as that is news.

    A build that runs again by now, or that is gone, was read in vain: it will be due again when it ends.
    """
    build_id = explanation.build.id or 0
    view = builds.get(session, [build_id]).get(build_id)
    details.done(session, build_id)
    if view is None or not _is_the_same(view.build, explanation.build):
        return Saved()
    changes = _correct(session, view.build, explanation, configuration, now)
    details.save(session, build_id, replace(explanation.findings, read_at=now))
    told = _judge(session, view, changes, configuration, now)
    return Saved(
        told=told | catch_up(session, build_id, configuration, now),
        counted=counted.touched(session, [each.id for each in changes]),
    )


def _is_the_same(stored: Build, read: Build) -> bool:
    return (stored.status, stored.started_at, stored.attempt) == (read.status, read.started_at, read.attempt)


def _correct(
    session: Session, build: Build, explanation: Explanation, configuration: Configuration, now: datetime
) -> list[Change]:
    """The outcome, where the details tell it better."""
    if explanation.outcome is None or explanation.outcome is build.outcome:
        return []
    entry = configuration.entry_of(build.pipeline)
    passes = configuration.unstable_passes(entry)
    better = replace(build, outcome=explanation.outcome, id=None)
    return builds.upsert(session, [better], lambda each: verdict_of(each, unstable_passes=passes), now)


def _judge(
    session: Session, view: BuildView, changes: list[Change], configuration: Configuration, now: datetime
) -> frozenset[str]:
    """Another verdict, another cause or other failing tests may be news."""
    build = view.build
    entry = configuration.entry_of(build.pipeline)
    if entry is None or not watched(build, entry.branches, build.pipeline.default_branch):
        return frozenset()
    line = Line(
        scope=Scope(provider=build.pipeline.provider, pipeline=build.pipeline.key, branch=build.stream),
        rules=configuration.rules_of(entry),
        fresh=[change.id for change in changes if change.verdict is not change.before_verdict],
    )
    [decisions] = judge_streams(session, [line], configuration=configuration, now=now)
    return tell_all(session, [(decision, build.pipeline) for decision in decisions], configuration, now)
