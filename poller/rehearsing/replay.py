"""The time machine: stored history once more through the whole alert pipeline, by a clock of its own.

A copy of the store is turned back, the builds of then arrive again as polls would have found them, time is moved on,
and what is due is "delivered" to nobody. Neither the store in use nor the network is touched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from heapq import merge
from itertools import groupby
from typing import NamedTuple, TypeVar

from typing_extensions import override

from alerts.policies.gathering import Manner
from alerts.policies.routing import destinations, watched
from domain.alert import Alert, AlertState, Scope
from domain.build import Pipeline
from domain.silence import Silence
from poller.config import Configuration
from poller.delivery.parcels import Claim, Pause, claim
from poller.intake.ingest import ingest
from poller.intake.judging import Line, judge_streams
from poller.intake.settling import settle_due
from poller.rehearsing.rehearsal import copied
from poller.rehearsing.replay_history import People, Poll, people, polls
from poller.rehearsing.replay_report import Comparison, Telling, compare, tellings
from poller.standing import tell_baseline
from poller.telling.handling import acknowledge, look_after
from poller.telling.subject import subject_of, wrong_build
from poller.timing.comparing import compare_windows
from poller.timing.deadlines import Deadlines
from providers._base import Page
from store import alerts, outcomes, pipelines, proof, rewind, silences, waiting
from store.engine import Database, Session
from store.pipelines import Key
from store.rewind import Contact

Report = Callable[[datetime], None]
"""Told now and then how far the clock has come."""

LULL = timedelta(minutes=5)  # so often at least what time alone changes is looked at,
A_TICK = timedelta(seconds=30)  # and so often at most
EVERYTHING = 1_000_000  # pipelines whose deadlines are read in one go
_KEPT = ("told_at", "silenced_by")  # of what had been done with an alert before
A_MOMENT = timedelta(milliseconds=1)
A_DAY = timedelta(days=1)
T = TypeVar("T")
RECEIPT: Mapping[str, object] = {"replayed": True}


_NOBODY: frozenset[str] = frozenset()


class Step(NamedTuple):
    """Something that happens."""

    at: datetime
    rank: int  # of what happens at the same time: first contact, people, polls
    act: Callable[[datetime], frozenset[str]]


class _Inside(Database):
    """Runs units in the transaction that is open already."""

    def __init__(self, session: Session) -> None:  # of nothing else
        self.session = session

    @override
    def transact(self, unit: Callable[[Session], T], *, deadline: float = 0.0, rebuilds_tables: bool = False) -> T:
        return unit(self.session)

    @override
    def read(self, unit: Callable[[Session], T], *, deadline: float = 0.0) -> T:
        return unit(self.session)


@dataclass(slots=True)
class Replay:
    """One run, in one transaction. `before` are the alerts of then that fired at its beginning."""

    session: Session
    configuration: Configuration
    before: Sequence[Alert]
    since: datetime
    until: datetime
    report: Report = field(default=lambda _: None)
    _deadlines: Deadlines = field(init=False)
    _awaits: bool = field(init=False)  # whether any failure waits for its re-run
    _due: dict[str, datetime] = field(default_factory=dict)  # channels that have something for later
    _silences: dict[int, int] = field(default_factory=dict)  # ids in the copy, by those of then
    _ticked: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self._deadlines = Deadlines(_Inside(self.session), at_once=EVERYTHING)
        self._deadlines.rebuild()
        entries = (None, *self.configuration.pipelines)
        self._awaits = any(self.configuration.rules_of(entry).rerun_wait for entry in entries)
        self._ticked = self.since

    def run(self, contacts: Sequence[Contact], polls: Iterator[Poll], people: People) -> None:
        """Let everything happen, in order, until `until`; what is written stays in the copy."""
        self._begin(contacts)
        for step in merge(self._contacts(contacts), self._people(people), self._polls(polls), key=_order):
            if step.at > self.until:
                break
            self._pass_time(step.at)
            self._wake(step.act(step.at), step.at)
            self.report(step.at)
        self._pass_time(self.until)
        self._tick(self.until)
        self.report(self.until)

    def _begin(self, contacts: Sequence[Contact]) -> None:
        """What was wrong already is known, and told: only what comes of it is news."""
        self._first_contact([(each.provider, each.pipeline) for each in contacts if each.at == self.since], self.since)
        self._tick(self.since)
        rewind.say_all(self.session, self.since - A_DAY)
        self._due.clear()

    def _contacts(self, contacts: Sequence[Contact]) -> Iterator[Step]:
        later = [each for each in contacts if each.at > self.since]
        for at, group in groupby(later, key=lambda each: each.at):
            keys = [(each.provider, each.pipeline) for each in group]
            yield Step(at, 0, partial(self._first_contact, keys))

    def _first_contact(self, keys: Sequence[Key], now: datetime) -> frozenset[str]:
        """Judge the streams of these pipelines as at first contact: silently."""
        ids = [each.id for each in pipelines.find(self.session, keys).values()]
        for build in rewind.newest_of_streams(self.session, ids):
            pipeline = build.pipeline
            entry = self.configuration.entry_of(pipeline)
            if entry is None or not watched(build, entry.branches, pipeline.default_branch):
                continue
            line = Line(
                scope=Scope(provider=pipeline.provider, pipeline=pipeline.key, branch=build.stream),
                rules=self.configuration.rules_of(entry),
                watched_since=now,
                fresh=(),
            )
            [decisions] = judge_streams(self.session, [line], configuration=self.configuration, now=now)
            for decision in decisions:
                self._keep(decision.alert, pipeline, now)
        return _NOBODY

    def _keep(self, alert: Alert, pipeline: Pipeline, now: datetime) -> None:
        """An alert that fires from before: whoever was told of it then will hear how it ends."""
        if alert.state is not AlertState.FIRING:
            alerts.save(self.session, alert)
            return
        then = next((each for each in self.before if each.fingerprint == alert.fingerprint), None)
        if then is not None:
            channels = tuple(name for name in then.channels if name in self.configuration.channels)
            handling = {key: then.handling[key] for key in _KEPT if key in then.handling}
        else:
            subject = subject_of(alert, pipeline, wrong_build(self.session, alert))
            channels = destinations(self.configuration.routes, subject)
            handling = {"told_at": now.isoformat()}
        evidence = {key: value for key, value in alert.evidence.items() if key != "baseline"}  # it was told
        alerts.save(self.session, replace(alert, channels=channels, evidence=evidence, handling=handling))

    def _people(self, people: People) -> Iterator[Step]:
        steps = []
        for silence in people.silences:
            if silence.created_at > self.since:
                steps.append(Step(silence.created_at, 1, partial(self._silence, silence)))
            if silence.ended_at is not None and silence.ended_at > self.since:
                steps.append(Step(silence.ended_at, 1, partial(self._unsilence, silence)))
        for alert in people.acknowledged:
            at = datetime.fromisoformat(alert.handling["acknowledged"]["at"])
            if at > self.since:
                steps.append(Step(at, 1, partial(self._acknowledge, alert)))
        return iter(sorted(steps, key=_order))

    def _silence(self, silence: Silence, _: datetime) -> frozenset[str]:
        added = silences.add(self.session, replace(silence, ended_at=None, ended_because=None))
        self._silences[silence.id or 0] = added.id or 0
        return _NOBODY

    def _unsilence(self, silence: Silence, now: datetime) -> frozenset[str]:
        number = self._silences.get(silence.id or 0, silence.id or 0)
        silences.end(self.session, number, silence.ended_because or "ended", now)
        return look_after(self.session, self.configuration, now)

    def _acknowledge(self, then: Alert, now: datetime) -> frozenset[str]:
        known = then.handling["acknowledged"]
        for each in alerts.firing(self.session):
            if each.fingerprint == then.fingerprint and each.id is not None:
                how = {"by": known["by"], "reason": known.get("reason")}
                acknowledge(self.session, each.id, self.configuration, now, **how)
        return _NOBODY

    def _polls(self, polls: Iterator[Poll]) -> Iterator[Step]:
        for poll in polls:
            yield Step(poll.at, 2, partial(self._poll, poll))

    def _poll(self, poll: Poll, now: datetime) -> frozenset[str]:
        ingested = ingest(
            self.session,
            Page(builds=poll.builds),
            provider=poll.provider,
            target="replay",
            configuration=self.configuration,
            now=now,
            last_poll=poll.before,
        )
        self._deadlines.touched(ingested)
        if not ingested.baseline:
            return ingested.told
        return ingested.told | tell_baseline(self.session, self.configuration, now)

    def _pass_time(self, until: datetime) -> None:
        """Everything that time alone brings about before something else happens."""
        while (at := self._next()) <= until:
            if at >= self._ticked + A_TICK:
                self._tick(at)
            else:
                self._wake(_NOBODY, at)
        if self._awaits:
            self._wake(settle_due(self.session, self.configuration, until), until)

    def _next(self) -> datetime:
        """When something is due next: a message, a deadline, or a look at everything."""
        deadline = self._deadlines.earliest()
        look = self._ticked + LULL
        if deadline is not None:
            look = min(look, max(deadline, self._ticked + A_TICK))
        return min([look, *self._due.values()])

    def _tick(self, now: datetime) -> None:
        self._ticked = now
        session, configuration = self.session, self.configuration
        told = settle_due(session, configuration, now)
        looked = self._deadlines.look(configuration, now, known_until=lambda _: now, why_idle=lambda _: {})
        told |= looked.told | look_after(session, configuration, now) | compare_windows(session, configuration, now)
        self._wake(told, now)

    def _wake(self, names: frozenset[str], now: datetime) -> None:
        """Deliver what is due by now, on these channels and on those that waited for this moment."""
        due = {name for name, at in self._due.items() if at <= now}
        for name in sorted(due | (names & self.configuration.channels.keys())):
            self._due.pop(name, None)
            later = self._deliver(name, now)
            if later is not None:
                self._due[name] = later

    def _deliver(self, name: str, now: datetime) -> datetime | None:
        """Send what is due on a channel; when something will be due next."""
        manner = Manner(edits=self.configuration.channels[name].edits, group_wait=self.configuration.group_wait)
        while isinstance(found := claim(self.session, name, manner, now), Claim):
            outcomes.mark_sent(self.session, found.lead, RECEIPT, now)
        moments = [found.until] if isinstance(found, Pause) else []
        due = waiting.next_due(self.session, name, now)
        if due is not None:
            moments.append(due)
        return max(min(moments), now + A_MOMENT) if moments else None


def _order(step: Step) -> tuple[datetime, int]:
    return step.at, step.rank


def replayed(
    history: Database,
    configuration: Configuration,
    since: datetime,
    until: datetime,
    *,
    glob: str | None = None,
    report: Report = lambda _: None,
) -> Comparison:
    """Replay what a store holds of [since, until] and compare what would be said with what was.

    `history` is a copy that is only read; `glob` chooses pipelines by full or display name. Raises StoreError.
    """

    def wanted(pipeline: Pipeline) -> bool:
        return glob is None or fnmatchcase(pipeline.key, glob) or fnmatchcase(pipeline.name, glob)

    known = {each.id: each.pipeline for each in history.read(pipelines.all)}
    chosen = {(each.provider, each.key) for each in known.values() if wanted(each)}

    def of_chosen(alert: Alert) -> bool:
        return glob is None or (alert.scope.provider, alert.scope.pipeline) in chosen

    before = history.read(lambda session: proof.firing_at(session, since))
    passes = [number for number, each in known.items() if configuration.unstable_passes(configuration.entry_of(each))]
    arriving, deeds = polls(history, configuration, since, until, wanted), people(history, since)

    def run(session: Session) -> list[Telling]:
        contacts = rewind.rewind(session, since, unstable=passes)
        replay = Replay(
            session=session, configuration=configuration, before=before, since=since, until=until, report=report
        )
        replay.run(contacts, arriving, deeds)
        return tellings(proof.written_since(session, since + A_MOMENT), of_chosen)

    with copied(f"sqlite:///{history.path}") as copy:
        now = copy.transact(run)
    then = tellings(history.read(lambda session: proof.written_since(session, since + A_MOMENT)), of_chosen)
    return compare(then, now, until - since)
