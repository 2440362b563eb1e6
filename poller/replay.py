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
from typing import NamedTuple

from alerts.gathering import Manner
from alerts.routing import destinations, watched
from domain.alert import Alert, AlertState, Scope
from domain.build import Pipeline
from domain.silence import Silence
from poller.config import Configuration
from poller.deadlines import Deadlines
from poller.handling import acknowledge, look_after
from poller.ingest import ingest
from poller.judging import judge_stream
from poller.parcels import Claim, Pause, claim
from poller.rehearsal import copied
from poller.replay_history import People, Poll, people, polls
from poller.replay_report import Comparison, compare, tellings
from poller.settling import settle_due
from poller.standing import tell_baseline
from poller.subject import subject_of, wrong_build
from providers._base import Page
from store import alerts, outcomes, pipelines, proof, rewind, silences, waiting
from store.engine import Database, Session
from store.pipelines import Key
from store.rewind import Contact

Report = Callable[[datetime], None]
"""Told now and then how far the clock has come."""

LULL = timedelta(minutes=10)  # when no poll finds anything, time is moved on in steps of this size
A_MOMENT = timedelta(milliseconds=1)
A_DAY = timedelta(days=1)
RECEIPT: Mapping[str, object] = {"replayed": True}


_NOBODY: frozenset[str] = frozenset()


class Step(NamedTuple):
    """Something that happens."""

    at: datetime
    rank: int  # of what happens at the same time: first contact, people, polls
    act: Callable[[datetime], frozenset[str]]


@dataclass(slots=True)
class Replay:
    """One run. `copy` is a store that may be spoilt, `before` the alerts of then that fired at its beginning."""

    copy: Database
    configuration: Configuration
    before: Sequence[Alert]
    since: datetime
    until: datetime
    report: Report = field(default=lambda _: None)
    _deadlines: Deadlines = field(init=False)
    _due: dict[str, datetime] = field(default_factory=dict)  # channels that have something for later
    _silences: dict[int, int] = field(default_factory=dict)  # ids in the copy, by those of then
    _ticked: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self._deadlines = Deadlines(self.copy)
        self._deadlines.rebuild()
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

    def _begin(self, contacts: Sequence[Contact]) -> None:
        """What was wrong already is known, and told: only what comes of it is news."""
        known = [(each.provider, each.pipeline) for each in contacts if each.at == self.since]
        self.copy.transact(lambda session: self._meet(session, known, self.since), deadline=600)
        self._tick(self.since)
        self.copy.transact(lambda session: rewind.say_all(session, self.since - A_DAY))
        self._due.clear()

    def _contacts(self, contacts: Sequence[Contact]) -> Iterator[Step]:
        later = [each for each in contacts if each.at > self.since]
        for at, group in groupby(later, key=lambda each: each.at):
            keys = [(each.provider, each.pipeline) for each in group]
            yield Step(at, 0, partial(self._first_contact, keys))

    def _first_contact(self, keys: Sequence[Key], now: datetime) -> frozenset[str]:
        self.copy.transact(lambda session: self._meet(session, keys, now))
        return _NOBODY

    def _meet(self, session: Session, keys: Sequence[Key], now: datetime) -> None:
        """Judge the streams of these pipelines as at first contact: silently."""
        for build in rewind.newest_of_streams(session, [each.id for each in pipelines.find(session, keys).values()]):
            pipeline = build.pipeline
            entry = self.configuration.entry_of(pipeline)
            if entry is None or not watched(build, entry.branches, pipeline.default_branch):
                continue
            scope = Scope(provider=pipeline.provider, pipeline=pipeline.key, branch=build.stream)
            rules = self.configuration.rules_of(entry)
            decisions = judge_stream(
                session, scope, rules, configuration=self.configuration, now=now, watched_since=now, fresh=()
            )
            for decision in decisions:
                self._keep(session, decision.alert, pipeline, now)

    def _keep(self, session: Session, alert: Alert, pipeline: Pipeline, now: datetime) -> None:
        """An alert that fires from before: whoever was told of it then will hear how it ends."""
        if alert.state is not AlertState.FIRING:
            alerts.save(session, alert)
            return
        then = next((each for each in self.before if each.fingerprint == alert.fingerprint), None)
        if then is not None:
            channels = tuple(name for name in then.channels if name in self.configuration.channels)
            alerts.save(session, replace(alert, channels=channels, evidence=_plain(alert), handling=_of_then(then)))
            return
        subject = subject_of(alert, pipeline, wrong_build(session, alert))
        channels = destinations(self.configuration.routes, subject)
        handling = {"told_at": now.isoformat()}
        alerts.save(session, replace(alert, channels=channels, evidence=_plain(alert), handling=handling))

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
        begins = replace(silence, ended_at=None, ended_because=None)
        added = self.copy.transact(lambda session: silences.add(session, begins))
        self._silences[silence.id or 0] = added.id or 0
        return _NOBODY

    def _unsilence(self, silence: Silence, now: datetime) -> frozenset[str]:
        because, number = silence.ended_because or "ended", self._silences.get(silence.id or 0, silence.id or 0)
        self.copy.transact(lambda session: silences.end(session, number, because, now))
        return _NOBODY

    def _acknowledge(self, then: Alert, now: datetime) -> frozenset[str]:
        def unit(session: Session) -> None:
            known = then.handling["acknowledged"]
            for each in alerts.firing(session):
                if each.fingerprint == then.fingerprint and each.id is not None:
                    acknowledge(session, each.id, self.configuration, now, by=known["by"], reason=known.get("reason"))

        self.copy.transact(unit)
        return _NOBODY

    def _polls(self, polls: Iterator[Poll]) -> Iterator[Step]:
        for poll in polls:
            yield Step(poll.at, 2, partial(self._poll, poll))

    def _poll(self, poll: Poll, now: datetime) -> frozenset[str]:
        page = Page(builds=poll.builds)

        def unit(session: Session) -> frozenset[str]:
            ingested = ingest(
                session,
                page,
                provider=poll.provider,
                target="replay",
                configuration=self.configuration,
                now=now,
                last_poll=poll.before,
            )
            self._deadlines.touched(ingested)
            return ingested.told | (tell_baseline(session, self.configuration, now) if ingested.baseline else _NOBODY)

        return self.copy.transact(unit)

    def _pass_time(self, until: datetime) -> None:
        """Everything that time alone brings about before something else happens."""
        while True:
            due = min(self._due.values(), default=None)
            tick = self._ticked + LULL
            at = tick if due is None else min(due, tick)
            if at >= until:
                break
            if at == tick:
                self._tick(at)
            else:
                self._deliver([name for name, each in self._due.items() if each <= at], at)
        self._tick(until)

    def _tick(self, now: datetime) -> None:
        self._ticked = now
        self._wake(self.copy.transact(lambda session: self._look_after(session, now)), now)
        looked = self._deadlines.look(
            self.configuration, now, known_until=lambda _: now, why_idle=lambda _: dict[Key, str]()
        )
        self._wake(looked.told, now)

    def _look_after(self, session: Session, now: datetime) -> frozenset[str]:
        return settle_due(session, self.configuration, now) | look_after(session, self.configuration, now)

    def _wake(self, names: frozenset[str], now: datetime) -> None:
        due = {name for name, at in self._due.items() if at <= now}
        self._deliver(sorted(due | (names & self.configuration.channels.keys())), now)

    def _deliver(self, names: Sequence[str], now: datetime) -> None:
        for name in names:
            self._due.pop(name, None)
            later = self.copy.transact(partial(self._deliver_one, name=name, now=now))
            if later is not None:
                self._due[name] = later

    def _deliver_one(self, session: Session, *, name: str, now: datetime) -> datetime | None:
        """Send what is due on a channel; when something will be due next."""
        manner = Manner(edits=self.configuration.channels[name].edits, group_wait=self.configuration.group_wait)
        while isinstance(found := claim(session, name, manner, now), Claim):
            outcomes.mark_sent(session, found.lead, RECEIPT, now)
        moments = [found.until] if isinstance(found, Pause) else []
        due = waiting.next_due(session, name, now)
        if due is not None:
            moments.append(due)
        return max(min(moments), now + A_MOMENT) if moments else None


def _order(step: Step) -> tuple[datetime, int]:
    return step.at, step.rank


def _plain(alert: Alert) -> Mapping[str, object]:
    """Evidence without the mark of first contact: it was told."""
    return {key: value for key, value in alert.evidence.items() if key != "baseline"}


def _of_then(then: Alert) -> Mapping[str, object]:
    """What had been done with an alert before, as far as it still shows."""
    kept = ("told_at", "silenced_by")
    return {key: then.handling[key] for key in kept if key in then.handling}


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
    with copied(f"sqlite:///{history.path}") as copy:
        contacts = rewind.rewind(copy, since, unstable=passes)
        found = polls(history, configuration, since, until, wanted)
        run = Replay(copy=copy, configuration=configuration, before=before, since=since, until=until, report=report)
        run.run(contacts, found, people(history, since))
        now = copy.read(lambda session: proof.written_since(session, since + A_MOMENT), deadline=600)
    then = history.read(lambda session: proof.written_since(session, since + A_MOMENT), deadline=600)
    return compare(tellings(then, of_chosen), tellings(now, of_chosen), until - since)
