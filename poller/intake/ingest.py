"""One page of builds, in one transaction: stored, judged, and what is to be said put in the outbox.

This is the only way in for builds, whether polled, backfilled or pushed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.decide import Decision
from alerts.kinds.missing import decide_missing
from alerts.policies.routing import watched
from alerts.rules import Rules
from alerts.verdict import verdict_of
from domain.alert import Alert, Scope
from domain.build import Build, Pipeline, Verdict
from domain.counted import Counted
from parsers.secrets import redacted
from poller.config import Configuration
from poller.intake import settling
from poller.intake.due import make_due
from poller.intake.gone import given_up, judge_gone
from poller.intake.judging import BEFORE_EVERYTHING, Line, judge_streams
from poller.intake.undecided import judge_no_verdict
from poller.telling.tell import tell_all
from providers._base import Page
from store import alerts as stored_alerts
from store import builds as stored_builds
from store import counted as stored_counted
from store import cursors, pipelines, quarantine, streams
from store.engine import Session
from store.pipelines import Key, Known

CLOCKS_DISAGREE = timedelta(minutes=1)  # between a provider and us, at most, in the usual case
UNKNOWN_PAST = timedelta(hours=1)  # what a pipeline without builds may have finished before first contact
INSTANT = timedelta(milliseconds=1)
DECIDING = frozenset({Verdict.PASSED, Verdict.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What a page brought."""

    changes: Sequence[stored_builds.Change]
    counted: Sequence[Counted] = ()  # the same builds as the live windows want them
    told: frozenset[str] = frozenset()  # channels that have something new
    transitions: Sequence[Alert] = ()  # what has begun or ended, for the log
    baseline: bool = False  # something was already failing at first contact: a summary is due
    unreadable: int = 0
    turned: Collection[Key] = ()  # pipelines that are new, gone, back, or have another key: with or without builds
    details_due: bool = False  # the details of some builds are to be read


def ingest(
    session: Session,
    page: Page,
    *,
    provider: str,
    target: str,
    configuration: Configuration,
    now: datetime,
    last_poll: datetime | None = None,
    judge: bool = True,
    tells_details: bool = False,
) -> Ingested:
    """Store a page and decide what it means, inside the caller's transaction.

    `last_poll` is when this target was last polled with success: what a pipeline that is new to us finished
    since then is news, what it finished before is baseline. Without `judge` (backfill) nothing is decided.
    `tells_details`: the provider can be asked for more about its builds, and somebody will ask it.
    """
    for old, new in page.renamed.items():
        if pipelines.rename(session, provider, old, new):
            stored_alerts.rename(session, provider, old, new)
    since = _since(page, last_poll, now)
    known = pipelines.remember(session, _met(page).values(), now, watched_since=since)
    found = [_harmless(build) for build in page.builds]
    changes = stored_builds.upsert(session, found, lambda build: _verdict(build, configuration), now)
    quarantine.add(session, provider, page.unreadable, now)
    cursors.save(session, provider, target, page.cursors)
    # Before anything is told: what is told of a build whose details are due waits for them a moment.
    details_due = judge and tells_details and make_due(session, changes, known, configuration, now)
    judged: list[tuple[Decision, Pipeline | None]] = []
    if judge:
        judged += _judge_streams(
            session, changes, known, since, configuration=configuration, now=now, last_poll=last_poll
        )
        judged += judge_no_verdict(session, changes, known, configuration=configuration, now=now)
        judged += judge_gone(session, page, provider=provider, now=now)
        judged += _judge_missing(session, page, known, configuration, provider=provider, now=now)
        given_up_now = given_up(session, page, provider=provider, now=now)
        changes += stored_builds.upsert(session, given_up_now, lambda build: _verdict(build, configuration), now)
    return Ingested(
        changes=changes,
        counted=stored_counted.touched(session, [change.id for change in changes]),
        told=tell_all(session, judged, configuration, now),
        transitions=[decision.alert for decision, _ in judged if decision.reason is not None],
        baseline=any(decision.baseline for decision, _ in judged),
        unreadable=len(page.unreadable),
        turned=_turned(page, known, provider),
        details_due=details_due,
    )


def _turned(page: Page, known: Mapping[Key, Known], provider: str) -> set[Key]:
    named = *page.missing, *page.renamed.values(), *(key for key, _ in page.ended)
    return {key for key, each in known.items() if each.is_new or each.is_back} | {(provider, key) for key in named}


def _harmless(build: Build) -> Build:
    """The title is what somebody wrote to a commit, and people are shown it."""
    title = redacted(build.title) if build.title else build.title
    return build if title == build.title else replace(build, title=title)


def _verdict(build: Build, configuration: Configuration) -> Verdict | None:
    entry = configuration.entry_of(build.pipeline)
    return verdict_of(build, unstable_passes=configuration.unstable_passes(entry))


def _met(page: Page) -> dict[Key, Pipeline]:
    met = {(each.provider, each.key): each for each in (build.pipeline for build in page.builds)}
    return met | {(each.provider, each.key): each for each in page.pipelines}


def _since(page: Page, last_poll: datetime | None, now: datetime) -> dict[Key, datetime]:
    """From when on what finishes is news, for each pipeline on the page, if this is the first we see of it."""
    if last_poll is not None:
        return dict.fromkeys(_met(page), last_poll - CLOCKS_DISAGREE)
    # The provider's own clock says best what had finished when we first looked.
    since = dict.fromkeys(_met(page), now - UNKNOWN_PAST)
    for build in page.builds:
        key = (build.pipeline.provider, build.pipeline.key)
        if build.finished_at is not None and build.finished_at >= since[key]:
            since[key] = build.finished_at + INSTANT
    return since


@dataclass(slots=True)
class _Touched:
    """A stream in which a verdict is new or different, or a build has settled."""

    pipeline: Pipeline
    rules: Rules
    changes: list[stored_builds.Change]
    fresh: list[int]
    watched_since: datetime = BEFORE_EVERYTHING


def _judge_streams(
    session: Session,
    changes: Sequence[stored_builds.Change],
    known: Mapping[Key, Known],
    since: Mapping[Key, datetime],
    *,
    configuration: Configuration,
    now: datetime,
    last_poll: datetime | None,
) -> Iterator[tuple[Decision, Pipeline | None]]:
    touched = _touched(changes, configuration)
    for where in _first_contacts(session, touched, known):
        touched[where].watched_since = since[where[:2]]
    given = [(each.changes, each.rules.rerun_wait, each.watched_since) for each in touched.values()]
    awaited = settling.await_reruns(session, given, now)
    for each in touched.values() if awaited else ():
        each.fresh = [build for build in each.fresh if build not in awaited]
    _add_settled(session, touched, known, configuration=configuration, now=now, last_poll=last_poll)
    lines = [
        Line(
            scope=Scope(provider=provider, pipeline=key, branch=stream),
            rules=each.rules,
            watched_since=each.watched_since,
            met=known[provider, key].watched_since,
            fresh=each.fresh,
        )
        for (provider, key, stream), each in touched.items()
    ]
    judged = judge_streams(session, lines, configuration=configuration, now=now)
    for each, decisions in zip(touched.values(), judged, strict=True):
        for decision in decisions:
            yield decision, each.pipeline


def _touched(changes: Sequence[stored_builds.Change], configuration: Configuration) -> dict[settling.Stream, _Touched]:
    touched: dict[settling.Stream, _Touched] = {}
    for change in changes:
        build = change.seen
        if build.stream is None or DECIDING.isdisjoint({change.verdict, change.before_verdict}):
            continue
        entry = configuration.entry_of(build.pipeline)
        if entry is None or not watched(build, entry.branches, build.pipeline.default_branch):
            continue
        where = build.pipeline.provider, build.pipeline.key, build.stream
        if where not in touched:
            rules = configuration.rules_of(entry)
            touched[where] = _Touched(pipeline=build.pipeline, rules=rules, changes=[], fresh=[])
        touched[where].changes.append(change)
        touched[where].fresh.append(change.id)
    return touched


def _first_contacts(
    session: Session, touched: Mapping[settling.Stream, _Touched], known: Mapping[Key, Known]
) -> set[settling.Stream]:
    """The branches of a pipeline may come on several pages, and each has its first contact."""
    new = {where for where in touched if known[where[:2]].is_new}
    perhaps = {
        where: min(change.id for change in each.changes)
        for where, each in touched.items()
        if where not in new and all(change.before is None for change in each.changes)
    }
    return new | (perhaps.keys() - streams.met(session, perhaps))


def _add_settled(
    session: Session,
    touched: dict[settling.Stream, _Touched],
    known: Mapping[Key, Known],
    *,
    configuration: Configuration,
    now: datetime,
    last_poll: datetime | None,
) -> None:
    """What has settled because of this page: a re-run that was cancelled changes no verdict.

    What settles by time is left to `settle_due`: another page of this poll may hold the re-run.
    """
    until = last_poll or BEFORE_EVERYTHING
    found = settling.settled(session, configuration, now, among=known, known_until=lambda _: until)
    for (provider, key, stream), fresh in found.items():
        pipeline = known[provider, key].pipeline
        where = provider, key, stream
        if where not in touched:
            rules = configuration.rules_of(configuration.entry_of(pipeline))
            touched[where] = _Touched(pipeline=pipeline, rules=rules, changes=[], fresh=[])
        touched[where].fresh += fresh


def _judge_missing(
    session: Session,
    page: Page,
    known: Mapping[Key, Known],
    configuration: Configuration,
    *,
    provider: str,
    now: datetime,
) -> Iterator[tuple[Decision, Pipeline | None]]:
    """Pipelines that the provider says are gone, and those that are back."""
    if page.missing:
        pipelines.set_missing(session, provider, page.missing, now)
    gone = pipelines.find(session, [(provider, key) for key in page.missing])
    back = {key: each for key, each in known.items() if each.is_back}
    for (_, name), each in {**back, **gone}.items():
        entry = configuration.entry_of(each.pipeline)
        if entry is None or not configuration.rules_of(entry).pipeline_missing:
            continue
        scope = Scope(provider=provider, pipeline=name)
        is_missing = (provider, name) in gone
        stored = stored_alerts.of_scope(session, scope)
        for decision in decide_missing(scope=scope, missing=is_missing, stored=stored, now=now):
            yield decision, each.pipeline
