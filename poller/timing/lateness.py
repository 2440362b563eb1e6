"""What is known of a pipeline as far as time matters: when its next build is due, and what waits or runs too long."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alerts.decision import Decision, closed
from alerts.kinds import stale, stuck
from alerts.policies.routing import watched
from alerts.rules import Rules
from domain.alert import Alert, AlertKind, Scope
from domain.build import Build, Pipeline, Status
from poller.config import Configuration
from poller.config.cron import next_after
from providers._base import Waiting
from store import alerts, pace
from store.engine import Session
from store.pipelines import Key, Known

KINDS = (AlertKind.STALE, AlertKind.STUCK)
HABITS = timedelta(days=28)  # `auto` learns from so long
NEWEST = 50  # builds among which the newest of a watched branch is looked for first
EVER = datetime(1970, 1, 1, tzinfo=UTC)
APPROVAL = "waiting"  # GitHub's word for a run that a person has to let go on: no queue is stuck
HEARD_OF = timedelta(hours=1)  # so often what is stuck is looked at, to give up what nobody hears of any more

Queued = Mapping[str, Sequence[Waiting]]
"""What waits on each provider whose queue is known."""

Judged = tuple[Decision, Pipeline | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one pipeline, as far as time matters."""

    known: Known
    rules: Rules | None  # None: it is not watched
    begun: Sequence[stale.Begun] = ()  # on branches that are watched, oldest first
    due: stale.Due | None = None
    unfinished: Mapping[str, Sequence[stuck.Unfinished]] = field(default_factory=dict)  # by stream, watched ones only
    longest: Mapping[str, timedelta | None] = field(default_factory=dict)  # by stream
    ended: Mapping[int, stuck.Ending] = field(default_factory=dict)  # of the builds that its alerts name
    firing: Sequence[Alert] = ()  # of KINDS

    @property
    def key(self) -> Key:
        """Of the pipeline."""
        return self.known.pipeline.provider, self.known.pipeline.key

    @property
    def last(self) -> stale.Begun | None:
        """The newest build."""
        return self.begun[-1] if self.begun else None

    def judged(self, now: datetime, because: str = stale.NO_TRIGGER) -> list[Judged]:
        """What becomes of its alerts."""
        if self.rules is None:
            return []
        pipeline = self.known.pipeline
        if self.known.missing_since is not None:  # an alert of its own says so
            return [(closed(alert, because="the pipeline is gone", at=now), pipeline) for alert in self.firing]
        decisions = list(self._judged_stale(self.rules, because, now))
        streams = dict.fromkeys([*self.unfinished, *(alert.scope.branch or "" for alert in self._of(AlertKind.STUCK))])
        for stream in streams:
            decisions += self._judged_stuck(stream, self.rules, now)
        return [(each, pipeline) for each in decisions]

    def _judged_stale(self, rules: Rules, because: str, now: datetime) -> Sequence[Decision]:
        provider, key = self.key
        return stale.decide_stale(
            scope=Scope(provider=provider, pipeline=key),
            due=self.due,
            last=self.last,
            stored=self._of(AlertKind.STALE),
            rule=rules.stale,
            because=because,
            watched_since=self.known.watched_since,
            now=now,
        )

    def _judged_stuck(self, stream: str, rules: Rules, now: datetime) -> Sequence[Decision]:
        provider, key = self.key
        return stuck.decide_stuck(
            scope=Scope(provider=provider, pipeline=key, branch=stream),
            unfinished=self.unfinished.get(stream, ()),
            ended=self.ended,
            stored=[alert for alert in self._of(AlertKind.STUCK) if alert.scope.branch == stream],
            rule=rules.stuck,
            longest=self.longest.get(stream),
            watched_since=self.known.watched_since,
            now=now,
        )

    def _of(self, kind: AlertKind) -> list[Alert]:
        return [alert for alert in self.firing if alert.kind is kind]

    def next_look(self, now: datetime) -> datetime | None:
        """When time may have something to say; EVER when a firing alert has changed already."""
        if any(decision.alert.id is not None for decision, _ in self.judged(now)):
            return EVER
        if self.rules is None or self.known.missing_since is not None:
            return None
        moments = [] if self.due is None or self._of(AlertKind.STALE) else [self.due.latest]
        named = {build["id"] for alert in self._of(AlertKind.STUCK) for build in alert.evidence["builds"]}
        for stream, builds in self.unfinished.items():
            if self.rules.stuck is not None:
                longest = self.longest.get(stream)
                stuck_from = [
                    stuck.stuck_from(each, self.rules.stuck, longest) for each in builds if each.build_id not in named
                ]
                moments += [at for at in stuck_from if at is not None and now < at + stuck.FORGOTTEN]
        if named:
            moments.append(now + HEARD_OF)
        return min(moments, default=None)


def read(
    session: Session,
    known: Iterable[Known],
    configuration: Configuration,
    now: datetime,
    *,
    queues: Queued,
) -> list[Facts]:
    """What time has to be measured against, for each of these pipelines. `queues` by provider, as far as known."""
    wanted = list(known)
    waiting = _by_pipeline(queues)
    firing: dict[Key, list[Alert]] = {}
    for alert in alerts.firing_of(session, KINDS):
        firing.setdefault((alert.scope.provider, alert.scope.pipeline or ""), []).append(alert)
    going_on: dict[int, list[pace.GoingOn]] = {}
    for each in pace.going_on(session, [one.id for one in wanted]):
        going_on.setdefault(each.pipeline_id, []).append(each)
    return [
        _facts(
            session,
            each,
            configuration,
            going_on=going_on.get(each.id, ()),
            queued=waiting.get((each.pipeline.provider, each.pipeline.key), ())
            if each.pipeline.provider in queues
            else None,
            firing=firing.get((each.pipeline.provider, each.pipeline.key), ()),
            now=now,
        )
        for each in wanted
    ]


def _facts(
    session: Session,
    known: Known,
    configuration: Configuration,
    *,
    going_on: Sequence[pace.GoingOn],
    queued: Sequence[tuple[str, Waiting]] | None,
    firing: Sequence[Alert],
    now: datetime,
) -> Facts:
    entry = configuration.entry_of(known.pipeline)
    if entry is None:
        return Facts(known=known, rules=None)
    rules, branches = configuration.rules_of(entry), entry.branches
    unfinished = _unfinished(going_on, known.pipeline, branches)
    for stream, waits in _queued(queued, known.pipeline, branches, firing):
        unfinished.setdefault(stream, []).append(waits)
    longest = {}
    if rules.stuck is not None:
        for stream in unfinished:
            longest[stream] = stuck.longest_run(rules.stuck, pace.passed_durations(session, known.id, stream))
    begun = _begun(session, known, rules, branches, now) if rules.stale is not None else ()
    named = [build["id"] for alert in firing if alert.kind is AlertKind.STUCK for build in alert.evidence["builds"]]
    return Facts(
        known=known,
        rules=rules,
        begun=begun,
        due=_due(rules, begun, known, configuration),
        unfinished=unfinished,
        longest=longest,
        ended=pace.how_ended(session, named) if named else {},
        firing=firing,
    )


def _unfinished(
    going_on: Sequence[pace.GoingOn], pipeline: Pipeline, branches: Sequence[str]
) -> dict[str, list[stuck.Unfinished]]:
    """By stream what waits or runs on watched branches."""
    unfinished: dict[str, list[stuck.Unfinished]] = {}
    for each in going_on:
        waits_for_people = each.status is Status.QUEUED and each.raw == APPROVAL
        if not waits_for_people and _counts(each.stream, each.branch, each.trigger, pipeline, branches):
            found = stuck.Unfinished(
                build_id=each.build_id,
                number=each.number,
                generation=each.generation,
                status=each.status,
                since=each.since,
            )
            unfinished.setdefault(each.stream, []).append(found)
    return unfinished


def _queued(
    queued: Sequence[tuple[str, Waiting]] | None, pipeline: Pipeline, branches: Sequence[str], firing: Sequence[Alert]
) -> Iterator[tuple[str, stuck.Unfinished]]:
    """What waits in a queue of the server. While that is not known, what was told to wait there still does."""
    for alert in firing if queued is None else ():
        if alert.kind is AlertKind.STUCK:
            for each in stuck.named_in(alert):
                if each.number is None:
                    yield alert.scope.branch or "", each
    for stream, waiting in queued or ():
        if pipeline.branched is bool(stream) and _counts(stream, None, None, pipeline, branches):
            found = stuck.Unfinished(
                build_id=-waiting.number,
                number=None,
                generation=0,
                status=Status.QUEUED,
                since=waiting.since,
                why=waiting.why,
            )
            yield stream, found


def _by_pipeline(queues: Queued) -> dict[Key, list[tuple[str, Waiting]]]:
    found: dict[Key, list[tuple[str, Waiting]]] = {}
    for provider, waiting in queues.items():
        for each in waiting:
            for key, stream in each.places:
                found.setdefault((provider, key), []).append((stream, each))
    return found


def _due(rules: Rules, begun: Sequence[stale.Begun], known: Known, configuration: Configuration) -> stale.Due | None:
    if rules.stale is None:
        return None
    zone = rules.stale.zone or configuration.timezone
    return stale.due(
        rules.stale,
        begun,
        watched_since=known.watched_since,
        next_after=lambda cron, after: next_after(cron, zone, after),
    )


def _begun(
    session: Session, known: Known, rules: Rules, branches: Sequence[str], now: datetime
) -> Sequence[stale.Begun]:
    """The builds of watched branches, oldest first; as many as the expectation needs."""
    most = pace.MOST if rules.stale is not None and rules.stale.auto else NEWEST
    chosen = _chosen(pace.begun(session, known.id, now - HABITS, limit=most), known.pipeline, branches)
    if not chosen:
        chosen = _chosen(pace.begun(session, known.id, EVER), known.pipeline, branches)
    return [
        stale.Begun(build_id=each.build_id, number=each.number, generation=each.generation, at=min(each.at, now))
        for each in chosen
    ]


def _chosen(found: Sequence[pace.Begun], pipeline: Pipeline, branches: Sequence[str]) -> list[pace.Begun]:
    """Those on watched branches. Few combinations occur, and each is looked at once."""
    counts: dict[tuple[str, str | None, str | None], bool] = {}
    for each in found:
        combination = each.stream, each.branch, each.trigger
        if combination not in counts:
            counts[combination] = _counts(*combination, pipeline, branches)
    return [each for each in found if counts[each.stream, each.branch, each.trigger]]


def _counts(stream: str, branch: str | None, trigger: str | None, pipeline: Pipeline, branches: Sequence[str]) -> bool:
    build = Build(
        pipeline=pipeline,
        external_id="",
        number=0,
        status=Status.QUEUED,
        branch=branch or stream or None,
        trigger=trigger,
    )
    return watched(build, branches, pipeline.default_branch)
