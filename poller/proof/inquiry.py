"""What the store knows about builds that have to be explained: read once a stream, however many builds of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.decision import Order, order, order_of
from alerts.kinds.failing import threshold
from alerts.kinds.reachability import Unreadable
from alerts.policies.routing import destinations, watched
from alerts.rules import Rules
from domain.alert import Alert, AlertKind, Notification, Scope
from domain.build import Build, Pipeline, Verdict
from domain.stream import Settled
from poller.config import Configuration
from poller.proof.explaining import Details, Facts, Streak
from poller.proof.fates import Said, Setting, Touched
from poller.telling.subject import subject_of, wrong_build
from store import alerts as stored_alerts
from store import awaited, details, outbox, pipelines, proof, silences, streams
from store.builds import BuildView
from store.details import Findings
from store.engine import Session
from store.pipelines import Key, Known

A_DAY = timedelta(days=1)
BACK = 600  # builds of a stream that rules look at
FAR_BACK = 20_000  # for a build that is older

ROLES = {
    "first_failed": "its first failure",
    "last_failed": "its last failure",
    "last_passed": "the last that passed before it",
    "fixed_by": "the one that fixed it",
    "onset": "where it began",
    "fired_by": "the one it fired at",
    "ended_by": "the one that ended it",
}


@dataclass(slots=True)
class _Stream:
    """What is read of one stream."""

    alerts: list[Alert]
    tail: list[Settled]
    places: dict[int, int]  # in the tail, by build


@dataclass(slots=True)
class Inquiry:
    """Gathers the facts about builds, in one snapshot of the store."""

    session: Session
    configuration: Configuration
    now: datetime
    configured_at: datetime | None = None  # since when this configuration is in use
    _known: dict[Key, Known] = field(default_factory=dict)
    _streams: dict[tuple[Key, str | None], _Stream] = field(default_factory=dict)
    _stories: dict[int, Touched] = field(default_factory=dict)  # by alert
    _awaited: frozenset[int] = frozenset()
    _summaries: list[Alert] = field(default_factory=list)
    _setting: Setting = field(init=False)
    _unreadable: Unreadable = field(init=False)

    def __post_init__(self) -> None:
        """Read what holds for all builds."""
        self._setting = Setting(
            now=self.now,
            zone=self.configuration.timezone,
            channels=frozenset(self.configuration.channels),
            configured_at=self.configured_at,
        )
        self._known = {(each.pipeline.provider, each.pipeline.key): each for each in pipelines.all(self.session)}
        self._awaited = frozenset(each.build_id for each in awaited.all(self.session))
        self._unreadable = Unreadable.of(stored_alerts.firing(self.session))
        self._summaries = proof.summaries(self.session)

    def facts(self, view: BuildView) -> Facts:
        """Everything that bears on a stored build."""
        build = view.build
        key = build.pipeline.provider, build.pipeline.key
        entry = self.configuration.entry_of(build.pipeline)
        rules = None if entry is None else self.configuration.rules_of(entry)
        branches = tuple(entry.branches) if entry is not None else ()
        line = self._line(build)
        span = self._span(view, line)
        rerun = view.superseded or view.flaky or build.attempt > 1 or build.id in self._awaited
        return Facts(
            view=view,
            attempts=proof.attempts_of_build(self.session, build) if rerun else (view,),
            rules=rules,
            watched=entry is not None and watched(build, branches, build.pipeline.default_branch),
            branches=branches,
            unstable_passes=self.configuration.unstable_passes(entry),
            watched_since=self._known[key].watched_since,
            kept_since=self.now - self.configuration.store.keep.builds + A_DAY,
            awaited=build.id in self._awaited,
            unreachable=self._unreadable.covers(*key),
            streak=self._streak(build, rules, line, span),
            touched=tuple(self._touched(build, line, span)),
            details=self._details(build.id or 0),
            setting=self._setting,
        )

    def _details(self, build_id: int) -> Details:
        found = details.get(self.session, [build_id]).get(build_id, Findings())
        named = f"{found.bucket} ({found.bucket_class})" if found.bucket and found.bucket_class else found.bucket
        return Details(
            read_at=found.read_at,
            attempts=details.attempts(self.session, build_id),
            cause=named,
            stage=found.failing_stage,
            notes=found.notes,
        )

    def _line(self, build: Build) -> _Stream:
        """The stream of a build, and all alerts that could name it."""
        owner = build.pipeline.provider, build.pipeline.key
        found = self._streams.get((owner, build.stream))
        if found is None:
            scopes = [Scope(provider=owner[0], pipeline=owner[1], branch=None)]
            if build.stream is not None:
                scopes.append(Scope(provider=owner[0], pipeline=owner[1], branch=build.stream))
            its = [alert for scope in scopes for alert in proof.alerts_of_scope(self.session, scope)]
            found = self._streams[owner, build.stream] = _Stream(alerts=its, tail=[], places={})
            if build.stream is not None:
                self._fill(found, build)
        return found

    def _fill(self, line: _Stream, build: Build, limit: int = BACK) -> None:
        owner = build.pipeline.provider, build.pipeline.key
        line.tail = streams.tail(self.session, *owner, build.stream or "", limit=limit)
        line.places = {settled.build_id: place for place, settled in enumerate(line.tail)}

    def _span(self, view: BuildView, line: _Stream) -> tuple[int, int] | None:
        """[first, end) in the tail of the failures in a row around a failed build; None when it is none of them."""
        build = view.build
        if view.verdict is not Verdict.FAILED or view.superseded or build.stream is None or build.id is None:
            return None
        if build.id not in line.places and build.id not in self._awaited and len(line.tail) == BACK:
            self._fill(line, build, FAR_BACK)
        place = line.places.get(build.id)
        return None if place is None else _around(line.tail, place)

    def _streak(self, build: Build, rules: Rules | None, line: _Stream, span: tuple[int, int] | None) -> Streak | None:
        if span is None or rules is None or rules.failure is None:
            return None
        first, end = span
        tail = line.tail
        ended_by = tail[end] if end < len(tail) else None
        return Streak(
            place=line.places[build.id or 0] - first + 1,
            length=end - first,
            needed=threshold(rules.failure, tail[:end]),
            ended_by=ended_by.number if ended_by is not None else None,
            rerun=bool(rules.rerun_wait) and ended_by is not None and ended_by.flaky and ended_by.attempt == 1,
            newer=next((each.id for each in line.alerts if _is_later(each, order(tail[end - 1]))), None),
        )

    def _touched(self, build: Build, line: _Stream, span: tuple[int, int] | None) -> Iterator[Touched]:
        here = build.generation, build.number
        reach = (order(line.tail[span[0]]), order(line.tail[span[1] - 1])) if span is not None else (here, here)
        for alert in line.alerts:
            covers = alert.scope.branch == build.stream and _covers(alert, reach)
            role = _role(alert.evidence, build.id) or ("one of its failures" if covers else None)
            if role is not None:
                yield replace(self._story(alert, build.pipeline), role=role, covers=covers)

    def _story(self, alert: Alert, pipeline: Pipeline) -> Touched:
        """An alert with all that bears on who heard of it."""
        number = alert.id or 0
        if number not in self._stories:
            silenced, hidden = alert.handling.get("silenced_by"), alert.handling.get("hidden_by")
            subject = subject_of(alert, pipeline, wrong_build(self.session, alert))
            summaries = [each.id for each in self._summaries if number in each.evidence.get("alerts", ())]
            self._stories[number] = Touched(
                alert=alert,
                role="",
                said=self._said_about([number]),
                summary=self._said_about(summaries),
                silence=silences.get(self.session, [silenced]).get(silenced) if silenced is not None else None,
                hidden_by=stored_alerts.get(self.session, [hidden]).get(hidden) if hidden is not None else None,
                hidden_told=self._said_about([hidden] if hidden is not None else []),
                routed=destinations(self.configuration.routes, subject),
            )
        return self._stories[number]

    def _said_about(self, ids: Sequence[int | None]) -> list[Said]:
        if not ids:
            return []
        found = outbox.of_alerts(self.session, [each for each in ids if each is not None])
        return [said for its in found.values() for said in self._said(its)]

    def _said(self, notifications: Sequence[Notification]) -> list[Said]:
        together = proof.sent_together(self.session, {each.batch for each in notifications if each.batch is not None})
        return [
            Said(
                notification=each,
                tries=outbox.attempts_of(self.session, each.id or 0),
                together=len(together.get(each.batch or 0, ())) or 1,
            )
            for each in notifications
        ]


def _around(tail: Sequence[Settled], place: int) -> tuple[int, int]:
    """[first, end) of the failures in a row around a place."""
    first, end = place, place + 1
    while first and tail[first - 1].verdict is Verdict.FAILED:
        first -= 1
    while end < len(tail) and tail[end].verdict is Verdict.FAILED:
        end += 1
    return first, end


def _is_later(alert: Alert, last: Order) -> bool:
    """Whether an alert tells of a break after this place in its stream."""
    began = order_of(alert, "first_failed")
    return alert.kind is AlertKind.FAILURE and began is not None and began > last


def _covers(alert: Alert, reach: tuple[Order, Order]) -> bool:
    """Whether an alert tells of these failures in a row: a late one may lie just outside of what it knew."""
    first, last = order_of(alert, "first_failed"), order_of(alert, "last_failed")
    if alert.kind is not AlertKind.FAILURE or first is None or last is None:
        return False
    return first <= reach[1] and reach[0] <= last


def _role(evidence: Mapping[str, Any], build_id: int | None) -> str | None:
    """What a build is to an alert whose evidence names it; None when that does not."""
    for role, named in evidence.items():
        if _names(named, build_id):
            return ROLES.get(role, f"named as {role.replace('_', ' ')}")
    return None


def _names(value: Any, build_id: int | None) -> bool:
    """Whether a value of some evidence is, or holds, a reference to a build."""
    if isinstance(value, dict):
        return ("number" in value and value.get("id") == build_id) or any(
            _names(each, build_id) for each in value.values()
        )
    return isinstance(value, list) and any(_names(each, build_id) for each in value)
